// What a change is made of: its plan, what was done, and how both are answered (tools.md section 4).

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Answer, NextCall } from './result.ts';

export type Operation = 'create' | 'update' | 'delete' | 'unchanged' | 'evict' | 'execute';

export interface ChangeTarget {
  /** `k8s://cluster/namespace/kind/name` and the like. */
  readonly ref: string;
  readonly operation: Operation;
  /** Version of the object as it was seen (before) or as it is now (after). */
  readonly version?: string;
  /** What must be equal for a plan to count; never shown. Absent = `version`. Versions of objects that report on themselves rise by the second. */
  readonly guard?: string;
}

export interface FieldChange {
  readonly ref: string;
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

export interface Check {
  readonly name: string;
  readonly result: 'pass' | 'fail';
  readonly detail?: string;
  readonly rule?: string;
}

/** What would happen. `state` is handed to `apply` unseen by the caller. */
export interface Plan<State> {
  readonly summary: string;
  /** The scope really used, such as cluster and namespace. */
  readonly scope?: Readonly<Record<string, unknown>>;
  readonly targets: readonly ChangeTarget[];
  readonly diff: readonly FieldChange[];
  readonly impact?: Readonly<Record<string, unknown>>;
  readonly checks?: readonly Check[];
  /** The condition that `verify` waits for, in words. */
  readonly verify?: string;
  readonly undo: { readonly possible: boolean; readonly how: string };
  /** Notes of the backend. */
  readonly warnings?: readonly string[];
  /** What to do instead, when a check fails. */
  readonly next?: readonly NextCall[];
  /** What was decided now and must not be decided anew when it is applied (a time, a made-up name): sealed into the token, handed to `plan`. */
  readonly pin?: unknown;
  readonly state: State;
}

export interface Applied<Undo> {
  readonly summary: string;
  readonly targets: readonly ChangeTarget[];
  /** What `undo` needs; absent = cannot be undone. */
  readonly undo?: Undo;
  /** Set when only a part was done. */
  readonly notDone?: readonly string[];
  readonly done?: readonly string[];
  /** Why only a part was done: a code and words. */
  readonly failure?: { readonly reason: string; readonly message: string };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly warnings?: readonly string[];
  /** True when `result` holds text from workloads or third parties. */
  readonly untrusted?: boolean;
  /** The call that takes it back, where that is not `platform_undo_change`: the inverse of a creation is a deletion. */
  readonly inverse?: NextCall;
}

export interface Verification {
  readonly result: 'pass' | 'pending' | 'fail';
  readonly detail: string;
}

/** A recorded change planned backwards: what `platform_undo_change` applies. */
export interface Inverse {
  readonly plan: Plan<unknown>;
  apply(waitMs: number): Promise<Applied<unknown>>;
  verify(applied: Applied<unknown>, waitMs: number): Promise<Verification>;
}

export const CHANGE_OUTPUT = z.object({
  phase: z.enum(['plan', 'applied']),
  plan: z.string(),
  expiresAt: z.string(),
  effect: z.string(),
  summary: z.string(),
  changeId: z.string(),
  targets: z.array(z.object({ ref: z.string(), operation: z.string(), version: z.string().optional() })),
  diff: z.array(z.object({ ref: z.string(), path: z.string(), before: z.unknown().optional(), after: z.unknown().optional() })),
  verification: z.object({ result: z.string(), detail: z.string() }),
  undo: z.record(z.string(), z.unknown()),
  impact: z.record(z.string(), z.unknown()),
  checks: z.array(z.object({ name: z.string(), result: z.string(), detail: z.string().optional(), rule: z.string().optional() })),
  verify: z.string(),
  approval: z.string(),
  done: z.array(z.string()),
  notDone: z.array(z.string()),
  result: z.record(z.string(), z.unknown()),
});

/** Two plans are the same when targets (with versions) and diff are. */
export const toDigest = (plan: Plan<unknown>): string =>
  createHash('sha256')
    .update(JSON.stringify([plan.targets.map(({ ref, operation, version, guard }) => [ref, operation, guard ?? version]), plan.diff]))
    .digest('base64url');

export const hasFailed = ({ checks = [] }: Plan<unknown>): boolean => checks.some(({ result }) => result === 'fail');

/** Targets as they are shown. */
export const toShown = (targets: readonly ChangeTarget[]): ChangeTarget[] => targets.map(({ guard: _, ...target }) => target);

const MOST_BRIEF = 300;

const toBriefValue = (value: unknown): unknown => {
  if (value === undefined) return undefined;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= MOST_BRIEF ? value : `${text.slice(0, MOST_BRIEF)}…(+${text.length - MOST_BRIEF} chars)`;
};

/** The first field changes with long values cut: for errors, questions and records, which no budget fits. */
export const toBriefDiff = (diff: readonly FieldChange[], most: number): FieldChange[] =>
  diff.slice(0, most).map(({ ref, path, before, after }) => ({
    ref,
    path,
    ...(before === undefined ? {} : { before: toBriefValue(before) }),
    ...(after === undefined ? {} : { after: toBriefValue(after) }),
  }));

/** @param skip field changes that an earlier page showed */
export const toPlanAnswer = (plan: Plan<unknown>, head: Readonly<Record<string, unknown>>, skip = 0): Answer => ({
  summary: `PLAN, ${hasFailed(plan) ? 'which cannot be applied, for a check failed' : 'nothing changed yet'}: ${plan.summary}`,
  // The diff alone gives way to a budget: what a decision needs stands in the head.
  head: {
    ...plan.scope,
    phase: 'plan',
    ...head,
    summary: plan.summary,
    targets: toShown(plan.targets),
    checks: plan.checks,
    impact: Object.keys(plan.impact ?? {}).length === 0 ? undefined : plan.impact,
    verify: plan.verify,
    undo: plan.undo,
  },
  list: { key: 'diff', items: plan.diff.slice(skip), total: plan.diff.length, resume: { state: { skip } } },
  ...(plan.warnings === undefined ? {} : { warnings: plan.warnings }),
  ...(plan.next === undefined ? {} : { next: plan.next }),
});
