// Attacks on the door: requests that are none, doubled, folded, smuggled, forged; each is refused in the one shape, recorded and counted, and the server goes on.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gather, toOutcome } from '../support/evidence.ts';
import { errorOf, type Reply, send, sendRpc } from '../support/http.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';
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
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
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
    ['a backslash in the path', 'GET /api\\..\\metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['bytes beyond ASCII in the path', 'GET /health\xff HTTP/1.1\r\nHost: localhost\r\n\r\n'],
  ])('%s: 400 in the shape of all errors, recorded, counted, and the connection is closed', async (_, bytes) => {
    const { result: reply, records, rise } = await gather(server, () => sendRaw(server.url, bytes));
    expect(reply.statuses).toEqual([400]);
    expect(records.map(toOutcome)).toEqual([['connection', 'denied', 'INVALID_ARGUMENT']]);
    expect(rise('http_connections_refused_total')).toBe(1);
    expect(reply.text).toMatch(/^content-type: application\/json/im);
    expect(reply.text).toMatch(/^x-content-type-options: nosniff/im);
    expect(bodyOf(reply).error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringMatching(/^\S.{20}/) });
    expect(reply.text).not.toMatch(/\n\s+at |node:|HPE_/);
  });

  it.each([
    ['headers of 20 KB', `${GET}X-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431, 'PAYLOAD_TOO_LARGE'],
    ['three thousand headers', `${GET}${Array.from({ length: 3000 }, (_, at) => `a${at}: b\r\n`).join('')}\r\n`, 431, 'PAYLOAD_TOO_LARGE'],
    ['an expectation', `${POST}Expect: 200-maybe\r\nContent-Length: 40\r\n\r\n${PING}`, 417, 'UNSUPPORTED'],
    ['a tunnel', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n', 405, 'UNSUPPORTED'],
  ])('%s: %d, recorded and counted', async (_, bytes, status, code) => {
    const { result: reply, records, rise } = await gather(server, () => sendRaw(server.url, bytes));
    expect([reply.statuses, bodyOf(reply).error?.code]).toEqual([[status], code]);
    expect(records.map(toOutcome)).toEqual([['connection', 'denied', code]]);
    expect(rise('http_connections_refused_total')).toBe(1);
  });

  it('a body that ends early leaves the rest as a request of its own, which must hold for itself', async () => {
    const bytes = `${POST}Content-Length: 5\r\n\r\n{"a":GET /metrics HTTP/1.1\r\nHost: evil.example.com\r\n\r\n`;
    const { result: reply, records, rise } = await gather(server, () => sendRaw(server.url, bytes));
    expect(reply.statuses).toEqual([400, 403]);
    expect(records.map(toOutcome).toSorted()).toEqual([
      ['GET /metrics', 'denied', 'FORBIDDEN'],
      [`POST ${HTTP}`, 'denied', 'INVALID_ARGUMENT'],
    ]);
    expect([rise('http_requests_total', { status_code: '400' }), rise('http_requests_total', { status_code: '403' })]).toEqual([1, 1]);
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
    const { records, rise } = await gather(server, async () => {
      for (const bytes of EVILS) expect((await sendRaw(server.url, bytes)).statuses).toEqual([400]);
      expect((await sendRaw(server.url, `${GET}X-A: ${'a'.repeat(20_000)}\r\n\r\n`)).statuses).toEqual([431]);
    });
    const refused = (reason: string): number => rise('http_connections_refused_total', { reason });
    expect([refused('unreadable'), refused('too_large')]).toEqual([3, 1]);
    expect(records.map(({ action, status, caller_ip, error_msg }) => [action, status, caller_ip, error_msg])).toEqual([
      ...EVILS.map(() => ['connection', 'denied', '127.0.0.1', 'INVALID_ARGUMENT: no request: unreadable']),
      ['connection', 'denied', '127.0.0.1', 'PAYLOAD_TOO_LARGE: no request: too_large'],
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
  ])('a Host of %s is refused on every route, recorded and counted: DNS rebinding', async (host) => {
    const paths = ['/mcp', '/health', HTTP, '/metrics', '/api/audit/logs', '/api/kubernetes/sse'];
    const { records, rise } = await gather(server, async () => {
      for (const path of paths) {
        const reply = await send(`${server.url}${path}`, { headers: { host } });
        expect([reply.status, errorOf(reply).code]).toEqual([403, 'FORBIDDEN']);
      }
    });
    expect(records.map(toOutcome)).toEqual(paths.map((path) => [`GET ${path}`, 'denied', 'FORBIDDEN']));
    expect(rise('http_requests_total', { status_code: '403' })).toBe(paths.length);
  });

  it.each(['[::ffff:127.0.0.1]', '[::127.0.0.1]', '[0:0:0:0:0:0:0:1]', '[::1]evil', 'localhost:80.evil.example.com'])(
    'a Host of %s, which no client writes, is refused on every route',
    async (host) => {
      const paths = ['/mcp', '/health', HTTP, '/metrics', '/api/audit/logs'];
      const { records, rise } = await gather(server, async () => {
        for (const path of paths) expect([400, 403]).toContain((await send(`${server.url}${path}`, { headers: { host } })).status);
      });
      expect(records.map(({ status }) => status)).toEqual(paths.map(() => 'denied'));
      expect(rise('http_connections_refused_total') + rise('http_requests_total', { status_code: '403' })).toBe(paths.length);
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
    const paths = ['/mcp', '/health', HTTP, '/api/kubernetes/sse'];
    const { records, rise } = await gather(server, async () => {
      for (const path of paths) expect((await send(`${server.url}${path}`, { headers: { origin } })).status).toBe(403);
    });
    expect(records.map(toOutcome)).toEqual(paths.map((path) => [`GET ${path}`, 'denied', 'FORBIDDEN']));
    expect(rise('http_requests_total', { status_code: '403' })).toBe(paths.length);
  });

  it.each([
    ['an absolute address in the request line', 'http://evil.example.com/health', '', 404, 'NOT_FOUND'],
    ['two hosts', '/health', 'Host: evil.example.com\r\n', 403, 'FORBIDDEN'],
    ['an encoded slash', '/api/kubernetes%2fhttp', '', 404, 'NOT_FOUND'],
    ['an encoded dot', '/health/%2e%2e/metrics', '', 404, 'NOT_FOUND'],
    ['a way up', '/api/../../etc/passwd', '', 404, 'NOT_FOUND'],
    ['a doubled slash', '//evil.example.com/health', '', 404, 'NOT_FOUND'],
    ['a zero byte', '/health%00', '', 404, 'NOT_FOUND'],
  ])('%s reaches no route, and is recorded and counted', async (_, path, more, status, code) => {
    const bytes = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}Connection: close\r\n\r\n`;
    const { result, records, rise } = await gather(server, () => sendRaw(server.url, bytes));
    expect(result.statuses).toEqual([status]);
    expect(records.map(toOutcome)).toEqual([[expect.stringMatching(/^GET (other|\/health)$/), 'denied', code]]);
    expect(rise('http_requests_total', { status_code: String(status) })).toBe(1);
  });

  it('a path that is merely not there is counted; clients look for such ones, and records would be full of them', async () => {
    const { records, rise } = await gather(server, async () => {
      expect((await send(`${server.url}/.well-known/oauth-protected-resource`)).status).toBe(404);
      expect((await send(`${server.url}${HTTP}`)).status).toBe(405);
    });
    expect(records).toEqual([]);
    expect([rise('http_requests_total', { status_code: '404' }), rise('http_requests_total', { status_code: '405' })]).toEqual([1, 1]);
  });

  it('a session or stream of somebody else is not found; the attempts are recorded and counted', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    const { records, rise } = await gather(server, async () => {
      expect((await sendRpc(`${server.url}/api/kubernetes/sse/message?sessionId=${id}`, 'ping')).status).toBe(404);
    });
    expect(records.map(toOutcome)).toEqual([['POST /api/kubernetes/sse/message', 'denied', 'NOT_FOUND']]);
    expect(rise('http_requests_total', { status_code: '404' })).toBe(1);
  });

  it.each([
    ['CONNECT localhost:80', 405],
    ['TRACE /health', 405],
    ['OPTIONS *', 400],
    ['PATCH /mcp', 405],
    ['PUT /api/audit/logs', 405],
  ])('%s does nothing, and is recorded and counted', async (line, status) => {
    const bytes = `${line} HTTP/1.1\r\nHost: localhost\r\nX-Echo: canary\r\nConnection: close\r\n\r\n`;
    const { result, records, rise } = await gather(server, () => sendRaw(server.url, bytes));
    expect(result.statuses).toEqual([status]);
    expect(result.text).not.toContain('canary');
    expect(records.map((record) => record.status)).toEqual(['denied']);
    expect(rise('http_connections_refused_total') + rise('http_requests_total', { status_code: String(status) })).toBe(1);
  });

  it.each([
    ['another tool', { 'mcp-method': 'tools/call', 'mcp-name': 'platform_list_clusters' }],
    ['another method', { 'mcp-method': 'tools/list', 'mcp-name': 'platform_status' }],
    ['another revision', { 'mcp-method': 'tools/call', 'mcp-name': 'platform_status', 'mcp-protocol-version': '__proto__' }],
  ])('headers that name %s than the body are refused, recorded and counted: a proxy may have believed them', async (_, claimed) => {
    const headers = { 'mcp-protocol-version': '2026-07-28', ...claimed };
    const params = { name: 'platform_status', arguments: {}, _meta: META };
    const { result, records, rise } = await gather(server, () => sendRpc(`${server.url}${HTTP}`, 'tools/call', params, { headers }));
    expect([result.status, errorOf(result).message]).toEqual([400, expect.any(String)]);
    expect(records.map(toOutcome)).toEqual([[`POST ${HTTP}`, 'denied', 'INVALID_ARGUMENT']]);
    expect([rise('http_requests_total', { status_code: '400' }), rise('tool_calls_total')]).toEqual([1, 0]);
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
    const keys = ['__proto__[polluted]', '__proto__.polluted', '__proto__', 'constructor[prototype][polluted]', 'constructor'];
    const paths = ['/mcp', '/api/audit/logs', '/api/audit/stats'];
    const { records, rise } = await gather(server, async () => {
      for (const key of keys) {
        for (const path of paths) {
          const reply = await send(`${server.url}${path}?${key}=1`, { headers: { accept: 'text/event-stream' } });
          expect([path, reply.status, errorOf(reply).code]).toEqual([path, 400, 'INVALID_ARGUMENT']);
        }
        expect((await sendRpc(`${server.url}${HTTP}?${key}=1`, 'ping')).status).toBe(200);
      }
      const profile = await sendRpc(`${server.url}/mcp?profile=__proto__`, 'tools/list');
      expect([profile.status, errorOf(profile).code]).toEqual([400, 'INVALID_ARGUMENT']);
    });
    expect(records.map(toOutcome)).toEqual([
      ...keys.flatMap(() => paths.map((path) => [`GET ${path}`, 'denied', 'INVALID_ARGUMENT'])),
      ['POST /mcp', 'denied', 'INVALID_ARGUMENT'],
    ]);
    expect(rise('http_requests_total', { status_code: '400' })).toBe(16);
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
    const { records, rise } = await gather(server, async () => {
      for (const argument of ['kubeconfig', 'kubeconfigPath', 'server']) {
        const args = { kind: 'pods', [argument]: '/etc/passwd' };
        const { result } = JSON.parse(
          (await sendRpc(`${server.url}${HTTP}`, 'tools/call', { name: 'kubernetes_list_resources', arguments: args })).body,
        );
        expect(result.structuredContent.error).toMatchObject({ code: 'INVALID_ARGUMENT' });
        expect(JSON.stringify(result)).not.toContain('root:');
      }
    });
    expect(records.map(toOutcome)).toEqual(Array.from({ length: 3 }, () => ['tools/call', 'failure', 'INVALID_ARGUMENT']));
    expect(rise('mcp_errors_total', { type: 'invalid_argument' })).toBe(3);
  });
});

