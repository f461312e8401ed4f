// Finds many patterns in a text in one walk. Patterns come and go cheaply; the time grows with the text, hardly with their number.

import type { Reading } from './views.ts';

/** No pattern is shorter. A pattern is looked up by its first so many characters. */
export const WINDOW = 6;
/** Stands where a text was cut: the beginning of a pattern before it counts as the pattern. */
const CUT = '…';

export interface PatternIndex {
  /** A pattern that is there already is counted: it goes when it was removed as often. */
  add(pattern: string): void;
  remove(pattern: string): void;
  /** Tells of every place where a pattern stands, the longest of those that begin there. Places may overlap. */
  scan(reading: Reading, found: (start: number, end: number) => void): void;
  readonly size: number;
}

// A Bloom filter with counters: two slots for the beginning of each pattern, so that nearly nothing else is looked up.
const FIRST_BITS = 12;
const SLOTS_PER_WINDOW = 16;
const STICKY = 255;
const MIX = 0x9e3779b1;
const MIX_AGAIN = 0x85ebca6b;

/** Shifted by six bits with each character: what is older than the window has left. */
const step = (hash: number, code: number): number => ((hash << 6) + code) | 0;

const hashOf = (window: string): number => {
  let hash = 0;
  for (let at = 0; at < WINDOW; at++) hash = step(hash, window.charCodeAt(at));
  return hash;
};

/** How many of the sorted items are less than the text; with `orEqual`, or equal. */
const countBelow = (sorted: readonly string[], text: string, orEqual: boolean): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = sorted[middle] as string;
    if (item < text || (orEqual && item === text)) low = middle + 1;
    else high = middle;
  }
  return low;
};

const commonLength = (a: string, b: string): number => {
  const most = Math.min(a.length, b.length);
  let at = 0;
  while (at < most && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  return at;
};

/** Length of the longest item that the text begins with; 0 = none. A binary search, so that thousands of tokens with one beginning cost little. */
const longestPrefix = (sorted: readonly string[], text: string): number => {
  let rest = text;
  while (rest.length >= WINDOW) {
    const before = sorted[countBelow(sorted, rest, true) - 1];
    if (before === undefined) return 0;
    const common = commonLength(before, rest);
    if (common === before.length) return common;
    // A shorter item may still fit: one that is no longer than what these two share.
    rest = rest.slice(0, common);
  }
  return 0;
};

export const createPatternIndex = (): PatternIndex => {
  /** By the first characters; each list is sorted. */
  const buckets = new Map<string, string[]>();
  /** How many more than one hold a pattern. */
  const shared = new Map<string, number>();
  let bits = FIRST_BITS;
  /** How many windows fall on a slot; a full one stays full. */
  let filter = new Uint8Array(1 << bits);
  let size = 0;
  let longest = WINDOW;

  const count = (window: string, by: 1 | -1): void => {
    const hash = hashOf(window);
    for (const mix of [MIX, MIX_AGAIN]) {
      const slot = Math.imul(hash, mix) >>> (32 - bits);
      const now = filter[slot] as number;
      if (now !== STICKY) filter[slot] = now + by;
    }
  };
  const grow = (): void => {
    bits += 2;
    filter = new Uint8Array(1 << bits);
    for (const window of buckets.keys()) count(window, 1);
  };

  const lengthAt = (bucket: readonly string[], text: string, start: number): number => {
    const length = longestPrefix(bucket, text.slice(start, start + longest));
    const cut = text.indexOf(CUT, start + WINDOW);
    if (cut === -1 || cut - start >= longest || cut - start <= length) return length;
    const beginning = text.slice(start, cut);
    const next = bucket[countBelow(bucket, beginning, false)];
    return next?.startsWith(beginning) ? beginning.length : length;
  };

  return {
    get size() {
      return size;
    },
    add(pattern) {
      const window = pattern.slice(0, WINDOW);
      const bucket = buckets.get(window);
      if (bucket === undefined) {
        buckets.set(window, [pattern]);
        count(window, 1);
      } else {
        const at = countBelow(bucket, pattern, false);
        if (bucket[at] === pattern) return void shared.set(pattern, (shared.get(pattern) ?? 0) + 1);
        bucket.splice(at, 0, pattern);
      }
      size += 1;
      longest = Math.max(longest, pattern.length);
      if (buckets.size * SLOTS_PER_WINDOW > filter.length) grow();
    },
    remove(pattern) {
      const others = shared.get(pattern);
      if (others !== undefined) return void (others === 1 ? shared.delete(pattern) : shared.set(pattern, others - 1));
      const window = pattern.slice(0, WINDOW);
      const bucket = buckets.get(window);
      const at = bucket === undefined ? -1 : countBelow(bucket, pattern, false);
      if (bucket?.[at] !== pattern) return;
      bucket.splice(at, 1);
      size -= 1;
      if (bucket.length > 0) return;
      buckets.delete(window);
      count(window, -1);
    },
    scan(reading, found) {
      if (size === 0) return;
      const { codes, length } = reading;
      const slots = filter;
      const shift = 32 - bits;
      let hash = 0;
      for (let at = 0; at < length; at++) {
        hash = step(hash, codes[at] as number);
        if (slots[Math.imul(hash, MIX) >>> shift] === 0 || slots[Math.imul(hash, MIX_AGAIN) >>> shift] === 0) continue;
        const start = at - WINDOW + 1;
        const bucket = start < 0 ? undefined : buckets.get(reading.text.slice(start, at + 1));
        if (bucket === undefined) continue;
        const matched = lengthAt(bucket, reading.text, start);
        if (matched > 0) found(start, start + matched);
      }
    },
  };
};
