// kubernetes_get_usage: usage, capacity and quota, with or without a metrics API.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { countOf } from '../../../kit/count.ts';
import { AppError } from '../../../kit/errors.ts';
import { toNameMatcher } from '../../../kit/match.ts';
import { cursor, limit, namespace, since, sortBy } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { formatBytes, formatCores } from '../../../upstream/kubernetes/quantity.ts';
import { parseSort } from '../list-call.ts';
import { type Amount, type CapacityRow, readCapacity, readQuotas, readUsage, type UsageRow } from '../usage.ts';

const SCOPES = ['node', 'namespace', 'workload', 'pod', 'container'] as const;
const VIEWS = ['usage', 'capacity', 'quota', 'rightsizing'] as const;

const input = z.object({
  scope: z.enum(SCOPES).default('pod').describe('What a row is.'),
  namespace,
  name: z.string().min(1).max(500).optional().describe('Substring, glob or /regex/ of the row name.'),
  view: z.enum(VIEWS).default('usage').describe('capacity = allocatable against requests per node; quota = used against hard.'),
  since: since('7d'),
  sortBy: sortBy('-memory'),
  limit: limit(20),
  cursor,
});

const output = z.object({
  source: z.string(),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.unknown())),
  totals: z.record(z.string(), z.unknown()),
  largestPod: z.record(z.string(), z.unknown()),
});

type Args = z.infer<typeof input>;

const percentOf = ({ used, request, limit: most }: Amount): number | undefined => {
  const base = most > 0 ? most : request;
  return used === undefined || base === 0 ? undefined : Math.round((used / base) * 1000) / 10;
};

const SORT_KEYS: Readonly<Record<string, (row: UsageRow) => number | string>> = {
  name: (row) => `${row.namespace ?? ''}/${row.name}`,
  cpu: (row) => row.cpu.used ?? -1,
  memory: (row) => row.memory.used ?? -1,
  'cpu.percent': (row) => percentOf(row.cpu) ?? -1,
  'memory.percent': (row) => percentOf(row.memory) ?? -1,
  restarts: (row) => row.restarts,
  pods: (row) => row.pods,
};

const toOrder = (text: string | undefined): ((a: UsageRow, b: UsageRow) => number) => {
  const sort = parseSort(text) ?? { key: 'memory', direction: -1 };
  const read = Object.hasOwn(SORT_KEYS, sort.key) ? SORT_KEYS[sort.key] : undefined;
  if (read === undefined)
    throw new AppError('INVALID_ARGUMENT', `sortBy cannot be ${sort.key.slice(0, 60)}.`, {
      details: { argument: 'sortBy', choices: Object.keys(SORT_KEYS) },
    });
  return (a, b) => (read(a) < read(b) ? -1 : read(a) > read(b) ? 1 : 0) * sort.direction || (a.name < b.name ? -1 : 1);
};

const cores = (value: number | undefined): string => (value === undefined ? '?' : value === 0 ? '-' : formatCores(value));
const bytes = (value: number | undefined): string => (value === undefined ? '?' : value === 0 ? '-' : formatBytes(value));
const percent = (amount: Amount): string => {
  const value = percentOf(amount);
  return value === undefined ? '' : `${value}%`;
};

const page = (ctx: CallContext, all: readonly unknown[], most: number) => {
  const skip = Number((ctx.cursor as { skip?: number } | undefined)?.skip ?? 0);
  return {
    items: all.slice(skip, skip + most),
    total: all.length,
    resume: { state: { skip }, ...(skip + most < all.length ? { end: { skip: skip + most } } : {}) },
    narrow: 'Narrow with namespace or name, or take a wider scope.',
  };
};

const sumOf = (rows: readonly UsageRow[], part: 'cpu' | 'memory'): Amount => ({
  used: rows.reduce((sum, row) => sum + (row[part].used ?? 0), 0),
  request: rows.reduce((sum, row) => sum + row[part].request, 0),
  limit: rows.reduce((sum, row) => sum + row[part].limit, 0),
});

