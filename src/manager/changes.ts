// What the manager does for changes: plan tokens that count once, and records that can be undone. What replicas share lies in the store, sealed.

import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ChangePort, ChangeRecord, FieldChange } from '../kit/change.ts';
import type { CallContext, Effect } from '../kit/context.ts';
import { toTimestamp } from '../kit/duration.ts';
import { AppError, type ErrorCode } from '../kit/errors.ts';
import { onFirstUse } from '../kit/once.ts';
import type { Answer } from '../kit/result.ts';
import { type Sealer, toBinding } from '../kit/seal.ts';
import type { Store } from '../store/store.ts';
import { clean } from './steps/redact.ts';

const PLAN_LIFE_MS = 10 * 60_000;
/** As long as an answer of the person who was asked counts. */
const QUESTION_LIFE_MS = 5 * 60_000;
const MAX_PLANS = 10_000;
/** Changes whose facts are known without asking the store, for the audit record of the call that made them. */
const MAX_RECENT = 1000;

export interface ChangesOptions {
  readonly sealer: Sealer;
  readonly store: Store;
  readonly now: () => number;
  readonly keepMs: number;
  /** Hides what must not be shown, in the facts of records. */
  readonly mask: (text: string) => string;
  /** Called with every recorded change. */
  readonly onRecord?: (record: ChangeRecord) => void;
  readonly approval: Readonly<Record<Exclude<Effect, 'read'>, 'call' | 'elicit' | 'deny'>>;
  readonly inverse: ChangePort['inverse'];
}

export interface Changes extends ChangePort {
  /** A change that this process recorded lately. */
  recent(changeId: string): ChangeRecord | undefined;
}

/** Plan id, digest of the arguments, digest of the plan, what was pinned: short, for it is read and written by models. */
type PlanToken = readonly [id: string, args: string, digest: string, pin?: unknown];

/** 96 bits: enough for what is sealed anyway. */
const DIGEST_CHARS = 16;

const invalid = (): AppError =>
  new AppError('FAILED_PRECONDITION', 'This plan token is not valid for this caller and tool: plan again.', {
    details: { reason: 'PLAN_INVALID' },
  });

/** @param words what that means for the caller */
const absent =
  (words: string) =>
  (cause: unknown): never => {
    throw new AppError('SERVICE_UNAVAILABLE', `The store that holds plans and changes does not answer: ${words}.`, {
      details: { service: 'store', setting: 'store.url', retry_after: '5s' },
      cause,
    });
  };

const running = (): AppError =>
  new AppError('FAILED_PRECONDITION', 'This plan is being applied already: ask again with the same token for its result.', {
    details: { reason: 'PLAN_RUNNING', retry_after: '5s' },
  });

/** How a plan ended, good or bad. */
interface Recorded {
  readonly answer?: Answer;
  readonly failure?: { readonly code: ErrorCode; readonly message: string; readonly details: Readonly<Record<string, unknown>> };
}

const toAnswer = ({ answer, failure }: Recorded): Answer => {
  if (answer !== undefined) return answer;
  throw new AppError(failure?.code ?? 'INTERNAL', failure?.message ?? 'This plan failed.', { details: failure?.details ?? {} });
};

