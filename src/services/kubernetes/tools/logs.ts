// kubernetes_get_logs: lines or patterns of a pod, a workload or a node service.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { parseTime, toTimestamp } from '../../../kit/duration.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import { type Matcher, toRegexMatcher } from '../../../kit/match.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import { inParallel } from '../../../kit/parallel.ts';
import { limit, namespace, since } from '../../../kit/params.ts';
import type { Answer, NextCall } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import type { LogStream } from '../../../upstream/kubernetes/logs.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { learnSecrets } from '../learn-secrets.ts';
import { unlessGone } from '../log-gone.ts';
import { createPatterns, type KeptLine, type Reading, readLines } from '../log-lines.ts';
import { findLogSources, type LogSource, type LogSources } from '../log-source.ts';
import { scanTable } from '../scan.ts';

const VIEWS = ['lines', 'patterns'] as const;
/** Of one call, over all its streams. */
const READ_CEILING = 10 * 1024 * 1024;
const PARALLEL = 4;

const input = z.object({
  name: z.string().min(1).max(300).meta({
    description: 'Pod, deployment/x, statefulset/x, daemonset/x, job/x, cronjob/x, or node/x:service.',
    sent: 'pod, deployment/x, job/x, or node/x:kubelet',
  }),
  namespace,
  container: z.string().min(1).max(100).optional().describe('Absent = the failing, else the default container; * = all.'),
  previous: z.boolean().default(false).describe('Of the last terminated container.'),
  since: since(),
  until: z.string().max(64).optional().describe('End of the window, in the forms of since.'),
  grep: z.string().min(1).max(500).optional().describe('Regular expression (RE2); (?i) for any case.'),
  context: z.int().min(0).max(50).default(0).describe('Lines around a match.'),
  view: z.enum(VIEWS).default('lines').describe('patterns = templates with counts, first and last time, levels.'),
  limit: limit(100),
});

const output = z.object({
  streams: z.array(z.record(z.string(), z.unknown())),
  otherContainers: z.array(z.string()),
  otherPods: z.array(z.string()),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.unknown())),
  patterns: z.array(z.record(z.string(), z.unknown())),
});

type Args = z.infer<typeof input>;

interface Plan {
  readonly args: Args;
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly matches: Matcher | undefined;
  readonly ctx: CallContext;
  readonly maskLines: Kubernetes['maskLines'];
}

interface Stream extends Reading {
  readonly source: LogSource;
  readonly note?: string;
  readonly error?: string;
}

const isPlain = ({ args, to }: Plan): boolean => args.grep === undefined && args.view === 'lines' && to === undefined;

const openStream = (
  client: KubernetesClient,
  { pod, container, previous }: LogSource,
  scope: string,
  plan: Plan,
  limitBytes: number,
): Promise<LogStream> =>
  client.podLogs({
    name: pod,
    namespace: scope,
    container,
    previous,
    // Without filter or window the server itself gives the newest lines; with one, all in the window must be seen.
    ...(isPlain(plan) && plan.from === undefined ? { tailLines: plan.args.limit } : {}),
    ...(plan.from === undefined ? {} : { sinceTime: toTimestamp(plan.from) }),
    limitBytes,
    signal: plan.ctx.signal,
  });

/** The log of the last run goes with its container: then that of the current one is read, and it is said. */
const openLog = async (
  client: KubernetesClient,
  source: LogSource,
  scope: string,
  plan: Plan,
  limitBytes: number,
): Promise<{ stream: LogStream; source: LogSource; note?: string }> => {
  const open = async (one: LogSource) => unlessGone(await openStream(client, one, scope, plan, limitBytes));
  const stream = await open(source);
  if (stream !== undefined) return { stream, source };
  const place = `${source.pod}/${source.container}`;
  const current = { ...source, previous: false };
  const instead = source.previous ? await open(current) : undefined;
  if (instead !== undefined)
    return { stream: instead, source: current, note: `${place}: its node no longer has the log of the last run; this is the current one.` };
  const none: LogStream = { lines: NO_LINES, bytesRead: 0, isCut: false };
  return { stream: none, source, note: `${place}: its node no longer has this log.` };
};

const NO_LINES: LogStream['lines'] = (async function* () {})();

