// change(): the only way to write a tool that alters anything. Plan, apply, verify, undo (tools.md section 4).

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { CallContext, Effect } from './context.ts';
import { parseDuration } from './duration.ts';
import { AppError } from './errors.ts';
import type { Answer } from './result.ts';
import { type Tool, tool } from './tool.ts';

export type Operation = 'create' | 'update' | 'delete' | 'unchanged' | 'evict' | 'execute';

export interface ChangeTarget {
  /** `k8s://cluster/namespace/kind/name` and the like. */
  readonly ref: string;
  readonly operation: Operation;
  /** Version of the object as it was seen (before) or as it is now (after). */
  readonly version?: string;
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
  readonly targets: readonly ChangeTarget[];
  readonly diff: readonly FieldChange[];
  readonly impact?: Readonly<Record<string, unknown>>;
  readonly checks?: readonly Check[];
  /** The condition that `verify` waits for, in words. */
  readonly verify?: string;
  readonly undo: { readonly possible: boolean; readonly how: string };
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
  readonly result?: Readonly<Record<string, unknown>>;
}

export interface Verification {
  readonly result: 'pass' | 'pending' | 'fail';
  readonly detail: string;
}

/** A change that was made, as it is kept for the timeline and for undo. */
export interface ChangeRecord {
  readonly changeId: string;
  readonly tool: string;
  readonly caller: string;
  readonly at: string;
  readonly summary: string;
  readonly targets: readonly ChangeTarget[];
  /** The same objects as the plan saw them, with their versions before. */
  readonly before?: readonly ChangeTarget[];
  /** What the inverse needs; kept by the server, never shown. */
  readonly undo?: unknown;
  readonly undoUntil?: string;
}

/** What the manager does for changes: tokens, single execution, records. Reached through `ctx.changes`. */
export interface ChangePort {
  readonly approval: (effect: Effect) => 'call' | 'elicit' | 'deny';
  /** Makes a plan token for this caller, tool, arguments and plan digest. */
  issue(
    plan: { tool: string; args: Readonly<Record<string, unknown>>; digest: string },
    ctx: CallContext,
  ): { token: string; expiresAt: string };
  /** Opens a token; throws FAILED_PRECONDITION with PLAN_INVALID, PLAN_EXPIRED or PLAN_MISMATCH. */
  open(token: string, plan: { tool: string; args: Readonly<Record<string, unknown>> }, ctx: CallContext): { digest: string; id: string };
  /** Runs `execute` once per plan id; the same caller sending it again gets the recorded answer. */
  once(id: string, ctx: CallContext, execute: () => Promise<Answer>): Promise<Answer>;
  record(change: Omit<ChangeRecord, 'changeId' | 'at' | 'undoUntil' | 'caller'>, ctx: CallContext): ChangeRecord;
}

type Shape = z.core.$ZodLooseShape;

export interface ChangeDefinition<Client, Input extends Shape, State, Undo> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Exclude<Effect, 'read'>;
  readonly input: z.ZodObject<Input>;
  readonly idempotent?: boolean;
  readonly openWorld?: boolean;
  readonly destructive?: boolean;
  readonly needs?: string;
  /** Changes nothing: reads, asks the backend for a dry run, computes the diff. */
  plan(args: z.infer<z.ZodObject<Input>>, client: Client, ctx: CallContext): Promise<Plan<State>>;
  /** Does exactly what the plan says; the backend's own preconditions guard against a change in between. `wait` (ms) is for backends that wait by themselves. */
  apply(plan: Plan<State>, client: Client, ctx: CallContext, wait: number): Promise<Applied<Undo>>;
  /** Looks, and waits while `wait` allows, until the world agrees. */
  verify(plan: Plan<State>, applied: Applied<Undo>, wait: number, client: Client, ctx: CallContext): Promise<Verification>;
  /** Plans the inverse; `platform_undo_change` applies it like any other plan. */
  undo?(undo: Undo, client: Client, ctx: CallContext): Promise<Plan<State>>;
}

const OUTPUT = z.object({
  phase: z.enum(['plan', 'applied']),
  plan: z.string(),
  expiresAt: z.string(),
  effect: z.string(),
  summary: z.string(),
  changeId: z.string(),
  targets: z.array(z.object({ ref: z.string(), operation: z.string(), version: z.string().optional() })),
  diff: z.array(z.object({ ref: z.string(), path: z.string(), before: z.unknown().optional(), after: z.unknown().optional() })),
  impact: z.record(z.string(), z.unknown()),
  checks: z.array(z.object({ name: z.string(), result: z.string(), detail: z.string().optional(), rule: z.string().optional() })),
  verify: z.string(),
  verification: z.object({ result: z.string(), detail: z.string() }),
  undo: z.record(z.string(), z.unknown()),
  approval: z.string(),
  done: z.array(z.string()),
  notDone: z.array(z.string()),
  result: z.record(z.string(), z.unknown()),
});

const WAIT = z.string().max(32).optional().meta({ description: 'Verify for at most this long; absent = one check at once.' });

/** Two plans are the same when targets (with versions) and diff are. */
const toDigest = (plan: Plan<unknown>): string =>
  createHash('sha256')
    .update(JSON.stringify([plan.targets, plan.diff]))
    .digest('base64url');

const toPlanAnswer = (plan: Plan<unknown>, head: Readonly<Record<string, unknown>>): Answer => ({
  summary: `PLAN, nothing changed yet: ${plan.summary}`,
  head: { phase: 'plan', ...head, summary: plan.summary, targets: plan.targets },
  sections: [
    { key: 'diff', value: plan.diff },
    { key: 'impact', value: plan.impact ?? {} },
    { key: 'checks', value: plan.checks ?? [] },
    { key: 'verify', value: plan.verify },
    { key: 'undo', value: plan.undo },
  ],
});

