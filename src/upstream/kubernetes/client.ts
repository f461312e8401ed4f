// The one place that knows the API's paths: everything a tool may ask of one cluster under one identity.
import type { Clock, Upstream } from '../http.ts';
import type { KubeTarget } from '../kube.ts';
import type { Slots } from '../slots.ts';
import { type Access, createAccess } from './access.ts';
import { createApi } from './api.ts';
import { createDiscovery, type DiscoveryMethods } from './discovery.ts';
import { createEvents, type Events } from './events.ts';
import { createExec, type Exec } from './exec.ts';
import { createLists, type Lists } from './lists.ts';
import { createLogs, type Logs } from './logs.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createNodes, type Nodes } from './node-logs.ts';
import { createReads, type Reads } from './reads.ts';
import { createWatches, type Watches } from './watch.ts';
import { createWrites, type Writes } from './writes.ts';

/**
 * A cluster. Every method takes `{ signal }` in its options, throws AppError and nothing else, and addresses kinds by a `ResourceRef`: a constant
 * of `RESOURCES` (built-in kinds, no discovery needed) or what `resolveKind` found. Objects come as the server sent them: read them with the
 * readers of `objects.ts`.
 */
export interface KubernetesClient extends DiscoveryMethods, Lists, Reads, Watches, Logs, Nodes, Events, Access, Metrics, Writes, Exec {
  readonly target: KubeTarget;
  /** Namespace of the context, else `default`: for one object when a call names none. */
  readonly defaultNamespace: string;
  /** Namespaces that the operator allows; empty = all. Others, and lists over all, are FORBIDDEN by policy. */
  readonly allowedNamespaces: readonly string[];
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly target: KubeTarget;
  readonly upstream: Upstream;
  readonly namespaces?: readonly string[];
  /** Shared by all clients of one cluster. */
  readonly longReads: Slots;
  readonly now: Clock;
}

export const createKubernetesClient = ({ target, upstream, namespaces = [], longReads, now }: ClientOptions): KubernetesClient => {
  // Where only some namespaces may be reached, the first of them is a better default than one that may not.
  const wanted = target.namespace ?? 'default';
  const defaultNamespace = namespaces.length === 0 || namespaces.includes(wanted) ? wanted : (namespaces[0] ?? wanted);
  const api = createApi({ upstream, cluster: target.name, defaultNamespace, allowedNamespaces: namespaces });
  const lists = createLists(api, longReads);
  return {
    target,
    defaultNamespace,
    allowedNamespaces: namespaces,
    ...createDiscovery(api, { now }),
    ...lists,
    ...createReads(api),
    ...createWatches(api, lists),
    ...createLogs(api),
    ...createNodes(api),
    ...createEvents(lists),
    ...createAccess(api),
    ...createMetrics(lists),
    ...createWrites(api),
    ...createExec(api),
    close: () => upstream.close(),
  };
};
