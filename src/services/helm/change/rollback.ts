// The plan of a rollback: asked for by name, or as the undo of another change.

import type { Plan } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { AppError } from '../../../kit/errors.ts';
import { type Helm, openCluster } from '../helm.ts';
import { diff } from '../release/diff.ts';
import { parseManifest } from '../release/manifest.ts';
import { openRevision, pickRevision, readHistory } from '../release/open.ts';
import { lastGood } from '../release/problems.ts';
import { toSafeValues } from '../release/redact.ts';
import { isStuck } from '../release/status-filter.ts';
import { isPending, type Revision } from '../storage/revisions.ts';
import { goneBetween, permitAll, planObjects } from './objects.ts';
import { type HelmState, releaseRef } from './state.ts';

export interface RollbackArgs {
  readonly name: string;
  readonly namespace: string;
  readonly revision?: number | undefined;
  readonly cluster?: string | undefined;
}

const findTarget = (history: readonly Revision[], wanted: number | undefined): Revision => {
  const current = history[0] as Revision;
  const target = wanted === undefined ? lastGood(history, current) : pickRevision(history, wanted);
  if (target === undefined)
    throw new AppError(
      'FAILED_PRECONDITION',
      `Revision ${current.revision} of ${current.name} is the first: there is none to go back to. helm_uninstall_release removes it.`,
      {
        details: {
          reason: 'NO_EARLIER_REVISION',
          instead: { tool: 'helm_uninstall_release', arguments: { name: current.name, namespace: current.namespace } },
        },
      },
    );
  if (isPending(target.status) || target.status === 'failed')
    throw new AppError('FAILED_PRECONDITION', `Revision ${target.revision} is ${target.status}: it never worked.`, {
      details: {
        reason: 'BAD_REVISION',
        choices: history.filter(({ status }) => status === 'deployed' || status === 'superseded').map(({ revision }) => revision),
      },
    });
  return target;
};

export const planRollback = async (args: RollbackArgs, helm: Helm, ctx: CallContext): Promise<Plan<HelmState>> => {
  const { client, cluster } = await openCluster(helm, args.cluster, ctx);
  const history = await readHistory(helm, client, args, ctx);
  const current = history[0] as Revision;
  const target = findTarget(history, args.revision);
  const address = { cluster, namespace: args.namespace, name: args.name };
  const ref = releaseRef(address);
  const [from, to] = [await openRevision(helm, client, current, ctx.signal), await openRevision(helm, client, target, ctx.signal)];
  const hooks = to.release.hooks.filter(({ events }) => events.some((event) => event.endsWith('-rollback')));
  const hookObjects = (await parseManifest(hooks.map(({ manifest }) => manifest).join('\n---\n'), args.namespace)).objects;
  const gone = goneBetween(from.manifest, to.manifest);
  await permitAll(client, [...from.manifest.objects, ...to.manifest.objects, ...hookObjects], ctx.signal, gone);
  const objects = await planObjects({ client, service: helm.kubernetes, signal: ctx.signal, before: from.manifest, after: to.manifest });
  const values = diff(toSafeValues(from.release.values, helm.kubernetes), toSafeValues(to.release.values, helm.kubernetes));
  const chart = [from.release.chart, to.release.chart].map(({ name, version }) => `${name}-${version}`);
  const isFresh = isPending(current.status) && !isStuck(current, helm.now());
  const undoTo = current.status === 'deployed' ? current.revision : undefined;
  const warnings = [
    ...(isFresh ? [`revision ${current.revision} is ${current.status} since less than 10 min: another operation may be at work`] : []),
    ...(isPending(current.status) && !isFresh ? [`frees the release: revision ${current.revision} is ${current.status}`] : []),
    ...objects.warnings,
  ];
  return {
    summary: `Roll ${args.namespace}/${args.name} back from revision ${current.revision} (${current.status}) to what revision ${target.revision} was, as revision ${current.revision + 1}`,
    scope: { cluster, namespace: args.namespace },
    targets: [{ ref, operation: 'update', version: `${current.revision}:${current.resourceVersion}` }, ...objects.targets],
    diff: [
      ...(chart[0] === chart[1] ? [] : [{ ref, path: 'chart', before: chart[0], after: chart[1] }]),
      ...values.map(({ path, before, after }) => ({
        ref,
        path: `values.${path}`,
        ...(before === undefined ? {} : { before }),
        ...(after === undefined ? {} : { after }),
      })),
      ...objects.diff,
    ],
    impact: {
      objects: objects.counts,
      ...(hooks.length > 0 ? { hooks: hooks.map(({ kind, name, events }) => `${kind}/${name} (${events.join(', ')})`) } : {}),
    },
    checks: objects.checks,
    warnings,
    verify: 'the release is deployed and its objects are ready',
    undo:
      undoTo === undefined
        ? { possible: false, how: `revision ${current.revision} is ${current.status}: there is no way back to it` }
        : { possible: true, how: `roll back again, to revision ${undoTo}` },
    state: { action: 'rollback', ...address, before: current.revision, undoTo, storage: current.storage, to: target.revision },
  };
};
