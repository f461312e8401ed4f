// change(): the only way to write a tool that alters anything. Plan, apply, verify, undo (tools.md section 4).

import { z } from 'zod';
import type { CallContext, Effect } from './context.ts';
import { parseDuration } from './duration.ts';
import { AppError, toAppError } from './errors.ts';
import {
  type Applied,
  CHANGE_OUTPUT,
  type ChangeTarget,
  type FieldChange,
  hasFailed,
  type Inverse,
  type Plan,
  toBriefDiff,
  toDigest,
  toPlanAnswer,
  toShown,
  type Verification,
} from './plan.ts';
import type { Answer } from './result.ts';
import { type Tool, tool } from './tool.ts';

export type { Applied, ChangeTarget, Check, FieldChange, Inverse, Operation, Plan, Verification } from './plan.ts';

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
  /** What was changed, as the plan showed it. */
  readonly diff?: readonly FieldChange[];
  /** What the inverse needs; kept by the server, never shown. */
  readonly undo?: unknown;
  readonly undoUntil?: string;
}

/** What a plan token stands for. */
export interface PlanFacts {
  readonly tool: string;
  /** Without `apply`, `wait` and paging. */
  readonly args: Readonly<Record<string, unknown>>;
  /** Names of arguments that may be left out with `apply`. */
  readonly bulky?: readonly string[] | undefined;
}

/** A token that was opened: what the plan was, and its arguments in full. */
export interface OpenedPlan {
  readonly id: string;
  /** Whether a plan made now, by its digest, is the one that was approved. */
  readonly isSame: (digest: string) => boolean;
  readonly args: Readonly<Record<string, unknown>>;
  readonly pin?: unknown;
}

/** What the manager does for changes: tokens, single execution, records. Reached through `ctx.changes`. */
export interface ChangePort {
  readonly approval: (effect: Effect) => 'call' | 'elicit' | 'deny';
  /** Makes a plan token for this caller, tool, arguments and plan digest. */
  issue(plan: PlanFacts & { digest: string; pin?: unknown }, ctx: CallContext): Promise<{ token: string; expiresAt: string }>;
  /**
   * What a plan decided once while a person is asked about it: the call runs anew with the answer. `keep` undefined = forget it.
   */
  pinned(plan: PlanFacts, ctx: CallContext): Promise<{ readonly pin: unknown; keep(pin: unknown): Promise<void> }>;
  /** Opens a token; throws FAILED_PRECONDITION with PLAN_INVALID, PLAN_EXPIRED or PLAN_MISMATCH. */
  open(token: string, plan: PlanFacts, ctx: CallContext): Promise<OpenedPlan>;
  /**
   * Runs `execute` once per plan; the same caller sending it again gets the recorded answer. `execute` calls `claim` before it changes anything:
   * it throws when another replica was first.
   */
  once(id: string, ctx: CallContext, execute: (claim: () => Promise<void>) => Promise<Answer>): Promise<Answer>;
  record(change: Omit<ChangeRecord, 'changeId' | 'at' | 'undoUntil' | 'caller'>, ctx: CallContext): Promise<ChangeRecord>;
  /** A recorded change of this caller, with what its inverse needs; undefined when there is none, or no longer. */
  find(changeId: string, ctx: CallContext): Promise<ChangeRecord | undefined>;
  /** Plans a recorded change backwards, with the rights that its own tool needs. */
  inverse(record: ChangeRecord, ctx: CallContext): Promise<Inverse>;
}

type Shape = z.core.$ZodLooseShape;

/** Arguments as a plan gets them: those of the tool, and the cluster. */
export type ChangeArguments<Input extends Shape> = z.infer<z.ZodObject<Input>> & { cluster?: string | undefined };

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
  readonly task?: boolean;
  /** Large arguments that may be left out with `apply` while the server still holds the plan. */
  readonly bulky?: readonly (keyof Input & string)[];
  /**
   * Changes nothing: reads, asks the backend for a dry run, computes the diff. Also runs right before `apply`, then with what the first plan pinned.
   */
  plan(args: ChangeArguments<Input>, client: Client, ctx: CallContext, pin?: unknown): Promise<Plan<State>>;
  /** Does exactly what the plan says; the backend's own preconditions guard against a change in between. `waitMs`: for what takes time itself. */
  apply(plan: Plan<State>, client: Client, ctx: CallContext, waitMs: number): Promise<Applied<Undo>>;
  /** Looks, and waits while `wait` allows, until the world agrees. */
  verify(plan: Plan<State>, applied: Applied<Undo>, wait: number, client: Client, ctx: CallContext): Promise<Verification>;
  /** Plans the inverse; `platform_undo_change` applies it like any other plan. */
  undo?(undo: Undo, client: Client, ctx: CallContext): Promise<Plan<State>>;
}

const WAIT = z.string().max(32).optional().meta({ description: 'Verify for at most this long; absent = one check at once.' });

interface Call<Client> {
  readonly args: Readonly<Record<string, unknown>>;
  readonly waitMs: number;
  readonly client: Client;
  readonly ctx: CallContext;
}

