// Is there a cluster to talk to? Decided at start from files and environment alone, without parsing YAML or touching the network.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KubernetesConfig } from './config.ts';

const ACCOUNT_TOKEN = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Every context of a kubeconfig has one `context` mapping; a rough count decides whether `cluster` is sent in definitions. */
const countContexts = (file: string): number => {
  try {
    return readFileSync(file, 'utf8').match(/(?:^|[\s{,"-])context"?\s*:/g)?.length ?? 0;
  } catch {
    return 0;
  }
};

/** A file that is named counts even when it cannot be read: the service stays on and says so. */
export const findKubernetes = (
  config: KubernetesConfig,
  env: Readonly<Record<string, string | undefined>>,
): { configured: boolean; clusters: number } => {
  if (config.enabled === false) return { configured: false, clusters: 0 };
  const named = config.kubeconfig ?? env['KUBECONFIG'];
  const byDefault = env['HOME'] === undefined ? undefined : join(env['HOME'], '.kube', 'config');
  const files =
    named === undefined
      ? byDefault !== undefined && existsSync(byDefault)
        ? [byDefault]
        : []
      : named.split(':').filter((file) => file !== '');
  const isInCluster = env['KUBERNETES_SERVICE_HOST'] !== undefined && existsSync(ACCOUNT_TOKEN);
  const contexts = config.contexts.length > 0 ? config.contexts.length : files.reduce((sum, file) => sum + countContexts(file), 0);
  return { configured: config.enabled === true || files.length > 0 || isInCluster, clusters: Math.max(1, contexts) };
};
