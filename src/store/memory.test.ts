import { describe, expect, it } from 'vitest';
import { createMemoryStore } from './memory.ts';

const open = () => {
  let time = 1_000_000;
  const store = createMemoryStore(() => time);
  return {
    store,
    pass: (ms: number) => {
      time += ms;
    },
  };
};
const bucket = { rate: 50, burst: 100 };

describe('the store of one process', () => {
  it('gives a full bucket at once, then as many tokens as come back (SEED-MW-03)', async () => {
    const { store, pass } = open();
    const takeAll = async () => {
      let count = 0;
      while ((await store.take('key', bucket)).allowed) count += 1;
      return count;
    };
    expect(await takeAll()).toBe(100);
    expect(await store.take('key', bucket)).toEqual({ allowed: false, remaining: 0, waitMs: 20, fullAt: expect.any(Number) });
    pass(19);
    expect((await store.take('key', bucket)).allowed).toBe(false);
    pass(1);
    expect((await store.take('key', bucket)).allowed).toBe(true);
    pass(1000);
    expect(await takeAll()).toBe(50);
    pass(3_600_000);
    expect(await takeAll()).toBe(100);
    expect((await store.take('other', bucket)).remaining).toBe(99);
  });

  it('counts within a window, and forgets values when their time is over', async () => {
    const { store, pass } = open();
    expect([await store.increment('n', 1000), await store.increment('n', 1000)]).toEqual([
      { count: 1, leftMs: 1000 },
      { count: 2, leftMs: 1000 },
    ]);
    await store.set('v', 'value', 1000);
    pass(999);
    expect([await store.increment('n', 1000), await store.get('v')]).toEqual([{ count: 3, leftMs: 1 }, 'value']);
    pass(1);
    expect([await store.increment('n', 1000), await store.get('v')]).toEqual([{ count: 1, leftMs: 1000 }, undefined]);
  });

  it('passes messages on until a listener leaves', async () => {
    const { store } = open();
    const heard: string[] = [];
    const leave = await store.subscribe('changes', (message) => heard.push(message));
    await store.publish('changes', 'one');
    await store.publish('other', 'two');
    leave();
    await store.publish('changes', 'three');
    expect(heard).toEqual(['one']);
  });

  it('does not grow with a flood of keys (SEED-MW-03)', async () => {
    const { store } = open();
    await store.take('first', bucket);
    for (let n = 0; n < 100_000; n++) await store.take(`address:${n}`, bucket);
    // The oldest key went: its bucket is full again.
    expect((await store.take('first', bucket)).remaining).toBe(99);
    expect((await store.take('address:99999', bucket)).remaining).toBe(98);
  });
});
