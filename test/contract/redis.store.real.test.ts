// Limits and cached answers that replicas share in a real Redis, and what happens when it goes away.

import { readFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../src/logging/logger.ts';
import { createRedisStore } from '../../src/store/redis.ts';
import type { Store } from '../../src/store/store.ts';
import { callTool, NOTES } from '../support/audit.ts';
import { type Running, startProgram } from '../support/program.ts';

const { url, host, port } = JSON.parse(readFileSync(process.env['CNMCP_TEST_REDIS'] ?? '', 'utf8')) as {
  url: string;
  host: string;
  port: number;
};
const lines: string[] = [];
const logger = createLogger({ level: 'warn', json: true, mask: (text) => text, write: (line) => void lines.push(line) });
const admin = new Redis(url);
beforeEach(() => admin.flushall());
afterAll(() => admin.disconnect());

describe('the shared store', () => {
  let store: Store;
  beforeAll(() => {
    store = createRedisStore(url, { logger });
  });
  // It connects in the background.
  beforeEach(() => expect.poll(() => store.get('x').catch(() => 'not yet')).toBeUndefined());
  afterAll(() => store.close());

  it('gives a full bucket at once, then as many tokens as come back (SEED-MW-03)', async () => {
    const bucket = { rate: 10, burst: 20 };
    const taken = await Promise.all(Array.from({ length: 30 }, () => store.take('key', bucket)));
    expect(taken.filter(({ allowed }) => allowed).length).toBeGreaterThanOrEqual(20);
    const refused = taken.filter(({ allowed }) => !allowed);
    expect(refused.length).toBeGreaterThan(5);
    expect(refused.every(({ waitMs }) => waitMs > 0 && waitMs <= 100)).toBe(true);
    expect((await store.take('other', bucket)).remaining).toBe(19);
    // What is not used is forgotten.
    expect(await admin.pttl('cnmcp:key')).toBeLessThanOrEqual(3100);
  });

  it('counts and keeps values for a time, and passes messages on', async () => {
    const counted = [await store.increment('n', 60_000), await store.increment('n', 60_000)];
    expect(counted.map(({ count }) => count)).toEqual([1, 2]);
    for (const { leftMs } of counted) expect(leftMs > 0 && leftMs <= 60_000).toBe(true);
    expect(await admin.pttl('cnmcp:n')).toBeGreaterThan(0);
    await store.set('v', 'value', 60_000);
    expect(await store.get('v')).toBe('value');
    const other = createRedisStore(url, { logger });
    const heard: string[] = [];
    await other.subscribe('changes', (message) => heard.push(message));
    await expect
      .poll(async () => {
        await store.publish('changes', 'one').catch(() => {});
        return heard[0];
      })
      .toBe('one');
    await other.close();
  });
});

describe('two replicas', () => {
  const start = (env: Record<string, string>): Promise<Running[]> =>
    Promise.all([1, 2].map(() => startProgram([], { MCP_STORE_TYPE: 'redis', MCP_STORE_URL: url, MCP_PLUGINS: NOTES, ...env })));

  it('limit a caller together (SEED-MW-03)', async () => {
    const replicas = await start({ MCP_RATELIMIT_REQUESTS_PER_SECOND: '0.01', MCP_RATELIMIT_BURST: '10' });
    const statuses: number[] = [];
    for (let n = 0; n < 20; n++) statuses.push((await fetch(`${replicas[n % 2]?.url}/health/detailed`)).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.slice(10).every((status) => status === 429)).toBe(true);
    await Promise.all(replicas.map((replica) => replica.stop()));
  });

  it('find what the other has read, until a change anywhere (SEED-CACHE-06)', async () => {
    const [one, two] = (await start({ MCP_ALLOW_WRITES: 'true' })) as [Running, Running];
    const read = async (replica: Running) => (await callTool(replica.url, 'notes_get_text', { id: 'first' })).structuredContent;
    expect(await read(one)).toEqual({ text: 'hello' });
    await expect.poll(() => admin.keys('cnmcp:cache:0:*')).toHaveLength(1);
    expect(await read(two)).toMatchObject({ text: 'hello', cached: expect.any(String) });
    await callTool(one.url, 'notes_set_text', { id: 'first', text: 'new' });
    // The other replica hears of it and asks its backend again.
    await expect.poll(async () => (await read(two))['cached']).toBeUndefined();
    await Promise.all([one.stop(), two.stop()]);
  });
});

describe('a store that goes away', () => {
  let proxy: Server;
  let sockets: Set<Socket>;
  let proxied: string;
  let isOpen = true;
  beforeAll(async () => {
    sockets = new Set();
    proxy = createServer((near) => {
      if (!isOpen) return void near.destroy();
      const far = connect(port, host);
      for (const socket of [near, far]) sockets.add(socket.on('error', () => {}));
      near.pipe(far).pipe(near);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    proxied = url.replace(`:${port}`, `:${typeof address === 'object' && address !== null ? address.port : 0}`);
  });
  afterAll(() => proxy.close());

  it('leaves each replica to count by itself, says so once, and is used again when it is back', async () => {
    const server = await startProgram([], {
      MCP_STORE_TYPE: 'redis',
      MCP_STORE_URL: proxied,
      MCP_RATELIMIT_REQUESTS_PER_SECOND: '0.01',
      MCP_RATELIMIT_BURST: '5',
    });
    const ask = async () => (await fetch(`${server.url}/health/detailed`)).status;
    await expect.poll(async () => ((await ask()) === 200 ? admin.keys('cnmcp:rate:*') : [])).toHaveLength(1);
    isOpen = false;
    for (const socket of sockets) socket.destroy();
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push(await ask());
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429]);
    await expect.poll(() => server.stderr()).toContain('the shared store cannot be reached');
    expect(server.stderr().match(/the shared store cannot be reached/g)).toHaveLength(1);
    expect(server.stderr()).not.toContain('test-bed-password-of-redis');
    isOpen = true;
    await admin.flushall();
    await expect.poll(ask, { timeout: 15_000 }).toBe(200);
    await server.stop();
  });

  it('does not hold up the start', async () => {
    const server = await startProgram([], { MCP_STORE_TYPE: 'redis', MCP_STORE_URL: 'redis://127.0.0.1:1' });
    expect((await fetch(`${server.url}/health/detailed`)).status).toBe(200);
    await server.stop();
  });
});
