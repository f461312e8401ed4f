// helm_list_releases: releases by their labels; chart and version from the payloads of what is shown.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { formatDuration, toTimestamp } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { toNameMatcher } from '../../../kit/match.ts';
import { cursor, labelSelector, limit, namespace } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { explainNamespace } from '../../../upstream/kubernetes/kubernetes.ts';
import { explainForbiddenReleases } from '../forbidden.ts';
import { type Helm, openCluster, toPage } from '../helm.ts';
import { isStuck, toStatusFilter } from '../release/status-filter.ts';
import { isPending, listRevisions, newestOf, type Revision } from '../storage/revisions.ts';
import type { ReleaseFacts } from '../storage/storage.ts';

/** Payloads read for one answer that needs all of them: counts by chart, or a filter on the chart. */
const MAX_READ = 500;

const input = z.object({
  namespace,
  name: z.string().min(1).max(500).optional().describe('Substring, glob or /regex/ of the release name.'),
  chart: z.string().min(1).max(300).optional().describe('Chart name, or name@version: nginx, nginx@1.2.3.'),
  status: z.string().min(1).max(200).optional().meta({
    description:
      'Comma list of deployed, failed, pending (all pending-*), uninstalling, superseded, uninstalled; broken = failed, or pending for over 10 min.',
    sent: 'deployed, failed, pending, broken, uninstalled',
  }),
  labelSelector,
  view: z.enum(['table', 'overview']).default('table').describe('overview counts by status, namespace and chart.'),
  limit: limit(50),
  cursor,
});

const output = z.object({
  releases: z.array(z.record(z.string(), z.unknown())),
  total: z.number(),
  statuses: z.record(z.string(), z.number()),
  broken: z.array(z.record(z.string(), z.unknown())),
  namespaces: z.record(z.string(), z.number()),
  charts: z.record(z.string(), z.number()),
});

type Args = z.infer<typeof input>;
type Facts = ReleaseFacts | AppError | undefined;

interface Listing {
  readonly client: KubernetesClient;
  readonly helm: Helm;
  readonly args: Args;
  readonly ctx: CallContext;
  readonly head: Record<string, unknown>;
  readonly warnings: string[];
}

const toWords = ({ name, namespace: space, revision, status, changedAt }: Revision, facts: Facts, now: number): Record<string, unknown> => {
  const updated = facts === undefined || facts instanceof AppError ? changedAt : Date.parse(facts.lastDeployed ?? '') || changedAt;
  return {
    name,
    namespace: space,
    revision,
    status,
    ...(facts === undefined
      ? {}
      : facts instanceof AppError
        ? { chart: 'unreadable' }
        : { chart: `${facts.chart}-${facts.chartVersion}`, appVersion: facts.appVersion ?? '' }),
    ...(updated === undefined ? {} : { updated: toTimestamp(updated) }),
    ...(changedAt === undefined ? {} : { ageInStatus: formatDuration(Math.max(0, now - changedAt)) }),
  };
};

/** `nginx` or `nginx@1.2.3`; the way lists show it (`nginx-1.2.3`) is understood too. */
const isChart = (wanted: string, facts: Facts): boolean => {
  if (facts === undefined || facts instanceof AppError) return false;
  const [name, version] = wanted.split('@');
  const isName = facts.chart === name && (version === undefined || facts.chartVersion === version);
  return isName || `${facts.chart}-${facts.chartVersion}` === wanted;
};

/** The releases that match all filters but that on the chart, in the order in which they are shown. */
const findReleases = async ({ client, args, ctx, warnings, helm }: Listing): Promise<Revision[]> => {
  const query = { namespace: args.namespace, signal: ctx.signal };
  const filter = toStatusFilter(args.status, helm.now());
  const matches = args.name === undefined ? undefined : await toNameMatcher(args.name);
  const all = await listRevisions(client, query);
  warnings.push(...all.warnings);
  if (all.isCut) warnings.push('There are more than 20,000 release records: the rest is left out. Name a namespace.');
  // Labels may differ between revisions; those of the newest count. The selector is the server's to judge.
  const labelled =
    args.labelSelector === undefined
      ? undefined
      : new Set((await listRevisions(client, { ...query, labelSelector: args.labelSelector })).revisions.map(({ uid }) => uid));
  // Superseded revisions are never the newest, unless something went wrong: asked for by name, all of them count. So does `helm list`.
  const isHistory = filter?.words.length === 1 && filter.words[0] === 'superseded';
  const found = (isHistory ? all.revisions : newestOf(all.revisions))
    .filter(({ uid }) => labelled === undefined || labelled.has(uid))
    .filter(({ name }) => matches === undefined || matches(name))
    .filter((revision) => filter === undefined || filter.matches(revision));
  const byName = (a: Revision, b: Revision): number => {
    const [left, right] = [`${a.namespace}/${a.name}`, `${b.namespace}/${b.name}`];
    return left === right ? b.revision - a.revision : left < right ? -1 : 1;
  };
  return filter === undefined ? found.sort(byName) : found.sort((a, b) => (b.changedAt ?? 0) - (a.changedAt ?? 0) || byName(a, b));
};