const answerUsage = async (client: KubernetesClient, args: Args, head: Record<string, unknown>, ctx: CallContext): Promise<Answer> => {
  const order = toOrder(args.sortBy);
  const matches = args.name === undefined ? undefined : await toNameMatcher(args.name);
  const reading = await readUsage(client, args.scope, { namespace: args.namespace, signal: ctx.signal });
  const rows = reading.rows.filter((row) => matches === undefined || matches(row.name)).toSorted(order);
  const isNode = args.scope === 'node';
  const withNamespace = !isNode && args.scope !== 'namespace' && args.namespace === undefined;
  const most = isNode ? 'ALLOCATABLE' : 'LIMIT';
  const columns = [
    ...(withNamespace ? ['NAMESPACE'] : []),
    'NAME',
    'CPU',
    'CPU REQUEST',
    `CPU ${most}`,
    'CPU %',
    'MEMORY',
    'MEMORY REQUEST',
    `MEMORY ${most}`,
    'MEMORY %',
    ...(isNode ? ['PODS'] : ['RESTARTS']),
  ];
  const toRow = (row: UsageRow): unknown[] => [
    ...(withNamespace ? [row.namespace ?? ''] : []),
    row.name,
    cores(row.cpu.used),
    cores(row.cpu.request),
    cores(row.cpu.limit),
    percent(row.cpu),
    bytes(row.memory.used),
    bytes(row.memory.request),
    bytes(row.memory.limit),
    percent(row.memory),
    isNode ? row.pods : row.restarts,
  ];
  const [cpu, memory] = [sumOf(rows, 'cpu'), sumOf(rows, 'memory')];
  const unknown = rows.filter((row) => row.cpu.used === undefined && row.memory.used === undefined).length;
  return {
    summary: `${rows.length} ${args.scope}s use ${cores(cpu.used)} CPU and ${bytes(memory.used)} memory`,
    head: {
      ...head,
      source: reading.source,
      totals: {
        cpu: { used: cores(cpu.used), request: cores(cpu.request) },
        memory: { used: bytes(memory.used), request: bytes(memory.request) },
      },
    },
    list: { key: 'rows', columns, optional: ['CPU REQUEST', 'MEMORY REQUEST'], ...page(ctx, rows.map(toRow), args.limit) },
    warnings: [...reading.warnings, ...(unknown > 0 ? [`${countOf(unknown, 'row')} without a measurement yet (shown as ?).`] : [])],
    ...(rows.length === 0 ? { empty: { reason: 'no_match', detail: 'No running pod matches.' } } : {}),
  };
};

const largestFree = (rows: readonly CapacityRow[]): Record<string, unknown> => {
  const open = rows.filter(({ closed, pods }) => closed === undefined && pods.running < pods.allocatable);
  const best = open.toSorted((a, b) => b.memory.free - a.memory.free)[0];
  return best === undefined
    ? { fits: 'none: no node takes pods' }
    : { node: best.node, cpu: cores(best.cpu.free), memory: bytes(best.memory.free) };
};

const answerCapacity = async (client: KubernetesClient, args: Args, head: Record<string, unknown>, ctx: CallContext): Promise<Answer> => {
  const rows = await readCapacity(client, { namespace: undefined, signal: ctx.signal });
  const toRow = (row: CapacityRow): unknown[] => [
    row.node,
    cores(row.cpu.allocatable),
    cores(row.cpu.requested),
    cores(row.cpu.free),
    bytes(row.memory.allocatable),
    bytes(row.memory.requested),
    bytes(row.memory.free),
    `${row.pods.running}/${row.pods.allocatable}`,
    row.closed ?? '',
  ];
  const free = rows.filter(({ closed }) => closed === undefined);
  return {
    summary: `${rows.length} nodes: ${cores(free.reduce((sum, row) => sum + row.cpu.free, 0))} CPU and ${bytes(free.reduce((sum, row) => sum + row.memory.free, 0))} memory not requested`,
    head: { ...head, largestPod: largestFree(rows) },
    list: {
      key: 'rows',
      columns: ['NODE', 'CPU', 'REQUESTED', 'FREE', 'MEMORY', 'MEM REQUESTED', 'MEM FREE', 'PODS', 'CLOSED'],
      ...page(ctx, rows.toSorted((a, b) => a.memory.free - b.memory.free).map(toRow), args.limit),
    },
  };
};

const answerQuota = async (client: KubernetesClient, args: Args, head: Record<string, unknown>, ctx: CallContext): Promise<Answer> => {
  const rows = await readQuotas(client, { namespace: args.namespace, signal: ctx.signal });
  return {
    summary: `${rows.length} quota lines, ${rows.filter((row) => row.percent >= 90).length} at 90% or more`,
    head,
    list: {
      key: 'rows',
      columns: ['NAMESPACE', 'QUOTA', 'RESOURCE', 'USED', 'HARD', '%'],
      ...page(
        ctx,
        rows.map((row) => [row.namespace, row.quota, row.resource, row.used, row.hard, row.percent]),
        args.limit,
      ),
    },
    ...(rows.length === 0 ? { empty: { reason: 'no_match', detail: 'There is no ResourceQuota in this scope.' } } : {}),
  };
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_get_usage',
    title: 'Get usage',
    description: 'Shows CPU and memory use, capacity, quota, or rightsizing with cost. Works without metrics-server.',
    effect: 'read',
    cacheFor: '10s',
    input,
    output,
    run: async (args, service, ctx) => {
      if (args.view === 'rightsizing') {
        throw new AppError('UNSUPPORTED', 'Rightsizing needs the history of a connected Prometheus.', {
          details: { needs: 'prometheus', instead: { tool: 'kubernetes_get_usage', arguments: { scope: 'workload', view: 'usage' } } },
        });
      }
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const isClusterWide = args.view === 'capacity' || (args.view === 'usage' && args.scope === 'node');
      const head = { cluster, ...(isClusterWide ? {} : { namespace: args.namespace ?? 'all' }) };
      if (args.view === 'capacity') return answerCapacity(client, args, head, ctx);
      return args.view === 'quota' ? answerQuota(client, args, head, ctx) : answerUsage(client, args, head, ctx);
    },
  }),
];
