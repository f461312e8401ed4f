// Workloads write their secrets into logs, people copy them into ConfigMaps. The values of the Secrets that a pod uses are learnt before its log
// is read, those of a namespace before the contents of its ConfigMaps, so that they are masked there.

import type { CallContext } from '../../kit/context.ts';
import { toAppError } from '../../kit/errors.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import type { Kubernetes } from '../../upstream/kubernetes/kubernetes.ts';
import { type KubeObject, listAt, namespaceOf, textAt } from '../../upstream/kubernetes/objects.ts';
import { toSafe } from '../../upstream/kubernetes/present.ts';
import { RESOURCES, type ResourceRef } from '../../upstream/kubernetes/resources.ts';

const KEEP_MS = 60_000;
/** Without the right to read Secrets, asking again soon would only fill the cluster's audit log. */
const FORBIDDEN_KEEP_MS = 600_000;
const MAX_SECRETS = 20;
/** Of one namespace. Archives of Helm are no secrets of people, and large. */
const MAX_LISTED = 200;
const NOT_HELM = 'type!=helm.sh/release.v1';

interface Memory {
  readonly learntAt: Map<string, number>;
  forbiddenAt: number;
}

const memories = new WeakMap<KubernetesClient, Memory>();

const namesOf = (pod: KubeObject): string[] => {
  const containers = [...listAt(pod, 'spec', 'initContainers'), ...listAt(pod, 'spec', 'containers')];
  const names = [
    ...containers.flatMap((container) => listAt(container, 'env').map((variable) => textAt(variable, 'valueFrom', 'secretKeyRef', 'name'))),
    ...containers.flatMap((container) => listAt(container, 'envFrom').map((source) => textAt(source, 'secretRef', 'name'))),
    ...listAt(pod, 'spec', 'volumes').map((volume) => textAt(volume, 'secret', 'secretName')),
    ...listAt(pod, 'spec', 'volumes').flatMap((volume) =>
      listAt(volume, 'projected', 'sources').map((source) => textAt(source, 'secret', 'name')),
    ),
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
};

const memoryOf = (client: KubernetesClient): Memory => {
  const memory = memories.get(client) ?? { learntAt: new Map<string, number>(), forbiddenAt: Number.NEGATIVE_INFINITY };
  memories.set(client, memory);
  return memory;
};

/** A refusal costs nothing but the masking; an end of the call is one. */
const tolerate = (thrown: unknown, memory: Memory, now: number): void => {
  const { code } = toAppError(thrown);
  if (code === 'CANCELLED' || code === 'DEADLINE_EXCEEDED') throw thrown;
  if (code === 'FORBIDDEN') memory.forbiddenAt = now;
};

// Making it safe to show is what teaches the redactor.
const learnOne = (secret: KubeObject, service: Kubernetes): unknown => toSafe({ ...secret, apiVersion: 'v1', kind: 'Secret' }, service);

export const isConfigMaps = ({ group, plural }: ResourceRef): boolean => group === '' && plural === 'configmaps';

/** Before the contents of ConfigMaps are shown. At most once a minute for each namespace. */
export const learnNamespace = async (
  namespace: string,
  client: KubernetesClient,
  service: Kubernetes,
  { signal, now }: CallContext,
): Promise<void> => {
  const memory = memoryOf(client);
  const isKnown = now() - (memory.learntAt.get(namespace) ?? Number.NEGATIVE_INFINITY) < KEEP_MS;
  if (isKnown || now() - memory.forbiddenAt < FORBIDDEN_KEEP_MS) return;
  try {
    const { items } = await client.list(RESOURCES.secrets, { namespace, fieldSelector: NOT_HELM, limit: MAX_LISTED, signal });
    for (const secret of items) learnOne(secret, service);
    memory.learntAt.set(namespace, now());
  } catch (thrown) {
    tolerate(thrown, memory, now());
  }
};

/** Learns what may be read; nothing of it is shown. Refusals cost nothing but the masking. */
export const learnSecrets = async (
  pods: readonly KubeObject[],
  client: KubernetesClient,
  service: Kubernetes,
  { signal, now }: CallContext,
): Promise<void> => {
  const memory = memoryOf(client);
  // Values that stand in the pods themselves.
  for (const pod of pods) toSafe(pod, service);
  if (now() - memory.forbiddenAt < FORBIDDEN_KEEP_MS) return;
  const wanted = new Map(
    pods.flatMap((pod) => namesOf(pod).map((name) => [`${namespaceOf(pod)}/${name}`, { name, namespace: namespaceOf(pod) }] as const)),
  );
  const fresh = [...wanted]
    .filter(([key]) => now() - (memory.learntAt.get(key) ?? Number.NEGATIVE_INFINITY) >= KEEP_MS)
    .slice(0, MAX_SECRETS);
  const learn = async ([key, address]: (typeof fresh)[number]): Promise<void> => {
    try {
      const secret = await client.find(RESOURCES.secrets, { ...address, signal });
      if (secret !== undefined) learnOne(secret, service);
      memory.learntAt.set(key, now());
    } catch (thrown) {
      tolerate(thrown, memory, now());
    }
  };
  await Promise.all(fresh.map(learn));
  if (memory.learntAt.size > 1000) memory.learntAt.clear();
};