/** The facts of as many as one answer may read. */
const readFacts = async ({ client, helm, ctx, warnings }: Listing, revisions: readonly Revision[]): Promise<Facts[]> => {
  if (revisions.length > MAX_READ)
    warnings.push(`Charts of the first ${MAX_READ} of ${revisions.length} releases were read: narrow with namespace, name or status.`);
  return helm.storage.facts(client, revisions.slice(0, MAX_READ), ctx.signal);
};

const explainEmpty = async ({ client, args, ctx }: Listing): Promise<Answer['empty']> => {
  const absent = await explainNamespace(client, args.namespace, ctx);
  const isFiltered = [args.name, args.chart, args.status, args.labelSelector].some((value) => value !== undefined);
  const none = isFiltered
    ? 'No Helm release matches.'
    : 'There is no Helm release in Secrets or ConfigMaps (records in SQL cannot be read).';
  return { reason: 'no_match', detail: absent ?? none };
};

const count = (words: readonly string[]): Record<string, number> => {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return Object.fromEntries([...counts].sort(([a, left], [b, right]) => right - left || (a < b ? -1 : 1)));
};

const toNext = (revisions: readonly Revision[], now: number): Answer['next'] => {
  const broken = revisions.find((revision) => revision.status === 'failed' || isStuck(revision, now));
  if (broken === undefined) return [];
  const why = broken.status === 'failed' ? 'why it failed' : `it is ${broken.status} for long`;
  return [{ tool: 'helm_get_release', arguments: { name: broken.name, namespace: broken.namespace }, why }];
};

const answerOverview = async (listing: Listing, revisions: readonly Revision[]): Promise<Answer> => {
  const now = listing.helm.now();
  const facts = await readFacts(listing, revisions);
  const broken = revisions.filter((revision) => revision.status === 'failed' || isPending(revision.status));
  const charts = facts.flatMap((one) => (one === undefined || one instanceof AppError ? [] : [`${one.chart}-${one.chartVersion}`]));
  const stuck = broken.filter((revision) => isStuck(revision, now)).length;
  return {
    summary: `${revisions.length} releases, ${broken.length - stuck} failed or at work, ${stuck} stuck`,
    head: { ...listing.head, total: revisions.length },
    sections: [
      { key: 'statuses', value: count(revisions.map(({ status }) => status)) },
      { key: 'broken', value: broken.map((revision) => ({ ...toWords(revision, undefined, now), stuck: isStuck(revision, now) })) },
      { key: 'namespaces', value: count(revisions.map((revision) => revision.namespace)) },
      { key: 'charts', value: count(charts) },
    ].filter(({ value }) => Object.keys(value).length > 0),
    next: toNext(revisions, now) ?? [],
  };
};

const answerTable = async (listing: Listing, revisions: readonly Revision[]): Promise<Answer> => {
  const { client, helm, args, ctx, head } = listing;
  const { chart } = args;
  const now = helm.now();
  const known = new Map<Revision, Facts>();
  let matching = revisions;
  if (chart !== undefined) {
    const facts = await readFacts(listing, revisions);
    matching = revisions.filter((_, index) => isChart(chart, facts[index]));
  }
  const page = toPage(matching, args.limit, ctx);
  const facts = await helm.storage.facts(client, page.items, ctx.signal);
  for (const [index, revision] of page.items.entries()) known.set(revision, facts[index]);
  const isOneNamespace = args.namespace !== undefined;
  return {
    summary: `${matching.length} releases`,
    head,
    list: {
      key: 'releases',
      ...page,
      items: page.items.map((revision) => {
        const { namespace: space, ...rest } = toWords(revision, known.get(revision), now);
        return isOneNamespace ? rest : { name: revision.name, namespace: space, ...rest };
      }),
      optional: ['ageInStatus', 'appVersion'],
      narrow: 'Narrow with namespace, name, chart or status.',
    },
    ...(matching.length === 0 ? { empty: (await explainEmpty(listing)) ?? { reason: 'no_match', detail: '' } } : {}),
    next: toNext(matching, now) ?? [],
  };
};

export default [
  tool<Helm, typeof input.shape>({
    name: 'helm_list_releases',
    title: 'List releases',
    description: 'Lists Helm releases by status, chart or label. Then helm_get_release.',
    effect: 'read',
    cacheFor: '5s',
    input,
    output,
    run: async (args, helm, ctx) => {
      const { client, cluster } = await openCluster(helm, args.cluster, ctx);
      const scope = client.allowedNamespaces.length > 0 ? client.allowedNamespaces.join(',') : 'all';
      const head = { cluster, namespace: args.namespace ?? scope };
      const listing: Listing = { client, helm, args, ctx, head, warnings: [] };
      const revisions = await findReleases(listing).catch(async (thrown: unknown) => {
        throw await explainForbiddenReleases(thrown, client, { namespace: args.namespace, ctx });
      });
      const answer = args.view === 'overview' ? await answerOverview(listing, revisions) : await answerTable(listing, revisions);
      return listing.warnings.length > 0 ? { ...answer, warnings: listing.warnings } : answer;
    },
  }),
];