const readSources = async (
  client: KubernetesClient,
  sources: readonly LogSource[],
  scope: string,
  plan: Plan,
  observe: Parameters<typeof readLines>[1]['observe'],
): Promise<Stream[]> => {
  const share = Math.floor(READ_CEILING / Math.max(1, sources.length));
  let read = 0;
  const readOne = async (source: LogSource): Promise<Stream> => {
    try {
      const { stream, ...opened } = await openLog(client, source, scope, plan, share);
      return {
        ...opened,
        ...(await readLines(stream, {
          ...plan,
          context: plan.args.context,
          limit: plan.args.limit,
          ...(observe === undefined ? {} : { observe }),
        })),
      };
    } catch (thrown) {
      const error = toAppError(thrown);
      if (sources.length === 1 || ['CANCELLED', 'DEADLINE_EXCEEDED', 'FORBIDDEN', 'INTERNAL'].includes(error.code)) throw thrown;
      return { source, lines: [], total: 0, matched: 0, bytes: 0, isCut: false, error: error.message };
    }
  };
  return inParallel(sources, PARALLEL, async (source) => {
    const stream = await readOne(source);
    read += 1;
    plan.ctx.progress({ progress: read, total: sources.length, message: 'logs read' });
    return stream;
  });
};

const toStreamItem = ({ source, lines, total, matched, isCut, error }: Stream): Record<string, unknown> => ({
  ...(source.pod === '' ? {} : { pod: source.pod }),
  container: source.container,
  ...(source.previous ? { previous: true } : {}),
  ...(error === undefined ? { total, matched, shown: lines.length } : { error }),
  ...(isCut ? { cut: true } : {}),
});

interface Placed {
  readonly line: KeptLine;
  readonly from: string;
}

/** All streams in one order of time; the newest stand last. */
const mergeLines = (streams: readonly Stream[]): Placed[] =>
  streams
    .flatMap(({ source, lines }) =>
      lines.map((line) => ({ line, from: source.pod === '' ? source.container : `${source.pod}/${source.container}` })),
    )
    .toSorted((a, b) => ((a.line.at ?? '') < (b.line.at ?? '') ? -1 : (a.line.at ?? '') > (b.line.at ?? '') ? 1 : 0));

const toLineList = (streams: readonly Stream[], plan: Plan): Answer['list'] => {
  const placed = mergeLines(streams);
  const isOne = streams.length === 1;
  const hasRepeats = placed.some(({ line }) => line.repeat > 1);
  const matched = streams.reduce((sum, stream) => sum + stream.matched, 0);
  const kept = placed.reduce((sum, { line }) => sum + line.repeat, 0);
  return {
    key: 'rows',
    columns: ['AT', ...(isOne ? [] : ['FROM']), ...(hasRepeats ? ['REPEAT'] : []), 'TEXT'],
    items: placed.map(({ line, from }) => [line.at ?? '', ...(isOne ? [] : [from]), ...(hasRepeats ? [line.repeat] : []), line.text]),
    keep: 'last',
    // With the server's own tail nobody knows how many lines there are, unless there were fewer than asked for.
    ...(isPlain(plan) && plan.from === undefined && streams.some((stream) => stream.total >= plan.args.limit)
      ? { atLeast: placed.length }
      : { total: Math.max(matched, placed.length) }),
    ...(kept < matched ? { reason: 'limit' as const } : {}),
    narrow: 'Use grep, view=patterns or a shorter window before raising limit.',
  };
};

const toNext = ({ args }: Plan, streams: readonly Stream[]): NextCall[] => {
  const many = streams.some(({ matched, lines }) => matched > lines.length);
  if (args.view === 'patterns' || !many) return [];
  const { limit: _, context: __, previous, ...rest } = args;
  return [
    {
      tool: 'kubernetes_get_logs',
      arguments: { ...rest, ...(previous ? { previous } : {}), view: 'patterns' },
      why: 'what the lines are about, counted',
    },
  ];
};

