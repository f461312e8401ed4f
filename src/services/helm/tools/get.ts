// helm_get_release: one release in the chosen view, at any revision.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { countOf } from '../../../kit/count.ts';
import { AppError } from '../../../kit/errors.ts';
import { cursor, fields, limit } from '../../../kit/params.ts';
import { parsePath, select } from '../../../kit/paths.ts';
import type { Answer, NextCall } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { Fields } from '../../../upstream/shapes.ts';
import { type Helm, openCluster, skipOf, toPage } from '../helm.ts';
import { compareReleases, isVersionLabel } from '../release/compare.ts';
import { readDrift } from '../release/drift.ts';
import { imagesOf, toRefMatcher } from '../release/manifest.ts';
import { type OpenRelease, openRevision, pickRevision, readHistory } from '../release/open.ts';
import { findProblems, lastGood } from '../release/problems.ts';
import { toSafeObject, toSafeValues } from '../release/redact.ts';
import { readResources } from '../release/resources.ts';
import { coalesce } from '../release/values.ts';
import type { Revision } from '../storage/revisions.ts';

const VIEWS = ['summary', 'values', 'all_values', 'manifest', 'notes', 'hooks', 'resources', 'history', 'chart', 'diff'] as const;
/** Objects looked at in the cluster for a summary. */
const MAX_CHECKED = 100;
/** What a page of a manifest may take: objects are shown whole, so fewer of them, before they are cut. */
const CHARS_PER_TOKEN = 2;
const DEFAULT_TOKENS = 4000;

const input = z.object({
  name: z.string().min(1).max(253).describe('Release name.'),
  namespace: z.string().min(1).max(253).describe('Namespace of the release.'),
  revision: z.int().min(1).optional().describe('Absent = latest.'),
  view: z.enum(VIEWS).default('summary').describe('all_values = chart defaults merged with user values; diff needs compareTo.'),
  compareTo: z.string().min(1).max(20).default('previous').meta({
    description: 'For diff: a revision, previous, or live (drift of the cluster from the release).',
    sent: 'for diff: revision, previous or live',
  }),
  fields,
  limit: limit(50),
  cursor,
});

const anything = z.unknown();
const row = z.record(z.string(), anything);
const output = z.object({
  name: z.string(),
  revision: z.number(),
  status: z.string(),
  problems: z.array(row),
  values: row,
  manifest: z.array(row),
  rows: z.array(row),
  revisions: z.array(row),
  changes: z.array(row),
  drift: z.array(row),
  text: z.string(),
  chart: anything,
  appVersion: z.string(),
  description: z.string(),
  updated: z.string(),
  firstDeployed: z.string(),
  applyMethod: z.string(),
  resources: anything,
  images: z.array(z.string()),
  fields: row,
  hooks: anything,
  compareTo: anything,
  counts: row,
  missing: z.array(z.string()),
  unknown: z.array(row),
  metadata: row,
  templates: z.array(z.string()),
  files: z.array(z.string()),
  labels: row,
});

type Args = z.infer<typeof input> & { readonly maxTokens?: number | undefined };

interface View extends OpenRelease {
  readonly helm: Helm;
  readonly client: KubernetesClient;
  readonly history: readonly Revision[];
  readonly args: Args;
  readonly ctx: CallContext;
  readonly head: Record<string, unknown>;
}

const RELEASE_STATUS_GONE = 'uninstalled';

const countWords = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;

const nextOfSummary = ({ history, revision, args }: View, hasProblems: boolean): NextCall[] => {
  const address = { name: args.name, namespace: args.namespace };
  if (!hasProblems)
    return [{ tool: 'helm_get_release', arguments: { ...address, view: 'diff', compareTo: 'live' }, why: 'drift of the cluster' }];
  const good = lastGood(history, revision);
  return [
    ...(history.length > 1
      ? [{ tool: 'helm_get_release', arguments: { ...address, view: 'diff' }, why: 'what this revision changed' }]
      : []),
    ...(good === undefined
      ? []
      : [{ tool: 'helm_rollback_release', arguments: { ...address, revision: good.revision }, why: 'plan the way back' }]),
  ];
};

