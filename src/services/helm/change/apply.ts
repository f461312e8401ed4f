// Carries out what was planned: one run of the binary, then the state that it left is read back, also when it failed.

import type { Applied, ChangeTarget, Plan, Verification } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { formatDuration } from '../../../kit/duration.ts';
import { toAppError } from '../../../kit/errors.ts';
import { pause } from '../../../kit/pause.ts';
import type { NextCall } from '../../../kit/result.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { HelmRun, Workspace } from '../binary/binary.ts';
import { type Helm, openCluster } from '../helm.ts';
import { openRevision } from '../release/open.ts';
import { type ResourceRow, readLive, readResources } from '../release/resources.ts';
import type { Revision } from '../storage/revisions.ts';
import { findHistory } from './current.ts';
import { isLeft } from './objects.ts';
import { type Address, type HelmState, type HelmUndo, releaseRef } from './state.ts';

/** A call ends this long before its deadline, so that what happened can still be said. */
const RESERVE_MS = 12_000;
const SHORTEST_MS = 10_000;
const POLL_MS = 2000;
const MAX_NOTES = 1500;
const DEFAULT_CALL_MS = 60_000;

const seconds = (ms: number): string => `${Math.max(1, Math.round(ms / 1000))}s`;

/** How long Helm may work: as long as the call is let wait, at most `helm.timeoutSec`. */
export const toRunMs = ({ config }: Helm, wait: number, { directory }: CallContext): number => {
  const call = Number(directory.limits['callSec'] ?? DEFAULT_CALL_MS / 1000) * 1000;
  return Math.min(Math.max(wait, call - RESERVE_MS, SHORTEST_MS), config.timeoutSec * 1000);
};

/** Options of `helm upgrade` that plan and apply share. */
export const deployOptions = (state: Extract<HelmState, { action: 'deploy' }>, major: 3 | 4): string[] => [
  ...['upgrade', '--install', '--namespace', state.namespace, '--output', 'json'],
  state.reuseValues ? '--reset-then-reuse-values' : '--reset-values',
  ...(state.createNamespace ? ['--create-namespace'] : []),
  ...(state.atomic ? [major === 3 ? '--atomic' : '--rollback-on-failure'] : []),
];

const toRun = async (state: HelmState, { major, put }: Workspace, timeoutMs: number): Promise<HelmRun> => {
  const timeout = ['--timeout', seconds(timeoutMs)];
  const scope = ['--namespace', state.namespace, ...timeout];
  // Helm counts its own time from the start of its work: ours ends a little later.
  const limit = { timeoutMs: timeoutMs + 5000 };
  switch (state.action) {
    case 'deploy':
      return {
        options: [...deployOptions(state, major), ...timeout],
        positionals: [state.name, await put('chart.tgz', state.archive)],
        values: state.values,
        ...limit,
      };
    case 'rollback':
      return { options: ['rollback', ...scope], positionals: [state.name, String(state.to)], ...limit };
    case 'uninstall':
      return { options: ['uninstall', ...scope, ...(state.keepHistory ? ['--keep-history'] : [])], positionals: [state.name], ...limit };
  }
};

const DONE = { deploy: 'deployed', rollback: 'rolled back', uninstall: 'uninstalled' } as const;

const toUndo = ({ cluster, namespace, name, undoTo }: HelmState, after: Revision | undefined): HelmUndo | undefined =>
  undoTo === undefined || after === undefined ? undefined : { cluster, namespace, name, revision: undoTo };

/** The inverse of a first install is an uninstall, which is only named. */
const toUninstall = ({ cluster, namespace, name }: HelmState): NextCall => ({
  tool: 'helm_uninstall_release',
  arguments: { name, namespace, cluster },
  why: 'takes the first install back',
});

/** The newest record, asked for with a signal of its own: what happened must be said even when the call is being stopped. */
const readBack = async (helm: Helm, client: KubernetesClient, address: Address, ctx: CallContext): Promise<Revision | undefined> =>
  (await findHistory(helm, client, address, { ...ctx, signal: AbortSignal.timeout(5000) }))[0];

const describe = (after: Revision | undefined): string =>
  after === undefined ? 'no revision is left' : `revision ${after.revision} is ${after.status}`;

/** A failure that changed the release is a change that was made in part; one that changed nothing is just a failure. */
const explainFailure = (
  thrown: unknown,
  state: HelmState,
  after: Revision | undefined,
  targets: readonly ChangeTarget[],
): Applied<HelmUndo> => {
  const error = toAppError(thrown);
  const isSame = after?.revision === state.before && !(state.action === 'uninstall' && after?.status === 'uninstalling');
  if (isSame && error.code !== 'CANCELLED') throw thrown;
  const undo = toUndo(state, after);
  const words = `${state.name}: ${describe(after)}. ${error.message}`;
  return {
    summary: `${words}${typeof error.details['upstream'] === 'string' ? ` Helm says: ${error.details['upstream']}` : ''}`,
    targets,
    ...(undo === undefined ? {} : { undo }),
    failure: {
      reason: error.code === 'CANCELLED' ? 'CANCELLED' : 'PARTIAL',
      message: error.code === 'CANCELLED' ? 'It was ended half-way.' : 'Only a part was done.',
    },
    done: [describe(after)],
    notDone: [`${DONE[state.action]}: ${error.message} See helm_get_release.`],
  };
};

