// The bounds at the door, each through a real socket: how often, how long, how many, how large.

import { once } from 'node:events';
import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NOTES } from '../support/audit.ts';
import { makeCertificates } from '../support/certificates.ts';
import { gather, toOutcome } from '../support/evidence.ts';
import { errorOf, type Reply, send, sendRpc } from '../support/http.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';
import { scrape } from '../support/prometheus-text.ts';
import { openSocket, readToEnd } from '../support/raw.ts';
import { openApp } from '../support/shop.ts';

const KEYS = { first: 'cnm_first_Zk3v9Qp7Lw2Xr8Tn5Yb1', second: 'cnm_second_Hd6Jf4Gs0Va3Kp8Rt5' } as const;
const HTTP = '/api/aggregate/http';
const UNLIMITED = { MCP_RATELIMIT_ENABLED: 'false' };

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
});
afterAll(() => cluster.close());

const start = (env: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<Running> =>
  startProgram(['--kubeconfig', cluster.kubeconfig, ...args], env);

const call = (url: string, name: string, args: object, more: Parameters<typeof sendRpc>[3] = {}): Promise<Reply> =>
  sendRpc(`${url}${HTTP}`, 'tools/call', { name, arguments: args }, more);

/** Asks until it is so; the test's own time limit ends it. */
const until = async (isSo: () => Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await delay(20);
};

describe('the rate limit (SEED-MW-03, SEED-REQ-04)', () => {
  it('lets a burst pass, refuses what is more with the time to wait, and refills', async () => {
    const server = await start({ MCP_RATELIMIT_BURST: '5', MCP_RATELIMIT_REQUESTS_PER_SECOND: '1' });
    const ask = (from = '127.0.0.1'): Promise<Reply> => sendRpc(`${server.url}${HTTP}`, 'ping', {}, { from });
    const replies = await Promise.all(Array.from({ length: 12 }, () => ask()));
    const passed = replies.filter(({ status }) => status === 200);
    const refused = replies.filter(({ status }) => status === 429);
    expect(passed.length + refused.length).toBe(12);
    expect(passed.length).toBeGreaterThanOrEqual(5);
    expect(refused.length).toBeGreaterThan(0);
    expect(passed[0]?.headers['ratelimit-policy']).toBe('"requests";q=5;w=5');
    expect(passed.map(({ headers }) => headers['ratelimit'])).toContain('"requests";r=4;t=1');
    for (const reply of refused) {
      expect(errorOf(reply)).toMatchObject({ code: 'RATE_LIMITED', details: { by: 'address', retry_after: '1s' } });
      expect(reply.headers['retry-after']).toBe('1');
      expect(reply.headers['ratelimit']).toMatch(/^"requests";r=0;t=\d+$/);
    }
    // Another address is served; a claim of another address is only a claim.
    expect((await ask('127.0.0.7')).status).toBe(200);
    const claimed = await Promise.all(
      Array.from({ length: 9 }, (_, at) =>
        sendRpc(`${server.url}${HTTP}`, 'ping', {}, { headers: { 'x-forwarded-for': `192.0.2.${at}`, 'x-real-ip': `192.0.2.${at}` } }),
      ),
    );
    expect(claimed.map(({ status }) => status)).toContain(429);
    // Health is never refused, and what came back is usable again.
    expect((await send(`${server.url}/health`)).status).toBe(200);
    await until(async () => (await ask()).status === 200);
    const { stderr } = server;
    await server.stop();
    expect(stderr()).not.toMatch(/\n\s+at /);
  });

  it('counts per caller, not per address, once callers are known, and is counted itself', async () => {
    const server = await start({
      MCP_AUTH_ENABLED: 'true',
      MCP_AUTH_API_KEY: KEYS.first,
      MCP_RATELIMIT_BURST: '3',
      MCP_RATELIMIT_REQUESTS_PER_SECOND: '0.01',
    });
    const ask = (from: string): Promise<Reply> =>
      sendRpc(`${server.url}${HTTP}`, 'ping', {}, { from, headers: { 'x-api-key': KEYS.first } });
    const statuses: number[] = [];
    for (const from of ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4']) statuses.push((await ask(from)).status);
    expect(statuses).toEqual([200, 200, 200, 429]);
    expect(errorOf(await ask('127.0.0.5'))).toMatchObject({ details: { by: 'caller' } });
    await server.stop();
  });

  it('records and counts each refusal', async () => {
    const { app, close } = await openApp({ 'ratelimit.burst': 10, 'ratelimit.requests_per_second': 0.001 });
    const { url } = await app.openHttp({ port: 0 });
    const from = '127.0.0.8';
    const ask = (): Promise<Reply> => sendRpc(`${url}${HTTP}`, 'ping', {}, { from });
    const { result, records, rise } = await gather({ url }, async () => {
      const replies = await Promise.all(Array.from({ length: 30 }, ask));
      return replies.filter(({ status }) => status === 429).length;
    });
    expect(result).toBe(20);
    expect(records.map((record) => [...toOutcome(record), record.caller_ip])).toEqual(
      Array.from({ length: 20 }, () => [`POST ${HTTP}`, 'denied', 'RATE_LIMITED', from]),
    );
    expect(rise('mcp_ratelimited_total', { by: 'address' })).toBe(20);
    await close();
  });

  it('keeps a quota per day', async () => {
    const server = await start({ MCP_RATELIMIT_REQUESTS_PER_DAY: '2' });
    const ask = (): Promise<Reply> => sendRpc(`${server.url}${HTTP}`, 'ping');
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 200]);
    const reply = await ask();
    expect([reply.status, errorOf(reply).code, errorOf(reply).details]).toEqual([
      429,
      'RATE_LIMITED',
      { by: 'quota', retry_after: expect.stringMatching(/^86[34]\d\ds$/) },
    ]);
    await server.stop();
  });

  it('gives the quota back when its day is over, not a moment earlier, and says how long that is', async () => {
    const start = Date.now();
    let passed = 0;
    const { app, close } = await openApp({ 'ratelimit.requests_per_day': 2 }, () => start + passed);
    const { url } = await app.openHttp({ port: 0 });
    const ask = async (): Promise<[number, unknown]> => {
      const reply = await sendRpc(`${url}${HTTP}`, 'ping');
      return [reply.status, reply.status === 200 ? undefined : errorOf(reply).details?.['retry_after']];
    };
    const OK = [200, undefined];
    expect([await ask(), await ask(), await ask()]).toEqual([OK, OK, [429, '86400s']]);
    passed = 86_400_000 - 1000;
    expect(await ask()).toEqual([429, '1s']);
    passed += 999;
    expect(await ask()).toEqual([429, '1s']);
    passed += 1;
    expect([await ask(), await ask(), await ask()]).toEqual([OK, OK, [429, '86400s']]);
    await close();
  });

  it('is off when it is switched off', async () => {
    const server = await start({ ...UNLIMITED, MCP_RATELIMIT_BURST: '1' });
    const replies = await Promise.all(Array.from({ length: 20 }, () => sendRpc(`${server.url}${HTTP}`, 'ping')));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    expect(replies[0]?.headers['ratelimit']).toBeUndefined();
    await server.stop();
  });
});

