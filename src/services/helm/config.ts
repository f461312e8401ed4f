// Configuration of the Helm service. Light: it is read at every start, the rest of the service only when it is used.

import { z } from 'zod';
import { described, names } from '../../kit/config.ts';

/** An HTTP repository or a place in an OCI registry that charts may come from. */
const repository = z.strictObject({
  name: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9._-]{0,62}$/, 'must be a name of letters, digits and ._-')
    .describe('How chart references call it: name/chart.'),
  url: z
    .string()
    .regex(/^(?:https?|oci):\/\/[^\s/@]+(?:\/[^\s?#]*)?$/, 'must be an http, https or oci URL without a login')
    .describe('Where index.yaml is, or the place in the registry below which the charts are.'),
  username: z.string().min(1).optional().describe('Login of the repository.'),
  password: z.string().min(1).optional().meta({ secret: true, description: 'A value, or a reference to one.' }),
  token: z.string().min(1).optional().meta({ secret: true, description: 'Bearer token instead of a login.' }),
  plainHttp: z.boolean().default(false).describe('For oci: the registry speaks HTTP without TLS.'),
});

export const helmConfig = z.strictObject({
  enabled: described(z.boolean().optional(), 'MCP_HELM_ENABLED', 'Absent = on when there is a cluster to talk to.'),
  kubeconfigPath: described(z.string().min(1).optional(), 'MCP_HELM_KUBECONFIG', 'Another kubeconfig for Helm; else that of kubernetes.'),
  namespace: described(
    z.string().min(1).max(63).default('default'),
    'MCP_HELM_NAMESPACE',
    'Namespace when a call names none. Lists ask for all.',
  ),
  debug: described(z.boolean().default(false), 'MCP_HELM_DEBUG', 'What the Helm binary says about its work goes to the log, level debug.'),
  timeoutSec: described(
    z.int().min(1).max(3600).default(300),
    'MCP_HELM_TIMEOUT',
    'Download of an index or chart, and one run of the Helm binary, seconds.',
  ),
  maxRetries: described(
    z.int().min(0).max(10).default(3),
    'MCP_HELM_MAX_RETRIES',
    'Repeats of a download that failed for a passing reason.',
  ),
  httpProxy: described(
    z.url({ protocol: /^https?$/ }).optional(),
    'MCP_HELM_HTTP_PROXY',
    'Proxy for repositories and registries, and for nothing else.',
  ),
  binary: described(
    z.string().min(1).optional(),
    'MCP_HELM_BINARY',
    'Helm 3 or 4, for rendering and changes; else helm on the PATH, if it is there.',
  ),
  repositories: z.array(repository).default([]).meta({
    description: 'HTTP repositories and places in OCI registries: name, url, and username with password, or token; plainHttp for oci.',
  }),
  allowedHosts: names('MCP_HELM_ALLOWED_HOSTS', 'Hosts beside the repositories that charts may come from: host, host:port, *.domain.'),
});

export type HelmConfig = z.infer<typeof helmConfig>;
export type RepositoryConfig = HelmConfig['repositories'][number];
