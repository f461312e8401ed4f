// The clusters of this service: which there are, which is meant by a call, and one client for each, made on first use.
import { AppError } from '../../kit/errors.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { Clock, Logger, UpstreamOptions } from '../http.ts';
import { type Circuit, createCircuit, createKubeUpstream, type Impersonation, type KubeTarget, loadTargets } from '../kube.ts';
import { createSlots, type Slots } from '../slots.ts';
import { createKubernetesClient, type KubernetesClient } from './client.ts';

export interface TargetInfo {
  readonly name: string;
  /** Host and port. */
  readonly server: string;
  readonly namespace: string;
  readonly isDefault: boolean;
}

export interface ClientFor {
  /** The shared `cluster` argument: a context; `default` or absent = the default one. */
  readonly cluster?: string | undefined;
  /** The caller's own identity, when the server acts in callers' names. */
  readonly impersonate?: Impersonation | undefined;
  /** Namespaces that the caller is limited to, within those of the configuration. Absent = no limit of its own. */
  readonly namespaces?: readonly string[] | undefined;
}

export interface KubernetesTargets {
  /** False: no kubeconfig, no in-cluster account. */
  readonly isConfigured: boolean;
  /** Those that the configuration lets be reached; the default first. */
  list(): readonly TargetInfo[];
  /** Why there is none, or what is wrong with one of several files. */
  readonly problems: readonly AppError[];
  /**
   * The client of a cluster, one per cluster and identity. INVALID_ARGUMENT with `nearest` for an unknown name; SERVICE_UNAVAILABLE when no
   * target can be read. Waits for no cluster.
   */
  client(wanted?: ClientFor): Promise<KubernetesClient>;
  /** Calls back when contexts have come, gone or changed. */
  onChange(listener: () => void): () => void;
  close(): Promise<void>;
}

export interface TargetsOptions
  extends Pick<UpstreamOptions, 'timeoutMs' | 'qps' | 'burst' | 'maxConnections' | 'retries' | 'onCall' | 'tracing'> {
  readonly kubeconfig?: string | undefined;
  /** Default target; absent = the current context. */
  readonly context?: string | undefined;
  /** Contexts that may be reached; empty = all. */
  readonly contexts?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: Clock;
  readonly logger: Logger;
  readonly learnSecret?: ((value: string) => void) | undefined;
  /** Failures in a row after which a cluster is left alone; 0 = never. */
  readonly circuitFailures?: number;
  /** For how long, ms. */
  readonly circuitOpenMs?: number;
  readonly onCircuit?: (change: { name: string; state: 'closed' | 'open' | 'half_open'; failures: number }) => void;
  /** For tests. */
  readonly serviceAccountFolder?: string;
}

/** Identities kept connected per cluster; the one unused for longest is closed first. */
const MOST_IDENTITIES = 100;
/** Lists of many pages that are read at once from one cluster: more would add memory, not speed, for one processor reads them all. */
const LONG_READS = 3;