const answer = (
  streams: readonly Stream[],
  found: Pick<LogSources, 'otherContainers' | 'otherPods' | 'notes'>,
  head: Record<string, unknown>,
  plan: Plan,
  patterns: ReturnType<typeof createPatterns> | undefined,
): Answer => {
  const total = streams.reduce((sum, stream) => sum + stream.total, 0);
  const matched = streams.reduce((sum, stream) => sum + stream.matched, 0);
  const isCut = streams.some((stream) => stream.isCut);
  const warnings = [
    ...found.notes,
    ...streams.flatMap(({ note }) => note ?? []),
    ...(isCut ? [`Reading stopped after ${READ_CEILING / 1024 / 1024} MB: narrow with since, container or one pod.`] : []),
  ];
  const list =
    patterns === undefined
      ? toLineList(streams, plan)
      : {
          key: 'patterns',
          items: patterns.list().slice(0, plan.args.limit),
          optional: ['sample', 'firstAt'],
          total: patterns.list().length,
          narrow: 'Use grep for one of them.',
        };
  return {
    summary: `${plan.args.name}: ${total} lines read${plan.matches === undefined ? '' : `, ${matched} match`}`,
    head: {
      ...head,
      ...(plan.from === undefined ? {} : { window: { from: toTimestamp(plan.from), to: toTimestamp(plan.to ?? plan.ctx.now()) } }),
      streams: streams.map(toStreamItem),
      ...(found.otherContainers.length > 0 ? { otherContainers: found.otherContainers } : {}),
      ...(found.otherPods.length > 0 ? { otherPods: found.otherPods } : {}),
    },
    ...(list === undefined ? {} : { list }),
    ...(matched === 0
      ? {
          empty: {
            reason: plan.matches === undefined ? ('window_empty' as const) : ('no_match' as const),
            detail: plan.matches === undefined ? 'There is no line in this window.' : `None of ${total} lines matches.`,
          },
        }
      : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
    next: toNext(plan, streams),
    untrusted: true,
  };
};

const readNode = async (client: KubernetesClient, name: string, head: Record<string, unknown>, plan: Plan): Promise<Answer> => {
  const [, node = '', query = 'kubelet'] = /^nodes?\/([^:]+)(?::(.+))?$/.exec(name) ?? [];
  const patterns = plan.args.view === 'patterns' ? createPatterns() : undefined;
  const stream = await client.nodeLogs({
    node,
    query,
    ...(plan.from === undefined
      ? { tailLines: plan.matches === undefined ? plan.args.limit : 10_000 }
      : { sinceTime: toTimestamp(plan.from) }),
    ...(plan.to === undefined ? {} : { untilTime: toTimestamp(plan.to) }),
    limitBytes: READ_CEILING,
    signal: plan.ctx.signal,
  });
  const reading = await readLines(stream, {
    ...plan,
    context: plan.args.context,
    limit: plan.args.limit,
    ...(patterns === undefined ? {} : { observe: patterns.observe }),
  });
  return answer(
    [{ ...reading, source: { pod: '', container: `${node}:${query}`, previous: false } }],
    { otherContainers: [], otherPods: [], notes: [] },
    head,
    plan,
    patterns,
  );
};

const explainMissing = async (
  thrown: unknown,
  client: KubernetesClient,
  name: string,
  scope: string,
  ctx: CallContext,
): Promise<unknown> => {
  const error = toAppError(thrown);
  if (error.code !== 'NOT_FOUND') return thrown;
  const word = name.slice(name.indexOf('/') + 1);
  const resource = name.includes('/') ? (await client.resolveKind(name.slice(0, name.indexOf('/')), ctx)).resource : RESOURCES.pods;
  const scan = await scanTable(client, resource, {
    namespace: scope,
    labelSelector: undefined,
    fieldSelector: undefined,
    signal: ctx.signal,
  }).catch(() => undefined);
  const nearest = nearestNames(word, scan?.rows.map((row) => row.name) ?? []);
  return new AppError('NOT_FOUND', error.message, {
    details: { ...error.details, ...(nearest.length > 0 ? { nearest } : {}) },
    cause: error,
  });
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_get_logs',
    title: 'Get logs',
    description: 'Reads logs of a pod, workload or node service. Use grep and view patterns before raising limit.',
    effect: 'read',
    input,
    output,
    run: async (args, service, ctx) => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const now = ctx.now();
      const from = args.since === undefined ? undefined : parseTime(args.since, 'since', now);
      const to = args.until === undefined ? undefined : parseTime(args.until, 'until', now);
      if (from !== undefined && to !== undefined && from >= to)
        throw new AppError('INVALID_ARGUMENT', 'since must lie before until.', { details: { argument: 'since' } });
      const { maskLines } = service;
      const plan: Plan = {
        args,
        from,
        to,
        ctx,
        maskLines,
        matches: args.grep === undefined ? undefined : await toRegexMatcher(args.grep, 'grep'),
      };
      if (/^nodes?\//.test(args.name)) return readNode(client, args.name, { cluster }, plan);
      const scope = args.namespace ?? client.defaultNamespace;
      const head = { cluster, namespace: scope };
      try {
        const found = await findLogSources(
          client,
          { name: args.name, namespace: scope, container: args.container, previous: args.previous },
          ctx,
        );
        if (found.sources.length === 0)
          return {
            summary: `${args.name} has no pods`,
            head,
            empty: { reason: 'no_match', detail: `${args.name} has no pods now.` },
            next: [{ tool: 'kubernetes_list_events', arguments: { namespace: scope, name: args.name }, why: 'why there is none' }],
          };
        await learnSecrets(found.pods, client, service, ctx);
        const patterns = args.view === 'patterns' ? createPatterns() : undefined;
        const streams = await readSources(client, found.sources, scope, plan, patterns?.observe);
        return answer(streams, found, head, plan, patterns);
      } catch (thrown) {
        throw await explainMissing(thrown, client, args.name, scope, ctx);
      }
    },
  }),
];
