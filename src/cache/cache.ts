// What both caches promise, and the shelf that both are made of: least recently used goes first, entries expire, bytes are bounded.

import { LRUCache } from 'lru-cache';

export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  /** Entries pushed out by others, before their time. */
  readonly evictions: number;
  readonly entries: number;
  readonly bytes: number;
  /** Hits of all look-ups, 0 to 1; 0 before the first. */
  readonly hitRate: number;
}

export interface SetOptions {
  /** Absent = the cache's own; never longer than that. */
  readonly ttlMs?: number;
  /** Size that counts against the bound of bytes; absent = 1. */
  readonly bytes?: number;
}

/** Never gives what has expired. `kind` chooses the shelf of a segmented cache and means nothing to the other. */
export interface Cache<Value extends object> {
  get(key: string, kind?: string): Value | undefined;
  /** What is larger than a shelf is not kept. */
  set(key: string, value: Value, options?: SetOptions, kind?: string): void;
  clear(): void;
  stats(): CacheStats;
}

export interface ShelfOptions {
  readonly maxEntries: number;
  readonly maxBytes: number;
  readonly ttlMs: number;
  /** Milliseconds, rising. */
  readonly now: () => number;
}

/** One shelf. A `ttlMs` of 0 keeps nothing. */
export const createShelf = <Value extends object>({ maxEntries, maxBytes, ttlMs, now }: ShelfOptions): Cache<Value> => {
  let [hits, misses, evictions] = [0, 0, 0];
  const items = new LRUCache<string, Value>({
    max: maxEntries,
    maxSize: maxBytes,
    ttl: ttlMs,
    // Looked at with every call, so that nothing is given a moment too late.
    ttlResolution: 0,
    perf: { now },
    dispose: (_value, _key, reason) => {
      if (reason === 'evict') evictions += 1;
    },
  });
  return {
    get(key) {
      const found = items.get(key);
      if (found === undefined) misses += 1;
      else hits += 1;
      return found;
    },
    set(key, value, options = {}) {
      const ttl = Math.min(options.ttlMs ?? ttlMs, ttlMs);
      if (ttl > 0) items.set(key, value, { ttl, size: Math.max(1, options.bytes ?? 1) });
    },
    clear: () => items.clear(),
    stats: () => ({
      hits,
      misses,
      evictions,
      entries: items.size,
      bytes: items.calculatedSize,
      hitRate: hits + misses === 0 ? 0 : hits / (hits + misses),
    }),
  };
};
