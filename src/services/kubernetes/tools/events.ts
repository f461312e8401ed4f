// kubernetes_list_events: what the cluster says happened, newest first, repeats folded.

import { z } from 'zod';
import { parseWindow, toTimestamp } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { cursor, fieldSelector, limit, namespace, since } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import { explainNamespace, type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';

const VIEWS = ['grouped', 'list'] as const;
const TYPES = ['Warning', 'Normal', 'all'] as const;
const PAGE = 500;
const MAX_READ = 10_000;
const MAX_NAMED = 3;
/** Most clusters keep events for an hour; a window that reaches further back is told so. */
const RETENTION_MS = 3_600_000;

const input = z.object({
  namespace,
  name: z.string().min(1).max(400).optional().meta({ description: 'Object, such as pod/web-1 or just web-1.', sent: 'e.g. pod/web-1' }),
  type: z.enum(TYPES).default('Warning').meta({ description: 'Warning, Normal or all.', checked: true }),
  fieldSelector,
  since: since('1h'),
  view: z.enum(VIEWS).default('grouped').describe('grouped folds repeats; list shows every event.'),
  limit: limit(30),
  cursor,
});

const output = z.object({
  groups: z.array(z.record(z.string(), z.unknown())),
  events: z.array(z.record(z.string(), z.unknown())),
  counts: z.record(z.string(), z.number()),
});

interface Read {
  readonly events: readonly KubeEvent[];
  readonly isComplete: boolean;
}

/** `pod/web-1`, `Pod/web-1`, `web-1`. */
const toAbout = async (
  name: string | undefined,
  client: KubernetesClient,
  signal: AbortSignal,
): Promise<{ kind?: string; name?: string }> => {
  if (name === undefined) return {};
  const at = name.indexOf('/');
  if (at < 0) return { name };
  const { resource } = await client.resolveKind(name.slice(0, at), { signal });
  return { kind: resource.kind, name: name.slice(at + 1) };
};

const readAll = async (
  client: KubernetesClient,
  query: Parameters<KubernetesClient['events']>[0],
  from: number,
  to: number,
): Promise<Read> => {
  const events: KubeEvent[] = [];
  let read = 0;
  let token: string | undefined;
  do {
    const page = await client.events({ ...query, limit: PAGE, continue: token });
    read += page.events.length;
    events.push(...page.events.filter(({ at }) => at >= from && at <= to));
    token = page.continue;
  } while (token !== undefined && read < MAX_READ);
  return { events: events.sort((a, b) => b.at - a.at), isComplete: token === undefined };
};

const refOf = ({ regarding }: KubeEvent): string => `${regarding.kind.toLowerCase()}/${regarding.name}`;

/** What controllers put behind a name they make: hash and suffix, of letters and digits that spell no word. */
const MADE = /-[bcdfghjklmnpqrstvwxz2456789]{5,10}\b/g;

/** Names and numbers that differ between repeats of one message. */
const toTemplate = ({ message, regarding }: KubeEvent): string =>
  message
    .replace(/^\(combined from similar events\): /, '')
    .replaceAll(regarding.name, '<name>')
    .replace(MADE, '')
    .replace(/\b[0-9a-f]{8}-[0-9a-f-]{27}\b/g, '<uid>')
    .replace(/\b\d+(\.\d+)*(ms|s|m|h|Mi|Ki|Gi)?\b/g, '<n>');

interface Group {
  readonly sample: KubeEvent;
  readonly objects: Set<string>;
  count: number;
  firstAt: number;
}

const groupEvents = (events: readonly KubeEvent[]): Group[] => {
  const groups = new Map<string, Group>();
  for (const event of events) {
    const key = [event.type, event.reason, event.regarding.kind, event.namespace, toTemplate(event)].join('\0');
    const group = groups.get(key) ?? { sample: event, objects: new Set<string>(), count: 0, firstAt: event.firstAt };
    groups.set(key, group);
    group.objects.add(refOf(event));
    group.count += event.count;
    group.firstAt = Math.min(group.firstAt, event.firstAt);
  }
  return [...groups.values()];
};

const toGroupItem = ({ sample, objects, count, firstAt }: Group, withNamespace: boolean): Record<string, unknown> => ({
  lastAt: toTimestamp(sample.at),
  type: sample.type,
  reason: sample.reason,
  ...(withNamespace ? { namespace: sample.namespace } : {}),
  objects: objects.size <= MAX_NAMED ? [...objects] : [...[...objects].slice(0, MAX_NAMED), `+${objects.size - MAX_NAMED}`],
  count,
  firstAt: toTimestamp(firstAt),
  message: sample.message,
});

const toEventItem = (event: KubeEvent, withNamespace: boolean): Record<string, unknown> => ({
  at: toTimestamp(event.at),
  type: event.type,
  reason: event.reason,
  ...(withNamespace ? { namespace: event.namespace } : {}),
  ref: refOf(event),
  count: event.count,
  source: event.source,
  message: event.message,
});

const countTypes = (events: readonly KubeEvent[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { type, count } of events) counts[type] = (counts[type] ?? 0) + count;
  return counts;
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_list_events',
    title: 'List events',
    description: 'Lists events, newest first, repeats grouped. Older than 1h: platform_timeline.',
    effect: 'read',
    cacheFor: '2s',
    input,
    output,
    run: async (args, service, ctx): Promise<Answer> => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const now = ctx.now();
      const { from, to } = parseWindow(args.since ?? '1h', 'now', now);
      if (args.fieldSelector !== undefined && args.name !== undefined) {
        throw new AppError('INVALID_ARGUMENT', 'Give either name or fieldSelector.', { details: { argument: 'fieldSelector' } });
      }
      const about = await toAbout(args.name, client, ctx.signal);
      const query = {
        namespace: args.namespace,
        about,
        fieldSelector: args.fieldSelector,
        signal: ctx.signal,
        ...(args.type === 'all' ? {} : { type: args.type }),
      };
      const { events, isComplete } = await readAll(client, query, from, to);
      const withNamespace = args.namespace === undefined;
      const items =
        args.view === 'grouped'
          ? groupEvents(events).map((group) => toGroupItem(group, withNamespace))
          : events.map((event) => toEventItem(event, withNamespace));
      const skip = Number((ctx.cursor as { skip?: number } | undefined)?.skip ?? 0);
      const shown = items.slice(skip, skip + args.limit);
      const kind = args.type === 'all' ? '' : `${args.type} `;
      const absent = items.length === 0 ? await explainNamespace(client, args.namespace, ctx) : undefined;
      return {
        summary: `${events.length} ${kind}events${args.view === 'grouped' ? ` in ${items.length} groups` : ''}`,
        head: {
          cluster,
          namespace: args.namespace ?? 'all',
          window: { from: toTimestamp(from), to: toTimestamp(to) },
          ...(events.length > 0 ? { counts: countTypes(events) } : {}),
        },
        list: {
          key: args.view === 'grouped' ? 'groups' : 'events',
          items: shown,
          optional: args.view === 'grouped' ? ['firstAt'] : ['source'],
          ...(isComplete ? { total: items.length } : { atLeast: items.length, reason: 'scan_limit' as const }),
          resume: { state: { skip }, ...(skip + args.limit < items.length ? { end: { skip: skip + args.limit } } : {}) },
          narrow: 'Narrow with name, namespace, type or a shorter since.',
        },
        ...(items.length === 0
          ? {
              empty: {
                reason: absent === undefined ? ('window_empty' as const) : ('no_match' as const),
                detail: absent ?? `No ${kind}events in this window; clusters forget events, most after 1h.`,
              },
            }
          : {}),
        ...(now - from > RETENTION_MS ? { warnings: ['Most clusters keep events for 1h only: what is older may be gone.'] } : {}),
        ...(items.length > 0 ? { untrusted: true } : {}),
      };
    },
  }),
];
