// Objects that a pod names: is each of them there? Asked by name and as a table row, so that no value of a Secret is read.

import type { CallContext } from '../../../kit/context.ts';
import { toAppError } from '../../../kit/errors.ts';
import { inParallel } from '../../../kit/parallel.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import {
  booleanAt,
  type Fields,
  fieldsAt,
  type KubeObject,
  kindOf,
  listAt,
  namespaceOf,
  textAt,
} from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES, type ResourceRef } from '../../../upstream/kubernetes/resources.ts';

const PARALLEL = 5;
const MAX_ASKED = 30;

export interface Named {
  readonly resource: ResourceRef;
  readonly name: string;
}

const podSpecOf = (object: KubeObject): Fields => {
  if (kindOf(object) === 'Pod') return fieldsAt(object, 'spec');
  return kindOf(object) === 'CronJob'
    ? fieldsAt(object, 'spec', 'jobTemplate', 'spec', 'template', 'spec')
    : fieldsAt(object, 'spec', 'template', 'spec');
};

const named = (resource: ResourceRef, name: string | undefined, isOptional = false): readonly Named[] =>
  name === undefined || isOptional ? [] : [{ resource, name }];

const fromVolume = (volume: Fields): readonly Named[] => [
  ...named(RESOURCES.configmaps, textAt(volume, 'configMap', 'name'), booleanAt(volume, 'configMap', 'optional')),
  ...named(RESOURCES.secrets, textAt(volume, 'secret', 'secretName'), booleanAt(volume, 'secret', 'optional')),
  ...named(RESOURCES.persistentvolumeclaims, textAt(volume, 'persistentVolumeClaim', 'claimName')),
  ...listAt(volume, 'projected', 'sources').flatMap((source) => [
    ...named(RESOURCES.configmaps, textAt(source, 'configMap', 'name'), booleanAt(source, 'configMap', 'optional')),
    ...named(RESOURCES.secrets, textAt(source, 'secret', 'name'), booleanAt(source, 'secret', 'optional')),
  ]),
];

const fromReference = (source: unknown): readonly Named[] => [
  ...named(
    RESOURCES.configmaps,
    textAt(source, 'configMapKeyRef', 'name') ?? textAt(source, 'configMapRef', 'name'),
    booleanAt(source, 'configMapKeyRef', 'optional') || booleanAt(source, 'configMapRef', 'optional'),
  ),
  ...named(
    RESOURCES.secrets,
    textAt(source, 'secretKeyRef', 'name') ?? textAt(source, 'secretRef', 'name'),
    booleanAt(source, 'secretKeyRef', 'optional') || booleanAt(source, 'secretRef', 'optional'),
  ),
];

const fromContainer = (container: Fields): readonly Named[] => [
  ...listAt(container, 'env').flatMap((variable) => fromReference(variable['valueFrom'])),
  ...listAt(container, 'envFrom').flatMap(fromReference),
];

/** ConfigMaps, Secrets, claims, ServiceAccount and PriorityClass that a pod, or the pods of a workload, cannot do without. */
export const namedObjects = (object: KubeObject): readonly Named[] => {
  const spec = podSpecOf(object);
  const all = [
    ...listAt(spec, 'volumes').flatMap(fromVolume),
    ...[...listAt(spec, 'initContainers'), ...listAt(spec, 'containers')].flatMap(fromContainer),
    ...listAt(spec, 'imagePullSecrets').flatMap((secret) => named(RESOURCES.secrets, textAt(secret, 'name'))),
    ...named(RESOURCES.serviceaccounts, textAt(spec, 'serviceAccountName')),
    ...named(RESOURCES.priorityclasses, textAt(spec, 'priorityClassName')),
  ];
  return [...new Map(all.map((one) => [`${one.resource.plural}/${one.name}`, one])).values()];
};

export interface Missing {
  readonly asked: number;
  /** `configmap/payment-config`. */
  readonly missing: readonly string[];
  /** What may not be read. */
  readonly unknown: readonly string[];
}

export const findMissing = async (client: KubernetesClient, object: KubeObject, { signal }: CallContext): Promise<Missing> => {
  const wanted = namedObjects(object).slice(0, MAX_ASKED);
  const answers = await inParallel(wanted, PARALLEL, async ({ resource, name }) => {
    const ref = `${resource.kind.toLowerCase()}/${name}`;
    try {
      await client.getTable(resource, { name, namespace: namespaceOf(object), signal });
      return { ref, state: 'there' as const };
    } catch (thrown) {
      const { code } = toAppError(thrown);
      if (code === 'NOT_FOUND') return { ref, state: 'missing' as const };
      if (code === 'FORBIDDEN') return { ref, state: 'unknown' as const };
      throw thrown;
    }
  });
  const of = (state: string): readonly string[] => answers.filter((answer) => answer.state === state).map(({ ref }) => ref);
  return { asked: wanted.length, missing: of('missing'), unknown: of('unknown') };
};
