// What the reasoning reads of a cluster, each thing once.

import type { CallContext } from '../../../kit/context.ts';
import { toAppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type KubeObject, mapAt, nameOf } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES, resourceName } from '../../../upstream/kubernetes/resources.ts';
import { minimalNamespaceLabels } from './peer.ts';

type Labels = Readonly<Record<string, string>>;

export interface World {
  readonly client: KubernetesClient;
  readonly signal: AbortSignal;
  readonly warnings: Set<string>;
  /** Undefined: policies may not be read, so nothing about them is known. */
  policies(namespace: string): Promise<readonly KubeObject[] | undefined>;
  namespaceLabels(namespace: string): Promise<Labels>;
  pods(namespace: string, labelSelector?: string): Promise<readonly KubeObject[]>;
}

const MAX_PODS = 2000;
const MAX_POLICIES = 2000;

/** One answer per key, also while it is still on its way. */
const remember = <Value>(read: (key: string) => Promise<Value>): ((key: string) => Promise<Value>) => {
  const known = new Map<string, Promise<Value>>();
  return (key) => {
    const value = known.get(key) ?? read(key);
    known.set(key, value);
    return value;
  };
};

/** Undefined when it is forbidden; any other failure is one. */
export const unlessForbidden = <Value>(promise: Promise<Value>, onForbidden: () => void): Promise<Value | undefined> =>
  promise.catch((thrown: unknown) => {
    if (toAppError(thrown).code !== 'FORBIDDEN') throw thrown;
    onForbidden();
    return undefined;
  });

export const createWorld = (client: KubernetesClient, { signal }: CallContext): World => {
  const warnings = new Set<string>();
  return {
    client,
    signal,
    warnings,
    policies: remember(async (namespace) => {
      const resource = RESOURCES.networkpolicies;
      const page = await unlessForbidden(client.listAll(resource, { namespace, signal, maxItems: MAX_POLICIES }), () =>
        warnings.add(`${resourceName(resource)} in ${namespace} may not be read: policies there are unknown.`),
      );
      return page?.items;
    }),
    namespaceLabels: remember(async (namespace) => {
      const found = await unlessForbidden(client.find(RESOURCES.namespaces, { name: namespace, signal }), () =>
        warnings.add(`The labels of namespace ${namespace} may not be read: only its name was compared with namespace selectors.`),
      );
      return found === undefined || nameOf(found) === ''
        ? minimalNamespaceLabels(namespace)
        : { ...minimalNamespaceLabels(namespace), ...mapAt(found, 'metadata', 'labels') };
    }),
    pods: async (namespace, labelSelector) =>
      (await client.listAll(RESOURCES.pods, { namespace, labelSelector, signal, maxItems: MAX_PODS })).items,
  };
};
