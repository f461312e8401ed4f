// What the tools of Helm work with, and the moves that all of them share.

import type { CallContext } from '../../kit/context.ts';
import { AppError } from '../../kit/errors.ts';
import type { ServiceDeps } from '../../kit/service.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import type { KubernetesConfig } from '../../upstream/kubernetes/config.ts';
import { clientFor, type Kubernetes, openKubernetes } from '../../upstream/kubernetes/kubernetes.ts';
import { createBinary, type HelmBinary } from './binary/binary.ts';
import type { HelmConfig } from './config.ts';
import { createRepositories, type Repositories } from './repositories/repositories.ts';
import { createStorage, type Storage } from './storage/storage.ts';

export interface Helm {
  readonly config: HelmConfig;
  readonly kubernetes: Kubernetes;
  readonly storage: Storage;
  readonly repositories: Repositories;
  readonly binary: HelmBinary;
  readonly now: () => number;
}

/** Helm reaches clusters as the section `kubernetes` says, unless it has a kubeconfig of its own. Connects to nothing. */
export const openHelm = async (config: HelmConfig, deps: ServiceDeps): Promise<Helm> => {
  const section = deps.section('kubernetes') as KubernetesConfig;
  const own = config.kubeconfigPath === undefined ? {} : { kubeconfig: config.kubeconfigPath, context: undefined, contexts: [] };
  const kubernetes = await openKubernetes(
    { ...section, ...own },
    {
      ...deps,
      onUpstreamCall: (call) => deps.onUpstreamCall?.({ ...call, service: 'helm' }),
      onCircuit: (change) => deps.onCircuit?.({ ...change, service: 'helm' }),
    },
  );
  return {
    config,
    kubernetes,
    storage: createStorage(),
    repositories: createRepositories(config, deps),
    binary: createBinary(config, deps, kubernetes),
    now: deps.now,
  };
};

/** The client of the cluster that a call means, and its name as answers state it. */
export const openCluster = async (
  { kubernetes }: Helm,
  wanted: string | undefined,
  ctx: Pick<CallContext, 'caller'>,
): Promise<{ client: KubernetesClient; cluster: string }> => {
  try {
    const client = await clientFor(kubernetes, wanted, ctx);
    return { client, cluster: client.target.name };
  } catch (thrown) {
    if (!(thrown instanceof AppError) || thrown.code !== 'SERVICE_UNAVAILABLE') throw thrown;
    throw new AppError(thrown.code, thrown.message, { details: { ...thrown.details, service: 'helm' }, cause: thrown });
  }
};

/** Position of a list in its cursor. */
export const skipOf = ({ cursor }: CallContext): number => Number((cursor as { skip?: number } | undefined)?.skip ?? 0);

/** One page of a list that is at hand as a whole. */
export const toPage = <Item>(all: readonly Item[], limit: number, ctx: CallContext) => {
  const skip = skipOf(ctx);
  const items = all.slice(skip, skip + limit);
  return {
    items,
    total: all.length,
    resume: { state: { skip }, ...(skip + items.length < all.length ? { end: { skip: skip + items.length } } : {}) },
  };
};