describe('credentials that are smuggled', () => {
  let door: Running;
  beforeAll(async () => {
    const env = { MCP_AUTH_ENABLED: 'true', MCP_AUTH_API_KEY: KEY, MCP_AUTH_FAILURES_PER_MINUTE: '0', MCP_RATELIMIT_ENABLED: 'false' };
    door = await startProgram(['--kubeconfig', cluster.kubeconfig], env);
  });
  afterAll(() => door.stop());

  it.each([
    ['in the address', `${HTTP}?api_key=${KEY}`, {}, 400, 'query'],
    ['as a token in the address', `${HTTP}?access_token=${KEY}`, {}, 400, 'query'],
    ['twice', HTTP, { 'x-api-key': [KEY, 'cnm_other_0123456789abcdef'] }, 400, 'ambiguous'],
    ['with another kind', HTTP, { 'x-api-key': KEY, authorization: `Bearer ${KEY}` }, 400, 'ambiguous'],
    ['as another kind', HTTP, { authorization: `Bearer ${KEY}` }, 401, 'missing'],
    ['with another behind it', HTTP, { 'x-api-key': `${KEY}, ${KEY}` }, 401, 'wrong'],
    ['not at all', HTTP, {}, 401, 'missing'],
  ])('%s: refused, recorded and counted', async (_, path, headers, status, reason) => {
    const place = { url: door.url, headers: { 'x-api-key': KEY } };
    const { result, records, rise } = await gather(place, () => sendRpc(`${door.url}${path}`, 'ping', {}, { headers }));
    expect(result.status).toBe(status);
    const code = status === 400 ? 'INVALID_ARGUMENT' : 'UNAUTHENTICATED';
    expect(records.map(toOutcome)).toEqual([[`POST ${HTTP}`, 'denied', code]]);
    expect([rise('mcp_auth_failures_total', { reason }), rise('mcp_auth_failures_total')]).toEqual([1, 1]);
    expect(JSON.stringify(records) + door.stderr()).not.toContain(KEY);
  });
});