/** Another change came between the last look and the write: it is looked at again, and goes on where the plan still holds. */
const MAX_RACES = 3;

const isRaced = (thrown: unknown): boolean =>
  thrown instanceof AppError && thrown.code === 'CONFLICT' && thrown.details['reason'] === 'CONFLICT';

const LINES_IN_QUESTION = 20;
const LINES_IN_ERROR = 20;
const LINES_IN_RECORD = 200;

const toQuestionLine = ({ path, before, after }: FieldChange): string => {
  const name = path === '' ? 'the whole object' : path;
  if (after === undefined) return `- ${name}${path === '' ? '' : `: ${JSON.stringify(before)}`}`;
  return before === undefined ? `+ ${name}: ${JSON.stringify(after)}` : `${name}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`;
};

/** Asks the person behind the client; returns when they agree. */
const approveByQuestion = async (plan: Plan<unknown>, ctx: CallContext): Promise<void> => {
  const lines = toBriefDiff(plan.diff, LINES_IN_QUESTION).map(toQuestionLine);
  const more = plan.diff.length > lines.length ? [`… and ${plan.diff.length - lines.length} more fields`] : [];
  const warnings = (plan.warnings ?? []).slice(0, LINES_IN_QUESTION).map((words) => `Warning: ${words}`);
  const answer = await ctx.ask({ key: toDigest(plan), message: [plan.summary, ...lines, ...more, ...warnings].join('\n') });
  if (answer === 'accepted') return;
  if (answer === 'declined') throw new AppError('FORBIDDEN', 'The user declined this change.', { details: { by: 'user' } });
  throw new AppError('APPROVAL_REQUIRED', 'A person must approve this change, and this client cannot ask its user.', {
    details: { rule: 'security.approval', needs: 'a client with elicitation' },
  });
};

const toUndo = ({ plan, applied, record }: { plan: Plan<unknown>; applied: Applied<unknown>; record: ChangeRecord }): object => {
  if (record.undoUntil !== undefined)
    return { tool: 'platform_undo_change', arguments: { changeId: record.changeId }, until: record.undoUntil };
  if (applied.inverse !== undefined) return applied.inverse;
  const isLost = applied.undo !== undefined;
  return { possible: false, how: isLost ? `the record could not be kept; by hand: ${plan.undo.how}` : plan.undo.how };
};

/** Paging and size of an answer are no part of what is planned. */
const withoutControls = (all: Readonly<Record<string, unknown>>) => {
  const { apply, wait, cursor: _, maxTokens: __, ...args } = all as { apply?: string; wait?: string; [name: string]: unknown };
  return { apply, waitMs: wait === undefined ? 0 : parseDuration(wait, 'wait'), args };
};

const tokenInsteadOfPerson = (): AppError =>
  new AppError('APPROVAL_REQUIRED', 'A person must approve this change: call again without apply.', {
    details: { rule: 'security.approval', needs: 'a client with elicitation' },
  });

const toPort = ({ changes }: CallContext): ChangePort => {
  if (changes !== undefined) return changes;
  throw new AppError('UNSUPPORTED', 'Changes are not offered here.', { details: { needs: 'security.allowWrites' } });
};

