// What a backend sees of a call, and how health is asked: through the whole application.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withAmbient } from '../../src/kit/ambient.ts';
import { type FaultyShop, openFaultyShop } from '../support/faults.ts';

let shop: FaultyShop;
beforeAll(async () => {
  shop = await openFaultyShop();
});
afterAll(() => shop.close());

const LIST = { kind: 'pods', namespace: 'shop' };

describe("a caller's trace", () => {
  it('goes on to the backend, although this server records none itself (SEED-TRACE-03)', async () => {
    const seen: (string | string[] | undefined)[][] = [];
    shop.inject(/\/pods/, (response, { headers }) => {
      seen.push([headers['traceparent'], headers['tracestate']]);
      response.writeHead(404).end();
    });
    const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: '01', traceState: 'vendor=1' };
    await withAmbient(trace, () => shop.call('kubernetes_list_resources', LIST)).catch(() => {});
    expect(seen[0]).toEqual([`00-${trace.traceId}-${trace.spanId}-01`, 'vendor=1']);
    seen.length = 0;
    await shop.call('kubernetes_list_resources', LIST).catch(() => {});
    expect(seen[0]).toEqual([undefined, undefined]);
  });
});

describe('health (SEED-MGR-04)', () => {
  const status = async (signal = new AbortController().signal) => {
    const started = performance.now();
    const found = await shop.app.manager.status(signal);
    return { found, ms: performance.now() - started };
  };

  it('is asked in parallel, within a bound, and once for all who ask at a time', async () => {
    // A backend that never answers.
    shop.inject(/./, () => {});
    const answers = await Promise.all(Array.from({ length: 20 }, () => status()));
    for (const { found } of answers)
      expect(found.map(({ service, state }) => `${service} ${state}`)).toEqual(['platform up', 'kubernetes down']);
    expect(shop.seen.count).toBeLessThanOrEqual(2);
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThan(10_000);
    const [, kubernetes] = answers[0]?.found ?? [];
    expect(kubernetes).toMatchObject({
      reason: expect.any(String),
      since: expect.stringMatching(/Z$/),
      lastError: { at: expect.stringMatching(/Z$/) },
    });
  });

  it('remembers the last failure and since when all is well again', async () => {
    shop.inject(/./, undefined);
    let found = (await status()).found[1];
    while (found?.state !== 'up') found = (await status()).found[1];
    expect(found).toMatchObject({ state: 'up', latencyMs: expect.any(Number), lastError: { reason: expect.any(String) } });
    expect(Date.parse(found.since ?? '')).toBeGreaterThanOrEqual(Date.parse(found.lastError?.at ?? ''));
  });
});
