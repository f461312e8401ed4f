// Remembers verified credentials for a moment, by keyed digest, so that the work is done once; equal questions in flight are one.

import { LRUCache } from 'lru-cache';
import type { Verified } from './authenticator.ts';

export interface Remembered {
  readonly verified: Verified;
  /** Milliseconds since the epoch; in the past = not remembered. */
  readonly until: number;
}

export interface Memory {
  recall(digest: Buffer): Verified | undefined;
  verify(digest: Buffer, work: () => Promise<Remembered>): Promise<Verified>;
  clear(): void;
}

const MAX_ENTRIES = 2000;

export const createMemory = (now: () => number): Memory => {
  const known = new LRUCache<string, Remembered>({ max: MAX_ENTRIES });
  const inFlight = new Map<string, Promise<Verified>>();
  const start = async (key: string, work: () => Promise<Remembered>): Promise<Verified> => {
    try {
      const made = await work();
      if (made.until > now()) known.set(key, made);
      return made.verified;
    } finally {
      inFlight.delete(key);
    }
  };
  return {
    recall(digest) {
      const key = digest.toString('base64');
      const found = known.get(key);
      if (found === undefined) return undefined;
      if (found.until > now()) return found.verified;
      known.delete(key);
      return undefined;
    },
    verify(digest, work) {
      const key = digest.toString('base64');
      const running = inFlight.get(key) ?? start(key, work);
      inFlight.set(key, running);
      return running;
    },
    clear: () => known.clear(),
  };
};
