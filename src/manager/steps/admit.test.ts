import { describe, expect, it } from 'vitest';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Call } from '../call.ts';
import { admit } from './admit.ts';

const callOf = (caller: string, signal: AbortSignal = new AbortController().signal) =>
  ({ request: { caller: { id: caller, groups: [], scopes: [] } }, ctx: { signal } }) as unknown as Call;
const done: FinalAnswer = { structured: {}, text: '' };

/** Calls that end when told. */
const createWork = () => {
  const ends: (() => void)[] = [];
  return {
    started: () => ends.length,
    end: (index: number) => ends[index]?.(),
    next: () => new Promise<FinalAnswer>((resolve) => ends.push(() => resolve(done))),
  };
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('the bound on calls at once', () => {
  it('lets more calls of one caller wait in order, and others pass', async () => {
    const counts: number[] = [];
    const step = admit({ limits: { concurrentCalls: 2 }, onWaiting: (count) => counts.push(count) });
    const work = createWork();
    const greedy = [1, 2, 3, 4].map(() => step(callOf('greedy'), work.next));
    await turn();
    expect(work.started()).toBe(2);
    void step(callOf('modest'), work.next);
    await turn();
    expect(work.started()).toBe(3);
    work.end(0);
    await greedy[0];
    await turn();
    expect(work.started()).toBe(4);
    expect(counts).toEqual([1, 2, 1]);
  });

  it('frees the place of a call that fails, and of one that is cancelled while it waits', async () => {
    const step = admit({ limits: { concurrentCalls: 1 } });
    await expect(step(callOf('a'), () => Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    const work = createWork();
    const first = step(callOf('a'), work.next);
    const leaving = new AbortController();
    const second = step(callOf('a', leaving.signal), work.next);
    const third = step(callOf('a'), work.next);
    leaving.abort(new Error('left'));
    await expect(second).rejects.toThrow('left');
    work.end(0);
    await first;
    await turn();
    work.end(1);
    expect(await third).toBe(done);
  });

  it('refuses at once what would wait behind too many', async () => {
    const step = admit({ limits: { concurrentCalls: 1 } });
    const work = createWork();
    const waiting = Array.from({ length: 33 }, () => step(callOf('a'), work.next));
    await expect(step(callOf('a'), work.next)).rejects.toMatchObject({ code: 'RATE_LIMITED', details: { retry_after: '1s' } });
    await expect(step(callOf('b'), async () => done)).resolves.toBe(done);
    for (let index = 0; index < waiting.length; index++) {
      work.end(index);
      await waiting[index];
      await turn();
    }
  });
});
