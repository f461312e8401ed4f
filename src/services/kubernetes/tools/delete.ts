// kubernetes_delete_resource: by name or by selector; the plan lists all that goes, and the objects are kept for undo.

import { z } from 'zod';
import { parseDuration } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { labelSelector, namespace } from '../../../kit/params.ts';
import { type KubeObject, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import { type ResourceRef, resourceName } from '../../../upstream/kubernetes/resources.ts';
import { changeObjects } from '../changes/define.ts';
import { readDangers, readDependants } from '../changes/dependants.ts';
import { keeperOf } from '../changes/impact.ts';
import { toGuard } from '../changes/intent.ts';
import { lossesOf } from '../changes/recreate.ts';
import { toRef, toTitle } from '../changes/refs.ts';
import type { Step, StepsPlan } from '../changes/steps.ts';
import { toPlain, type Work } from '../changes/update.ts';
import { verifyDeletion } from '../changes/verify.ts';

const MAX_OBJECTS = 50;

const PROPAGATION = { background: 'Background', foreground: 'Foreground', orphan: 'Orphan' } as const;

const input = z.object({
  kind: z.string().min(1).max(200).describe('Kind, plural, short name, deployments.apps, or group/version/Kind.'),
  name: z.string().min(1).max(253).optional().describe('Exact name; or labelSelector.'),
  namespace,
  labelSelector,
  propagation: z
    .enum(['background', 'foreground', 'orphan'])
    .default('background')
    .meta({ description: 'Dependants go after it, before it, or stay.', checked: true }),
  gracePeriod: z.string().max(32).optional().describe('Such as 0s, 30s; absent = as the object says.'),
});

type Args = z.infer<typeof input>;

interface Scope {
  readonly resource: ResourceRef;
  readonly namespace: string | undefined;
}

const readObjects = async (
  { client, ctx }: Work,
  { name, labelSelector: selector }: Args,
  scope: Scope,
): Promise<readonly KubeObject[]> => {
  const { resource, namespace: space } = scope;
  if (name !== undefined && selector !== undefined)
    throw new AppError('INVALID_ARGUMENT', 'Give name or labelSelector, not both.', { details: { argument: 'labelSelector' } });
  if (name !== undefined) return [await client.get(resource, { name, namespace: space, signal: ctx.signal })];
  if (selector === undefined || selector.trim() === '')
    throw new AppError('INVALID_ARGUMENT', 'Name what to delete: name or labelSelector.', { details: { argument: 'name' } });
  const { items } = await client.listAll(resource, {
    namespace: space,
    labelSelector: selector,
    maxItems: MAX_OBJECTS + 1,
    signal: ctx.signal,
  });
  if (items.length === 0)
    throw new AppError('NOT_FOUND', `No ${resource.plural} match ${selector.slice(0, 200)}.`, { details: { argument: 'labelSelector' } });
  if (items.length > MAX_OBJECTS)
    throw new AppError('INVALID_ARGUMENT', `The selector matches more than ${MAX_OBJECTS} ${resource.plural}: narrow it.`, {
      details: { argument: 'labelSelector', limit: MAX_OBJECTS },
    });
  return items.map((item) => ({ ...item, kind: resource.kind }));
};

/** What a controller makes for itself: another comes, and one made by hand would be one too many. */
const isControlled = (object: KubeObject): boolean => metadataOf(object).owners.some(({ controller }) => controller);

const toStep = (work: Work, object: KubeObject, { resource }: Scope, args: Args): Step => {
  const { client, cluster } = work;
  const { name, namespace: space, uid, resourceVersion } = metadataOf(object);
  const place = { cluster, resource, namespace: space, name };
  const title = toTitle(place);
  const seconds = args.gracePeriod === undefined ? undefined : Math.round(parseDuration(args.gracePeriod, 'gracePeriod') / 1000);
  return {
    place,
    title,
    target: { ref: toRef(place), operation: 'delete', version: resourceVersion, guard: toGuard(object) },
    run: async ({ signal }) => {
      // The identity guards against another object of the same name; its fields were compared a moment ago.
      const { isGone, warnings } = await client.remove(resource, {
        name,
        namespace: space,
        uid,
        propagation: PROPAGATION[args.propagation],
        gracePeriodSeconds: seconds,
        signal,
      });
      return {
        ...(isControlled(object)
          ? {}
          : { undo: { operation: 'delete', resource: toPlain(resource), namespace: space, name, object } as const }),
        warnings,
        done: [isGone ? `${title} is gone` : `${title} is ending`],
      };
    },
    verify: (_, waitMs, at) => verifyDeletion({ client, place }, waitMs, at),
  };
};

const tryAll = async ({ client, ctx }: Work, objects: readonly KubeObject[], { resource }: Scope): Promise<string[]> => {
  const warnings = await Promise.all(
    objects.map(async (object) => {
      const { name, namespace: space, uid } = metadataOf(object);
      return (await client.remove(resource, { name, namespace: space, uid, dryRun: true, signal: ctx.signal })).warnings;
    }),
  );
  return warnings.flat();
};

const toShort = (titles: readonly string[]): string =>
  `${titles.slice(0, 5).join(', ')}${titles.length > 5 ? ` and ${titles.length - 5} more` : ''}`;

const sum = (all: readonly Readonly<Record<string, number>>[]): Record<string, number> => {
  const total: Record<string, number> = {};
  for (const counts of all) for (const [kind, number] of Object.entries(counts)) total[kind] = (total[kind] ?? 0) + number;
  return total;
};

const planDeletion = async (work: Work, args: Args, scope: Scope): Promise<StepsPlan> => {
  const { client, cluster, ctx } = work;
  const { resource } = scope;
  const objects = await readObjects(work, args, scope);
  const [tried, dependants, dangers] = await Promise.all([
    tryAll(work, objects, scope),
    Promise.all(objects.map((object) => readDependants(client, object, resource, ctx))),
    Promise.all(objects.map((object) => readDangers(work, { ...object, kind: resource.kind }))),
  ]);
  const steps = objects.map((object) => toStep(work, object, scope, args));
  const titles = steps.map(({ title }) => title);
  const losses = [...new Set(objects.flatMap((object) => lossesOf({ ...object, kind: resource.kind }, args.propagation)))];
  const keepers = [...new Set(objects.flatMap((object) => keeperOf(object) ?? []))].map((keeper) => `${keeper} may make it again`);
  const isMadeAnew = objects.every(isControlled);
  const counts = sum(dependants.map((one) => one.counts));
  const what = titles.length === 1 ? titles[0] : `${titles.length} ${resource.plural}`;
  return {
    summary: `Delete ${what}${titles.length > 1 ? `: ${toShort(titles)}` : ''}`,
    scope: { cluster, ...(scope.namespace === undefined ? {} : { namespace: scope.namespace }) },
    targets: steps.map(({ target }) => target),
    diff: steps.map(({ target }) => ({ ref: target.ref, path: '', before: 'exists' })),
    impact: {
      objects: objects.length,
      ...(Object.keys(counts).length > 0 ? { [args.propagation === 'orphan' ? 'dependantsLeft' : 'dependants']: counts } : {}),
    },
    checks: [{ name: 'server dry run', result: 'pass' }],
    warnings: [...new Set([...tried, ...dangers.flat(), ...dependants.flatMap((one) => one.warnings), ...keepers])],
    verify: 'the objects are gone',
    undo: {
      possible: !isMadeAnew,
      how: isMadeAnew
        ? 'its owner makes another by itself'
        : `made again from ${titles.length === 1 ? 'its manifest' : 'their manifests'}${losses.length === 0 ? '' : `; for good: ${losses.join('; ')}`}`,
    },
    state: { client, cluster, steps, results: [], summary: `Deleted ${what}` },
  };
};

export default [
  changeObjects({
    name: 'kubernetes_delete_resource',
    title: 'Delete resource',
    description: 'Deletes an object, or those matching a selector. The plan lists all that goes.',
    effect: 'delete',
    input,
    async plan(args, work) {
      const { resource, subresource } = await work.client.resolveKind(args.kind, work.ctx);
      if (subresource !== undefined)
        throw new AppError('INVALID_ARGUMENT', `${resourceName(resource)}/${subresource} is a part of an object: it cannot be deleted.`, {
          details: { argument: 'kind' },
        });
      const scope = resource.namespaced ? (args.namespace ?? work.client.defaultNamespace) : undefined;
      return planDeletion(work, args, { resource, namespace: scope });
    },
  }),
];
