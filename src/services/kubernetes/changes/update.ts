// An update of one object: planned by a dry run of the server, written against the version that was seen, put back field by field.

import type { FieldChange } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { AppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { Kubernetes } from '../../../upstream/kubernetes/kubernetes.ts';
import { type KubeObject, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import { toSafe } from '../../../upstream/kubernetes/present.ts';
import type { ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import { FIELD_MANAGER, type Written } from '../../../upstream/kubernetes/writes.ts';
import { completesDeletion, consequencesOf } from './consequences.ts';
import { type Difference, diffObjects, toPathText } from './difference.ts';
import { toGuard, toIntent, withZero } from './intent.ts';
import { learnObject } from './learn.ts';
import { ownersOfField } from './owners.ts';
import { type ObjectPlace, toRef, toTitle } from './refs.ts';
import type { Step, StepResult, UndoStep } from './steps.ts';
import { verifyDeletion, verifyUpdate } from './verify.ts';

/** What every plan of this service works with. */
export interface Work {
  readonly service: Kubernetes;
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly ctx: CallContext;
}

export interface WriteTurn {
  readonly dryRun: boolean;
  /** CONFLICT when the object has another one by now. */
  readonly resourceVersion: string;
  readonly signal: AbortSignal;
}

export interface UpdateOptions {
  readonly resource: ResourceRef;
  readonly subresource?: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  /** The object, or its subresource, as it is now. */
  readonly before: KubeObject;
  readonly write: (turn: WriteTurn) => Promise<Written>;
  /** Written also when no field changes: an apply records who wants the fields. */
  readonly always?: boolean;
}

export interface PlannedUpdate {
  readonly step: Step;
  readonly before: KubeObject;
  /** As it would be stored. */
  readonly after: KubeObject;
  readonly changes: readonly Difference[];
  readonly diff: readonly FieldChange[];
  readonly warnings: readonly string[];
  /** The object goes with this change. */
  readonly isLast: boolean;
}

/** An object that reports on itself changes its version all the time: the write is tried again where nothing else has changed. */
const MAX_TRIES = 5;

const isVersionConflict = (thrown: unknown): boolean =>
  thrown instanceof AppError && thrown.code === 'CONFLICT' && thrown.details['reason'] === 'CONFLICT';

/** The differences as they may be shown: values of Secrets as keyed hashes. */
export const toShownDiff = (
  place: ObjectPlace,
  states: { readonly before?: KubeObject | undefined; readonly after?: KubeObject | undefined },
  service: Kubernetes,
  withStatus = false,
): FieldChange[] => {
  const ref = toRef(place);
  const show = (object: KubeObject | undefined) =>
    object === undefined ? undefined : toIntent(toSafe(withZero(object), service), { withStatus });
  return diffObjects(show(states.before), show(states.after)).map(({ path, before, after }) => ({
    ref,
    path: toPathText(path),
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  }));
};

/** Other managers of the fields that change, by path. */
export const toOwners = (before: KubeObject, changes: readonly Difference[]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    changes.flatMap(({ path }) => {
      const others = ownersOfField(before, path).filter(({ manager }) => manager !== FIELD_MANAGER);
      return others.length === 0 ? [] : [[toPathText(path), others.map(({ manager }) => manager).join(', ')] as const];
    }),
  );

interface Attempt {
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** Whether a version that came in between will do. */
  readonly mayGoOn: (current: KubeObject) => boolean;
}

/** Writes against the version that was seen, or against the next one where that will do. */
const writeVersion = async ({ client }: Work, options: UpdateOptions, { dryRun, signal, mayGoOn }: Attempt) => {
  const { resource, subresource, name, namespace } = options;
  let before = options.before;
  for (let tried = 1; ; tried += 1) {
    try {
      const written = await options.write({ dryRun, resourceVersion: metadataOf(before).resourceVersion, signal });
      return { before, written };
    } catch (thrown) {
      if (tried >= MAX_TRIES || !isVersionConflict(thrown)) throw thrown;
      before = await client.get(resource, { name, namespace, subresource, signal });
      if (!mayGoOn(before)) throw thrown;
    }
  }
};

/** Admission may decide otherwise when it is in earnest: that is told. */
const toSurprises = (planned: readonly Difference[], real: readonly Difference[], title: string): string[] => {
  const words = (changes: readonly Difference[]) => new Map(changes.map(({ path, after }) => [toPathText(path), JSON.stringify(after)]));
  const [wanted, got] = [words(planned), words(real)];
  const paths = [...new Set([...wanted.keys(), ...got.keys()])].filter((path) => wanted.get(path) !== got.get(path));
  return paths.length === 0 ? [] : [`${title}: the server stored other values than its dry run said for ${paths.slice(0, 5).join(', ')}`];
};

/** Asks the server for the outcome; nothing changes. */
export const planUpdate = async (work: Work, options: UpdateOptions): Promise<PlannedUpdate> => {
  const { service, client, cluster, ctx } = work;
  const { resource, subresource, namespace, name } = options;
  const place: ObjectPlace = { cluster, resource, namespace, name };
  const withStatus = subresource === 'status';
  learnObject(options.before, service);
  const toState = (object: KubeObject) => toIntent(withZero(object), { withStatus });
  const tried = await writeVersion(work, options, { dryRun: true, signal: ctx.signal, mayGoOn: () => true });
  const { before } = tried;
  const { object: after, warnings } = tried.written;
  const { uid, resourceVersion } = metadataOf(before);
  const changes = diffObjects(toState(before), toState(after));
  const guard = toGuard(before, { withStatus });
  const title = toTitle(place);
  const isLast = completesDeletion(before, after);
  if (isLast) client.permitDeletion(resource, { name, namespace });
  const told = [...warnings, ...consequencesOf(after, changes)];
  if (isLast) told.push(`${title} is being deleted: it goes with its last finalizer, whatever that still waits for`);
  const run = async (at: CallContext): Promise<StepResult> => {
    if (changes.length === 0 && options.always !== true) return { object: before };
    // A report of status is no obstacle, anything else is.
    const mayGoOn = (current: KubeObject) => toGuard(current, { withStatus }) === guard;
    const { written } = await writeVersion(work, { ...options, before }, { dryRun: false, signal: at.signal, mayGoOn });
    const real = diffObjects(toState(before), toState(written.object));
    const undo: UndoStep = { operation: 'update', resource: toPlain(resource), namespace, name, subresource, uid, changes: real };
    return {
      object: written.object,
      undo: real.length === 0 || isLast ? undefined : undo,
      warnings: [...written.warnings, ...toSurprises(changes, real, title)],
    };
  };
  const operation = changes.length === 0 ? 'unchanged' : 'update';
  return {
    before,
    after,
    changes,
    diff: toShownDiff(place, { before, after }, service, withStatus),
    warnings: told,
    isLast,
    step: {
      place,
      title,
      target: { ref: toRef(place), operation, version: resourceVersion, guard },
      run,
      verify: ({ object }, waitMs, at) =>
        isLast
          ? verifyDeletion({ client, place }, waitMs, at)
          : verifyUpdate({ client, place, subresource, written: object }, changes, waitMs, at),
    },
  };
};

/** Discovery knows more of a kind than what it takes to address it. */
export const toPlain = ({ group, version, kind, plural, namespaced }: ResourceRef): ResourceRef => ({
  group,
  version,
  kind,
  plural,
  namespaced,
});