const answerSummary = async (view: View): Promise<Answer> => {
  const { release, revision, manifest, client, ctx, history, head, helm } = view;
  const isGone = revision.status === RELEASE_STATUS_GONE || revision !== history[0];
  const checked = isGone ? [] : manifest.objects.slice(0, MAX_CHECKED);
  const rows = await readResources(client, checked, { signal: ctx.signal, now: helm.now() });
  const problems = findProblems({ history, revision, release, manifest, rows, now: helm.now() });
  const ready = rows.filter((one) => one.exists === true && one.ready !== false).length;
  const state = isGone ? countOf(manifest.objects.length, 'object') : `${ready} of ${rows.length} ready`;
  const words = problems.length === 0 ? 'no problem found' : countWords(problems.length, 'problem');
  return {
    summary: `${release.name} revision ${release.revision} ${revision.status}, ${state}, ${words}`,
    head: {
      ...head,
      chart: `${release.chart.name}-${release.chart.version}`,
      ...(release.chart.appVersion === undefined ? {} : { appVersion: release.chart.appVersion }),
      ...(release.description === '' ? {} : { description: release.description }),
      ...(release.lastDeployed === undefined ? {} : { updated: release.lastDeployed }),
      ...(release.firstDeployed === undefined ? {} : { firstDeployed: release.firstDeployed }),
      applyMethod: release.applyMethod,
      resources: state,
    },
    sections: [
      ...(problems.length > 0 ? [{ key: 'problems', value: problems }] : []),
      { key: 'images', value: [...new Set(manifest.objects.flatMap(({ object }) => imagesOf(object)))] },
      ...(release.hooks.length > 0
        ? [
            {
              key: 'hooks',
              value: release.hooks.map(
                ({ kind, name, events, phase }) => `${kind}/${name} (${events.join(', ')})${phase === undefined ? '' : ` ${phase}`}`,
              ),
            },
          ]
        : []),
      ...(Object.keys(release.labels).length > 0 ? [{ key: 'labels', value: release.labels }] : []),
    ],
    ...(manifest.objects.length > checked.length && !isGone
      ? { warnings: [`Only the first ${checked.length} of ${manifest.objects.length} objects were looked at: see view resources.`] }
      : {}),
    next: nextOfSummary(view, problems.length > 0),
    untrusted: true,
  };
};

const answerValues = ({ args, head }: View, values: Fields, warnings: readonly string[] = []): Answer => {
  const count = Object.keys(values).length;
  if (args.fields !== undefined) {
    const found = args.fields.map((path) => [path, select(values, parsePath(path))] as const).filter(([, value]) => value !== undefined);
    const absent = args.fields.filter((path) => !found.some(([key]) => key === path));
    return {
      head,
      sections: [{ key: 'fields', value: Object.fromEntries(found) }],
      warnings: [...warnings, ...(absent.length > 0 ? [`Not set: ${absent.join(', ')}.`] : [])],
    };
  }
  return {
    head,
    sections: [{ key: 'values', value: values }],
    ...(count === 0
      ? { empty: { reason: 'no_match' as const, detail: 'The user set no values: the defaults of the chart hold (view all_values).' } }
      : {}),
    ...(warnings.length > 0 ? { warnings } : {}),
  };
};

/** As many whole objects as the answer can hold, at least one. */
const toFitting = (texts: readonly string[], maxTokens: number): number => {
  let chars = 0;
  const most = texts.findIndex((text) => {
    chars += text.length;
    return chars > maxTokens * CHARS_PER_TOKEN;
  });
  return most < 0 ? texts.length : Math.max(1, most);
};

const answerManifest = ({ manifest, args, ctx, head, helm }: View): Answer => {
  const wanted = args.fields === undefined ? manifest.objects : manifest.objects.filter(toRefMatcher(args.fields));
  const skip = skipOf(ctx);
  const page = wanted.slice(skip, skip + args.limit);
  const objects = page.map((object) => toSafeObject(object, helm.kubernetes));
  const shown = toFitting(
    objects.map((object) => JSON.stringify(object)),
    args.maxTokens ?? DEFAULT_TOKENS,
  );
  const rest = wanted.length - skip - shown;
  return {
    summary: `${countOf(wanted.length, 'object')} in the manifest`,
    head,
    list: {
      key: 'manifest',
      items: page
        .slice(0, shown)
        .map(({ ref, source }, index) => ({ ref, ...(source === undefined ? {} : { source }), object: objects[index] })),
      total: wanted.length,
      resume: { state: { skip }, ...(rest > 0 ? { end: { skip: skip + shown } } : {}) },
      ...(shown < page.length ? { reason: 'budget' as const } : {}),
      narrow: `Name objects with fields, such as ["${wanted[skip + shown]?.ref ?? wanted[0]?.ref ?? 'Deployment/web'}"].`,
    },
    ...(wanted.length === 0
      ? { empty: { reason: 'no_match', detail: `The manifest has: ${manifest.objects.map(({ ref }) => ref).join(', ')}` } }
      : {}),
    ...(manifest.unreadable.length > 0 ? { warnings: [`No objects, left out: ${manifest.unreadable.join(', ')}.`] } : {}),
    untrusted: true,
  };
};

