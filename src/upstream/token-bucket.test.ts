import { describe, expect, it } from 'vitest';
import { withAmbient } from '../kit/ambient.ts';
import { createTokenBucket } from './token-bucket.ts';

const free = () => new AbortController().signal;

describe('the bucket of requests to a backend', () => {
  it('serves callers in turn, each in the order it came', async () => {
    // Time stands still until all wait, then a token comes in with every look at the clock.
    let [time, step] = [0, 0];
    const now = () => {
      time += step;
      return time;
    };
    const bucket = createTokenBucket({ qps: 1000, burst: 1, now });
    await bucket.take(free());
    const served: string[] = [];
    const take = (principal: string, name: string) =>
      withAmbient({ principal }, () => bucket.take(free())).then(() => void served.push(name));
    const all = [
      take('greedy', 'g1'),
      take('greedy', 'g2'),
      take('greedy', 'g3'),
      take('greedy', 'g4'),
      take('modest', 'm1'),
      take('modest', 'm2'),
    ];
    expect(bucket.waiting).toBe(6);
    step = 1;
    await Promise.all(all);
    expect(served).toEqual(['g1', 'm1', 'g2', 'm2', 'g3', 'g4']);
    expect(bucket.waiting).toBe(0);
  });

  it('lets a waiting caller leave', async () => {
    let time = 0;
    const bucket = createTokenBucket({ qps: 1000, burst: 1, now: () => time });
    await bucket.take(free());
    const leaving = new AbortController();
    const left = bucket.take(leaving.signal);
    const next = bucket.take(free());
    leaving.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    time = 1;
    await next;
    expect(bucket.waiting).toBe(0);
  });
});
