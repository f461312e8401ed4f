// kubernetes_proxy_request: a bounded GET to a port in the cluster, through the API server.

import { z } from 'zod';
import { AppError } from '../../../kit/errors.ts';
import { toRegexMatcher } from '../../../kit/match.ts';
import { namespace } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';

const TIMEOUT_MS = 5000;
const MAX_BYTES = 1024 * 1024;

const input = z.object({
  name: z.string().min(3).max(300).meta({ description: 'pod/x or service/x.', sent: 'pod/x or service/x' }),
  namespace,
  port: z.string().min(1).max(80).describe('Number or name; https:8443 for TLS.'),
  path: z.string().max(2000).default('/').describe('Path and query, such as /healthz or /metrics.'),
  grep: z.string().max(500).optional().describe('Keep only matching lines (RE2 regular expression).'),
});

const output = z.object({
  name: z.string(),
  status: z.number(),
  contentType: z.string(),
  body: z.string(),
  bytes: z.number(),
  lines: z.object({ total: z.number(), matched: z.number() }),
  tookMs: z.number(),
});

const KINDS: Readonly<Record<string, 'pods' | 'services'>> = {
  pod: 'pods',
  pods: 'pods',
  po: 'pods',
  service: 'services',
  services: 'services',
  svc: 'services',
};

const parseName = (text: string): { kind: 'pods' | 'services'; name: string } => {
  const [word = '', name = '', ...rest] = text.split('/');
  const kind = KINDS[word.toLowerCase()];
  if (kind === undefined || name === '' || rest.length > 0)
    throw new AppError('INVALID_ARGUMENT', 'name must be pod/x or service/x.', {
      details: { argument: 'name', expected: 'pod/x or service/x' },
    });
  return { kind, name };
};

const parsePort = (text: string): { scheme: 'http' | 'https'; port: string } => {
  const [, scheme = 'http', port = ''] = /^(?:(https?):)?([a-z0-9]([a-z0-9-]*[a-z0-9])?)$/i.exec(text) ?? [];
  if (port === '')
    throw new AppError('INVALID_ARGUMENT', 'port must be a number or a port name.', {
      details: { argument: 'port', expected: '8080, http or https:8443' },
    });
  return { scheme: scheme === 'https' ? 'https' : 'http', port };
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_proxy_request',
    title: 'Proxy request',
    description: 'Sends an HTTP GET to a pod or service port through the API server, e.g. /healthz or /metrics.',
    effect: 'read',
    input,
    output,
    run: async (args, service, ctx): Promise<Answer> => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const { kind, name } = parseName(args.name);
      const { scheme, port } = parsePort(args.port);
      const matches = args.grep === undefined ? undefined : await toRegexMatcher(args.grep, 'grep');
      const started = ctx.now();
      const scope = args.namespace ?? client.defaultNamespace;
      const answer = await client.proxyGet({
        kind,
        name,
        namespace: scope,
        port,
        scheme,
        path: args.path,
        signal: ctx.signal,
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_BYTES,
      });
      const isText = !answer.body.includes(0);
      const lines = isText ? answer.body.toString('utf8').split('\n') : [`(${answer.body.byteLength} bytes that are no text)`];
      const kept = matches === undefined ? lines : lines.filter(matches);
      return {
        summary: `HTTP ${answer.status} from ${args.name}:${args.port}${args.path}`,
        head: {
          cluster,
          namespace: scope,
          name: args.name,
          status: answer.status,
          contentType: answer.contentType ?? 'unknown',
          tookMs: ctx.now() - started,
          bytes: answer.body.byteLength,
          ...(matches === undefined ? {} : { lines: { total: lines.length, matched: kept.length } }),
        },
        sections: [{ key: 'body', value: kept.join('\n') }],
        ...(answer.isCut ? { warnings: [`Only the first ${MAX_BYTES} bytes were read.`] } : {}),
        untrusted: true,
      };
    },
  }),
];
