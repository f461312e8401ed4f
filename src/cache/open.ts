// The cache that the configuration asks for.

import type { Cache } from './cache.ts';
import type { CacheConfig } from './config.ts';
import { createLruCache } from './lru.ts';
import { createSegmentedCache } from './segmented.ts';

/** @param now a clock of its own for tests; absent = one that only rises */
export const openCache = <Value extends object>(
  { type, max_size, segments, default_ttl, max_bytes }: CacheConfig,
  now: () => number = () => performance.now(),
): Cache<Value> =>
  type === 'lru'
    ? createLruCache(max_size, default_ttl, { maxBytes: max_bytes, now })
    : createSegmentedCache(max_size, segments, default_ttl, { maxBytes: max_bytes, now });
