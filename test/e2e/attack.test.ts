// Attacks on the door: requests that are none, doubled, folded, smuggled, forged; each is refused in the one shape, and the server goes on.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOf, type Reply, send, sendRpc } from '../support/http.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';
import { scrape } from '../support/prometheus-text.ts';
import { type RawReply, sendRaw } from '../support/raw.ts';

const HTTP = '/api/aggregate/http';
const KEY = 'cnm_Zk3v9Qp7Lw2Xr8Tn5Yb1Hd6Jf4';

let cluster: Cluster;
let server: Running;
beforeAll(async () => {
  cluster = await openCluster();
  // Level debug: what is never logged is not logged there either.
  const env = { MCP_RATELIMIT_ENABLED: 'false', MCP_LOG_LEVEL: 'debug', MCP_IDLE_TIMEOUT: '1', MCP_READ_TIMEOUT: '5' };
  server = await startProgram(['--kubeconfig', cluster.kubeconfig], env);
});
afterAll(async () => {
  // The same process, healthy, and no fault of its own in the log.
  expect(server.child.exitCode).toBeNull();
  expect((await send(`${server.url}/health`)).status).toBe(200);
  const { body } = await sendRpc(`${server.url}${HTTP}`, 'tools/call', { name: 'platform_status', arguments: {} });
  expect(JSON.parse(body).result.isError).toBeUndefined();
  expect(server.stderr()).not.toMatch(/internal fault|\n\s+at |Unhandled/);
  await server.stop();
  await cluster.close();
});

const PING = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
const POST = `POST ${HTTP} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n`;
const GET = 'GET /health HTTP/1.1\r\nHost: localhost\r\n';

const bodyOf = ({ text }: RawReply): { error?: { code?: unknown; message?: string } } =>
  JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as object;

