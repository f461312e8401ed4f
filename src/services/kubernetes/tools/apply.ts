// kubernetes_apply_manifest: server-side apply of any objects, planned object by object.

import { z } from 'zod';
import type { Check, FieldChange } from '../../../kit/change.ts';
import { AppError } from '../../../kit/errors.ts';
import { namespace } from '../../../kit/params.ts';
import { type KubeObject, kindOf, nameOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { isNotFound } from '../../../upstream/kubernetes/reads.ts';
import type { ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import { FIELD_MANAGER } from '../../../upstream/kubernetes/writes.ts';
import { planCreation } from '../changes/create.ts';
import { changeObjects } from '../changes/define.ts';
import { readImpact } from '../changes/impact.ts';
import { learnObject } from '../changes/learn.ts';
import { readManifest } from '../changes/manifest.ts';
import { toRef, toTitle } from '../changes/refs.ts';
import type { Step, StepsPlan } from '../changes/steps.ts';
import { planUpdate, toOwners, type Work } from '../changes/update.ts';

const input = z.object({
  manifest: z.string().min(1).optional().describe('One or more YAML or JSON documents, at most 50 objects. May be left out with apply.'),
  namespace,
  force: z.boolean().default(false).describe('Take over fields that others own.'),
});

/** One object of the manifest, and where it belongs. */
interface Wish {
  readonly resource: ResourceRef;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly object: KubeObject;
}

interface Part {
  readonly steps: readonly Step[];
  readonly diff: readonly FieldChange[];
  readonly check?: Check;
  readonly warnings?: readonly string[];
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly owners?: Readonly<Record<string, string>>;
}

/** Namespaces and kinds that the manifest itself brings: what needs them cannot be tried before they are there. */
interface Brought {
  readonly namespaces: ReadonlySet<string>;
  readonly kinds: ReadonlyMap<string, ResourceRef>;
}

const toBrought = (objects: readonly KubeObject[]): Brought => ({
  namespaces: new Set(objects.filter((object) => kindOf(object) === 'Namespace').map(nameOf)),
  kinds: new Map(objects.filter((object) => kindOf(object) === 'CustomResourceDefinition').map(toDefinedKind)),
});

const toDefinedKind = (definition: KubeObject): [string, ResourceRef] => {
  const spec = definition['spec'] as object | undefined;
  const [group = '', kind = ''] = [textAt(spec, 'group'), textAt(spec, 'names', 'kind')];
  const namespaced = textAt(spec, 'scope') !== 'Cluster';
  return [`${group}/${kind}`, { group, version: '', kind, plural: textAt(spec, 'names', 'plural') ?? '', namespaced }];
};

const resolve = async ({ client, ctx }: Work, object: KubeObject, brought: Brought): Promise<ResourceRef> => {
  const apiVersion = textAt(object, 'apiVersion') ?? '';
  const kind = kindOf(object);
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  try {
    return (await client.resolveKind(`${apiVersion}/${kind}`, ctx)).resource;
  } catch (thrown) {
    const own = brought.kinds.get(`${group}/${kind}`);
    if (own !== undefined && thrown instanceof AppError && thrown.code === 'INVALID_ARGUMENT') return { ...own, version };
    throw thrown;
  }
};

const toWish = async (work: Work, object: KubeObject, byDefault: string | undefined, brought: Brought): Promise<Wish> => {
  const resource = await resolve(work, object, brought);
  const own = textAt(object, 'metadata', 'namespace');
  learnObject(object, work.service);
  if (!resource.namespaced) return { resource, namespace: undefined, name: nameOf(object), object };
  const scope = own ?? byDefault ?? work.client.defaultNamespace;
  const metadata = { ...(object['metadata'] as object), namespace: scope };
  return { resource, namespace: scope, name: nameOf(object), object: { ...object, metadata } };
};

const withVersion = (object: KubeObject, resourceVersion: string | undefined): KubeObject =>
  resourceVersion === undefined ? object : { ...object, metadata: { ...(object['metadata'] as object), resourceVersion } };

const applyWish =
  ({ client }: Work, { resource, namespace, name, object }: Wish, force: boolean) =>
  (options: { dryRun: boolean; signal: AbortSignal; resourceVersion?: string }) =>
    client.apply(resource, { ...options, name, namespace, force, object: withVersion(object, options.resourceVersion) });

const isOwnedByOthers = (thrown: unknown): thrown is AppError =>
  thrown instanceof AppError && thrown.code === 'CONFLICT' && thrown.details['reason'] === 'FIELD_MANAGER';

const MAX_CONFLICTS = 5;

const conflictsOf = ({ details }: AppError) =>
  (details['conflicts'] ?? []) as readonly { readonly manager?: string; readonly field?: string }[];

const toOwnershipCheck = (title: string, error: AppError): Check => {
  const conflicts = conflictsOf(error).filter(({ manager }) => manager !== FIELD_MANAGER);
  const words = conflicts.slice(0, MAX_CONFLICTS).map(({ field, manager }) => `${field?.replace(/^\./, '')} (${manager})`);
  const more = conflicts.length > MAX_CONFLICTS ? ` and ${conflicts.length - MAX_CONFLICTS} more` : '';
  return {
    name: 'field ownership',
    result: 'fail',
    detail: `${title}: others own ${words.join(', ')}${more}. Leave these fields out, or set force to take them over.`,
  };
};

/** Brought by the manifest: only the server that has it can say more. */
const planUntried = async (work: Work, wish: Wish, force: boolean, why: string): Promise<Part> => {
  const { step, diff } = await planCreation(work, { ...wish, canTry: false, write: applyWish(work, wish, force) });
  return { steps: [step], diff, warnings: [`${step.title} could not be tried before: ${why}`] };
};

const planNew = async (work: Work, wish: Wish, force: boolean): Promise<Part> => {
  const { step, diff, warnings } = await planCreation(work, { ...wish, write: applyWish(work, wish, force) });
  return { steps: [step], diff, warnings };
};

const planChanged = async (work: Work, wish: Wish, before: KubeObject, force: boolean): Promise<Part> => {
  const { resource, namespace, name } = wish;
  const title = toTitle({ cluster: work.cluster, resource, namespace, name });
  try {
    const planned = await planUpdate(work, { resource, namespace, name, before, write: applyWish(work, wish, force), always: true });
    const impact = await readImpact(work, planned);
    return {
      steps: [planned.step],
      diff: planned.diff,
      warnings: [...planned.warnings, ...impact.warnings.map((words) => `${title}: ${words}`)],
      facts: impact.facts,
      owners: toOwners(before, planned.changes),
    };
  } catch (thrown) {
    if (!isOwnedByOthers(thrown)) throw thrown;
    // What an earlier change of ours wrote is no other's: only the way in which it was written differs.
    if (conflictsOf(thrown).every(({ manager }) => manager === FIELD_MANAGER)) return planChanged(work, wish, before, true);
    const place = { cluster: work.cluster, resource, namespace, name };
    // What it would be with force: the plan shows what is at stake.
    const planned = await planUpdate(work, { resource, namespace, name, before, write: applyWish(work, wish, true) });
    return { steps: [], diff: planned.diff, check: toOwnershipCheck(toTitle(place), thrown) };
  }
};

const planWish = async (work: Work, wish: Wish, force: boolean, brought: Brought): Promise<Part> => {
  const { client, ctx } = work;
  const { resource, namespace, name } = wish;
  if (brought.kinds.get(`${resource.group}/${resource.kind}`)?.plural === resource.plural && !(await isServed(work, resource)))
    return planUntried(work, wish, force, 'this manifest defines its kind');
  const before = await client.find(resource, { name, namespace, signal: ctx.signal });
  if (before !== undefined) return planChanged(work, wish, before, force);
  try {
    return await planNew(work, wish, force);
  } catch (thrown) {
    if (!isNotFound(thrown) || namespace === undefined || !brought.namespaces.has(namespace)) throw thrown;
    return planUntried(work, wish, force, `this manifest makes the namespace ${namespace}`);
  }
};

const isServed = ({ client, ctx }: Work, { group, version, kind }: ResourceRef): Promise<boolean> =>
  client.resolveKind(`${group}/${version}/${kind}`, ctx).then(
    () => true,
    () => false,
  );

const count = (steps: readonly Step[], operation: string): number => steps.filter(({ target }) => target.operation === operation).length;

const WORDS = {
  planned: { create: 'create', update: 'update', unchanged: 'leave as it is' },
  done: { create: 'created', update: 'updated', unchanged: 'left as it is' },
} as const;

/** `Create Service shop/web`; of several `create 2, update 1: …`. */
const toWords = (steps: readonly Step[], tense: keyof typeof WORDS): string => {
  const words = WORDS[tense];
  const changed = steps.filter(({ target }) => target.operation !== 'unchanged');
  const titles = (changed.length === 0 ? steps : changed).map(({ title }) => title);
  const parts = (['create', 'update', 'unchanged'] as const).flatMap((operation) => {
    const number = count(steps, operation);
    if (number === 0) return [];
    return [steps.length === 1 ? words[operation] : `${words[operation]} ${number}`];
  });
  const named = `${titles.slice(0, 5).join(', ')}${titles.length > 5 ? ` and ${titles.length - 5} more` : ''}`;
  return steps.length === 1 ? `${parts.join()} ${named}` : `${parts.join(', ')}: ${named}`;
};

const toSentence = (words: string): string => `${words.charAt(0).toUpperCase()}${words.slice(1)}`;

const rolls = (steps: readonly Step[]): boolean =>
  steps.some(({ place }) => ['Deployment', 'StatefulSet', 'DaemonSet'].includes(place.resource.kind));

const sumFacts = (parts: readonly Part[]): Readonly<Record<string, unknown>> => {
  const podsRestarted = parts.reduce((sum, { facts }) => sum + Number(facts?.['podsRestarted'] ?? 0), 0);
  const others = parts.flatMap(({ facts = {} }) => Object.entries(facts).filter(([key]) => key !== 'podsRestarted'));
  const owners = Object.assign({}, ...parts.map(({ owners = {} }) => owners)) as Record<string, string>;
  const isWorkload = parts.some(({ facts = {} }) => 'podsRestarted' in facts);
  return {
    ...(isWorkload ? { podsRestarted } : {}),
    ...Object.fromEntries(others),
    ...(Object.keys(owners).length > 0 ? { fieldOwners: owners } : {}),
  };
};

/** With the namespace by default two documents may mean one object. */
const refuseTwice = ({ cluster }: Work, wishes: readonly Wish[]): void => {
  const places = wishes.map(({ resource, namespace, name }) => ({ cluster, resource, namespace, name }));
  const refs = places.map(toRef);
  const twice = places.find((place, index) => refs.indexOf(toRef(place)) !== index);
  if (twice === undefined) return;
  throw new AppError('INVALID_ARGUMENT', `The manifest has ${toTitle(twice)} twice.`, { details: { argument: 'manifest' } });
};

const toPlan = ({ client, cluster }: Work, wishes: readonly Wish[], parts: readonly Part[]): StepsPlan => {
  const steps = parts.flatMap((part) => part.steps);
  const failed = parts.flatMap(({ check }) => (check === undefined ? [] : [check]));
  const refused = wishes.flatMap(({ resource, namespace, name }, index) =>
    parts[index]?.check === undefined ? [] : [{ ref: toRef({ cluster, resource, namespace, name }), operation: 'update' as const }],
  );
  const created = count(steps, 'create');
  const spaces = [...new Set(wishes.map(({ namespace }) => namespace))];
  return {
    summary: steps.length === 0 ? 'Apply: others own fields of the objects' : toSentence(toWords(steps, 'planned')),
    scope: { cluster, ...(spaces.length === 1 && spaces[0] !== undefined ? { namespace: spaces[0] } : {}) },
    targets: [...steps.map(({ target }) => target), ...refused],
    diff: parts.flatMap(({ diff }) => diff),
    impact: sumFacts(parts),
    checks:
      failed.length > 0
        ? failed
        : [
            { name: 'server dry run', result: 'pass' },
            { name: 'field ownership', result: 'pass' },
          ],
    warnings: [...new Set(parts.flatMap(({ warnings = [] }) => warnings))],
    verify: rolls(steps) ? 'the objects are as planned, and the rollouts are complete' : 'the objects are as planned',
    undo: {
      possible: count(steps, 'update') > 0,
      how: [
        ...(count(steps, 'update') > 0 ? ['put the fields back'] : []),
        ...(created > 0 ? [`${created} created: delete with kubernetes_delete_resource`] : []),
        ...(created + count(steps, 'update') === 0 ? ['nothing changes'] : []),
      ].join('; '),
    },
    state: { client, cluster, steps, results: [], summary: steps.length === 0 ? '' : toSentence(toWords(steps, 'done')) },
  };
};

export default [
  changeObjects({
    name: 'kubernetes_apply_manifest',
    title: 'Apply manifest',
    description: 'Creates or updates objects from manifests by server-side apply.',
    effect: 'write',
    idempotent: true,
    input,
    bulky: ['manifest'],
    async plan({ manifest, namespace: byDefault, force }, work) {
      if (manifest === undefined)
        throw new AppError('INVALID_ARGUMENT', 'A manifest is needed to plan.', {
          details: { argument: 'manifest', expected: 'YAML or JSON documents' },
        });
      const objects = await readManifest(manifest);
      const brought = toBrought(objects);
      const wishes = await Promise.all(objects.map((object) => toWish(work, object, byDefault, brought)));
      refuseTwice(work, wishes);
      const parts: Part[] = [];
      for (const wish of wishes) {
        parts.push(await planWish(work, wish, force, brought));
        work.ctx.progress({ progress: parts.length, total: wishes.length, message: `${wish.resource.kind} ${wish.name} tried` });
      }
      return toPlan(work, wishes, parts);
    },
  }),
];
