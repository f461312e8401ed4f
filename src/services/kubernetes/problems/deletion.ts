// Objects that should be gone: deletion asked for, and something holds them.

import { humanDuration } from '../../../upstream/kubernetes/duration.ts';
import {
  conditionsOf,
  type KubeObject,
  kindOf,
  listAt,
  metadataOf,
  nameOf,
  namespaceOf,
  numberAt,
  textAt,
} from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { activePods, lookAt } from './pods.ts';
import { type Check, type Problem, someOf, toRef } from './problem.ts';
import { isFinished, type Plural, type Snapshot } from './snapshot.ts';

/** Longer than a foreground deletion or a clean shutdown takes. */
const PATIENCE_MS = 600_000;

export const DELETABLE = [
  'namespaces',
  'pods',
  'persistentvolumeclaims',
  'persistentvolumes',
  'deployments',
  'statefulsets',
  'daemonsets',
  'jobs',
  'services',
  'ingresses',
] as const satisfies readonly Plural[];

/** What a namespace waits for stands in its conditions. */
const namespaceReasons = (namespace: KubeObject): readonly string[] =>
  conditionsOf(namespace)
    .filter(({ status }) => status === 'True')
    .map(({ message }) => message)
    .filter((message) => message !== undefined);

/** A claim stays for as long as a pod uses it. */
const usersOf = (cluster: Snapshot, claim: KubeObject): readonly string[] =>
  activePods(cluster)
    .filter((pod) => namespaceOf(pod) === namespaceOf(claim))
    .filter((pod) =>
      listAt(pod, 'spec', 'volumes').some((volume) => textAt(volume, 'persistentVolumeClaim', 'claimName') === nameOf(claim)),
    )
    .map(nameOf);

const describeFinalizers = (cluster: Snapshot, object: KubeObject, finalizers: readonly string[]): string => {
  const users = finalizers.includes('kubernetes.io/pvc-protection') ? usersOf(cluster, object) : [];
  const uses =
    users.length === 0 ? '' : ` (${users.length === 1 ? 'pod' : 'pods'} ${someOf(users)} ${users.length === 1 ? 'uses' : 'use'} it)`;
  return `finalizers ${someOf(finalizers)}${uses}`;
};

const judge = (cluster: Snapshot, object: KubeObject, now: number): readonly Problem[] => {
  const { deletedAt, finalizers } = metadataOf(object);
  // The time of deletion of a pod lies ahead by its grace period: it is when it should be gone.
  if (deletedAt === undefined || now - deletedAt < PATIENCE_MS) return [];
  const kind = kindOf(object);
  const ref = toRef(object);
  const node = textAt(object, 'spec', 'nodeName');
  const held =
    finalizers.length > 0
      ? describeFinalizers(cluster, object, finalizers)
      : kind === 'Pod' && !isFinished(object)
        ? `the kubelet of ${node ?? 'no node'} has not confirmed its end (grace period ${numberAt(object, 'metadata', 'deletionGracePeriodSeconds') ?? 30}s)`
        : 'nothing that its metadata shows';
  return [
    {
      severity: 'warning',
      ref,
      reason: 'TerminatingForLong',
      since: deletedAt,
      detail: `being deleted for ${humanDuration(now - deletedAt)}, held by ${kind === 'Namespace' ? 'what is left in it' : held}`,
      at: placeIn(
        object,
        finalizers.length > 0 ? 'metadata.finalizers' : kind === 'Namespace' ? 'status.phase' : 'metadata.deletionTimestamp',
      ),
      evidence: kind === 'Namespace' ? namespaceReasons(object) : [],
      because: [
        ...(node === undefined ? [] : [{ kind: 'node', name: node }]),
        ...(ref.namespace === undefined ? [] : [{ kind: 'namespace', name: ref.namespace }]),
      ],
      next: lookAt(ref, 'describe'),
    },
  ];
};

export const checkDeletions: Check = (cluster: Snapshot, now) =>
  DELETABLE.flatMap((plural) => cluster.list(plural)).flatMap((object) => judge(cluster, object, now));
