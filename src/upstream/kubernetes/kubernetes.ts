// What tools work with that read or change clusters, and the few moves that all of them share.

import type { CallContext, Caller } from '../../kit/context.ts';
import { AppError } from '../../kit/errors.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { ServiceDeps } from '../../kit/service.ts';
import type { KubernetesClient } from './client.ts';
import type { KubernetesConfig } from './config.ts';
import { RESOURCES } from './resources.ts';
import { type ClientFor, createKubernetesTargets, type KubernetesTargets } from './targets.ts';

export interface Kubernetes {
  readonly targets: KubernetesTargets;
  /** Keyed fingerprint of a secret value: two can be compared, none is shown. */
  readonly fingerprint: (value: string) => string;
  /** The value is masked wherever it reappears. */
  readonly learnSecret: (value: string) => void;
  readonly maskLines: (lines: readonly string[]) => string[];
  readonly now: () => number;
  /** Whose rights the API server sees: the server's own, or those of the caller. */
  readonly identity: 'server' | 'impersonate';
  /** The pod that this server runs in, when it runs in a cluster. */
  readonly ownPod: string | undefined;
}

/** Reads the kubeconfig; connects to nothing. */
export const openKubernetes = async (config: KubernetesConfig, deps: ServiceDeps): Promise<Kubernetes> => {
  const { env, now, logger, fingerprint, learnSecret, maskLines, onUpstreamCall, onCircuit, tracing } = deps;
  return {
    targets: await createKubernetesTargets({
      ...config,
      timeoutMs: config.timeoutSec * 1000,
      circuitOpenMs: config.circuitOpenSec * 1000,
      tracing,
      onCircuit: (change) => onCircuit?.({ service: 'kubernetes', ...change }),
      env,
      now,
      logger,
      learnSecret: (value) => learnSecret(value, { own: true }),
      onCall: ({ api, status, ms }) => onUpstreamCall?.({ service: 'kubernetes', api, status: String(status), ms }),
    }),
    fingerprint,
    learnSecret,
    maskLines,
    now,
    identity: config.identity,
    ownPod: env['KUBERNETES_SERVICE_HOST'] === undefined ? undefined : env['HOSTNAME'],
  };
};

/** The person who started the process on stdio: the server's rights are theirs. */
const LOCAL = 'local';

/** Groups of Kubernetes itself are never taken from a token: `system:masters` may do everything. */
const toOwnGroups = (groups: readonly string[]): readonly string[] => groups.filter((group) => !group.startsWith('system:'));

/** Whose name and limits the calls of a caller bear. */
export const toClientFor = ({ identity }: Kubernetes, cluster: string | undefined, { id, groups, namespaces }: Caller): ClientFor => ({
  cluster,
  ...(identity === 'impersonate' && id !== LOCAL ? { impersonate: { user: id, groups: toOwnGroups(groups) } } : {}),
  ...(namespaces === undefined ? {} : { namespaces }),
});

/** The client of a cluster within the caller's limits, and in the caller's name where the configuration says so. */
export const clientFor = (
  service: Kubernetes,
  cluster: string | undefined,
  { caller }: Pick<CallContext, 'caller'>,
): Promise<KubernetesClient> => service.targets.client(toClientFor(service, cluster, caller));

/** The client of the cluster that a call means, and its name as answers state it. */
export const openCluster = async (
  service: Kubernetes,
  wanted: string | undefined,
  ctx: Pick<CallContext, 'caller'>,
): Promise<{ client: KubernetesClient; cluster: string }> => {
  const client = await clientFor(service, wanted, ctx);
  return { client, cluster: client.target.name };
};

/** Beyond these, whether a namespace exists is not told. */
const MOST_NAMESPACES = 5000;

/** Why a namespaced answer is empty: the namespace may not exist. Undefined when it does, or nobody may know. */
export const explainNamespace = async (
  client: KubernetesClient,
  namespace: string | undefined,
  { signal }: CallContext,
): Promise<string | undefined> => {
  if (namespace === undefined) return undefined;
  const names = await client
    .listTable(RESOURCES.namespaces, { signal, limit: MOST_NAMESPACES })
    .then(({ rows }) => rows.map(({ cells }) => String(cells[0])))
    .catch((thrown: unknown) => {
      if (thrown instanceof AppError && thrown.code === 'FORBIDDEN') return undefined;
      throw thrown;
    });
  if (names === undefined || names.includes(namespace)) return undefined;
  const nearest = nearestNames(namespace, names);
  return `There is no namespace ${namespace}${nearest.length > 0 ? `; near: ${nearest.join(', ')}` : ''}.`;
};