export const createKubernetesTargets = async (options: TargetsOptions): Promise<KubernetesTargets> => {
  const { context, contexts = [], namespaces = [], now, logger } = options;
  const source = await loadTargets(options);
  const clients = new Map<KubeTarget, Map<string, KubernetesClient>>();

  const reachable = (): readonly KubeTarget[] => source.targets.filter(({ name }) => contexts.length === 0 || contexts.includes(name));
  const findDefault = (): KubeTarget | undefined => {
    const all = reachable();
    const wanted = context ?? source.current;
    // A single reachable context needs no choice; with several, none is guessed.
    return all.find(({ name }) => name === wanted) ?? (context === undefined && all.length === 1 ? all[0] : undefined);
  };
  const find = (cluster: string | undefined): KubeTarget => {
    const named = cluster === undefined ? undefined : reachable().find(({ name }) => name === cluster);
    const target = named ?? (cluster === undefined || cluster === 'default' ? findDefault() : undefined);
    return (
      target ??
      throwNoTarget(cluster, {
        isConfigured: source.isConfigured,
        context,
        names: reachable().map(({ name }) => name),
        problems: source.problems,
      })
    );
  };
  const closeRemoved = () => {
    for (const [target, byIdentity] of clients) {
      if (source.targets.includes(target)) continue;
      clients.delete(target);
      for (const client of byIdentity.values()) void client.close();
    }
  };
  /** One of each per cluster, whoever asks: a cluster that is down is down for all. They go with their target. */
  const shared = new WeakMap<KubeTarget, { circuit: Circuit; longReads: Slots }>();
  const sharedOf = (target: KubeTarget) => {
    const known = shared.get(target);
    if (known !== undefined) return known;
    const circuit = createCircuit({
      backend: { service: 'kubernetes', title: 'Kubernetes' },
      failures: options.circuitFailures,
      openMs: options.circuitOpenMs,
      onChange: (change) => options.onCircuit?.({ name: target.name, ...change }),
    });
    const made = { circuit, longReads: createSlots(LONG_READS) };
    shared.set(target, made);
    return made;
  };
  const open = (target: KubeTarget, { impersonate, namespaces: limits }: ClientFor): KubernetesClient => {
    const allowed = narrow(namespaces, limits);
    const { circuit, longReads } = sharedOf(target);
    const upstream = createKubeUpstream(target, { ...options, impersonate, circuit });
    logger.debug({ cluster: target.name }, 'client made');
    return createKubernetesClient({ target, upstream, namespaces: allowed, longReads, now });
  };
  source.watch(closeRemoved);

  return {
    get isConfigured() {
      return source.isConfigured;
    },
    get problems() {
      return source.problems;
    },
    list: () => {
      const first = findDefault();
      const all = reachable().map((target) => ({
        name: target.name,
        server: target.server,
        namespace: target.namespace ?? 'default',
        isDefault: target === first,
      }));
      return all.toSorted((a, b) => Number(b.isDefault) - Number(a.isDefault));
    },
    client: async (wanted = {}) => {
      await source.check();
      const target = find(wanted.cluster);
      const byIdentity = clients.get(target) ?? new Map<string, KubernetesClient>();
      clients.set(target, byIdentity);
      const identity = toIdentity(wanted);
      const client = byIdentity.get(identity) ?? open(target, wanted);
      touch(byIdentity, identity, client);
      return client;
    },
    onChange: (listener) => source.watch(listener),
    close: async () => {
      source.close();
      const all = [...clients.values()].flatMap((byIdentity) => [...byIdentity.values()]);
      clients.clear();
      await Promise.all(all.map((client) => client.close()));
    },
  };
};

/** Clients of different identities or limits are never the same. */
const toIdentity = ({ impersonate, namespaces }: ClientFor): string =>
  impersonate === undefined && namespaces === undefined
    ? ''
    : JSON.stringify([impersonate?.user, impersonate?.uid, impersonate?.groups, impersonate?.extra, namespaces]);

/** Both limits hold. An empty list means all, so what is left must not be empty. */
const narrow = (configured: readonly string[], limits: readonly string[] | undefined): readonly string[] => {
  if (limits === undefined) return configured;
  const both = configured.length === 0 ? limits : limits.filter((name) => configured.includes(name));
  if (both.length > 0) return both;
  throw new AppError('FORBIDDEN', 'The namespaces of this caller are none that the configuration allows.', {
    details: { by: 'policy', setting: 'kubernetes.namespaces' },
  });
};

const touch = (clients: Map<string, KubernetesClient>, identity: string, client: KubernetesClient): void => {
  clients.delete(identity);
  clients.set(identity, client);
  const [oldest] = clients;
  if (clients.size <= MOST_IDENTITIES || oldest === undefined) return;
  clients.delete(oldest[0]);
  void oldest[1].close();
};

interface NoTarget {
  readonly isConfigured: boolean;
  readonly context: string | undefined;
  readonly names: readonly string[];
  readonly problems: readonly AppError[];
}

const throwNoTarget = (cluster: string | undefined, { isConfigured, context, names, problems }: NoTarget): never => {
  const [problem] = problems;
  if (names.length === 0 && problem !== undefined) throw problem;
  if (!isConfigured || names.length === 0) {
    throw new AppError(
      'SERVICE_UNAVAILABLE',
      'No Kubernetes cluster is configured: there is no kubeconfig with a reachable context and no in-cluster account.',
      {
        details: { service: 'kubernetes', setting: 'kubernetes.kubeconfig', retry_after: '30s' },
      },
    );
  }
  const wanted = cluster === undefined || cluster === 'default' ? context : cluster;
  const words = wanted === undefined ? 'No default cluster is set: name one.' : `There is no cluster "${wanted.slice(0, 100)}".`;
  throw new AppError('INVALID_ARGUMENT', words, {
    details: { argument: 'cluster', nearest: wanted === undefined ? [] : nearestNames(wanted, names), choices: names.slice(0, 50) },
  });
};