describe('time (SEED-HTTP-03)', () => {
  let server: Running;
  beforeAll(async () => {
    server = await start({ ...UNLIMITED, MCP_READ_TIMEOUT: '1', MCP_IDLE_TIMEOUT: '1' });
  });
  afterAll(() => server.stop());

  /** One byte after the other, until the connection is cut. */
  const drip = async (head: string): Promise<string> => {
    const socket = await openSocket(server.url);
    socket.write(head);
    const drops = setInterval(() => socket.write('a'), 100);
    const { text } = await readToEnd(socket);
    clearInterval(drops);
    return text;
  };

  it('cuts those who send headers or bodies byte by byte, records and counts each, and serves the others meanwhile', async () => {
    const { result, records, rise } = await gather(server, async () => {
      const slow = [
        ...Array.from({ length: 20 }, () => drip('POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-A: ')),
        ...Array.from({ length: 20 }, () =>
          drip('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"'),
        ),
        drip('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n186a0\r\n'),
      ];
      expect((await send(`${server.url}/health`)).status).toBe(200);
      return Promise.all(slow);
    });
    for (const text of result) expect(text).toMatch(/^HTTP\/1\.1 408 /);
    expect(records.map(toOutcome)).toEqual(result.map(() => ['connection', 'denied', 'DEADLINE_EXCEEDED']));
    expect(rise('http_connections_refused_total', { reason: 'timeout' })).toBe(result.length);
    expect((await call(server.url, 'platform_status', {})).status).toBe(200);
  });

  it('closes a connection that is idle, also one that never said anything', async () => {
    const socket = await openSocket(server.url);
    socket.write('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect((await readToEnd(socket)).statuses).toEqual([200]);
    const silent = await openSocket(server.url);
    await readToEnd(silent);
  });

  it('answers 504 where a plain answer takes longer than allowed, and leaves streams alone', async () => {
    const hasty = await start({ ...UNLIMITED, MCP_WRITE_TIMEOUT: '1', MCP_PLUGINS: NOTES });
    const args = { duration: '2500ms' };
    const late = await call(hasty.url, 'notes_pause', args);
    expect([late.status, errorOf(late)]).toMatchObject([
      504,
      { code: 'DEADLINE_EXCEEDED', message: expect.stringContaining('server.writeTimeoutSec') },
    ]);
    const stream = await send(`${hasty.url}/api/notes/streamable-http`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'notes_pause', arguments: args, _meta: { progressToken: 1 } },
      }),
    });
    expect([stream.status, stream.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect(stream.body).toContain('2500ms');
    await hasty.stop();
  });

  it('closes a connection that does not come to an end with its TLS handshake', async () => {
    const certificates = makeCertificates();
    const pair = certificates.issue('server', certificates.authority('authority'), { subject: '/CN=localhost', server: true });
    const secure = await start({ MCP_READ_TIMEOUT: '1', MCP_TLS_CERT_FILE: pair.certFile, MCP_TLS_KEY_FILE: pair.keyFile });
    const socket = await openSocket(secure.url);
    socket.write(Buffer.from('1603010200', 'hex'));
    await readToEnd(socket);
    await secure.stop();
    certificates.close();
  });

  it('takes zero for no limit', async () => {
    const patient = await start({ ...UNLIMITED, MCP_READ_TIMEOUT: '0', MCP_WRITE_TIMEOUT: '0', MCP_PLUGINS: NOTES });
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'notes_pause', arguments: { duration: '1200ms' } },
    });
    const socket = await openSocket(patient.url);
    socket.write(
      `POST ${HTTP} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    await delay(1500);
    socket.write(body);
    expect((await readToEnd(socket)).text).toContain('1200ms');
    await patient.stop();
  });
});

describe('numbers (SEED-HTTP-04, SEED-HTTP-02, GUIDE-PERF-02, SEED-REQ-01)', () => {
  it('one connection more than allowed is closed, those that are open are unharmed, and a freed place is given away', async () => {
    const server = await start({ ...UNLIMITED, MCP_MAX_CONNECTIONS: '4', MCP_IDLE_TIMEOUT: '60' });
    const open = [await openSocket(server.url), await openSocket(server.url), await openSocket(server.url), await openSocket(server.url)];
    const more = await openSocket(server.url);
    expect((await readToEnd(more)).text).toBe('');
    await readToEnd(await openSocket(server.url));
    const [first, second] = open;
    second?.write('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    if (second !== undefined) expect((await readToEnd(second)).statuses).toEqual([200]);
    first?.destroy();
    await until(async () =>
      send(`${server.url}/health`).then(
        ({ status }) => status === 200,
        () => false,
      ),
    );
    // The two, and those that came before the place was free.
    expect(
      (await scrape(`${server.url}/metrics`)).value('http_connections_refused_total', { reason: 'max_connections' }),
    ).toBeGreaterThanOrEqual(2);
    for (const socket of open) socket.destroy();
    await server.stop();
  });

  it('connections above the limit are counted one by one, and recorded once a second: a flood fills no audit log', async () => {
    let passed = 0;
    const { app, close } = await openApp({ 'server.max_connections': 2 }, () => 1_790_000_000_000 + passed);
    const { url } = await app.openHttp({ port: 0 });
    const flood = async (): Promise<void> => {
      const open = [await openSocket(url), await openSocket(url)];
      for (let count = 0; count < 20; count++) await readToEnd(await openSocket(url));
      const gone = open.map((socket) => once(socket, 'close'));
      for (const socket of open) socket.destroy();
      await Promise.all(gone);
      await until(() =>
        send(`${url}/health`).then(
          () => true,
          () => false,
        ),
      );
    };
    await flood();
    passed = 1000;
    await flood();
    const query = { from: 0, to: Number.MAX_SAFE_INTEGER, limit: 100, order: 'desc' } as const;
    const records = (await app.audit?.query(query))?.records ?? [];
    expect(records.map(toOutcome)).toEqual([
      ['connection', 'denied', 'RATE_LIMITED'],
      ['connection', 'denied', 'RATE_LIMITED'],
    ]);
    const refused = (await scrape(`${url}/metrics`)).value('http_connections_refused_total', { reason: 'max_connections' });
    expect(refused).toBeGreaterThanOrEqual(40);
    await close();
  });

  it('streams are capped at half of the connections, and at a quarter of that for one caller', async () => {
    const server = await start({ ...UNLIMITED, MCP_MAX_CONNECTIONS: '32' });
    const stop = new AbortController();
    const open = (): Promise<number> =>
      new Promise((resolve, reject) => {
        const sent = request(new URL('/api/kubernetes/sse', server.url), { signal: stop.signal, agent: false }, (reply) => {
          reply.on('error', () => {}).resume();
          resolve(reply.statusCode ?? 0);
        });
        sent.on('error', reject).end();
      });
    const statuses: number[] = [];
    for (let count = 0; count < 6; count++) statuses.push(await open());
    expect(statuses).toEqual([200, 200, 200, 200, 429, 429]);
    const refused = await send(`${server.url}/api/kubernetes/sse`);
    expect(errorOf(refused)).toMatchObject({ code: 'RATE_LIMITED', details: { retry_after: '10s', setting: 'server.max_connections' } });
    // Streams and requests side by side.
    const replies = await Promise.all(Array.from({ length: 10 }, () => call(server.url, 'platform_status', {})));
    expect(replies.map(({ status }) => status)).toEqual(Array.from({ length: 10 }, () => 200));
    stop.abort();
    await until(async () => (await scrape(`${server.url}/metrics`)).value('mcp_stream_count') === 0);
    await server.stop();
  });

  it('calls of one caller wait their turn, and too many are refused', async () => {
    const server = await start({ ...UNLIMITED, MCP_CONCURRENT_CALLS: '1', MCP_PLUGINS: NOTES });
    const waiting = Array.from({ length: 40 }, () => call(server.url, 'notes_pause', { duration: '30ms' }));
    const bodies = (await Promise.all(waiting)).map(({ body }) => body);
    const refused = bodies.filter((body) => body.includes('RATE_LIMITED'));
    expect(bodies.filter((body) => body.includes('"waited":"30ms"')).length).toBe(40 - refused.length);
    // One runs and 32 wait.
    expect(refused.length).toBeLessThanOrEqual(7);
    for (const body of refused) expect(body).toContain('limits.concurrentCalls');
    await server.stop();
  });

  it('calls that are refused for want of room are recorded and counted', async () => {
    const server = await start({ ...UNLIMITED, MCP_CONCURRENT_CALLS: '1', MCP_PLUGINS: NOTES });
    const { result, records, rise } = await gather(server, async () => {
      const replies = await Promise.all(Array.from({ length: 60 }, () => call(server.url, 'notes_pause', { duration: '50ms' })));
      return replies.filter(({ body }) => body.includes('RATE_LIMITED')).length;
    });
    expect(result).toBeGreaterThan(0);
    expect(records.filter(({ status }) => status === 'denied').length).toBe(result);
    expect(rise('mcp_errors_total', { type: 'rate_limited' })).toBe(result);
    await server.stop();
  });

  it('a request that is too deep or too wide is refused before it is looked at', async () => {
    const server = await start({ ...UNLIMITED, MCP_MAX_JSON_DEPTH: '10', MCP_MAX_JSON_ELEMENTS: '100' });
    const ask = (value: unknown): Promise<Reply> => sendRpc(`${server.url}${HTTP}`, 'ping', { value });
    const nest = (depth: number): unknown => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`);
    expect((await ask(nest(8))).status).toBe(200);
    const deep = await ask(nest(9));
    expect([deep.status, errorOf(deep)]).toMatchObject([
      413,
      { code: 'PAYLOAD_TOO_LARGE', details: { setting: 'limits.maxJsonDepth', limit: 10 } },
    ]);
    expect((await ask(Array.from({ length: 90 }, () => 1))).status).toBe(200);
    const wide = await ask(Array.from({ length: 101 }, () => 1));
    expect([wide.status, errorOf(wide)]).toMatchObject([413, { details: { setting: 'limits.maxJsonElements', limit: 100 } }]);
    // Far beyond, in few bytes: no stack overflows.
    const bomb = await send(`${server.url}${HTTP}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `${'['.repeat(1_000_000)}`,
    });
    expect([bomb.status, JSON.parse(bomb.body).error.code]).toEqual([400, -32700]);
    const whole = await send(`${server.url}${HTTP}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}}`,
    });
    expect([413, 400]).toContain(whole.status);
    expect((await send(`${server.url}/health`)).status).toBe(200);
    await server.stop();
  });
});

describe('the size of an answer (GUIDE-CONF-04)', () => {
  const list = (url: string): Promise<Reply> =>
    call(url, 'kubernetes_list_resources', { kind: 'pods', view: 'full', limit: 500, maxTokens: 200_000 });
  const CEILING = { MCP_OUTPUT_MAX_TOKENS_CEILING: '200000' };

  it('stays below the limit in bytes, and says that something is missing', async () => {
    const [free, bound] = await Promise.all([
      start({ ...UNLIMITED, ...CEILING }),
      start({ ...UNLIMITED, ...CEILING, MCP_MAX_RESPONSE_SIZE: '20000' }),
    ]);
    const whole = await list(free.url);
    expect(Buffer.byteLength(whole.body)).toBeGreaterThan(100_000);
    const cut = await list(bound.url);
    expect(Buffer.byteLength(cut.body)).toBeLessThanOrEqual(20_000);
    expect(JSON.parse(cut.body).result.structuredContent.page).toMatchObject({ reason: 'budget', next: expect.any(String) });
    expect((await scrape(`${bound.url}/metrics`)).value('mcp_result_truncated_total')).toBe(1);
    await Promise.all([free.stop(), bound.stop()]);
  });

  it('fails with advice where cutting is switched off', async () => {
    const server = await start({
      ...UNLIMITED,
      ...CEILING,
      MCP_MAX_RESPONSE_SIZE: '20000',
      MCP_TRUNCATE_LARGE_RESPONSES: 'false',
    });
    const { result } = JSON.parse((await list(server.url)).body);
    expect(result).toMatchObject({
      isError: true,
      structuredContent: {
        error: { code: 'PAYLOAD_TOO_LARGE', details: { limit: 20_000, setting: 'performance.max_response_size' } },
      },
    });
    expect(result.content[0].text).toContain('narrow the call');
    const small = await call(server.url, 'kubernetes_list_resources', { kind: 'pods', namespace: 'shop', view: 'count' });
    expect(JSON.parse(small.body).result.structuredContent.total).toBe(22);
    await server.stop();
  });
});

it('a connection that never said anything does not hold a server that ends (SEED-HTTP-06)', async () => {
  const server = await start({ ...UNLIMITED, MCP_SHUTDOWN_GRACE: '600' });
  const socket = await openSocket(server.url);
  const closed = once(socket.resume(), 'close');
  expect((await server.stop()).code).toBe(0);
  await closed;
});