/** Makes a write or delete tool from its four parts. */
export const change = <Client, Input extends Shape, State, Undo>(
  definition: ChangeDefinition<Client, Input, State, Undo>,
): Tool<Client> & { readonly answer: z.ZodObject; planUndo(undo: unknown, client: Client, ctx: CallContext): Promise<Plan<State>> } => {
  const { name, effect } = definition;
  const port = (ctx: CallContext): ChangePort => {
    if (ctx.changes === undefined)
      throw new AppError('UNSUPPORTED', 'Changes are not offered here.', { details: { needs: 'security.allowWrites' } });
    return ctx.changes;
  };
  const issuePlan = (plan: Plan<State>, args: Readonly<Record<string, unknown>>, ctx: CallContext): Answer => {
    const failed = (plan.checks ?? []).some((check) => check.result === 'fail');
    const approval = port(ctx).approval(effect);
    const issued = failed ? undefined : port(ctx).issue({ tool: name, args, digest: toDigest(plan) }, ctx);
    return toPlanAnswer(plan, { ...(issued === undefined ? {} : { plan: issued.token, expiresAt: issued.expiresAt }), effect, approval });
  };
  const execute = async (plan: Plan<State>, wait: number, client: Client, ctx: CallContext): Promise<Answer> => {
    const applied = await definition.apply(plan, client, ctx, wait);
    const record = port(ctx).record(
      {
        tool: name,
        summary: applied.summary,
        targets: applied.targets,
        before: plan.targets,
        ...(applied.undo === undefined ? {} : { undo: applied.undo }),
      },
      ctx,
    );
    if (applied.notDone !== undefined && applied.notDone.length > 0) {
      throw new AppError('FAILED_PRECONDITION', `Only a part was done: ${applied.summary}`, {
        details: { reason: 'PARTIAL', done: applied.done ?? [], notDone: applied.notDone, changeId: record.changeId },
      });
    }
    const verification = await definition.verify(plan, applied, wait, client, ctx);
    const undo =
      record.undoUntil === undefined
        ? { possible: false, how: plan.undo.how }
        : { tool: 'platform_undo_change', arguments: { changeId: record.changeId }, until: record.undoUntil };
    return {
      summary: `APPLIED: ${applied.summary}`,
      head: { phase: 'applied', changeId: record.changeId, effect, summary: applied.summary, targets: applied.targets, verification, undo },
      ...(applied.result === undefined ? {} : { sections: [{ key: 'result', value: applied.result }] }),
    };
  };
  const approveByQuestion = async (plan: Plan<State>, ctx: CallContext): Promise<void> => {
    const lines = plan.diff.slice(0, 20).map((line) => `${line.path}: ${JSON.stringify(line.before)} -> ${JSON.stringify(line.after)}`);
    const answer = await ctx.ask({ key: toDigest(plan), message: [plan.summary, ...lines].join('\n') });
    if (answer === 'accepted') return;
    if (answer === 'declined') throw new AppError('FORBIDDEN', 'The user declined this change.', { details: { by: 'user' } });
    throw new AppError('APPROVAL_REQUIRED', 'A person must approve this change, and this client cannot ask its user.', {
      details: { rule: 'security.approval', needs: 'a client with elicitation' },
    });
  };
  const made = tool<Client, Shape>({
    name,
    title: definition.title,
    description: definition.description,
    effect,
    input: 'wait' in definition.input.shape ? definition.input : definition.input.extend({ wait: WAIT }),
    output: OUTPUT,
    ...(definition.idempotent === undefined ? {} : { idempotent: definition.idempotent }),
    ...(definition.openWorld === undefined ? {} : { openWorld: definition.openWorld }),
    ...(definition.destructive === undefined ? {} : { destructive: definition.destructive }),
    ...(definition.needs === undefined ? {} : { needs: definition.needs }),
    async run(all, client, ctx) {
      const { apply: token, wait, ...rest } = all as Record<string, unknown> & { apply?: string; wait?: string };
      const args = rest as z.infer<z.ZodObject<Input>>;
      const waitFor = wait === undefined ? 0 : parseDuration(wait, 'wait');
      const approval = port(ctx).approval(effect);
      if (approval === 'deny') throw new AppError('FORBIDDEN', `${name} is denied by policy.`, { details: { by: 'policy' } });
      if (token === undefined) {
        const plan = await definition.plan(args, client, ctx);
        if (approval !== 'elicit' || (plan.checks ?? []).some((check) => check.result === 'fail')) return issuePlan(plan, rest, ctx);
        await approveByQuestion(plan, ctx);
        return execute(plan, waitFor, client, ctx);
      }
      const opened = port(ctx).open(token, { tool: name, args: rest }, ctx);
      return port(ctx).once(opened.id, ctx, async () => {
        const plan = await definition.plan(args, client, ctx);
        if (toDigest(plan) !== opened.digest) {
          const fresh = issuePlan(plan, rest, ctx);
          throw new AppError('CONFLICT', 'The target changed since the plan was made. Look at the new diff and apply the new plan.', {
            details: { diff: plan.diff, plan: fresh.head?.['plan'], expiresAt: fresh.head?.['expiresAt'] },
          });
        }
        return execute(plan, waitFor, client, ctx);
      });
    },
  });
  // Object.assign keeps the lazy getters of `made`; a spread would evaluate its schemas at start.
  return Object.assign(made, {
    async planUndo(undo: unknown, client: Client, ctx: CallContext): Promise<Plan<State>> {
      if (definition.undo === undefined)
        throw new AppError('FAILED_PRECONDITION', `${name} cannot be undone.`, { details: { reason: 'NOT_UNDOABLE' } });
      return definition.undo(undo as Undo, client, ctx);
    },
  });
};
