// What the manager does for changes: plan tokens that count once, and records that can be undone.

import { randomBytes } from 'node:crypto';
import type { ChangePort, ChangeRecord } from '../kit/change.ts';
import type { CallContext, Effect } from '../kit/context.ts';
import { toTimestamp } from '../kit/duration.ts';
import { AppError } from '../kit/errors.ts';
import type { Answer } from '../kit/result.ts';
import { type Sealer, toBinding } from '../kit/seal.ts';

const PLAN_LIFE_MS = 10 * 60_000;
const MAX_RECORDS = 10_000;

export interface ChangesOptions {
  readonly sealer: Sealer;
  readonly now: () => number;
  readonly keepMs: number;
  /** Called with every recorded change. */
  readonly onRecord?: (record: ChangeRecord) => void;
  readonly approval: Readonly<Record<Exclude<Effect, 'read'>, 'call' | 'elicit' | 'deny'>>;
}

export interface Changes extends ChangePort {
  /** A recorded change of this caller. */
  find(changeId: string): ChangeRecord | undefined;
}

interface PlanToken {
  readonly id: string;
  readonly args: string;
  readonly digest: string;
}

const invalid = (): AppError =>
  new AppError('FAILED_PRECONDITION', 'This plan token is not valid for this caller and tool: plan again.', {
    details: { reason: 'PLAN_INVALID' },
  });

const toArgsDigest = (args: Readonly<Record<string, unknown>>): string =>
  toBinding(Object.entries(args).sort(([a], [b]) => (a < b ? -1 : 1)));

export const createChanges = ({ sealer, now, keepMs, approval, onRecord }: ChangesOptions): Changes => {
  const records = new Map<string, ChangeRecord>();
  /** Results of executed plans by caller and plan id; kept as long as their token could be sent again. */
  const executed = new Map<string, { readonly expires: number; readonly answer: Promise<Answer> }>();
  const dropOld = <Value>(map: Map<string, Value>, isOld: (value: Value) => boolean): void => {
    for (const [key, value] of map) {
      if (!isOld(value) && map.size < MAX_RECORDS) break;
      map.delete(key);
    }
  };
  const bindingOf = (tool: string, ctx: CallContext): string => toBinding(ctx.caller.id, tool);
  return {
    approval: (effect) => (effect === 'read' ? 'call' : approval[effect]),
    issue({ tool, args, digest }, ctx) {
      const expires = now() + PLAN_LIFE_MS;
      const value: PlanToken = { id: randomBytes(12).toString('hex'), args: toArgsDigest(args), digest };
      return { token: `pl_${sealer.seal('plan', bindingOf(tool, ctx), value, expires)}`, expiresAt: toTimestamp(expires) };
    },
    open(token, { tool, args }, ctx) {
      if (!token.startsWith('pl_')) throw invalid();
      const opened = sealer.open('plan', bindingOf(tool, ctx), token.slice(3), now());
      if ('refused' in opened) {
        if (opened.refused === 'invalid') throw invalid();
        throw new AppError('FAILED_PRECONDITION', 'This plan is too old: plan again.', { details: { reason: 'PLAN_EXPIRED' } });
      }
      const plan = opened.value as PlanToken;
      if (plan.args === toArgsDigest(args)) return { digest: plan.digest, id: plan.id };
      throw new AppError('FAILED_PRECONDITION', 'The arguments differ from those of the plan: plan again, or send the same.', {
        details: { reason: 'PLAN_MISMATCH' },
      });
    },
    once(id, ctx, execute) {
      dropOld(executed, ({ expires }) => expires < now());
      const key = `${ctx.caller.id}\0${id}`;
      const known = executed.get(key);
      if (known !== undefined) return known.answer;
      const answer = execute();
      executed.set(key, { expires: now() + PLAN_LIFE_MS, answer });
      // A conflict executed nothing: the token may be tried again, and will conflict again.
      answer.catch((thrown: unknown) => {
        if (thrown instanceof AppError && thrown.code === 'CONFLICT') executed.delete(key);
      });
      return answer;
    },
    record(change, ctx) {
      dropOld(records, ({ at }) => Date.parse(at) + keepMs < now());
      const record: ChangeRecord = {
        ...change,
        changeId: `ch_${randomBytes(12).toString('hex')}`,
        caller: ctx.caller.id,
        at: toTimestamp(now()),
        ...(change.undo === undefined ? {} : { undoUntil: toTimestamp(now() + keepMs) }),
      };
      records.set(record.changeId, record);
      onRecord?.(record);
      return record;
    },
    find: (changeId) => records.get(changeId),
  };
};
