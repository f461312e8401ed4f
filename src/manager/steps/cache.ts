// Answers of reads, kept for a short time under the caller's rights. Equal reads in flight are one; a change forgets everything.

import { createHash } from 'node:crypto';
import type { Cache } from '../../cache/cache.ts';
import { createFlights } from '../../cache/flights.ts';
import type { SharedCache } from '../../cache/shared.ts';
import type { Step } from '../../kit/compose.ts';
import type { Caller } from '../../kit/context.ts';
import type { Answer } from '../../kit/result.ts';
import type { Call } from '../call.ts';
import { cleanAnswer } from './redact.ts';

/** An answer as it was stored: redacted, not yet cut to a budget. */
export interface Kept {
  readonly answer: Answer;
  /** Milliseconds since the epoch. */
  readonly storedAt: number;
  /** How many secret values were known then. */
  readonly learned: number;
}

export interface CacheDeps {
  readonly cache: () => Cache<Kept>;
  /** What other replicas have read; absent = this process alone. */
  readonly shared?: SharedCache | undefined;
  readonly now: () => number;
  /** The part of a caller's identity that decides what it may see. */
  readonly rightsOf: (caller: Caller) => string;
  /** Longest life of a service's answers, ms; absent = the tool's own. */
  readonly ttlOf: (service: string) => number | undefined;
  readonly mask: (text: string) => string;
  /** How many secret values the redactor knows. */
  readonly learned: () => number;
  readonly observe?: ((service: string, result: 'hit' | 'miss') => void) | undefined;
}

const MAX_KEY = 400;
/** No count of learned secrets: masked again, whatever is known. */
const NEVER = -1;

/** Tool, arguments in a fixed order without those that only shape the answer's size, and the caller's rights. */
const toKey = ({ tool, args }: Call, rights: string): string => {
  const { maxTokens: _, ...rest } = args;
  const sorted = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  const key = JSON.stringify([tool.name, sorted, rights]);
  return key.length <= MAX_KEY ? key : createHash('sha256').update(key).digest('base64url');
};

export const cache = (deps: CacheDeps): Step<Call, Answer> => {
  const { now } = deps;
  const flights = createFlights<Answer>();
  // What was read before a change must neither be stored nor joined after it.
  let era = 0;
  const forgetHere = (): void => {
    era += 1;
    deps.cache().clear();
  };
  const forget = (): void => {
    forgetHere();
    deps.shared?.forget();
  };
  deps.shared?.onForget(forgetHere);
  const give = ({ answer, storedAt, learned }: Kept): Answer => ({
    ...(learned === deps.learned() ? answer : cleanAnswer(answer, deps.mask)),
    cachedMs: Math.max(0, now() - storedAt),
  });
  /** Another replica may know fewer secrets than this one: its answers are masked again. */
  const findShared = async (key: string): Promise<Kept | undefined> => {
    const text = await deps.shared?.get(key);
    return text === undefined ? undefined : { ...(JSON.parse(text) as Kept), learned: NEVER };
  };
  const find = (call: Call, key: string): Kept | undefined | Promise<Kept | undefined> =>
    deps.cache().get(key, call.tool.name) ?? (deps.shared === undefined ? undefined : findShared(key));
  const read = async (call: Call, key: string, ttlMs: number, next: (call: Call) => Promise<Answer>): Promise<Answer> => {
    const kept = await find(call, key);
    deps.observe?.(call.service, kept === undefined ? 'miss' : 'hit');
    if (kept !== undefined) return give(kept);
    const begun = era;
    return flights.join(`${begun} ${key}`, call.ctx.signal, async (signal) => {
      const answer = await next({ ...call, ctx: { ...call.ctx, signal, progress: () => {} } });
      const fresh: Kept = { answer, storedAt: now(), learned: deps.learned() };
      const text = JSON.stringify(fresh);
      if (begun !== era) return answer;
      deps.cache().set(key, fresh, { ttlMs, bytes: text.length }, call.tool.name);
      deps.shared?.set(key, text, ttlMs);
      return answer;
    });
  };
  return async (call, next) => {
    const { effect, cacheForMs } = call.tool;
    if (effect !== 'read') return next(call).finally(forget);
    const ttlMs = Math.min(cacheForMs, deps.ttlOf(call.service) ?? cacheForMs);
    if (ttlMs <= 0 || call.args['cursor'] !== undefined) return next(call);
    return read(call, toKey(call, deps.rightsOf(call.request.caller)), ttlMs, next);
  };
};
