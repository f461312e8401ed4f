// What all changes of objects share: they are lists of steps, run in order until one fails, looked at afterwards, and taken back step by step.

import type { Applied, ChangeTarget, Plan, Verification } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import type { NextCall } from '../../../kit/result.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type KubeObject, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import type { ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import type { Difference } from './difference.ts';

interface Place {
  readonly resource: ResourceRef;
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** What taking one step back needs; kept sealed by the server. */
export type UndoStep =
  | (Place & {
      readonly operation: 'update';
      readonly subresource?: string | undefined;
      readonly uid: string;
      readonly changes: readonly Difference[];
    })
  | (Place & { readonly operation: 'delete'; readonly object: KubeObject })
  /** The inverse would be a deletion, which is only named. */
  | (Place & { readonly operation: 'create' });

export interface Undo {
  readonly cluster: string;
  readonly steps: readonly UndoStep[];
}

export interface StepResult {
  readonly object?: KubeObject | undefined;
  readonly undo?: UndoStep | undefined;
  readonly warnings?: readonly string[];
  /** What stands in the list of what was done; absent = the title. */
  readonly done?: readonly string[];
  /** A step of many parts that did not get through: why, and what is left. */
  readonly failure?: { readonly reason: string; readonly message: string };
  readonly notDone?: readonly string[];
  readonly targets?: readonly ChangeTarget[];
  /** What the answer shows. */
  readonly shown?: Readonly<Record<string, unknown>>;
  readonly untrusted?: boolean;
}

export interface Step {
  readonly place: Place & { readonly cluster: string };
  readonly target: ChangeTarget;
  /** `Deployment shop/web`. */
  readonly title: string;
  run(ctx: CallContext, waitMs: number): Promise<StepResult>;
  /** Looks once (0), or waits; `result` is what `run` gave. */
  verify(result: StepResult, waitMs: number, ctx: CallContext): Promise<Verification>;
}

export interface StepsState {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly steps: readonly Step[];
  /** How the whole is told when it is done. */
  readonly summary: string;
  /** What the steps that ran gave, in their order; filled by `applySteps`. */
  readonly results: StepResult[];
}

export type StepsPlan = Plan<StepsState>;

const toTargets = ({ target }: Step, { object, targets }: StepResult): readonly ChangeTarget[] => {
  if (targets !== undefined) return targets;
  const version = object === undefined ? '' : metadataOf(object).resourceVersion;
  const { guard: _, version: __, ...rest } = target;
  return [version === '' ? rest : { ...rest, version }];
};

const toFailure = (step: Step | undefined, thrown: unknown) => {
  const { code, message } = toAppError(thrown);
  return { reason: code === 'CANCELLED' ? 'CANCELLED' : 'PARTIAL', message: `${step?.title ?? 'A step'} failed: ${message}` };
};

/** A creation that stands alone is taken back by the tool that deletes. */
const toInverse = ({ cluster, steps }: Undo): NextCall | undefined => {
  const [first] = steps;
  if (first === undefined || steps.length > 1 || first.operation !== 'create') return undefined;
  const { resource, namespace, name } = first;
  return {
    tool: 'kubernetes_delete_resource',
    arguments: { kind: resource.kind, name, ...(resource.namespaced ? { namespace } : {}), cluster },
    why: 'takes the creation back',
  };
};

/** Runs the steps in order. The first failure of a first step is thrown as it is: nothing was done. */
export const applySteps = async ({ state }: StepsPlan, waitMs: number, ctx: CallContext): Promise<Applied<Undo>> => {
  const done = state.results;
  let failure: { reason: string; message: string } | undefined;
  for (const step of state.steps) {
    try {
      ctx.signal.throwIfAborted();
      const result = await step.run(ctx, waitMs);
      done.push(result);
      failure = result.failure;
      if (failure !== undefined) break;
      if (state.steps.length > 1) ctx.progress({ progress: done.length, total: state.steps.length, message: step.title });
    } catch (thrown) {
      if (done.length === 0) throw thrown;
      failure = toFailure(step, thrown);
      break;
    }
  }
  const undo: Undo = { cluster: state.cluster, steps: done.flatMap(({ undo: step }) => (step === undefined ? [] : [step])).reverse() };
  const inverse = toInverse(undo);
  const shown = Object.assign({}, ...done.map((result) => result.shown ?? {})) as Record<string, unknown>;
  const at = (index: number): Step => state.steps[index] as Step;
  const parts = done.flatMap((result, index) => result.done ?? [at(index).title]);
  const left = [...done.flatMap(({ notDone = [] }) => notDone), ...state.steps.slice(done.length).map(({ title }) => title)];
  return {
    summary: failure === undefined ? state.summary : `${parts.length} of ${parts.length + left.length} done.`,
    targets: done.flatMap((result, index) => toTargets(at(index), result)),
    ...(undo.steps.length === 0 || inverse !== undefined ? {} : { undo }),
    ...(inverse === undefined ? {} : { inverse }),
    warnings: [...new Set(done.flatMap(({ warnings = [] }) => warnings))],
    ...(Object.keys(shown).length > 0 ? { result: shown } : {}),
    ...(done.some(({ untrusted }) => untrusted === true) ? { untrusted: true } : {}),
    ...(failure === undefined ? {} : { failure, done: parts, notDone: left }),
  };
};

const RANK = { fail: 2, pending: 1, pass: 0 } as const;
const MAX_WORDS = 5;

const join = (all: readonly Verification[]): Verification => {
  const worst = all.reduce<Verification['result']>((so, { result }) => (RANK[result] > RANK[so] ? result : so), 'pass');
  const told = worst === 'pass' ? all : all.filter(({ result }) => result !== 'pass');
  const words = [...new Set(told.map(({ detail }) => detail))];
  const more = words.length > MAX_WORDS ? [`and ${words.length - MAX_WORDS} more`] : [];
  return { result: worst, detail: [...words.slice(0, MAX_WORDS), ...more].join('; ') };
};

/** All steps are looked at side by side, within one wait. */
export const verifySteps = async ({ state }: StepsPlan, waitMs: number, ctx: CallContext): Promise<Verification> => {
  const look = async (step: Step, index: number): Promise<Verification> => {
    try {
      return await step.verify(state.results[index] ?? {}, waitMs, ctx);
    } catch (thrown) {
      // The change was made; that it cannot be looked at is no failure of it.
      if (thrown instanceof AppError && thrown.code === 'CANCELLED') throw thrown;
      return { result: 'pending', detail: `${step.title} could not be looked at: ${toAppError(thrown).message}` };
    }
  };
  return state.steps.length === 0 ? { result: 'pass', detail: 'nothing was to be done' } : join(await Promise.all(state.steps.map(look)));
};
