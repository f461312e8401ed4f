// The store of one process. Bounded: what was used least goes first, so that a flood of forged keys does not grow it.

import { LRUCache } from 'lru-cache';
import { onFirstUse } from '../kit/once.ts';
import { type Store, takeFrom } from './store.ts';

const MAX_KEYS = 100_000;
const MAX_BYTES = 64 * 1024 * 1024;

interface Counter {
  count: number;
  readonly endsAt: number;
}

/** @param now milliseconds */
export const createMemoryStore = (now: () => number = Date.now): Store => {
  // Their tables are large: a start that needs none makes none.
  const buckets = onFirstUse(() => new LRUCache<string, { fullAt: number }>({ max: MAX_KEYS }));
  const counters = onFirstUse(() => new LRUCache<string, Counter>({ max: MAX_KEYS }));
  const values = onFirstUse(
    () =>
      new LRUCache<string, { readonly value: string; readonly endsAt: number }>({
        maxSize: MAX_BYTES,
        sizeCalculation: ({ value }, key) => value.length + key.length + 1,
      }),
  );
  const listeners = new Map<string, Set<(message: string) => void>>();
  return {
    async take(key, bucket) {
      const state = buckets().get(key) ?? { fullAt: 0 };
      const taken = takeFrom(state.fullAt, now(), bucket);
      state.fullAt = taken.fullAt;
      buckets().set(key, state);
      return taken;
    },
    async increment(key, ttlMs) {
      const known = counters().get(key);
      const counter = known === undefined || known.endsAt <= now() ? { count: 0, endsAt: now() + ttlMs } : known;
      counter.count += 1;
      counters().set(key, counter);
      return { count: counter.count, leftMs: counter.endsAt - now() };
    },
    async get(key) {
      const found = values().get(key);
      return found === undefined || found.endsAt <= now() ? undefined : found.value;
    },
    async set(key, value, ttlMs) {
      values().set(key, { value, endsAt: now() + ttlMs });
    },
    async publish(channel, message) {
      for (const listener of listeners.get(channel) ?? []) listener(message);
    },
    async subscribe(channel, listener) {
      const own = listeners.get(channel) ?? new Set();
      listeners.set(channel, own.add(listener));
      return () => void own.delete(listener);
    },
    async close() {
      listeners.clear();
    },
  };
};