describe('wrong passwords', () => {
  it('ten thousand end in 429 for their address, are recorded and counted, and harm nobody else', async () => {
    const env = { MCP_AUTH_ENABLED: 'true', MCP_AUTH_API_KEY: KEY, MCP_RATELIMIT_ENABLED: 'false', MCP_AUDIT_MAX_LOGS: '20000' };
    const door = await startProgram(['--kubeconfig', cluster.kubeconfig], env);
    const guess = (at: number): Promise<Reply> =>
      sendRpc(`${door.url}${HTTP}`, 'ping', {}, { from: '127.0.0.66', headers: { 'x-api-key': `cnm_guess_number_${at}_0123456789` } });
    const right = { headers: { 'x-api-key': KEY } };
    const { result: counts, rise } = await gather({ url: door.url, ...right }, async () => {
      const statuses = new Map<number, number>();
      for (let at = 0; at < 10_000; at += 50) {
        const replies = await Promise.all(Array.from({ length: 50 }, (_, more) => guess(at + more)));
        for (const { status } of replies) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
      return statuses;
    });
    const [wrong = 0, limited = 0] = [counts.get(401), counts.get(429)];
    expect(wrong + limited).toBe(10_000);
    expect(wrong).toBeGreaterThan(0);
    expect(wrong).toBeLessThanOrEqual(60);
    // Each of them, exactly.
    expect([rise('mcp_auth_failures_total', { reason: 'wrong' }), rise('mcp_auth_failures_total', { reason: 'limit' })]).toEqual([
      wrong,
      limited,
    ]);
    const stats = JSON.parse((await send(`${door.url}/api/audit/stats`, right)).body) as { denied_count: number };
    expect(stats.denied_count).toBe(10_000);
    const reply = await guess(1);
    expect([reply.status, errorOf(reply).code, Number(reply.headers['retry-after'])]).toMatchObject([
      429,
      'RATE_LIMITED',
      expect.any(Number),
    ]);
    // Even the right key, from there; and anybody else at once.
    expect((await sendRpc(`${door.url}${HTTP}`, 'ping', {}, { ...right, from: '127.0.0.66' })).status).toBe(429);
    expect((await sendRpc(`${door.url}${HTTP}`, 'ping', {}, { ...right, from: '127.0.0.67' })).status).toBe(200);
    const metrics = (await send(`${door.url}/metrics`, right)).body;
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
  ])('%s is refused, recorded, counted, and pollutes nothing', async (_, body) => {
    const { result, records, rise } = await gather(server, () => post(body));
    const { status, body: text } = result;
    expect(records.map((record) => record.status)).toEqual([status === 400 ? 'denied' : 'failure']);
    expect(rise('mcp_requests_total', { status: 'error' }) + rise('http_requests_total', { status_code: '400' })).toBe(1);
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
    const { records, rise } = await gather(server, async () => {
      for (const name of ['\ud800', '\u0000', '\u202e', 'x'.repeat(100_000)]) {
        const reply = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {} } }));
        expect(JSON.parse(reply.body).error.code).toBe(-32602);
        expect(reply.body.length).toBeLessThan(500);
      }
    });
    expect(records.map(toOutcome)).toEqual(Array.from({ length: 4 }, () => ['tools/call', 'failure', 'INVALID_ARGUMENT']));
    expect(rise('tool_calls_total', { tool_name: 'other', status: 'error' })).toBe(4);
  });

  it.each([
    ['no JSON', '{"jsonrpc":', 400, 'INVALID_ARGUMENT'],
    ['a million brackets', '['.repeat(1_000_000), 400, 'INVALID_ARGUMENT'],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, 'INVALID_ARGUMENT'],
    [
      'nesting without end',
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}}`,
      413,
      'PAYLOAD_TOO_LARGE',
    ],
    ['more values than anybody needs', JSON.stringify({ a: Array.from({ length: 200_000 }, () => 1) }), 413, 'PAYLOAD_TOO_LARGE'],
  ])('%s: refused, recorded and counted', async (_, body, status, code) => {
    const { result, records, rise } = await gather(server, () => post(body));
    expect(result.status).toBe(status);
    expect(records.map(toOutcome)).toEqual([[`POST ${HTTP}`, 'denied', code]]);
    expect(rise('http_requests_total', { status_code: String(status) })).toBe(1);
  });

  it.each([
    ['announced', 'Content-Length: 5242880\r\n\r\n"'],
    ['in chunks', `Transfer-Encoding: chunked\r\n\r\n500000\r\n"${'a'.repeat(0x500000 - 1)}\r\n`],
  ])('more bytes than allowed, %s: refused as soon as that is known, recorded and counted', async (_, rest) => {
    // The rest is not read, so a client that goes on sending may miss the answer.
    const { records, rise } = await gather(server, () => sendRaw(server.url, `${POST}${rest}`));
    expect(records.map(toOutcome)).toEqual([[`POST ${HTTP}`, 'denied', 'PAYLOAD_TOO_LARGE']]);
    expect(rise('http_requests_total', { status_code: '413' })).toBe(1);
  });

  it('a method that does not exist is refused, recorded and counted in both eras', async () => {
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'toString' };
    const { records, rise } = await gather(server, async () => {
      expect(errorOf(await sendRpc(`${server.url}${HTTP}`, 'toString'))).toMatchObject({ code: -32601 });
      expect((await sendRpc(`${server.url}${HTTP}`, 'toString', { _meta: META }, { headers })).status).toBe(404);
    });
    expect(records.map(({ action, status }) => [action, status])).toEqual([
      ['other', 'failure'],
      [`POST ${HTTP}`, 'denied'],
    ]);
    expect([rise('mcp_requests_total', { method: 'other' }), rise('http_requests_total', { status_code: '404' })]).toEqual([1, 1]);
  });

  it('that are no JSON by their own words, or packed, are refused, recorded and counted', async () => {
    const { records, rise } = await gather(server, async () => {
      expect((await post(PING, { 'content-type': 'text/plain' })).status).toBe(415);
      expect((await post('\x1f\x8b\x08', { 'content-encoding': 'gzip' })).status).toBe(400);
    });
    expect(records.map(toOutcome)).toEqual([
      [`POST ${HTTP}`, 'denied', 'UNSUPPORTED'],
      [`POST ${HTTP}`, 'denied', 'INVALID_ARGUMENT'],
    ]);
    expect([rise('http_requests_total', { status_code: '415' }), rise('http_requests_total', { status_code: '400' })]).toEqual([1, 1]);
  });
});