const toArgsDigest = (args: Readonly<Record<string, unknown>>): string =>
  toBinding(
    Object.entries(args)
      .filter(([, value]) => value !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  ).slice(0, DIGEST_CHARS);

const pick = (args: Readonly<Record<string, unknown>>, names: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(names.filter((name) => args[name] !== undefined).map((name) => [name, args[name]]));

export const createChanges = (options: ChangesOptions): Changes => {
  const { sealer, store, now, keepMs, approval, onRecord, inverse, mask } = options;
  const recent = onFirstUse(() => new LRUCache<string, ChangeRecord>({ max: MAX_RECENT }));
  /** Plans that were applied by this process, by caller and plan; kept as long as their token could be sent again. */
  const executed = onFirstUse(() => new LRUCache<string, Promise<Answer>>({ max: MAX_PLANS, ttl: PLAN_LIFE_MS, perf: { now } }));
  const keep = async (key: string, binding: string, value: unknown, lifeMs: number): Promise<void> =>
    store.set(`change:${key}`, sealer.seal('change', binding, value, now() + lifeMs), lifeMs);
  const take = async (key: string, binding: string): Promise<unknown> => {
    const sealed = await store.get(`change:${key}`).catch(absent('nothing was done'));
    const opened = sealed === undefined ? undefined : sealer.open('change', binding, sealed, now());
    return opened !== undefined && 'value' in opened ? opened.value : undefined;
  };
  const bindingOf = (tool: string, ctx: CallContext): string => toBinding(ctx.caller.id, tool);
  return {
    approval: (effect) => (effect === 'read' ? 'call' : approval[effect]),
    inverse,
    async issue({ tool, args, bulky = [], digest, pin }, ctx) {
      const expires = now() + PLAN_LIFE_MS;
      const id = randomBytes(9).toString('base64url');
      const large = pick(args, bulky);
      if (Object.keys(large).length > 0) await keep(`plan:${id}`, ctx.caller.id, large, PLAN_LIFE_MS).catch(absent('no plan was made'));
      const sealed: PlanToken = [id, toArgsDigest(args), digest.slice(0, DIGEST_CHARS)];
      const value = pin === undefined ? sealed : [...sealed, pin];
      return { token: `pl_${sealer.seal('plan', bindingOf(tool, ctx), value, expires)}`, expiresAt: toTimestamp(expires) };
    },
    async pinned({ tool, args }, ctx) {
      const key = `asked:${toBinding(ctx.caller.id, tool, toArgsDigest(args))}`;
      return {
        pin: (await take(key, ctx.caller.id)) ?? undefined,
        keep: (pin) => keep(key, ctx.caller.id, pin, pin === undefined ? 1 : QUESTION_LIFE_MS).catch(absent('nothing was done')),
      };
    },
    async open(token, { tool, args, bulky = [] }, ctx) {
      if (!token.startsWith('pl_')) throw invalid();
      const opened = sealer.open('plan', bindingOf(tool, ctx), token.slice(3), now());
      if ('refused' in opened) {
        if (opened.refused === 'invalid') throw invalid();
        throw new AppError('FAILED_PRECONDITION', 'This plan is too old: plan again.', { details: { reason: 'PLAN_EXPIRED' } });
      }
      const [id, wanted, digest, pin] = opened.value as PlanToken;
      const isLeftOut = bulky.length > 0 && bulky.every((name) => args[name] === undefined);
      const large = isLeftOut ? ((await take(`plan:${id}`, ctx.caller.id)) as Record<string, unknown> | undefined) : undefined;
      const all = { ...args, ...large };
      if (wanted === toArgsDigest(all)) return { id, isSame: (now) => now.slice(0, DIGEST_CHARS) === digest, pin, args: all };
      const words = isLeftOut
        ? `The server no longer holds ${bulky.join(', ')} of this plan: send the same again with apply.`
        : 'The arguments differ from those of the plan: plan again, or send the same.';
      throw new AppError('FAILED_PRECONDITION', words, { details: { reason: 'PLAN_MISMATCH' } });
    },
    once(id, ctx, execute) {
      const key = `${ctx.caller.id}\0${id}`;
      const known = executed().get(key);
      if (known !== undefined) return known;
      const run = async (): Promise<Answer> => {
        const recorded = (await take(`result:${id}`, ctx.caller.id)) as Recorded | undefined;
        if (recorded !== undefined) return toAnswer(recorded);
        let isClaimed = false;
        const claim = async (): Promise<void> => {
          if ((await store.increment(`change:claim:${id}`, PLAN_LIFE_MS).catch(absent('nothing was done'))).count > 1) throw running();
          isClaimed = true;
        };
        const result = await execute(claim).then(
          (answer): Recorded => ({ answer }),
          (thrown: unknown): Recorded => {
            // Nothing was done: the token may be sent again.
            if (!isClaimed) executed().delete(key);
            if (!isClaimed || !(thrown instanceof AppError)) throw thrown;
            return { failure: { code: thrown.code, message: thrown.message, details: thrown.details } };
          },
        );
        // It is done, whether other replicas come to know of it or not: the claim keeps them off.
        await keep(`result:${id}`, ctx.caller.id, result, PLAN_LIFE_MS).catch(() => {});
        return toAnswer(result);
      };
      const answer = run();
      executed().set(key, answer);
      // Who sent the token hears of it; nobody else waits.
      answer.catch(() => {});
      return answer;
    },
    async record(change, ctx) {
      const wanted: ChangeRecord = {
        ...change,
        changeId: `ch_${randomBytes(12).toString('hex')}`,
        caller: ctx.caller.id,
        at: toTimestamp(now()),
        ...(change.undo === undefined ? {} : { undoUntil: toTimestamp(now() + keepMs) }),
      };
      const isKept = await keep(`record:${wanted.changeId}`, ctx.caller.id, wanted, keepMs).then(
        () => true,
        () => false,
      );
      // Done is done: without a store it only cannot be taken back by its id.
      const { undoUntil, undo: _, ...told } = wanted;
      const facts = {
        ...told,
        summary: mask(told.summary),
        ...(told.diff === undefined ? {} : { diff: clean(told.diff, mask) as FieldChange[] }),
      };
      const record = isKept && undoUntil !== undefined ? { ...facts, undoUntil } : facts;
      recent().set(record.changeId, record);
      onRecord?.(record);
      return record;
    },
    find: async (changeId, ctx) => (await take(`record:${changeId}`, ctx.caller.id)) as ChangeRecord | undefined,
    recent: (changeId) => recent().get(changeId),
  };
};
