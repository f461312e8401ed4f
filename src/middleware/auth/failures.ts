// Counts wrong credentials per address before they are checked, so that guessing ends in 429 for the guesser alone.

import { LRUCache } from 'lru-cache';
import { AppError } from '../../kit/errors.ts';
import { toNetwork } from '../../kit/network.ts';

const WINDOW_MS = 60_000;
const MAX_ADDRESSES = 20_000;
/** Checks of one address that wait for others of it. */
const MAX_WAITING = 100;

interface Entry {
  failures: number;
  /** Checks that have begun: each may turn out a failure. */
  pending: number;
  resetAt: number;
  waiting: (() => void)[];
}

export interface Failures {
  /** Throws RATE_LIMITED while the address has used up its failures. */
  check(address: string): void;
  count(address: string): void;
  /** Addresses that are remembered; bounded. */
  readonly size: number;
  /** Runs a slow check. As many at once as failures are left; further ones wait, so that a burst learns no more than a queue would. */
  guard<Result>(address: string, isFailure: (result: Result) => boolean, work: () => Promise<Result>): Promise<Result>;
}

const toLimited = (ms: number): AppError =>
  new AppError('RATE_LIMITED', 'Too many wrong credentials from this address: wait, then try with a right one.', {
    details: { by: 'auth.failuresPerMinute', retry_after: `${Math.max(1, Math.ceil(ms / 1000))}s` },
  });

/** @param limit per minute; 0 = none */
export const createFailures = (limit: number, now: () => number): Failures => {
  const entries = new LRUCache<string, Entry>({ max: MAX_ADDRESSES });
  const find = (address: string): Entry | undefined => {
    const entry = entries.get(toNetwork(address));
    if (entry !== undefined && entry.resetAt <= now()) {
      entry.failures = 0;
      entry.resetAt = now() + WINDOW_MS;
    }
    return entry;
  };
  const make = (address: string): Entry => {
    const entry = find(address) ?? { failures: 0, pending: 0, resetAt: now() + WINDOW_MS, waiting: [] };
    entries.set(toNetwork(address), entry);
    return entry;
  };
  const check = (address: string): void => {
    const entry = limit === 0 ? undefined : find(address);
    if (entry !== undefined && entry.failures >= limit) throw toLimited(entry.resetAt - now());
  };
  return {
    check,
    get size() {
      return entries.size;
    },
    count(address) {
      if (limit > 0) make(address).failures += 1;
    },
    async guard(address, isFailure, work) {
      if (limit === 0) return work();
      const entry = make(address);
      while (entry.failures + entry.pending >= limit) {
        if (entry.pending === 0) throw toLimited(entry.resetAt - now());
        if (entry.waiting.length >= MAX_WAITING) throw toLimited(1000);
        await new Promise<void>((resolve) => entry.waiting.push(resolve));
        check(address);
      }
      entry.pending += 1;
      try {
        const result = await work();
        if (isFailure(result)) entry.failures += 1;
        return result;
      } finally {
        entry.pending -= 1;
        for (const wake of entry.waiting.splice(0)) wake();
      }
    },
  };
};