const answerHooks = ({ release, args, ctx, head }: View): Answer => ({
  summary: `${release.hooks.length} hooks`,
  head,
  list: {
    key: 'rows',
    ...toPage(
      release.hooks.map(({ kind, name, events, weight, deletePolicies, phase, startedAt, completedAt }) => ({
        ref: `${kind}/${name}`,
        events: events.join(','),
        weight,
        ...(deletePolicies.length > 0 ? { deletePolicy: deletePolicies.join(',') } : {}),
        phase: phase ?? 'has not run',
        ...(startedAt === undefined ? {} : { startedAt }),
        ...(completedAt === undefined ? {} : { completedAt }),
      })),
      args.limit,
      ctx,
    ),
  },
  ...(release.hooks.length === 0 ? { empty: { reason: 'no_match', detail: 'This revision has no hooks.' } } : {}),
});

const answerResources = async ({ manifest, client, args, ctx, head, helm }: View): Promise<Answer> => {
  const wanted = args.fields === undefined ? manifest.objects : manifest.objects.filter(toRefMatcher(args.fields));
  const page = toPage(wanted, args.limit, ctx);
  const rows = await readResources(client, page.items, { signal: ctx.signal, now: helm.now() });
  const bad = rows.filter(({ exists, ready }) => exists !== true || ready === false).length;
  return {
    summary: `${rows.length - bad} of ${rows.length} objects are there and ready`,
    head,
    list: { key: 'rows', ...page, items: rows, narrow: 'Name objects with fields, such as ["Deployment/web"].' },
    ...(wanted.length === 0 ? { empty: { reason: 'no_match', detail: 'The manifest has no such object.' } } : {}),
    untrusted: true,
  };
};

const answerHistory = async ({ history, helm, client, args, ctx, head }: View): Promise<Answer> => {
  const page = toPage(history, args.limit, ctx);
  const facts = await helm.storage.facts(client, page.items, ctx.signal);
  const items = page.items.map(({ revision, status, object }, index) => {
    const known = facts[index];
    if (known === undefined || known instanceof AppError)
      return { revision, status, chart: 'unreadable', description: `${object} cannot be read` };
    return {
      revision,
      status,
      chart: `${known.chart}-${known.chartVersion}`,
      appVersion: known.appVersion ?? '',
      updated: known.lastDeployed ?? '',
      description: known.description,
    };
  });
  const { revision: _, status: __, ...scope } = head;
  return { summary: `${history.length} revisions, newest first`, head: scope, list: { key: 'revisions', ...page, items }, untrusted: true };
};

const answerChart = ({ release: { chart }, head }: View): Answer => ({
  summary: `Chart ${chart.name}-${chart.version}`,
  head,
  sections: [
    { key: 'metadata', value: chart.metadata },
    { key: 'templates', value: chart.templates },
    ...(chart.files.length > 0 ? [{ key: 'files', value: chart.files }] : []),
  ],
  untrusted: true,
});

const answerDrift = async ({ manifest, client, args, ctx, head, helm, release }: View): Promise<Answer> => {
  const wanted = args.fields === undefined ? manifest.objects : manifest.objects.filter(toRefMatcher(args.fields));
  const checked = wanted.slice(0, 500);
  const { drift, missing, unknown, warnings } = await readDrift(client, checked, { service: helm.kubernetes, signal: ctx.signal });
  const unexpected = drift.filter(({ note }) => note === undefined).length;
  const isClean = drift.length === 0 && missing.length === 0;
  const hooks = release.hooks.length > 0 ? [`${release.hooks.length} hooks are left out: they come and go.`] : [];
  return {
    summary: isClean
      ? `No drift: ${checked.length - unknown.length} objects are as the release says`
      : `${unexpected} fields differ from the release, ${missing.length} objects are missing`,
    head: { ...head, compareTo: 'live', ...(missing.length > 0 ? { missing } : {}), ...(unknown.length > 0 ? { unknown } : {}) },
    ...(drift.length === 0
      ? {}
      : { list: { key: 'drift', ...toPage(drift, args.limit, ctx), optional: ['at'], narrow: 'Name objects with fields.' } }),
    ...(isClean ? { empty: { reason: 'no_match', detail: 'Nothing differs.' } } : {}),
    warnings: [...warnings, ...hooks],
    untrusted: true,
  };
};