/** Makes a write or delete tool from its four parts. */
export const change = <Client, Input extends Shape, State, Undo>(
  definition: ChangeDefinition<Client, Input, State, Undo>,
): Tool<Client> & { readonly answer: z.ZodObject } => {
  const { name, effect } = definition;
  const issuePlan = async (plan: Plan<State>, args: Readonly<Record<string, unknown>>, ctx: CallContext): Promise<Answer> => {
    const port = toPort(ctx);
    const facts = { tool: name, args, bulky: definition.bulky, digest: toDigest(plan), pin: plan.pin };
    const issued = hasFailed(plan) ? undefined : await port.issue(facts, ctx);
    const { skip } = (ctx.cursor ?? {}) as { skip?: number };
    const token = issued === undefined ? {} : { plan: issued.token, expiresAt: issued.expiresAt };
    return toPlanAnswer(plan, { ...token, effect, approval: port.approval(effect) }, skip);
  };
  const execute = async (plan: Plan<State>, waitMs: number, client: Client, ctx: CallContext): Promise<Answer> => {
    const applied = await definition.apply(plan, client, ctx, waitMs);
    const { summary, targets, undo: inverse } = applied;
    const record = await toPort(ctx).record(
      {
        tool: name,
        summary,
        targets: toShown(targets),
        before: toShown(plan.targets),
        diff: toBriefDiff(plan.diff, LINES_IN_RECORD),
        ...(inverse === undefined ? {} : { undo: inverse }),
      },
      ctx,
    );
    if (applied.notDone !== undefined && applied.notDone.length > 0) {
      const { reason = 'PARTIAL', message = 'Only a part was done.' } = applied.failure ?? {};
      throw new AppError('FAILED_PRECONDITION', `${message} ${summary}`, {
        details: {
          reason,
          done: applied.done ?? [],
          notDone: applied.notDone,
          changeId: record.changeId,
          undo: toUndo({ plan, applied, record }),
        },
      });
    }
    // What was done is done: that it cannot be looked at, or that the time is over, must not hide it.
    const verification = await definition
      .verify(plan, applied, waitMs, client, ctx)
      .catch((thrown: unknown): Verification => ({ result: 'pending', detail: `not verified: ${toAppError(thrown).message}` }));
    return {
      summary: `APPLIED: ${summary}`,
      head: {
        ...plan.scope,
        phase: 'applied',
        changeId: record.changeId,
        effect,
        summary,
        targets: toShown(targets),
        verification,
        undo: toUndo({ plan, applied, record }),
      },
      ...(applied.result === undefined ? {} : { sections: [{ key: 'result', value: applied.result }] }),
      ...(applied.warnings === undefined || applied.warnings.length === 0 ? {} : { warnings: applied.warnings }),
      ...(applied.untrusted === true ? { untrusted: true } : {}),
    };
  };
  const applyToken = async (token: string, call: Call<Client>): Promise<Answer> => {
    const { args: given, waitMs, client, ctx } = call;
    const { id, isSame, args, pin } = await toPort(ctx).open(token, { tool: name, args: given, bulky: definition.bulky }, ctx);
    return toPort(ctx).once(id, ctx, async (claim) => {
      let isClaimed = false;
      for (let race = 0; ; race += 1) {
        const plan = await definition.plan(args as ChangeArguments<Input>, client, ctx, pin);
        if (!isSame(toDigest(plan)) || hasFailed(plan)) {
          const fresh = await issuePlan(plan, args, ctx);
          throw new AppError('CONFLICT', 'The target changed since the plan was made. Look at the new diff and apply the new plan.', {
            details: {
              diff: toBriefDiff(plan.diff, LINES_IN_ERROR),
              changes: plan.diff.length,
              checks: plan.checks,
              plan: fresh.head?.['plan'],
              expiresAt: fresh.head?.['expiresAt'],
            },
          });
        }
        if (!isClaimed) await claim();
        isClaimed = true;
        try {
          return await execute(plan, waitMs, client, ctx);
        } catch (thrown) {
          if (race >= MAX_RACES || !isRaced(thrown)) throw thrown;
        }
      }
    });
  };
  /** The call comes twice: with the question, and with its answer. Both times the plan is the same, or the question is asked anew. */
  const askAndApply = async ({ args, waitMs, client, ctx }: Call<Client>): Promise<Answer> => {
    const kept = await toPort(ctx).pinned({ tool: name, args }, ctx);
    const plan = await definition.plan(args as ChangeArguments<Input>, client, ctx, kept.pin);
    if (hasFailed(plan)) return issuePlan(plan, args, ctx);
    if (plan.pin !== undefined && kept.pin === undefined) await kept.keep(plan.pin);
    await approveByQuestion(plan, ctx);
    if (plan.pin !== undefined) await kept.keep(undefined);
    return execute(plan, waitMs, client, ctx);
  };
  const made = tool<Client, Shape>({
    name,
    title: definition.title,
    description: definition.description,
    effect,
    input: 'wait' in definition.input.shape ? definition.input : definition.input.extend({ wait: WAIT }),
    output: CHANGE_OUTPUT,
    ...(definition.idempotent === undefined ? {} : { idempotent: definition.idempotent }),
    ...(definition.openWorld === undefined ? {} : { openWorld: definition.openWorld }),
    ...(definition.destructive === undefined ? {} : { destructive: definition.destructive }),
    ...(definition.needs === undefined ? {} : { needs: definition.needs }),
    ...(definition.task === undefined ? {} : { task: definition.task }),
    async run(all, client, ctx) {
      const { apply: token, waitMs, args } = withoutControls(all);
      const approval = toPort(ctx).approval(effect);
      if (approval === 'deny') throw new AppError('FORBIDDEN', `${name} is denied by policy.`, { details: { by: 'policy' } });
      // A token from before the approval was set stands for no person's word.
      if (token !== undefined && approval === 'elicit') throw tokenInsteadOfPerson();
      if (token !== undefined) return applyToken(token, { args, waitMs, client, ctx });
      if (approval === 'elicit') return askAndApply({ args, waitMs, client, ctx });
      return issuePlan(await definition.plan(args as ChangeArguments<Input>, client, ctx), args, ctx);
    },
  });
  // Object.assign keeps the lazy getters of `made`; a spread would evaluate its schemas at start.
  return Object.assign(made, {
    async inverse(undo: unknown, client: Client, ctx: CallContext): Promise<Inverse> {
      if (definition.undo === undefined)
        throw new AppError('FAILED_PRECONDITION', `${name} cannot be undone.`, { details: { reason: 'NOT_UNDOABLE' } });
      const plan = await definition.undo(undo as Undo, client, ctx);
      return {
        plan,
        apply: (waitMs) => definition.apply(plan, client, ctx, waitMs),
        verify: (applied, waitMs) => definition.verify(plan, applied as Applied<Undo>, waitMs, client, ctx),
      };
    },
  });
};
