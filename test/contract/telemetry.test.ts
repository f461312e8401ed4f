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
  const status = () => shop.app.manager.status(new AbortController().signal);

  it('is asked in parallel, within a bound, and once for all who ask at a time', async () => {
    // A backend that never answers.
    shop.inject(/./, () => {});
    const answers = await Promise.all(Array.from({ length: 20 }, () => status()));
    for (const found of answers)
      expect(found.map(({ service, state }) => `${service} ${state}`)).toEqual(['platform up', 'kubernetes down', 'helm down']);
    expect(shop.seen.count).toBeLessThanOrEqual(3);
    const [, kubernetes] = answers[0] ?? [];
    expect(kubernetes).toMatchObject({
      reason: expect.any(String),
      since: expect.stringMatching(/Z$/),
      lastError: { at: expect.stringMatching(/Z$/) },
    });
  });

  it('remembers the last failure and since when all is well again', async () => {
    shop.inject(/./, undefined);
    let found = (await status())[1];
    while (found?.state !== 'up') found = (await status())[1];
    expect(found).toMatchObject({ state: 'up', latencyMs: expect.any(Number), lastError: { reason: expect.any(String) } });
    expect(Date.parse(found.since ?? '')).toBeGreaterThanOrEqual(Date.parse(found.lastError?.at ?? ''));
  });
});

describe('a failing cluster', () => {
  const reasons = async (failing: FaultyShop, count: number): Promise<unknown[]> => {
    const found: unknown[] = [];
    for (let index = 0; index < count; index += 1)
      found.push(
        await failing.call('kubernetes_get_resource', { kind: 'pod', name: 'x', namespace: 'shop' }).then(
          () => 'ok',
          (error: { code: string; details: { reason?: string } }) => error.details.reason ?? error.code,
        ),
      );
    return found;
  };

  it('is left alone after as many failures as configured, for as long as configured', async () => {
    const failing = await openFaultyShop({ 'kubernetes.circuitFailures': 2, 'kubernetes.circuitOpenSec': 0.5 });
    failing.inject(/^\/api\/v1/, (response) => void response.writeHead(503).end());
    const [first, second, third] = await reasons(failing, 3);
    expect([first, second]).not.toContain('CIRCUIT_OPEN');
    expect(third).toBe('CIRCUIT_OPEN');
    expect(failing.seen.count).toBe(2);
    failing.inject(/./, undefined);
    let last: unknown;
    while (last !== 'NOT_FOUND') [last] = await reasons(failing, 1);
    await failing.close();
  });

  it('is always asked when the breaker is off', async () => {
    const failing = await openFaultyShop({ 'kubernetes.circuitFailures': 0 });
    failing.inject(/^\/api\/v1/, (response) => void response.writeHead(503).end());
    expect(await reasons(failing, 8)).not.toContain('CIRCUIT_OPEN');
    expect(failing.seen.count).toBe(8);
    await failing.close();
  });
});