const pickCompared = ({ history, revision, args }: View): Revision => {
  if (/^\d+$/.test(args.compareTo)) return pickRevision(history, Number(args.compareTo));
  if (args.compareTo !== 'previous')
    throw new AppError('INVALID_ARGUMENT', 'compareTo is a revision, previous or live.', {
      details: { argument: 'compareTo', choices: ['previous', 'live', ...history.map((one) => String(one.revision))] },
    });
  const previous = history.find((one) => one.revision < revision.revision);
  if (previous !== undefined) return previous;
  throw new AppError('NOT_FOUND', `Revision ${revision.revision} is the oldest that Helm keeps: there is no previous one.`, {
    details: { argument: 'compareTo', choices: ['live', ...history.filter((one) => one !== revision).map((one) => String(one.revision))] },
  });
};

const answerDiff = async (view: View): Promise<Answer> => {
  const { helm, client, args, ctx, head } = view;
  if (args.compareTo === 'live') return answerDrift(view);
  const compared = pickCompared(view);
  const other = await openRevision(helm, client, compared, ctx.signal);
  const all = compareReleases(other, view, helm.kubernetes);
  const changes = all.filter((change) => !isVersionLabel(change));
  const folded = all.length - changes.length;
  const count = (section: string): number => changes.filter((change) => change.section === section).length;
  const counts = { chart: count('chart'), values: count('values'), manifest: count('manifest') };
  return {
    summary: `${countWords(changes.length, 'difference')} from revision ${compared.revision} (before) to ${view.revision.revision} (after)`,
    head: { ...head, compareTo: compared.revision, counts },
    list: { key: 'changes', ...toPage(changes, args.limit, ctx), narrow: 'Compare nearer revisions.' },
    ...(all.length === 0 ? { empty: { reason: 'no_match', detail: 'Values, chart and manifest are the same.' } } : {}),
    ...(folded > 0
      ? { warnings: [`Left out: ${countWords(folded, 'change')} of the labels helm.sh/chart and app.kubernetes.io/version.`] }
      : {}),
    untrusted: true,
  };
};

const answer = (view: View): Answer | Promise<Answer> => {
  const { release, helm, head } = view;
  switch (view.args.view) {
    case 'summary':
      return answerSummary(view);
    case 'values':
      return answerValues(view, toSafeValues(release.values, helm.kubernetes));
    case 'all_values':
      return answerValues(view, toSafeValues(coalesce(release.chart.values, release.values), helm.kubernetes), [
        'Computed from the record: chart defaults below the values of the user.',
      ]);
    case 'manifest':
      return answerManifest(view);
    case 'notes':
      return release.notes === ''
        ? { head, empty: { reason: 'no_match', detail: 'The chart has no notes.' } }
        : { head, sections: [{ key: 'text', value: release.notes }], untrusted: true };
    case 'hooks':
      return answerHooks(view);
    case 'resources':
      return answerResources(view);
    case 'history':
      return answerHistory(view);
    case 'chart':
      return answerChart(view);
    case 'diff':
      return answerDiff(view);
  }
};

export default [
  tool<Helm, typeof input.shape>({
    name: 'helm_get_release',
    title: 'Get release',
    description:
      'Gets one release: values, manifest, live resources, history, or a diff with another revision or the live cluster (drift).',
    effect: 'read',
    cacheFor: '5s',
    input,
    output,
    run: async (args, helm, ctx) => {
      const { client, cluster } = await openCluster(helm, args.cluster, ctx);
      const history = await readHistory(helm, client, args, ctx);
      const revision = pickRevision(history, args.revision);
      const head = { cluster, namespace: args.namespace, name: args.name, revision: revision.revision, status: revision.status };
      // The history must be readable even when one of its records is not.
      const opened =
        args.view === 'history'
          ? { revision, release: undefined as never, manifest: { objects: [], unreadable: [] } }
          : await openRevision(helm, client, revision, ctx.signal);
      return answer({ ...opened, helm, client, history, args, ctx, head });
    },
  }),
];