describe('what is no request', () => {
  it.each([
    ['two lengths that differ', `${POST}Content-Length: ${PING.length}\r\nContent-Length: 5\r\n\r\n${PING}`],
    ['two equal lengths', `${POST}Content-Length: ${PING.length}\r\nContent-Length: ${PING.length}\r\n\r\n${PING}`],
    ['a list of lengths', `${POST}Content-Length: ${PING.length}, ${PING.length}\r\n\r\n${PING}`],
    ['a length with a sign', `${POST}Content-Length: +${PING.length}\r\n\r\n${PING}`],
    ['length and chunks', `${POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n${PING}\r\n0\r\n\r\n`],
    ['chunks and length', `${POST}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n28\r\n${PING}\r\n0\r\n\r\n`],
    ['an unknown transfer coding', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['chunked that is not last', `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`],
    ['a chunk without a size', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n`],
    ['a folded header', `${GET}X-A: a\r\n b\r\n\r\n`],
    ['bare line feeds', 'GET /health HTTP/1.1\nHost: localhost\n\n'],
    ['a bare carriage return', `${GET}X-A: a\rX-B: b\r\n\r\n`],
    ['a space before the colon', 'GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n'],
    ['a zero byte', `${GET}X-A: a\0b\r\n\r\n`],
    ['no host', 'GET /health HTTP/1.1\r\n\r\n'],
    ['a host with a login', 'GET /health HTTP/1.1\r\nHost: evil@localhost\r\n\r\n'],
    ['a host with a path', 'GET /health HTTP/1.1\r\nHost: localhost/evil\r\n\r\n'],
    ['a port that is none', 'GET /health HTTP/1.1\r\nHost: localhost:99999\r\n\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['bytes beyond ASCII in the path', 'GET /health\xff HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ])('%s: 400 in the shape of all errors, and the connection is closed', async (_, bytes) => {
    const reply = await sendRaw(server.url, bytes);
    expect(reply.statuses).toEqual([400]);
    expect(reply.text).toMatch(/^content-type: application\/json/im);
    expect(reply.text).toMatch(/^x-content-type-options: nosniff/im);
    expect(bodyOf(reply).error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(/^\S.{20}/) });
    expect(reply.text).not.toMatch(/\n\s+at |node:|HPE_/);
  });

  it.each([
    ['headers of 20 KB', `${GET}X-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 'PAYLOAD_TOO_LARGE'],
    ['three thousand headers', `${GET}${Array.from({ length: 3000 }, (_, at) => `a${at}: b\r\n`).join('')}\r\n`, 431, 'PAYLOAD_TOO_LARGE'],
    ['an expectation', `${POST}Expect: 200-maybe\r\nContent-Length: 40\r\n\r\n${PING}`, 417, 'UNSUPPORTED'],
  ])('%s: %d', async (_, bytes, status, code) => {
    const reply = await sendRaw(server.url, bytes);
    expect([reply.statuses, bodyOf(reply).error?.code]).toEqual([[status], code]);
  });

  it('a body that ends early leaves the rest as a request of its own, which must hold for itself', async () => {
    const reply = await sendRaw(server.url, `${POST}Content-Length: 5\r\n\r\n{"a":GET /metrics HTTP/1.1\r\nHost: evil.example.com\r\n\r\n`);
    expect(reply.statuses).toEqual([400, 403]);
  });

  it('what comes after a broken request on the same connection is never answered', async () => {
    const reply = await sendRaw(server.url, `${GET}\r\n${GET}X-A: a\r\n b\r\n\r\n${GET}\r\n`);
    expect(reply.statuses).toEqual([200, 400]);
  });
});

describe('what never becomes a request', () => {
  const EVILS = [
    'GET /health HTTP/1.1\r\nHost: evil@localhost\r\n\r\n',
    'GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n',
    '\x16\x03\x01\x02',
  ];

  it('is counted by its kind, and recorded with where it came from and nothing of what it was (SEED-MW-02)', async () => {
    const before = await scrape(`${server.url}/metrics`);
    for (const bytes of EVILS) expect((await sendRaw(server.url, bytes)).statuses).toEqual([400]);
    expect((await sendRaw(server.url, `${GET}X-A: ${'a'.repeat(20_000)}\r\n\r\n`)).statuses).toEqual([431]);
    const after = await scrape(`${server.url}/metrics`);
    const rise = (reason: string): number =>
      after.value('http_connections_refused_total', { reason }) - before.value('http_connections_refused_total', { reason });
    expect([rise('unreadable'), rise('too_large')]).toEqual([3, 1]);
    const records = JSON.parse((await send(`${server.url}/api/audit/logs?limit=4`)).body) as Record<string, string>[];
    expect(records.map(({ action, status, caller_ip, error_msg }) => [action, status, caller_ip, error_msg])).toEqual([
      ['connection', 'denied', '127.0.0.1', 'PAYLOAD_TOO_LARGE: no request: too_large'],
      ...EVILS.map(() => ['connection', 'denied', '127.0.0.1', 'INVALID_ARGUMENT: no request: unreadable']),
    ]);
    expect(JSON.stringify(records)).not.toContain('evil');
  });
});

describe('headers that claim something', () => {
  it.each([
    ['a method', { 'x-http-method-override': 'DELETE', 'x-http-method': 'DELETE', 'x-method-override': 'DELETE' }],
    ['a path', { 'x-original-url': '/metrics', 'x-rewrite-url': '/metrics', 'x-forwarded-prefix': '/evil' }],
    ['another host', { 'x-forwarded-host': 'evil.example.com', 'x-host': 'evil.example.com', forwarded: 'host=evil.example.com' }],
    ['an upgrade', { connection: 'Upgrade', upgrade: 'websocket' }],
  ])('%s are ignored', async (_, headers) => {
    const reply = await send(`${server.url}/health`, { headers });
    expect([reply.status, JSON.parse(reply.body)]).toEqual([200, { status: 'healthy' }]);
    expect(JSON.stringify(reply.headers)).not.toContain('evil');
  });

  it.each([
    'evil.example.com',
    'localhost.evil.example.com',
    'localhost.',
    '0x7f.1',
    '127.0.0.1.nip.io',
    '127.1',
    // Other spellings of this machine: browsers write the plain one, so these are names somebody made up.
    '127.0.0.1.',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.0.0.2',
    '0.0.0.0',
    '[::ffff:7f00:1]',
    '[::]',
    '[fe80::1]',
    'ip6-localhost',
  ])('a Host of %s is refused on every route: DNS rebinding', async (host) => {
    for (const path of ['/mcp', '/health', HTTP, '/metrics', '/api/audit/logs', '/api/kubernetes/sse']) {
      const reply = await send(`${server.url}${path}`, { headers: { host } });
      expect([reply.status, errorOf(reply).code]).toEqual([403, 'FORBIDDEN']);
    }
  });

  it.each(['[::ffff:127.0.0.1]', '[::127.0.0.1]', '[0:0:0:0:0:0:0:1]', '[::1]evil', 'localhost:80.evil.example.com'])(
    'a Host of %s, which no client writes, is refused on every route',
    async (host) => {
      for (const path of ['/mcp', '/health', HTTP, '/metrics', '/api/audit/logs'])
        expect([400, 403]).toContain((await send(`${server.url}${path}`, { headers: { host } })).status);
    },
  );

  it.each([
    'https://evil.example.com',
    'http://[::ffff:127.0.0.1]',
    'http://localhost.',
    'http://ip6-localhost',
    'null',
    'http://localhost.evil.example.com',
    'file://',
    'http://127.0.0.1@evil.example.com',
    'x',
  ])('an Origin of %s is refused on every route', async (origin) => {
    for (const path of ['/mcp', '/health', HTTP, '/api/kubernetes/sse'])
      expect((await send(`${server.url}${path}`, { headers: { origin } })).status).toBe(403);
  });

  it('an absolute address in the request line matches no route, and two hosts are refused', async () => {
    const absolute = await sendRaw(
      server.url,
      'GET http://evil.example.com/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    expect(absolute.statuses).toEqual([404]);
    const doubled = await sendRaw(
      server.url,
      'GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example.com\r\nConnection: close\r\n\r\n',
    );
    expect(doubled.statuses).toEqual([403]);
  });

  it.each(['CONNECT localhost:80', 'TRACE /health', 'OPTIONS *', 'PATCH /mcp', 'PUT /api/audit/logs'])('%s does nothing', async (line) => {
    const { statuses, text } = await sendRaw(
      server.url,
      `${line} HTTP/1.1\r\nHost: localhost\r\nX-Echo: canary\r\nConnection: close\r\n\r\n`,
    );
    for (const status of statuses) expect([400, 404, 405]).toContain(status);
    expect(text).not.toContain('canary');
  });

  it('an X-Request-Id that could break lines or headers is replaced, in the answer, the log and the record', async () => {
    for (const id of ['a%0d%0aSet-Cookie:x', 'a;b', '<script>', 'ä', 'x'.repeat(129), '../../etc', '${jndi:ldap://x}']) {
      const { headers } = await send(`${server.url}/health`, { headers: { 'x-request-id': Buffer.from(id).toString('latin1') } });
      expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    }
    expect(server.stderr()).not.toMatch(/jndi|<script>/);
  });

  it('who a caller says to be is not who it is', async () => {
    const headers = {
      'x-user-id': 'root-9f2c',
      'x-service-name': 'root-9f2c',
      'x-tool-name': 'root-9f2c',
      'x-forwarded-for': '203.0.113.99',
    };
    await sendRpc(`${server.url}${HTTP}`, 'tools/call', { name: 'platform_status', arguments: {} }, { headers });
    const records = (await send(`${server.url}/api/audit/logs?tool_name=platform_status`)).body;
    expect(JSON.parse(records)[0]).toMatchObject({ user_id: 'local', caller_ip: '127.0.0.1' });
    expect(`${records}${server.stderr()}`).not.toMatch(/root-9f2c|203\.0\.113\.99/);
  });

  it('keys of a prototype in the query are refused where a query is read, and change nothing elsewhere', async () => {
    for (const query of [
      '__proto__[polluted]=1',
      '__proto__.polluted=1',
      '__proto__=1',
      'constructor[prototype][polluted]=1',
      'constructor=1',
    ]) {
      for (const path of ['/mcp', '/api/audit/logs', '/api/audit/stats']) {
        const reply = await send(`${server.url}${path}?${query}`, { headers: { accept: 'text/event-stream' } });
        expect([path, reply.status, errorOf(reply).code]).toEqual([path, 400, 'INVALID_ARGUMENT']);
      }
      const reply = await sendRpc(`${server.url}${HTTP}?${query}`, 'ping');
      expect([200, 400]).toContain(reply.status);
    }
    const profile = await sendRpc(`${server.url}/mcp?profile=__proto__`, 'tools/list');
    expect([profile.status, errorOf(profile).code]).toEqual([400, 'INVALID_ARGUMENT']);
  });

  it.each(['__proto__', 'constructor', 'prototype', 'hasOwnProperty', '__defineGetter__'])(
    'a header called %s is a header, no more',
    async (name) => {
      const reply = await sendRpc(
        `${server.url}${HTTP}`,
        'tools/call',
        { name: 'platform_status', arguments: {} },
        { headers: { [name]: '{"x":1}' } },
      );
      expect([reply.status, JSON.parse(reply.body).result.isError]).toEqual([200, undefined]);
      const asValue = { 'x-request-id': name, 'mcp-protocol-version': name, traceparent: name, 'mcp-session-id': name };
      expect([200, 400, 404]).toContain((await sendRpc(`${server.url}${HTTP}`, 'ping', {}, { headers: asValue })).status);
    },
  );

  it('a kubeconfig in a header changes nothing, and in an argument is no argument', async () => {
    const headers = {
      'x-mcp-backend-kubernetes-kubeconfig': 'apiVersion: v1\nkind: Config'.replace('\n', ' '),
      'x-mcp-backend-prometheus-url': 'http://169.254.169.254/',
    };
    const reply = await sendRpc(
      `${server.url}${HTTP}`,
      'tools/call',
      { name: 'kubernetes_list_resources', arguments: { kind: 'pods', namespace: 'shop', view: 'count' } },
      { headers },
    );
    expect(JSON.parse(reply.body).result.structuredContent.total).toBe(22);
    for (const argument of ['kubeconfig', 'kubeconfigPath', 'server']) {
      const args = { kind: 'pods', [argument]: '/etc/passwd' };
      const { result } = JSON.parse(
        (await sendRpc(`${server.url}${HTTP}`, 'tools/call', { name: 'kubernetes_list_resources', arguments: args })).body,
      );
      expect(result.structuredContent.error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      expect(JSON.stringify(result)).not.toContain('root:');
    }
  });
});

describe('wrong passwords', () => {
  it('ten thousand end in 429 for their address, are recorded and counted, and harm nobody else', async () => {
    const env = { MCP_AUTH_ENABLED: 'true', MCP_AUTH_API_KEY: KEY, MCP_RATELIMIT_ENABLED: 'false' };
    const door = await startProgram(['--kubeconfig', cluster.kubeconfig], env);
    const guess = (at: number): Promise<Reply> =>
      sendRpc(`${door.url}${HTTP}`, 'ping', {}, { from: '127.0.0.66', headers: { 'x-api-key': `cnm_guess_number_${at}_0123456789` } });
    const counts = new Map<number, number>();
    for (let at = 0; at < 10_000; at += 50) {
      const replies = await Promise.all(Array.from({ length: 50 }, (_, more) => guess(at + more)));
      for (const { status } of replies) counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual([401, 429]);
    expect((counts.get(401) ?? 0) + (counts.get(429) ?? 0)).toBe(10_000);
    expect(counts.get(401)).toBeLessThanOrEqual(60);
    const reply = await guess(1);
    expect([reply.status, errorOf(reply).code, Number(reply.headers['retry-after'])]).toMatchObject([
      429,
      'RATE_LIMITED',
      expect.any(Number),
    ]);
    // Even the right key, from there; and anybody else at once.
    const right = { headers: { 'x-api-key': KEY } };
    expect((await sendRpc(`${door.url}${HTTP}`, 'ping', {}, { ...right, from: '127.0.0.66' })).status).toBe(429);
    expect((await sendRpc(`${door.url}${HTTP}`, 'ping', {}, { ...right, from: '127.0.0.67' })).status).toBe(200);
    const metrics = (await send(`${door.url}/metrics`, right)).body;
    expect(metrics).toMatch(/^mcp_auth_failures_total\{[^}]*\} [1-9]\d*$/m);
    expect(metrics).not.toContain('cnm_guess');
    expect(door.stderr()).not.toContain('cnm_guess');
    await door.stop();
  });
});

describe('bodies', () => {
  const post = (body: string, headers: Record<string, string> = {}): Promise<Reply> =>
    send(`${server.url}${HTTP}`, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });

  it.each([
    [
      'a constructor key',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"platform_status","arguments":{"constructor":{"prototype":{"polluted":1}}}}}',
    ],
    [
      'a polluted request',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","__proto__":{"polluted":1},"params":{"__proto__":{"x":1},"name":"__proto__","arguments":{}}}',
    ],
    ['a tool called constructor', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"constructor","arguments":{}}}'],
    ['a method called toString', '{"jsonrpc":"2.0","id":1,"method":"toString"}'],
    ['a resource called __proto__', '{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"__proto__"}}'],
    ['a prompt called constructor', '{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"constructor"}}'],
    [
      'a completion of hasOwnProperty',
      '{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"hasOwnProperty"},"argument":{"name":"__proto__","value":""}}}',
    ],
  ])('%s is refused and pollutes nothing', async (_, body) => {
    const { status, body: text } = await post(body);
    const answer = JSON.parse(text) as { error?: unknown; result?: { isError?: boolean } };
    expect(answer.error ?? answer.result?.isError).toBeTruthy();
    expect([200, 400, 404]).toContain(status);
    expect(text).not.toMatch(/\\n\s+at |TypeError|Internal error/);
  });

  it('a __proto__ key has no effect, nor one in an argument that is JSON in a string', async () => {
    const call = (name: string, args: string): Promise<Reply> =>
      post(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":${args}}}`);
    const plain = JSON.parse((await call('platform_status', '{}')).body).result.structuredContent;
    const dropped = JSON.parse((await call('platform_status', '{"__proto__":{"view":"clusters"}}')).body).result.structuredContent;
    expect(Object.keys(dropped)).toEqual(Object.keys(plain));
    for (const fields of ['[{"__proto__":{"x":1}}]', `${'['.repeat(5000)}${']'.repeat(5000)}`]) {
      const args = JSON.stringify({ kind: 'pods', fields });
      const { result } = JSON.parse((await call('kubernetes_list_resources', args)).body);
      expect(result.structuredContent.error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('text that cuts a character in two, or is no UTF-8, is no fault of the server', async () => {
    for (const name of ['\ud800', '\u0000', '\u202e', 'x'.repeat(100_000)]) {
      const reply = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }));
      expect(JSON.parse(reply.body).error.code).toBe(-32602);
      expect(reply.body.length).toBeLessThan(500);
    }
  });

  it('refusals count', async () => {
    const before = await scrape(`${server.url}/metrics`);
    await send(`${server.url}/mcp`, { headers: { host: 'evil.example.com' } });
    await sendRpc(`${server.url}${HTTP}`, 'tools/call', { name: 'no_such_tool', arguments: {} });
    const after = await scrape(`${server.url}/metrics`);
    const rise = (name: string, labels: Record<string, string>): number => after.value(name, labels) - before.value(name, labels);
    expect(rise('http_requests_total', { status_code: '403' })).toBe(1);
    expect(rise('mcp_errors_total', { type: 'invalid_argument' })).toBe(1);
    const records = JSON.parse((await send(`${server.url}/api/audit/logs?limit=10`)).body) as { action: string; status: string }[];
    expect(records).toContainEqual(expect.objectContaining({ action: 'GET /mcp', status: 'denied' }));
    expect(records).toContainEqual(expect.objectContaining({ tool_name: 'other', status: 'failure' }));
  });
});
