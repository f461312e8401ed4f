// The Kubernetes service: eleven read tools over any cluster of the kubeconfig.

import type { ClusterStatus, Health } from '../../kit/directory.ts';
import { toAppError } from '../../kit/errors.ts';
import { defineService } from '../../kit/service.ts';
import { kubernetesConfig } from '../../upstream/kubernetes/config.ts';
import { type Kubernetes, openKubernetes } from '../../upstream/kubernetes/kubernetes.ts';
import { completions, prompts, templates } from './parts.ts';
import access from './tools/access.ts';
import apply from './tools/apply.ts';
import remove from './tools/delete.ts';
import drain from './tools/drain.ts';
import events from './tools/events.ts';
import exec from './tools/exec.ts';
import explain from './tools/explain.ts';
import get from './tools/get.ts';
import list from './tools/list.ts';
import logs from './tools/logs.ts';
import manage from './tools/manage.ts';
import network from './tools/network.ts';
import patch from './tools/patch.ts';
import problems from './tools/problems.ts';
import proxy from './tools/proxy.ts';
import usage from './tools/usage.ts';
import wait from './tools/wait.ts';

const CLUSTER_TIMEOUT_MS = 2000;

/** One cluster asked within a time of its own, so that a dead one never delays the others. */
const askCluster = async ({ targets }: Kubernetes, name: string, parent: AbortSignal): Promise<Partial<ClusterStatus>> => {
  const signal = AbortSignal.any([parent, AbortSignal.timeout(CLUSTER_TIMEOUT_MS)]);
  try {
    const client = await targets.client({ cluster: name });
    const { gitVersion } = await client.version({ signal });
    const identity = await client.selfSubjectReview({ signal }).then(
      ({ username, groups }) => ({ user: username, groups }),
      (thrown: unknown) => ({ unknown: toAppError(thrown).message }),
    );
    return { reachable: true, version: gitVersion, identity };
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    return { reachable: false, reason: code === 'CANCELLED' ? `No answer within ${CLUSTER_TIMEOUT_MS / 1000}s.` : message };
  }
};

const readClusters = async (service: Kubernetes, signal: AbortSignal): Promise<readonly ClusterStatus[]> =>
  Promise.all(
    service.targets.list().map(async ({ name, server, isDefault }) => ({
      name,
      ...(isDefault ? { default: true } : {}),
      server,
      ...(await askCluster(service, name, signal)),
      services: ['kubernetes'],
    })),
  );

/** Up means up and logged in: the version endpoint needs no login, so a review follows. */
const ping = async ({ targets }: Kubernetes, signal: AbortSignal): Promise<Health> => {
  const client = await targets.client();
  const { gitVersion } = await client.version({ signal });
  await client.selfSubjectReview({ signal });
  return { state: 'up', version: gitVersion, details: { defaultCluster: client.target.name, clusters: targets.list().length } };
};

export const kubernetes = defineService({
  name: 'kubernetes',
  title: 'Kubernetes',
  config: kubernetesConfig,
  tools: [
    ...access,
    ...apply,
    ...drain,
    ...events,
    ...exec,
    ...explain,
    ...get,
    ...list,
    ...logs,
    ...manage,
    ...network,
    ...patch,
    ...problems,
    ...proxy,
    ...remove,
    ...usage,
    ...wait,
  ],
  connect: openKubernetes,
  ping,
  close: ({ targets }) => targets.close(),
  clusters: readClusters,
  templates,
  prompts,
  completions,
});
