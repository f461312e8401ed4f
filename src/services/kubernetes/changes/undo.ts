// The inverse of a recorded change, planned like any other: fields put back, deleted objects made again. What would delete is only named.

import type { Check, FieldChange } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { formatDuration } from '../../../kit/duration.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import type { NextCall } from '../../../kit/result.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { fieldsAt, type KubeObject, listAt, metadataOf, type OwnerReference, ownersOf } from '../../../upstream/kubernetes/objects.ts';
import { planCreation } from './create.ts';
import { type Difference, restore, toPathText } from './difference.ts';
import { withZero } from './intent.ts';
import { ownersOfField } from './owners.ts';
import { toRecreated } from './recreate.ts';
import { toTitle } from './refs.ts';
import type { Step, StepsPlan, Undo, UndoStep } from './steps.ts';
import { planUpdate, type Work } from './update.ts';

interface Part {
  readonly step?: Step;
  readonly diff?: readonly FieldChange[];
  readonly check?: Check;
  readonly warnings?: readonly string[];
  readonly next?: NextCall;
}

type Of<Operation extends UndoStep['operation']> = Extract<UndoStep, { operation: Operation }>;

/** Who changed the field after us, and when. */
const toConflict = (path: Difference['path'], current: Parameters<typeof ownersOfField>[0], now: number): string => {
  const [owner] = ownersOfField(current, path);
  if (owner === undefined) return toPathText(path);
  return `${toPathText(path)} (by ${owner.manager}${owner.at === undefined ? '' : `, ${formatDuration(Math.max(0, now - owner.at))} ago`})`;
};

const planBack = async (work: Work, step: Of<'update'>): Promise<Part> => {
  const { client, cluster, ctx } = work;
  const { resource, subresource, namespace, name, uid, changes } = step;
  const title = toTitle({ cluster, resource, namespace, name });
  const current = await client.find(resource, { name, namespace, subresource, signal: ctx.signal });
  if (current === undefined || metadataOf(current).uid !== uid) {
    const detail = current === undefined ? `${title} is gone` : `${title} is another object of the same name by now`;
    return { check: { name: 'unchanged since', result: 'fail', detail } };
  }
  const { object, conflicts } = restore(withZero(current), changes);
  if (conflicts.length > 0) {
    const words = conflicts.slice(0, 5).map(({ path }) => toConflict(path, current, ctx.now()));
    return { check: { name: 'unchanged since', result: 'fail', detail: `${title} was changed since: ${words.join(', ')}` } };
  }
  const planned = await planUpdate(work, {
    resource,
    subresource,
    namespace,
    name,
    before: current,
    write: ({ dryRun, resourceVersion, signal }) =>
      client.replace(resource, {
        name,
        namespace,
        subresource,
        dryRun,
        signal,
        object: { ...object, metadata: { ...(object['metadata'] as object), resourceVersion } },
      }),
  });
  return { step: planned.step, diff: planned.diff, warnings: planned.warnings };
};

/** Whether an owner is there, as the one that it was. Who may not look leaves it to the garbage collector. */
const isThere = async ({ client, ctx }: Work, { apiVersion, kind, name, uid }: OwnerReference, namespace: string | undefined) => {
  try {
    const { resource } = await client.resolveKind(`${apiVersion}/${kind}`, ctx);
    const owner = await client.find(resource, { name, namespace: resource.namespaced ? namespace : undefined, signal: ctx.signal });
    return owner !== undefined && metadataOf(owner).uid === uid;
  } catch (thrown) {
    const { code } = toAppError(thrown);
    if (code === 'FORBIDDEN') return true;
    if (code === 'INVALID_ARGUMENT') return false;
    throw thrown;
  }
};

/** An object whose owners are all gone is deleted by the garbage collector as soon as it is made. */
const withOwnersThere = async (work: Work, object: KubeObject, namespace: string | undefined) => {
  const references = listAt(object, 'metadata', 'ownerReferences');
  const known = await Promise.all(ownersOf(object).map((owner) => isThere(work, owner, namespace)));
  if (known.every(Boolean)) return { owned: object, warnings: [] };
  const { ownerReferences: _, ...metadata } = fieldsAt(object, 'metadata');
  const left = references.filter((_reference, index) => known[index]);
  const gone = ownersOf(object).filter((_owner, index) => !known[index]);
  return {
    owned: { ...object, metadata: { ...metadata, ...(left.length === 0 ? {} : { ownerReferences: left }) } },
    warnings: [`made again without its owner ${gone.map(({ kind, name }) => `${kind} ${name}`).join(', ')}, which is gone`],
  };
};

