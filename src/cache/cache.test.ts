import { describe, expect, it } from 'vitest';
import { createFlights } from './flights.ts';
import { createLruCache } from './lru.ts';
import { createSegmentedCache } from './segmented.ts';

interface Item {
  readonly n: number;
}

const clock = () => {
  let time = 0;
  return {
    now: () => time,
    pass: (ms: number) => {
      time += ms;
    },
  };
};

describe('the LRU cache', () => {
  it('takes 1000 entries for 300 seconds; the next pushes out the least recently used (SEED-PERF-01, SEED-CACHE-02)', () => {
    const cache = createLruCache<Item>(1000, 300);
    for (let n = 0; n < 1000; n++) cache.set(`key-${n}`, { n });
    expect(cache.get('key-0')).toEqual({ n: 0 });
    cache.set('key-1000', { n: 1000 });
    expect(cache.get('key-0')).toEqual({ n: 0 });
    expect(cache.get('key-1')).toBeUndefined();
    expect(cache.stats()).toMatchObject({ entries: 1000, evictions: 1 });
  });

  it('gives nothing that has expired, by the clock and by the entry (SEED-PERF-01, SEED-CACHE-04)', () => {
    const { now, pass } = clock();
    const cache = createLruCache<Item>(10, 300, { now: () => now() + 1 });
    cache.set('long', { n: 1 });
    cache.set('short', { n: 2 }, { ttlMs: 2000 });
    cache.set('too long', { n: 3 }, { ttlMs: 900_000 });
    cache.set('never', { n: 4 }, { ttlMs: 0 });
    expect(cache.get('never')).toBeUndefined();
    pass(2000);
    expect(cache.get('short')).toEqual({ n: 2 });
    pass(1);
    expect(cache.get('short')).toBeUndefined();
    pass(297_999);
    expect([cache.get('long'), cache.get('too long')]).toEqual([{ n: 1 }, { n: 3 }]);
    pass(1);
    expect([cache.get('long'), cache.get('too long')]).toEqual([undefined, undefined]);
  });

  it('is bounded by bytes, and keeps nothing larger than itself', () => {
    const cache = createLruCache<Item>(10, 300, { maxBytes: 100 });
    cache.set('a', { n: 1 }, { bytes: 60 });
    cache.set('b', { n: 2 }, { bytes: 60 });
    cache.set('c', { n: 3 }, { bytes: 101 });
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([undefined, { n: 2 }, undefined]);
    expect(cache.stats().bytes).toBe(60);
  });

  it('counts what it does (SEED-CACHE-05)', () => {
    const cache = createLruCache<Item>(1, 300);
    expect(cache.stats().hitRate).toBe(0);
    cache.set('a', { n: 1 }, { bytes: 7 });
    cache.get('a');
    cache.get('a');
    cache.get('b');
    cache.set('c', { n: 3 }, { bytes: 8 });
    expect(cache.stats()).toEqual({ hits: 2, misses: 1, evictions: 1, entries: 1, bytes: 8, hitRate: 2 / 3 });
    cache.clear();
    expect(cache.stats()).toMatchObject({ entries: 0, evictions: 1 });
  });
});

