// helm_uninstall_release: what goes, what stays, and then without it.

import { z } from 'zod';
import { change, type Plan } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { countOf } from '../../../kit/count.ts';
import { AppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { listAt, nameOf } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { applyState, uninstalled, verifyState } from '../change/apply.ts';
import { findUndeletable, isLeft, objectRef, permitAll, toPermissionCheck } from '../change/objects.ts';
import { planRollback } from '../change/rollback.ts';
import { clusterOf, type HelmState, type HelmUndo, releaseRef } from '../change/state.ts';
import { HELM_BINARY } from '../find.ts';
import { type Helm, openCluster } from '../helm.ts';
import { type ManifestObject, parseManifest } from '../release/manifest.ts';
import { openRevision, readHistory } from '../release/open.ts';
import { readLive } from '../release/resources.ts';
import type { Revision } from '../storage/revisions.ts';

const input = z.object({
  name: z.string().min(1).max(253).describe('Release name.'),
  namespace: z.string().min(1).max(253).describe('Namespace of the release.'),
  keepHistory: z.boolean().default(false).describe('Keep the records, so that it can be rolled back.'),
});

type Args = z.infer<typeof input>;

/** Claims that StatefulSets made: nobody deletes them. */
const claimsLeft = async (client: KubernetesClient, objects: readonly ManifestObject[], signal: AbortSignal): Promise<string[]> => {
  const prefixes = objects
    .filter(({ kind }) => kind === 'StatefulSet')
    .flatMap(({ object, name, namespace }) =>
      listAt(object, 'spec', 'volumeClaimTemplates').map((template) => ({ namespace, prefix: `${nameOf(template)}-${name}-` })),
    );
  const namespaces = [...new Set(prefixes.map(({ namespace }) => namespace))];
  const lists = await Promise.all(
    namespaces.map(async (namespace) => {
      const page = await client.listTable(RESOURCES.persistentvolumeclaims, { namespace, limit: 500, signal }).catch((thrown: unknown) => {
        if (thrown instanceof AppError && thrown.code === 'FORBIDDEN') return undefined;
        throw thrown;
      });
      const names = page?.rows.map(({ cells }) => String(cells[0])) ?? [];
      return names.filter((name) => prefixes.some((one) => one.namespace === namespace && name.startsWith(one.prefix)));
    }),
  );
  return lists.flat();
};

const toUndoWords = (keepHistory: boolean, { revision }: Revision): { possible: boolean; how: string } =>
  keepHistory
    ? { possible: true, how: `helm_rollback_release to revision ${revision}: the records stay` }
    : {
        possible: false,
        how: 'the records go, too: deploy the chart again with helm_deploy_release. With keepHistory it could be rolled back',
      };

const planUninstall = async (args: Args, helm: Helm, ctx: CallContext): Promise<Plan<HelmState>> => {
  const { client, cluster } = await openCluster(helm, clusterOf(args), ctx);
  const history = await readHistory(helm, client, args, ctx);
  const current = history[0] as Revision;
  const address = { cluster, namespace: args.namespace, name: args.name };
  const { manifest, release } = await openRevision(helm, client, current, ctx.signal);
  const hooks = release.hooks.filter(({ events }) => events.some((event) => event.endsWith('-delete')));
  const hookObjects = (await parseManifest(hooks.map((hook) => hook.manifest).join('\n---\n'), args.namespace)).objects;
  const going = manifest.objects.filter((object) => !isLeft(object));
  await permitAll(client, [...manifest.objects, ...hookObjects], ctx.signal, going);
  const live = await readLive(client, manifest.objects, ctx.signal);
  const present = live.filter((one) => one.live !== undefined);
  const gone = present.filter(({ wanted }) => !isLeft(wanted));
  const kept = present.filter(({ wanted }) => isLeft(wanted)).map(({ wanted }) => wanted.ref);
  const claims = await claimsLeft(client, manifest.objects, ctx.signal);
  const plan: Plan<HelmState> = {
    summary: `Uninstall ${args.namespace}/${args.name} (revision ${current.revision}, ${current.status}): ${countOf(gone.length, 'object')} and ${args.keepHistory ? 'no record' : countOf(history.length, 'record')} to delete`,
    scope: { cluster, namespace: args.namespace },
    targets: [
      { ref: releaseRef(address), operation: 'delete', version: `${current.revision}:${current.resourceVersion}` },
      ...gone.map(({ wanted, resource }) => ({ ref: objectRef(cluster, wanted, resource), operation: 'delete' as const })),
    ],
    diff: [],
    impact: {
      ...(kept.length > 0 ? { keptByResourcePolicy: kept } : {}),
      ...(claims.length > 0 ? { volumeClaimsLeftBehind: claims } : {}),
      ...(hooks.length > 0 ? { hooks: hooks.map(({ kind, name, events }) => `${kind}/${name} (${events.join(', ')})`) } : {}),
    },
    checks: [toPermissionCheck(await findUndeletable(client, gone, ctx.signal))],
    ...(manifest.unreadable.length > 0 ? { warnings: [`not understood in the manifest: ${manifest.unreadable.join(', ')}`] } : {}),
    verify: 'all objects are gone',
    undo: toUndoWords(args.keepHistory, current),
    state: {
      action: 'uninstall',
      ...address,
      before: current.revision,
      undoTo: args.keepHistory ? current.revision : undefined,
      storage: current.storage,
      keepHistory: args.keepHistory,
    },
  };
  uninstalled.set(plan, { objects: gone.map(({ wanted }) => wanted) });
  return plan;
};

export default [
  change<Helm, typeof input.shape, HelmState, HelmUndo>({
    name: 'helm_uninstall_release',
    title: 'Uninstall release',
    description: 'Uninstalls a release; the plan lists the objects and volumes that go.',
    effect: 'delete',
    needs: HELM_BINARY,
    task: true,
    input,
    plan: planUninstall,
    apply: applyState,
    verify: (plan, _, wait, helm, ctx) => verifyState(plan, wait, helm, ctx),
    undo: (undo, helm, ctx) => planRollback(undo, helm, ctx),
  }),
];
