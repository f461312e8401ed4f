// What is wrong with a release, in words that name the next step.

import { formatDuration } from '../../../kit/duration.ts';
import type { Release } from '../storage/record.ts';
import { isPending, type Revision } from '../storage/revisions.ts';
import type { Manifest } from './manifest.ts';
import { whyRemoved } from './removed-apis.ts';
import type { ResourceRow } from './resources.ts';
import { isStuck } from './status-filter.ts';

export interface Problem {
  readonly severity: 'critical' | 'warning';
  readonly problem: string;
  readonly advice?: string;
}

export interface ProblemInput {
  /** Newest first. */
  readonly history: readonly Revision[];
  readonly revision: Revision;
  readonly release: Release;
  readonly manifest: Manifest;
  readonly rows: readonly ResourceRow[];
  readonly now: number;
}

/** The revision that a rollback would go to: the newest that was deployed, below the given one. */
export const lastGood = (history: readonly Revision[], current: Revision): Revision | undefined => {
  const below = history.filter(({ revision }) => revision < current.revision);
  return below.find(({ status }) => status === 'deployed') ?? below.find(({ status }) => status === 'superseded');
};

const statusProblems = ({ history, revision, release, now }: ProblemInput): Problem[] => {
  const { status, changedAt } = revision;
  const good = lastGood(history, revision);
  const advice =
    good === undefined ? 'helm_uninstall_release frees the name' : `helm_rollback_release to revision ${good.revision} frees it`;
  const age = changedAt === undefined ? 'for an unknown time' : `since ${formatDuration(Math.max(0, now - changedAt))}`;
  if (isStuck(revision, now))
    return [{ severity: 'critical', problem: `${status} ${age}: the operation was interrupted and blocks the next one`, advice }];
  if (isPending(status)) return [{ severity: 'warning', problem: `${status} ${age}: an operation is at work` }];
  if (status === 'failed') return [{ severity: 'critical', problem: `failed: ${release.description}`, advice }];
  const isOrphan = status === 'superseded' && history[0] === revision && !history.some((one) => one.status === 'deployed');
  return isOrphan ? [{ severity: 'warning', problem: 'superseded, and no revision is deployed: a record was lost' }] : [];
};

const hookProblems = ({ release }: ProblemInput): Problem[] =>
  release.hooks
    .filter(({ phase }) => phase === 'Failed')
    .map(({ kind, name, events }) => ({ severity: 'warning' as const, problem: `hook ${kind}/${name} (${events.join(', ')}) failed` }));

const rowProblems = ({ rows, revision }: ProblemInput): Problem[] => {
  if (revision.status === 'uninstalled') return [];
  const missing = rows.filter(({ exists }) => exists === false);
  const sick = rows.filter(({ exists, ready }) => exists === true && ready === false);
  return [
    ...sick.map(({ ref, reason }) => ({ severity: 'critical' as const, problem: `${ref} is not ready: ${reason ?? ''}` })),
    ...missing.map(({ ref, reason }) => ({ severity: 'critical' as const, problem: `${ref}: ${reason ?? 'missing'}` })),
  ];
};

const manifestProblems = ({ manifest, rows }: ProblemInput): Problem[] => {
  const told = new Set(rows.filter(({ exists }) => exists === false).map(({ ref }) => ref));
  const removed = manifest.objects.flatMap(({ ref, apiVersion, kind }) => {
    const why = told.has(ref) ? undefined : whyRemoved(apiVersion, kind);
    return why === undefined ? [] : [{ severity: 'warning' as const, problem: `${ref}: ${why}` }];
  });
  const broken = manifest.unreadable.map((source) => ({ severity: 'warning' as const, problem: `${source} in the manifest is no object` }));
  return [...removed, ...broken];
};

/** The worst first. */
export const findProblems = (input: ProblemInput): Problem[] => [
  ...statusProblems(input),
  ...rowProblems(input),
  ...hookProblems(input),
  ...manifestProblems(input),
];
