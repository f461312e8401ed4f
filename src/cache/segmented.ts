// The segmented cache: a shelf per kind of data, so that a flood of one kind does not push out what others need.

import { type Cache, type CacheStats, createShelf, type ShelfOptions } from './cache.ts';

const MAX_BYTES = 67_108_864;
/** Kinds remembered by their own shelf; later ones go by their name. */
const MAX_KINDS = 10_000;

const toHash = (text: string): number => {
  let hash = 0;
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) >>> 0;
  return hash;
};

const sum = (stats: readonly CacheStats[]): CacheStats => {
  const add = (key: Exclude<keyof CacheStats, 'hitRate'>): number => stats.reduce((total, one) => total + one[key], 0);
  const [hits, misses] = [add('hits'), add('misses')];
  const hitRate = hits + misses === 0 ? 0 : hits / (hits + misses);
  return { hits, misses, evictions: add('evictions'), entries: add('entries'), bytes: add('bytes'), hitRate };
};

/**
 * The first kinds get a shelf each, in turn; when there are more kinds than segments, they share. Entries and bytes are divided evenly, so that
 * the bounds hold in total.
 * @param maxEntries 1000 in the guide @param segments 10 in the guide @param ttlSec longest life of an entry, seconds; 300 in the guide
 */
export const createSegmentedCache = <Value extends object>(
  maxEntries = 1000,
  segments = 10,
  ttlSec = 300,
  { maxBytes = MAX_BYTES, now = () => performance.now() }: Partial<Pick<ShelfOptions, 'maxBytes' | 'now'>> = {},
): Cache<Value> => {
  const count = Math.min(segments, maxEntries);
  const shelves = Array.from({ length: count }, (_, index) =>
    createShelf<Value>({
      // The first shelves take what division leaves over.
      maxEntries: Math.floor(maxEntries / count) + (index < maxEntries % count ? 1 : 0),
      maxBytes: Math.max(1, Math.floor(maxBytes / count)),
      ttlMs: ttlSec * 1000,
      now,
    }),
  );
  const byKind = new Map<string, number>();
  const shelfOf = (kind: string): Cache<Value> => {
    const known = byKind.get(kind) ?? (byKind.size < MAX_KINDS ? byKind.size : toHash(kind)) % count;
    if (byKind.size < MAX_KINDS) byKind.set(kind, known);
    return shelves[known] as Cache<Value>;
  };
  return {
    get: (key, kind = key) => shelfOf(kind).get(key),
    set: (key, value, options, kind = key) => shelfOf(kind).set(key, value, options),
    clear: () => {
      for (const shelf of shelves) shelf.clear();
    },
    stats: () => sum(shelves.map((shelf) => shelf.stats())),
  };
};
