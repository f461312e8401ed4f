// The door to Kubernetes for the kubernetes and helm services: targets, and one upstream per target and identity.
import { createUpstream, type Upstream, type UpstreamOptions } from './http.ts';
import { createCredentials } from './kube-credentials.ts';
import { definitionOf, type KubeTarget } from './kube-snapshot.ts';
import { createToKubeError } from './kube-status.ts';
import type { Impersonation } from './kubeconfig.ts';
import type { Clock, Logger } from './ports.ts';
import { type Environment, findProxy } from './proxy.ts';

export { type Circuit, createCircuit } from './circuit.ts';
export type { KubeTarget, TargetOptions } from './kube-snapshot.ts';
export { createToKubeError, type KubeStatus, parseStatus, statusOf } from './kube-status.ts';
export { loadTargets, type TargetSource } from './kube-targets.ts';
export type { Impersonation } from './kubeconfig.ts';

export interface KubeUpstreamDeps
  extends Pick<UpstreamOptions, 'timeoutMs' | 'qps' | 'burst' | 'maxConnections' | 'retries' | 'onCall' | 'circuit' | 'tracing'> {
  /** Stands in messages: `kubernetes` or `helm`. */
  readonly service?: string;
  /** For exec plugins (their whole environment) and for proxies. */
  readonly env: Environment;
  readonly now: Clock;
  readonly logger: Logger;
  readonly learnSecret?: ((value: string) => void) | undefined;
  /** Acts in another's name; replaces an identity of the kubeconfig user (`as`). */
  readonly impersonate?: Impersonation | undefined;
}

/** The API server itself. Behind `/apis` and proxies it answers for others, an aggregated API or a pod, which may be down while it is well. */
const isOutage: UpstreamOptions['isOutage'] = (status, { path }) => {
  const segments = typeof path === 'string' ? path.split('/').filter((part) => part !== '') : path;
  return status >= 500 && status !== 501 && segments[0] !== 'apis' && !segments.includes('proxy');
};

/**
 * A client with the target's certificates, login and proxy. Nothing runs and nothing connects before the first call. Throws AppError when the
 * context names a cluster or user that is not defined.
 */
export const createKubeUpstream = (target: KubeTarget, deps: KubeUpstreamDeps): Upstream => {
  const { service = 'kubernetes', env, now, impersonate, learnSecret, ...rest } = deps;
  const { cluster, user } = definitionOf(target);
  const { headers, tls } = createCredentials({
    cluster,
    user: impersonate === undefined ? user : { ...user, impersonate },
    userName: target.user,
    env,
    now,
    learnSecret,
  });
  return createUpstream({
    ...rest,
    service,
    title: 'Kubernetes',
    baseUrl: cluster.server,
    headers,
    tls: cluster.server.startsWith('https:') ? tls : undefined,
    // The kubeconfig's own proxy counts even where NO_PROXY would exempt the host, as in kubectl.
    proxy: cluster.proxyUrl ?? findProxy(cluster.server, env),
    toError: createToKubeError({ service }),
    isOutage,
    now,
  });
};
