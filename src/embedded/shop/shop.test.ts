import { describe, expect, it } from 'vitest';
import { containerUsage, failedCharges, logLines, MINUTE, paymentLives, SECOND, Shop, toLogText, WORKLOADS } from '../shop.ts';

const T0 = Date.parse('2026-11-22T12:00:00Z');
const open = (seed = 1): Shop => new Shop({ clock: () => T0, seed });

const paymentSource = (shop: Shop, ordinal: number) => {
  const workload = WORKLOADS.find(({ name }) => name === 'payment');
  if (workload === undefined) throw new Error('the shop has no payment');
  const life = paymentLives(shop, ordinal, T0).at(-1);
  return {
    namespace: 'shop',
    workload: 'payment',
    container: 'payment',
    version: '2.5.0',
    pod: shop.pod(workload, ordinal).name,
    ordinal,
    startedAt: life?.startedAt ?? 0,
    endedAt: life?.endedAt,
  };
};

describe('the story', () => {
  it('is told in whole seconds, the same for the same seed', () => {
    const shop = new Shop({ clock: () => T0 + 678 });
    expect(shop.startedAt).toBe(T0);
    expect(open().pods()).toEqual(open().pods());
    expect(
      open(2)
        .pods()
        .map(({ name }) => name),
    ).not.toEqual(
      open()
        .pods()
        .map(({ name }) => name),
    );
  });

  it('gives no two pods the same name, identity or address', () => {
    const pods = open().pods();
    for (const key of ['name', 'uid'] as const) expect(new Set(pods.map((pod) => pod[key])).size).toBe(pods.length);
    const own = pods.filter(({ address }) => address.startsWith('10.244.')).map(({ address }) => address);
    expect(new Set(own).size).toBe(own.length);
  });

  it('begins to fail forty minutes before T0, and ends to when payment is healed', () => {
    const shop = open();
    expect([shop.isBroken(T0 - 41 * MINUTE), shop.isBroken(T0 - 39 * MINUTE), shop.isBroken(T0 + MINUTE)]).toEqual([false, true, true]);
    shop.heal(T0 + 30 * SECOND);
    expect([shop.isBroken(T0 + 29 * SECOND), shop.isBroken(T0 + MINUTE)]).toEqual([true, false]);
    shop.relapse();
    expect(shop.isBroken(T0 + MINUTE)).toBe(true);
  });

  it('lets payment live as told: restarts 7, 2 and 3, the first waiting since 3m10s', () => {
    const shop = open();
    const lives = [0, 1, 2].map((ordinal) => paymentLives(shop, ordinal, T0));
    expect(lives.map((list) => list.length - 1)).toEqual([7, 2, 3]);
    expect(lives.map((list) => list.at(-1)?.endedAt)).toEqual([T0 - 190 * SECOND, undefined, undefined]);
    expect(Math.min(...lives.flat().flatMap(({ endedAt }) => endedAt ?? []))).toBe(T0 - 36 * MINUTE);
  });

  it('tells each failed charge the same whatever part of time is asked for', () => {
    const shop = open();
    const all = failedCharges(shop, T0 - 10 * MINUTE, T0);
    const parts = [10, 8, 6, 4, 2].flatMap((from) => failedCharges(shop, T0 - from * MINUTE, T0 - (from - 2) * MINUTE));
    expect(parts).toEqual(all);
    expect(all.length).toBe((10 * MINUTE) / (5 * SECOND));
    expect(failedCharges(shop, T0 - 60 * MINUTE, T0 - 41 * MINUTE)).toEqual([]);
  });

  it('writes a failed charge into the log of the pod that had it, with its trace', () => {
    const shop = open();
    const source = paymentSource(shop, 1);
    const lines = logLines(shop, source, T0 - 5 * MINUTE, T0);
    const failed = lines.filter(({ level }) => level === 'error');
    const told = failedCharges(shop, T0 - 5 * MINUTE, T0).filter(({ pod }) => pod === 1);
    expect(failed.map(({ fields }) => fields['trace_id'])).toEqual(told.map(({ traceId }) => traceId));
    expect(lines.map(({ at }) => at)).toEqual(lines.map(({ at }) => at).toSorted((left, right) => left - right));
    const [first] = failed;
    expect(first === undefined ? '' : toLogText(source, first)).toMatch(
      /^\{"time":"2026-11-22T11:5\d:\d\d\.\d{3}Z","level":"error","service":"payment","msg":"timeout acquiring connection from pool \(size=2, waited 45\d\dms\)"/,
    );
  });

  it('writes the same lines whatever part of time is asked for', () => {
    const shop = open();
    const source = paymentSource(shop, 2);
    const all = logLines(shop, source, T0 - 6 * MINUTE, T0);
    expect([6, 4, 2].flatMap((from) => logLines(shop, source, T0 - from * MINUTE, T0 - (from - 2) * MINUTE))).toEqual(all);
  });

  it('lets the memory of the broken payment climb to its limit, and that of others not', () => {
    const shop = open();
    const [, , life] = paymentLives(shop, 2, T0);
    const [startedAt = 0, endedAt = 0] = [life?.startedAt, life?.endedAt];
    const memory = (at: number): number =>
      (containerUsage(shop, { uid: 'x', workload: 'payment' }, 'payment', at, 2)?.memory ?? 0) / 2 ** 20;
    expect(memory(startedAt + SECOND)).toBeLessThan(120);
    expect(memory(endedAt - SECOND)).toBeGreaterThan(245);
    expect(memory(endedAt - SECOND)).toBeLessThan(256);
    const usual = [0, 1, 2, 3].map((step) => containerUsage(shop, { uid: 'y', workload: 'cart' }, 'cart', T0 + step * MINUTE)?.memory ?? 0);
    expect(Math.max(...usual) / Math.min(...usual)).toBeLessThan(1.4);
  });
});
