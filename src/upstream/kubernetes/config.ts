// Configuration of the Kubernetes service. Light: it is read at every start, the rest of the service only when it is used.

import { z } from 'zod';
import { described } from '../../kit/config.ts';

export const kubernetesConfig = z.strictObject({
  enabled: described(z.boolean().optional(), 'MCP_K8S_ENABLED', 'Absent = on when a kubeconfig or an in-cluster account is found.'),
  kubeconfig: described(
    z.string().min(1).optional(),
    'MCP_KUBECONFIG',
    'Path of the kubeconfig; else KUBECONFIG, the default file, the in-cluster account.',
  ),
  context: described(z.string().min(1).optional(), 'MCP_K8S_CONTEXT', 'Default cluster; else the current context.'),
  contexts: described(z.array(z.string().min(1)).default([]), 'MCP_K8S_CONTEXTS', 'Contexts that may be reached; empty = all.'),
  namespaces: described(z.array(z.string().min(1)).default([]), 'MCP_K8S_NAMESPACES', 'Namespaces that may be reached; empty = all.'),
  timeoutSec: described(
    z.int().min(1).max(3600).default(30),
    'MCP_K8S_TIMEOUT',
    'One API request, seconds; watches and logs have their own.',
  ),
  qps: described(z.number().positive().max(10_000).default(100), 'MCP_K8S_QPS', 'Requests per second and cluster.'),
  burst: described(z.int().min(1).max(100_000).default(200), 'MCP_K8S_BURST', 'Requests at once before qps counts.'),
  maxConnections: described(z.int().min(1).max(1000).default(64), 'MCP_K8S_MAX_CONNECTIONS', 'Sockets per cluster.'),
  cache_ttl: described(
    z.number().min(0).max(86_400).optional(),
    'MCP_K8S_CACHE_TTL',
    'Longest time an answer is kept, seconds; 0 = never. Absent = as each tool says.',
  ),
  identity: described(
    z
      .enum(['server', 'impersonate'], {
        error:
          'must be server or impersonate. Token exchange (RFC 8693) is not offered: use impersonate, which needs no token of the caller',
      })
      .default('server'),
    'MCP_KUBERNETES_IDENTITY',
    "Whose rights the API server sees: the server's own, or those of the caller (impersonate; needs auth.enabled over HTTP).",
  ),
  retries: described(z.int().min(0).max(10).default(2), 'MCP_K8S_RETRIES', 'Repeats of a read that failed for a passing reason.'),
  circuitFailures: described(
    z.int().min(0).max(1000).default(5),
    'MCP_K8S_CIRCUIT_FAILURES',
    'Failures in a row after which a cluster is not asked for a while; 0 = never.',
  ),
  circuitOpenSec: described(
    z.number().min(0.1).max(600).default(10),
    'MCP_K8S_CIRCUIT_OPEN',
    'How long a failing cluster is not asked, seconds.',
  ),
});

export type KubernetesConfig = z.infer<typeof kubernetesConfig>;
