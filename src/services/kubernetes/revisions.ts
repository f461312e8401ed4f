// The history of a rollout: ReplicaSets of a Deployment, ControllerRevisions of the others, and what each changed.

import type { CallContext } from '../../kit/context.ts';
import { toTimestamp } from '../../kit/duration.ts';
import { AppError } from '../../kit/errors.ts';
import type { Section } from '../../kit/result.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import type { Kubernetes } from '../../upstream/kubernetes/kubernetes.ts';
import {
  type Fields,
  fieldsAt,
  isObject,
  type KubeObject,
  kindOf,
  listAt,
  mapAt,
  metadataOf,
  nameOf,
  namespaceOf,
  numberAt,
  ownersOf,
  textAt,
  timeAt,
  valueAt,
} from '../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../upstream/kubernetes/resources.ts';
import { rolloutStatus } from '../../upstream/kubernetes/rollout.ts';
import { toConditions } from './summary.ts';

const REVISION = 'deployment.kubernetes.io/revision';
const CHANGE_CAUSE = 'kubernetes.io/change-cause';
const MAX_REVISIONS = 10;
const MAX_CHANGES = 20;
/** Labels and annotations that the controllers write themselves. */
const OWN_KEYS = new Set(['pod-template-hash', 'controller-revision-hash', 'deprecated.daemonset.template.generation']);

export interface Revision {
  readonly revision: number;
  readonly createdAt: number | undefined;
  readonly template: Fields;
  readonly changeCause: string | undefined;
  readonly replicas: number | undefined;
}

interface Change {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Lists of named things (containers, env, volumes) are compared by name, others as a whole. */
const toComparable = (value: unknown): unknown => {
  if (!Array.isArray(value)) return value;
  return value.every((item) => isObject(item) && typeof item['name'] === 'string')
    ? Object.fromEntries(value.map((item) => [String((item as Fields)['name']), item]))
    : value;
};

/** Field changes between two values, by path. */
export const diffFields = (before: unknown, after: unknown, path = ''): Change[] => {
  const [left, right] = [toComparable(before), toComparable(after)];
  if (JSON.stringify(left) === JSON.stringify(right)) return [];
  if (!isObject(left) || !isObject(right))
    return [{ path, ...(before === undefined ? {} : { before }), ...(after === undefined ? {} : { after }) }];
  const keys = [...new Set([...Object.keys(left), ...Object.keys(right)])].filter((key) => !OWN_KEYS.has(key));
  return keys.flatMap((key) => diffFields(left[key], right[key], path === '' ? key : `${path}.${key}`));
};

const isOwnedBy = (object: KubeObject, uid: string): boolean => ownersOf(object).some((owner) => owner.uid === uid);

const toLabelSelector = (object: KubeObject): string =>
  Object.entries(mapAt(object, 'spec', 'selector', 'matchLabels'))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');

export const readRevisions = async (client: KubernetesClient, object: KubeObject, { signal }: CallContext): Promise<Revision[]> => {
  const isDeployment = kindOf(object) === 'Deployment';
  const { items } = await client.listAll(isDeployment ? RESOURCES.replicasets : RESOURCES.controllerrevisions, {
    namespace: namespaceOf(object),
    labelSelector: toLabelSelector(object),
    signal,
  });
  const { uid } = metadataOf(object);
  return items
    .filter((item) => isOwnedBy(item, uid))
    .map((item) => ({
      revision: isDeployment ? Number(mapAt(item, 'metadata', 'annotations')[REVISION] ?? 0) : (numberAt(item, 'revision') ?? 0),
      createdAt: timeAt(item, 'metadata', 'creationTimestamp'),
      template: isDeployment ? fieldsAt(item, 'spec', 'template') : fieldsAt(item, 'data', 'spec', 'template'),
      changeCause: mapAt(item, 'metadata', 'annotations')[CHANGE_CAUSE],
      replicas: isDeployment ? (numberAt(item, 'status', 'replicas') ?? 0) : undefined,
    }))
    .sort((a, b) => b.revision - a.revision);
};

const toRow = (revision: Revision, previous: Revision | undefined): Fields => {
  const changes = previous === undefined ? [] : diffFields(previous.template, revision.template);
  return {
    revision: revision.revision,
    ...(revision.createdAt === undefined ? {} : { createdAt: toTimestamp(revision.createdAt) }),
    ...(revision.replicas === undefined ? {} : { replicas: revision.replicas }),
    images: listAt(revision.template, 'spec', 'containers').map((container) => textAt(container, 'image')),
    ...(revision.changeCause === undefined ? {} : { changeCause: revision.changeCause }),
    ...(changes.length > 0 ? { changes: changes.slice(0, MAX_CHANGES) } : {}),
    ...(changes.length > MAX_CHANGES ? { moreChanges: changes.length - MAX_CHANGES } : {}),
  };
};

/** State of the rollout and its revisions, newest first, each with its difference to the one before. */
export const toRolloutSections = async (
  client: KubernetesClient,
  object: KubeObject,
  service: Kubernetes,
  ctx: CallContext,
): Promise<Section[]> => {
  const kind = kindOf(object);
  if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind)) {
    throw new AppError('INVALID_ARGUMENT', `${kind} has no rollout.`, {
      details: { argument: 'view', choices: ['deployment', 'statefulset', 'daemonset'] },
    });
  }
  const { state, message } = rolloutStatus(object);
  const revisions = await readRevisions(client, object, ctx);
  const status = fieldsAt(object, 'status');
  const replicas = Object.fromEntries(
    [
      ['wanted', numberAt(object, 'spec', 'replicas') ?? numberAt(status, 'desiredNumberScheduled')] as const,
      ...(
        [
          'replicas',
          'updatedReplicas',
          'readyReplicas',
          'availableReplicas',
          'unavailableReplicas',
          'updatedNumberScheduled',
          'numberReady',
          'numberAvailable',
        ] as const
      ).map((key) => [key, valueAt(status, key)] as const),
    ].filter(([, value]) => value !== undefined),
  );
  const conditions = toConditions(object, service.now());
  return [
    { key: 'rollout', value: { state: state === 'failed' ? 'stuck' : state, message, name: nameOf(object) } },
    { key: 'replicas', value: replicas },
    ...(conditions.length > 0 ? [{ key: 'conditions', value: conditions }] : []),
    { key: 'revisions', value: revisions.slice(0, MAX_REVISIONS).map((revision, index) => toRow(revision, revisions[index + 1])) },
  ];
};
