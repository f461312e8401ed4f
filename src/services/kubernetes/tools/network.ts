// kubernetes_check_network: does traffic get there, and if not, which hop stops it. Reasoned from objects; no packet is sent.

import { z } from 'zod';
import { namespace } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { type End, parseEnd } from '../network/ends.ts';
import { reach } from '../network/reach.ts';

const input = z.object({
  to: z.string().min(1).max(600).meta({
    description: 'Destination: service/x, pod/x, deployment/x, ingress/x or httproute/x; other-namespace/service/x for another namespace.',
    sent: 'e.g. service/web',
  }),
  namespace,
  from: z
    .string()
    .min(1)
    .max(600)
    .optional()
    .describe('Source: deployment/x, pod/x, namespace/x, or other-namespace/deployment/x. Absent = who is let in is told.'),
  port: z.string().min(1).max(64).optional().describe('Name or number; absent = the first.'),
});

const output = z.object({
  verdict: z.enum(['reachable', 'blocked', 'unknown']),
  to: z.string(),
  from: z.string(),
  note: z.string(),
  path: z.array(z.object({ hop: z.string(), ref: z.string().optional(), result: z.enum(['ok', 'fail', 'unknown']), detail: z.string() })),
  fixes: z.array(z.string()),
});

const NOTE = 'Reasoned from objects, no packet was sent; network policies count only where the network plugin enforces them.';

const toText = ({ kind, name, namespace: space, resource }: End): string =>
  resource.namespaced ? `${space}/${kind}/${name}` : `${kind}/${name}`;

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_check_network',
    title: 'Check network',
    description: 'Explains whether traffic reaches a service, pod or ingress: selectors, endpoints, ports, network policies.',
    effect: 'read',
    cacheFor: '5s',
    input,
    output,
    run: async (args, service, ctx): Promise<Answer> => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const scope = { namespace: args.namespace ?? client.defaultNamespace, client, signal: ctx.signal };
      const to = await parseEnd(args.to, { ...scope, argument: 'to' });
      const from = args.from === undefined ? undefined : await parseEnd(args.from, { ...scope, argument: 'from' });
      const { verdict, path, warnings } = await reach(client, { to, from, port: args.port }, ctx);
      const fixes = [...new Set(path.flatMap(({ result, fix }) => (result === 'ok' || fix === undefined ? [] : [fix])))];
      const stop = path.find(({ result }) => result === 'fail') ?? path.find(({ result }) => result === 'unknown');
      const isSick = path.some(({ hop, result }) => result === 'fail' && /pods|endpoints/.test(hop));
      return {
        summary: `${verdict.toUpperCase()}: ${from === undefined ? '' : `${toText(from)} to `}${toText(to)}${verdict === 'reachable' || stop === undefined ? '' : ` at ${stop.hop}${stop.ref === undefined ? '' : ` of ${stop.ref}`}`}`,
        head: {
          cluster,
          namespace: to.namespace,
          verdict,
          to: toText(to),
          ...(from === undefined ? {} : { from: toText(from) }),
          note: NOTE,
        },
        sections: [
          { key: 'path', value: path.map(({ fix: _, ...hop }) => hop) },
          ...(fixes.length > 0 ? [{ key: 'fixes', value: fixes }] : []),
        ],
        ...(isSick
          ? { next: [{ tool: 'kubernetes_find_problems', arguments: { namespace: to.namespace }, why: 'why the pods are not ready' }] }
          : {}),
        ...(warnings.length > 0 ? { warnings } : {}),
        // Words of gateway controllers stand in the hops of a route.
        ...(to.kind === 'httproute' ? { untrusted: true } : {}),
      };
    },
  }),
];
