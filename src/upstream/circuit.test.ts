import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CircuitChange, createCircuit } from './circuit.ts';
import { createUpstream, type UpstreamOptions } from './http.ts';

const OPEN_MS = 1500;
const BACKEND = { service: 'test', title: 'Test' };
const signal = new AbortController().signal;

let answer: (response: ServerResponse) => void;
let asked: number;
let server: ReturnType<typeof createServer>;
let changes: CircuitChange[];
const opened: { close(): Promise<void> }[] = [];

beforeEach(async () => {
  asked = 0;
  changes = [];
  answer = (response) => void response.end('ok');
  server = createServer((_, response) => {
    asked += 1;
    answer(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await Promise.all(opened.splice(0).map((item) => item.close()));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const open = (options: Partial<UpstreamOptions> & { failures?: number } = {}) => {
  const { failures = 3, ...rest } = options;
  const upstream = createUpstream({
    ...BACKEND,
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    retries: 0,
    now: Date.now,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    circuit: createCircuit({ backend: BACKEND, failures, openMs: OPEN_MS, onChange: (change) => changes.push(change) }),
    ...rest,
  });
  opened.push(upstream);
  return upstream;
};

const status =
  (code: number) =>
  (response: ServerResponse): void =>
    void response.writeHead(code).end();
const codes = async (count: number, work: () => Promise<unknown>): Promise<unknown[]> => {
  const found: unknown[] = [];
  for (let index = 0; index < count; index += 1)
    found.push(
      await work().then(
        () => 'ok',
        (error: { code: string; details: { reason?: string } }) => error.details.reason ?? error.code,
      ),
    );
  return found;
};
const states = (): string[] => changes.filter(({ failures }) => failures === 0).map(({ state }) => state);
const text = (upstream: ReturnType<typeof open>, extra: object = {}) => upstream.text({ path: '/x', signal, ...extra });

describe('a circuit', () => {
  it('opens after failures in a row, refuses at once without asking, tries once when time is over, and closes', async () => {
    const upstream = open();
    answer = status(503);
    expect(await codes(5, () => text(upstream))).toEqual([
      'SERVICE_UNAVAILABLE',
      'SERVICE_UNAVAILABLE',
      'SERVICE_UNAVAILABLE',
      'CIRCUIT_OPEN',
      'CIRCUIT_OPEN',
    ]);
    expect(asked).toBe(3);
    await expect(text(upstream)).rejects.toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      details: { service: 'test', reason: 'CIRCUIT_OPEN', retry_after: expect.stringMatching(/^[12]s$/) },
    });
    answer = status(200);
    await delay(OPEN_MS + 20);
    expect(await codes(2, () => text(upstream))).toEqual(['ok', 'ok']);
    expect(states()).toEqual(['closed', 'open', 'half_open', 'closed']);
    expect(changes.reduce((sum, { failures }) => sum + failures, 0)).toBe(3);
  });

  it('stays open when the try fails, and lets only one try', async () => {
    const upstream = open();
    answer = status(500);
    await codes(3, () => text(upstream));
    await delay(OPEN_MS + 20);
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      answer = (response) => {
        resolve();
        release = () => status(500)(response);
      };
    });
    const before = asked;
    const trying = codes(1, () => text(upstream));
    await held;
    expect(await codes(3, () => text(upstream))).toEqual(['CIRCUIT_OPEN', 'CIRCUIT_OPEN', 'CIRCUIT_OPEN']);
    release();
    expect(await trying).toEqual(['SERVICE_UNAVAILABLE']);
    expect(asked - before).toBe(1);
    expect(await codes(1, () => text(upstream))).toEqual(['CIRCUIT_OPEN']);
    expect(states()).toEqual(['closed', 'open', 'half_open', 'open']);
  });

  it('counts broken connections', async () => {
    const upstream = open();
    answer = (response) => response.destroy();
    expect(await codes(4, () => text(upstream))).toEqual(['RESET', 'RESET', 'RESET', 'CIRCUIT_OPEN']);
  });

  it('counts a backend that does not answer in time', async () => {
    const upstream = open();
    answer = () => {};
    expect(await codes(4, () => text(upstream, { timeoutMs: 20 }))).toEqual([
      'DEADLINE_EXCEEDED',
      'DEADLINE_EXCEEDED',
      'DEADLINE_EXCEEDED',
      'CIRCUIT_OPEN',
    ]);
  });

  it.each([400, 401, 403, 404, 409, 429, 501])('never counts %i', async (code) => {
    const upstream = open({ failures: 1 });
    answer = status(code);
    await codes(5, () => text(upstream));
    expect(asked).toBe(5);
    expect(states()).toEqual(['closed']);
  });

  it('never counts a status that the request expects, nor callers who leave', async () => {
    const upstream = open({ failures: 1 });
    answer = status(503);
    expect(await codes(3, () => text(upstream, { expect: [503] }))).toEqual(['ok', 'ok', 'ok']);
    answer = () => {};
    for (let index = 0; index < 3; index += 1) {
      const leave = new AbortController();
      const left = text(upstream, { signal: leave.signal }).catch((error: { code: string }) => error.code);
      while (asked < 4 + index) await delay(5);
      leave.abort();
      expect(await left).toBe('CANCELLED');
    }
    expect(states()).toEqual(['closed']);
  });

  it('begins to count anew after a success', async () => {
    const upstream = open();
    for (const code of [500, 500, 200, 500, 500, 200]) {
      answer = status(code);
      await codes(1, () => text(upstream));
    }
    expect(states()).toEqual(['closed']);
    expect(asked).toBe(6);
  });

  it('with 0 failures never opens', async () => {
    const upstream = open({ failures: 0 });
    answer = status(503);
    await codes(20, () => text(upstream));
    expect(asked).toBe(20);
  });
});