export const applyState = async (plan: Plan<HelmState>, helm: Helm, ctx: CallContext, wait: number): Promise<Applied<HelmUndo>> => {
  const { state } = plan;
  const { client } = await openCluster(helm, state.cluster, ctx);
  const timeoutMs = toRunMs(helm, wait, ctx);
  state.startedAt = helm.now();
  ctx.progress({ progress: 0, total: timeoutMs, message: `helm works on ${state.name}` });
  const outcome = await helm.binary
    .use({ client, driver: state.storage }, ctx, async (workspace) => workspace.run(await toRun(state, workspace, timeoutMs), ctx))
    .then(
      () => undefined,
      (thrown: unknown) => ({ thrown }),
    );
  const after = await readBack(helm, client, state, ctx);
  const targets: ChangeTarget[] = [
    {
      ref: releaseRef(state),
      operation: plan.targets[0]?.operation ?? 'update',
      ...(after === undefined ? {} : { version: String(after.revision) }),
    },
  ];
  if (outcome !== undefined) return explainFailure(outcome.thrown, state, after, targets);
  const undo = toUndo(state, after);
  const release = after === undefined ? undefined : (await openRevision(helm, client, after, ctx.signal)).release;
  return {
    summary: `${state.name} was ${DONE[state.action]}: ${describe(after)}`,
    targets,
    ...(undo === undefined ? {} : { undo }),
    ...(state.action === 'deploy' && state.undoTo === undefined ? { inverse: toUninstall(state) } : {}),
    result: {
      ...(after === undefined ? {} : { revision: after.revision, status: after.status }),
      ...(release === undefined || release.notes === '' || state.action !== 'deploy' ? {} : { notes: release.notes.slice(0, MAX_NOTES) }),
    },
    untrusted: true,
  };
};

/** Looks until the judgement is final or the time is over. */
const watch = async (
  look: () => Promise<Verification>,
  { until, started, helm, ctx }: { until: number; started: number; helm: Helm; ctx: CallContext },
): Promise<Verification> => {
  for (;;) {
    const found = await look();
    const left = until - helm.now();
    if (found.result !== 'pending' || left <= 0) return found;
    const elapsed = Math.max(1, helm.now() - started);
    ctx.progress({ progress: elapsed, total: Math.max(elapsed, until - started), message: found.detail });
    await pause(Math.min(POLL_MS, left), ctx.signal);
  }
};

const judgeRows = (rows: readonly ResourceRow[], waited: string): Verification => {
  const bad = rows.filter(({ exists, ready }) => exists === false || ready === false);
  if (bad.length === 0) return { result: 'pass', detail: `${rows.length} of ${rows.length} objects are ready after ${waited}` };
  const isFailed = bad.some(({ reason }) => reason?.includes('exceeded its progress deadline') === true);
  const words = bad.slice(0, 3).map(({ ref, reason }) => `${ref}: ${reason ?? 'not ready'}`);
  return { result: isFailed ? 'fail' : 'pending', detail: `${rows.length - bad.length} of ${rows.length} ready; ${words.join('; ')}` };
};

export const verifyState = async (plan: Plan<HelmState>, wait: number, helm: Helm, ctx: CallContext): Promise<Verification> => {
  const { state } = plan;
  const { client } = await openCluster(helm, state.cluster, ctx);
  const started = state.startedAt ?? helm.now();
  const [newest] = await findHistory(helm, client, state, ctx);
  const waited = (): string => formatDuration(Math.max(0, helm.now() - started));
  if (state.action !== 'uninstall') {
    if (newest === undefined || newest.status !== 'deployed') return { result: 'fail', detail: describe(newest) };
    const { manifest } = await openRevision(helm, client, newest, ctx.signal);
    const look = async (): Promise<Verification> =>
      judgeRows(await readResources(client, manifest.objects, { signal: ctx.signal, now: helm.now() }), waited());
    return watch(look, { until: started + wait, started, helm, ctx });
  }
  if (newest !== undefined && newest.status !== 'uninstalled') return { result: 'fail', detail: describe(newest) };
  const { objects } = uninstalled.get(plan) ?? { objects: [] };
  const look = async (): Promise<Verification> => {
    const left = (
      await readLive(
        client,
        objects.filter((object) => !isLeft(object)),
        ctx.signal,
      )
    ).filter(({ live }) => live !== undefined);
    const words = left.slice(0, 5).map(({ wanted }) => wanted.ref);
    return left.length === 0
      ? { result: 'pass', detail: `all objects are gone after ${waited()}` }
      : { result: 'pending', detail: `still there: ${words.join(', ')}` };
  };
  return watch(look, { until: started + wait, started, helm, ctx });
};

/** The objects that an uninstall takes away, for its verification: their records may be gone by then. */
export const uninstalled = new WeakMap<Plan<HelmState>, { readonly objects: readonly Parameters<typeof isLeft>[0][] }>();