const planAnew = async (work: Work, { resource, namespace, name, object }: Of<'delete'>): Promise<Part> => {
  const { client, cluster } = work;
  const { owned: again, warnings: lost } = await withOwnersThere(work, toRecreated(object), namespace);
  const title = toTitle({ cluster, resource, namespace, name });
  try {
    const { step, diff, warnings } = await planCreation(work, {
      resource,
      namespace,
      name,
      object: again,
      write: (options) => client.create(resource, { ...options, object: again, namespace }),
    });
    return { step, diff, warnings: [...lost, ...warnings] };
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    if (code !== 'CONFLICT' && code !== 'INVALID_ARGUMENT') throw thrown;
    return { check: { name: 'server dry run', result: 'fail', detail: `${title} cannot be made again: ${message}` } };
  }
};

const nameDeletion = ({ cluster }: Work, { resource, namespace, name }: Of<'create'>): Part => ({
  check: {
    name: 'effect',
    result: 'fail',
    detail: `Taking back the creation of ${toTitle({ cluster, resource, namespace, name })} is a deletion: use kubernetes_delete_resource.`,
  },
  next: {
    tool: 'kubernetes_delete_resource',
    arguments: { kind: resource.kind, name, ...(resource.namespaced ? { namespace } : {}), cluster },
    why: 'takes the creation back',
  },
});

const planStep = (work: Work, step: UndoStep): Promise<Part> | Part => {
  if (step.operation === 'update') return planBack(work, step);
  return step.operation === 'delete' ? planAnew(work, step) : nameDeletion(work, step);
};

/** Plans the inverse of all steps; one that cannot be taken back stops the whole, unless the rest stands for itself. */
export const planUndo = async ({ cluster, steps }: Undo, service: Kubernetes, ctx: CallContext): Promise<StepsPlan> => {
  const { client } = await openCluster(service, cluster, ctx);
  const work: Work = { service, client, cluster, ctx };
  const parts: Part[] = [];
  for (const step of steps) parts.push(await planStep(work, step));
  const doable = parts.flatMap(({ step }) => (step === undefined ? [] : [step]));
  const checks = parts.flatMap(({ check }) => (check === undefined ? [] : [check]));
  const creations = steps.filter(({ operation }) => operation === 'create').length;
  // What was created beside may stay: it is told, and the rest is put back.
  const isPartly = doable.length > 0 && checks.length === creations;
  const conflict = parts.find(({ check, next }) => check !== undefined && next === undefined)?.check;
  if (conflict?.name === 'unchanged since')
    throw new AppError('CONFLICT', `This change cannot be taken back as it was: ${conflict.detail}.`, { details: { by: conflict.detail } });
  const titles = doable.map(({ title }) => title);
  const spaces = [...new Set(steps.map(({ resource, namespace }) => (resource.namespaced ? namespace : undefined)))];
  return {
    summary: titles.length === 0 ? 'nothing that this tool may do' : `restore ${titles.slice(0, 5).join(', ')}`,
    scope: { cluster, ...(spaces.length === 1 && spaces[0] !== undefined ? { namespace: spaces[0] } : {}) },
    targets: doable.map(({ target }) => target),
    diff: parts.flatMap(({ diff = [] }) => diff),
    checks: isPartly
      ? [{ name: 'server dry run', result: 'pass' }]
      : checks.length > 0
        ? checks
        : [{ name: 'server dry run', result: 'pass' }],
    warnings: [...parts.flatMap(({ warnings = [] }) => warnings), ...(isPartly ? checks.map(({ detail = '' }) => detail) : [])],
    next: parts.flatMap(({ next }) => (next === undefined ? [] : [next])),
    verify: 'the fields are as they were',
    undo: { possible: true, how: 'undo this undo by its own changeId' },
    state: { client, cluster, steps: doable, results: [], summary: `Restored ${titles.slice(0, 5).join(', ')}` },
  };
};
