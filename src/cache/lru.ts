// The plain cache: one shelf for everything. For reads that repeat, change slowly or take long.

import { type Cache, createShelf, type ShelfOptions } from './cache.ts';

const MAX_BYTES = 67_108_864;

/** @param maxEntries 1000 in the guide @param ttlSec longest life of an entry, seconds; 300 in the guide */
export const createLruCache = <Value extends object>(
  maxEntries = 1000,
  ttlSec = 300,
  { maxBytes = MAX_BYTES, now = () => performance.now() }: Partial<Pick<ShelfOptions, 'maxBytes' | 'now'>> = {},
): Cache<Value> => createShelf({ maxEntries, maxBytes, ttlMs: ttlSec * 1000, now });
