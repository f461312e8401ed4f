// helm_search_charts: charts and versions in repositories, and the repositories themselves.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { countOf } from '../../../kit/count.ts';
import { formatDuration } from '../../../kit/duration.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import { toNameMatcher } from '../../../kit/match.ts';
import { cursor, limit } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import { type Helm, toPage } from '../helm.ts';
import { inParallel } from '../release/resources.ts';
import type { ChartIndex } from '../repositories/index-file.ts';
import type { HttpRepository } from '../repositories/repositories.ts';
import { parseVersion } from '../repositories/semver.ts';

const input = z.object({
  query: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe('Text of name, keywords or description; a glob or /regex/ of the name. For versions: the chart.'),
  repository: z.string().min(1).max(1000).optional().describe('Configured name, or an https or oci URL on the list of allowed hosts.'),
  view: z.enum(['charts', 'versions', 'repositories']).default('charts').describe('versions lists those of one chart.'),
  devel: z.boolean().default(false).describe('With pre-releases.'),
  refresh: z.boolean().default(false).describe('Read the index again, even if it is fresh.'),
  limit: limit(20),
  cursor,
});

const row = z.record(z.string(), z.unknown());
const output = z.object({
  repository: z.string(),
  chart: z.string(),
  charts: z.array(row),
  versions: z.array(row),
  repositories: z.array(row),
});

type Args = z.infer<typeof input>;

interface Search {
  readonly helm: Helm;
  readonly args: Args;
  readonly ctx: CallContext;
}

interface Found {
  readonly repository: HttpRepository;
  readonly index: ChartIndex;
  readonly name: string;
  readonly version: string;
  readonly rank: number;
}

const isPattern = (query: string): boolean => /[*?]/.test(query) || /^\/.*\/$/s.test(query);

/** Exact names first, then beginnings, parts of names, and mentions. */
const rankOf = (name: string, wanted: string, mentions: boolean): number => {
  const lower = name.toLowerCase();
  if (lower === wanted) return 0;
  if (lower.startsWith(wanted)) return 1;
  if (lower.includes(wanted)) return 2;
  return mentions ? 3 : -1;
};

const findIn = async (repository: HttpRepository, { helm, args, ctx }: Search): Promise<Found[]> => {
  const index = await helm.repositories.index(repository, { signal: ctx.signal, refresh: args.refresh });
  const { query } = args;
  const matches = query !== undefined && isPattern(query) ? await toNameMatcher(query, 'query') : undefined;
  const wanted = query?.toLowerCase();
  return index.names.flatMap((name) => {
    if (matches !== undefined && !matches(name)) return [];
    const version = index.pick(name, undefined, args.devel);
    if (version === undefined) return [];
    const rank = matches !== undefined || wanted === undefined ? 1 : rankOf(name, wanted, index.mentions(name, version, wanted));
    return rank < 0 ? [] : [{ repository, index, name, version, rank }];
  });
};

const toRow = async ({ repository, index, name, version }: Found): Promise<Record<string, unknown>> => {
  const entry = await index.find(name, version);
  return {
    name: `${repository.name}/${name}`,
    version,
    ...(entry?.appVersion === undefined ? {} : { appVersion: entry.appVersion }),
    ...(entry?.description === undefined ? {} : { description: entry.description }),
    ...(entry?.deprecated === true ? { deprecated: true } : {}),
  };
};

/** Which to search: the named one, or all that have an index. */
const toRepositories = ({ helm, args }: Search): { searched: HttpRepository[]; warnings: string[] } => {
  const { repositories } = helm;
  if (args.repository !== undefined) return { searched: [repositories.http(args.repository)], warnings: [] };
  const registries = repositories.configured.filter(({ url }) => url.startsWith('oci:')).map(({ name }) => name);
  return {
    searched: repositories.configured.filter(({ url }) => !url.startsWith('oci:')).map(({ name }) => repositories.http(name)),
    warnings:
      registries.length > 0
        ? [`Registries cannot be searched by word (${registries.join(', ')}): name a chart, view versions, query ${registries[0]}/<chart>.`]
        : [],
  };
};

const NOT_CONFIGURED = {
  reason: 'not_configured' as const,
  detail: 'No chart repository is configured: set helm.repositories, or name one on an allowed host (helm.allowedHosts).',
};

const searchCharts = async (search: Search): Promise<Answer> => {
  const { args, ctx } = search;
  const { searched, warnings } = toRepositories(search);
  if (searched.length === 0) return { summary: 'No repository to search', empty: NOT_CONFIGURED, warnings };
  // One dead repository does not hide the others.
  const lists = await inParallel(searched, (repository) =>
    findIn(repository, search).catch((thrown: unknown) => {
      const error = toAppError(thrown);
      if (searched.length === 1 || error.code === 'CANCELLED') throw thrown;
      warnings.push(`${repository.name}: ${error.message}`);
      return [];
    }),
  );
  const found = lists.flat().sort((a, b) => a.rank - b.rank || (a.name < b.name ? -1 : 1));
  const page = toPage(found, args.limit, ctx);
  return {
    summary: `${countOf(found.length, 'chart')} in ${searched.map(({ name }) => name).join(', ')}`,
    list: {
      key: 'charts',
      ...page,
      items: await inParallel(page.items, toRow),
      optional: ['description'],
      narrow: 'Narrow with query or repository.',
    },
    ...(found.length === 0 ? { empty: { reason: 'no_match', detail: 'No chart matches; devel shows those with pre-releases only.' } } : {}),
    warnings,
    ...(page.items[0] === undefined
      ? {}
      : {
          next: [
            {
              tool: 'helm_get_chart',
              arguments: { chart: `${page.items[0].repository.name}/${page.items[0].name}` },
              why: 'its values and schema',
            },
          ],
        }),
    untrusted: true,
  };
};