describe('the segmented cache', () => {
  it('divides 1000 entries over ten segments, and holds the bound in total (SEED-PERF-03, SEED-CACHE-03)', () => {
    const cache = createSegmentedCache<Item>(1000, 10, 300);
    for (let n = 0; n < 3000; n++) cache.set(`key-${n}`, { n });
    expect(cache.stats()).toMatchObject({ entries: 1000, evictions: 2000 });
    const uneven = createSegmentedCache<Item>(7, 3, 300);
    for (let n = 0; n < 100; n++) uneven.set(`key-${n}`, { n });
    expect(uneven.stats().entries).toBe(7);
    const tiny = createSegmentedCache<Item>(2, 10, 300);
    for (let n = 0; n < 100; n++) tiny.set(`key-${n}`, { n });
    expect(tiny.stats().entries).toBe(2);
  });

  it('keeps a flood of one kind from pushing out another (SEED-PERF-04)', () => {
    const cache = createSegmentedCache<Item>(1000, 10, 300);
    for (let n = 0; n < 50; n++) cache.set(`rare-${n}`, { n }, {}, 'rare');
    for (let n = 0; n < 5000; n++) cache.set(`flood-${n}`, { n }, {}, 'flood');
    for (let n = 0; n < 50; n++) expect(cache.get(`rare-${n}`, 'rare')).toEqual({ n });
    expect(cache.get('flood-0', 'flood')).toBeUndefined();
    expect(cache.get('flood-4999', 'flood')).toEqual({ n: 4999 });
  });

  it('has a life for each kind of data (SEED-PERF-04, SEED-CACHE-04)', () => {
    const { now, pass } = clock();
    const cache = createSegmentedCache<Item>(10, 2, 300, { now: () => now() + 1 });
    cache.set('pods', { n: 1 }, { ttlMs: 2000 }, 'lists');
    cache.set('kinds', { n: 2 }, { ttlMs: 60_000 }, 'discovery');
    pass(2001);
    expect([cache.get('pods', 'lists'), cache.get('kinds', 'discovery')]).toEqual([undefined, { n: 2 }]);
  });

  it('sums the statistics of its segments (SEED-CACHE-05)', () => {
    const cache = createSegmentedCache<Item>(10, 2, 300);
    cache.set('a', { n: 1 }, { bytes: 5 }, 'x');
    cache.set('b', { n: 2 }, { bytes: 6 }, 'y');
    cache.get('a', 'x');
    cache.get('c', 'y');
    expect(cache.stats()).toEqual({ hits: 1, misses: 1, evictions: 0, entries: 2, bytes: 11, hitRate: 0.5 });
  });
});

describe('equal reads in flight', () => {
  const deferred = () => {
    let resolve: (value: string) => void = () => {};
    let reject: (error: Error) => void = () => {};
    const promise = new Promise<string>((yes, no) => {
      [resolve, reject] = [yes, no];
    });
    return { promise, resolve, reject };
  };
  const free = () => new AbortController().signal;

  it('are one, and all get its end', async () => {
    const flights = createFlights<string>();
    const { promise, resolve } = deferred();
    let started = 0;
    const start = () => {
      started += 1;
      return promise;
    };
    const all = [1, 2, 3].map(() => flights.join('key', free(), start));
    const other = flights.join('other', free(), async () => 'other');
    resolve('read');
    expect(await Promise.all(all)).toEqual(['read', 'read', 'read']);
    expect([await other, started]).toEqual(['other', 1]);
  });

  it('begin anew after the end, after a failure too', async () => {
    const flights = createFlights<string>();
    await expect(flights.join('key', free(), () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    expect(await flights.join('key', free(), async () => 'second')).toBe('second');
  });

  it('go on while someone waits, and are given up when the last has left', async () => {
    const flights = createFlights<string>();
    const [first, second] = [new AbortController(), new AbortController()];
    const { promise } = deferred();
    let inner: AbortSignal = free();
    const start = (signal: AbortSignal) => {
      inner = signal;
      return promise;
    };
    const waiting = [flights.join('key', first.signal, start), flights.join('key', second.signal, start)];
    const ends = Promise.allSettled(waiting);
    first.abort(new Error('first left'));
    await expect(waiting[0]).rejects.toThrow('first left');
    expect(inner.aborted).toBe(false);
    second.abort(new Error('second left'));
    await ends;
    expect(inner.aborted).toBe(true);
    expect(await flights.join('key', free(), async () => 'new')).toBe('new');
  });

  it('are not joined by a caller who has left already', async () => {
    const left = AbortSignal.abort(new Error('gone'));
    await expect(createFlights<string>().join('key', left, async () => 'read')).rejects.toThrow('gone');
  });
});