/** The chart that view versions means: `repo/name`, `oci://…`, or a name and its repository. */
const toReference = ({ helm, args: { query, repository } }: Search): string => {
  const base = repository?.replace(/\/+$/, '');
  if (query === undefined && base?.startsWith('oci://') === true) return base;
  if (query === undefined)
    throw new AppError('INVALID_ARGUMENT', 'Name the chart in query.', {
      details: { argument: 'query', expected: 'repo/name, or oci://host/path/name' },
    });
  if (query.includes('/')) return query;
  if (base !== undefined) return `${base}/${query}`;
  const [only, ...more] = helm.repositories.configured;
  return only !== undefined && more.length === 0 ? `${only.name}/${query}` : query;
};

/** An https URL of a repository is not registered: its charts have no short reference. */
const versionsOf = async (
  search: Search,
): Promise<{ reference: string; versions: readonly string[]; index: ChartIndex | undefined; isCut: boolean; name: string }> => {
  const { helm, args, ctx } = search;
  const options = { signal: ctx.signal, refresh: args.refresh };
  if (args.query !== undefined && args.repository !== undefined && /^https?:/.test(args.repository)) {
    const index = await helm.repositories.index(helm.repositories.http(args.repository), options);
    return { reference: args.query, name: args.query, versions: index.versions(args.query), index, isCut: false };
  }
  const reference = toReference(search);
  return { reference, ...(await helm.repositories.versions(reference, options)) };
};

const searchVersions = async (search: Search): Promise<Answer> => {
  const { args, ctx } = search;
  const { reference, name, versions, index, isCut } = await versionsOf(search);
  const isStable = (text: string): boolean => parseVersion(text)?.prerelease.length === 0;
  const { byNewest } = await import('../repositories/semver.ts');
  const listed = versions.filter((text) => parseVersion(text) !== undefined && (args.devel || isStable(text))).toSorted(byNewest);
  const page = toPage(listed, args.limit, ctx);
  const items = await inParallel(page.items, async (version) => {
    const entry = await index?.find(name, version);
    return { version, ...(entry === undefined ? {} : { appVersion: entry.appVersion ?? '', created: entry.created ?? '' }) };
  });
  const left = versions.length - listed.length;
  return {
    summary: `${listed.length} versions of ${reference}`,
    head: { chart: reference },
    list: { key: 'versions', ...page, items, narrow: 'The newest come first.' },
    ...(listed.length === 0
      ? {
          empty: { reason: 'no_match', detail: left > 0 ? 'All versions are pre-releases: see devel.' : `There is no chart ${reference}.` },
        }
      : {}),
    warnings: [
      ...(left > 0 && listed.length > 0 ? [`${left} pre-releases and odd tags are left out: see devel.`] : []),
      ...(isCut ? ['The registry has more tags than were read.'] : []),
      ...(index === undefined ? ['A registry tells tags alone: no dates, no app versions.'] : []),
    ],
  };
};

const listRepositories = async ({ helm, args, ctx }: Search): Promise<Answer> => {
  const { configured } = helm.repositories;
  const page = toPage(configured, args.limit, ctx);
  const items = await inParallel(page.items, async ({ name, url, username, token }) => {
    const facts = { name, url, login: token !== undefined ? 'token' : username !== undefined ? 'basic' : 'none' };
    if (url.startsWith('oci:')) return { ...facts, charts: 'a registry has no list' };
    const repository = helm.repositories.http(name);
    try {
      const index = await helm.repositories.index(repository, { signal: ctx.signal, refresh: args.refresh });
      return {
        ...facts,
        charts: index.names.length,
        indexAge: formatDuration(Math.max(0, helm.now() - (helm.repositories.readAt(repository) ?? helm.now()))),
      };
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'CANCELLED') throw thrown;
      return { ...facts, error: error.message };
    }
  });
  return {
    summary: `${configured.length} repositories`,
    list: { key: 'repositories', ...page, items },
    ...(configured.length === 0 ? { empty: NOT_CONFIGURED } : {}),
  };
};

const VIEWS = { charts: searchCharts, versions: searchVersions, repositories: listRepositories } as const;

export default [
  tool<Helm, typeof input.shape>({
    name: 'helm_search_charts',
    title: 'Search charts',
    description: 'Searches chart repositories or lists them. Then helm_get_chart.',
    effect: 'read',
    input,
    output,
    run: async (args, helm, ctx) => {
      ctx.signal.throwIfAborted();
      return VIEWS[args.view]({ helm, args, ctx });
    },
  }),
];
