// The HTTP door against malformed, foreign and oversized requests: the protocol's own errors, one JSON shape, nothing hanging.

import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, type Running, runProgram, startProgram } from '../support/program.ts';

let cluster: Cluster;
let server: Running;
beforeAll(async () => {
  cluster = await openCluster();
  server = await startProgram(['--kubeconfig', cluster.kubeconfig]);
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** A request as it is written, headers of any kind included. */
const send = (
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const sent = request({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
    });
    sent.once('error', reject);
    sent.end(body);
  });

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const post = (path: string, body: string, headers: Record<string, string> = {}): Promise<Reply> =>
  send('POST', path, { headers: { ...JSON_HEADERS, ...headers }, body });

const MODERN = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
const modern = (method: string, params: Record<string, unknown> = {}): { body: string; headers: Record<string, string> } => ({
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: MODERN } }),
  headers: {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    ...(typeof params['name'] === 'string' ? { 'mcp-name': params['name'] } : {}),
  },
});
const ask = (path: string, method: string, params: Record<string, unknown> = {}): Promise<Reply> => {
  const { body, headers } = modern(method, params);
  return post(path, body, headers);
};

describe('malformed requests', () => {
  it.each([
    ['a body that is no JSON', '{"jsonrpc":', 400, -32700],
    ['an empty body', '', 400, -32700],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, -32600],
  ])('%s is refused by the code of the protocol', async (_, body, status, code) => {
    const reply = await post('/mcp', body);
    expect(reply.status).toBe(status);
    expect(JSON.parse(reply.body)).toMatchObject({ jsonrpc: '2.0', error: { code } });
  });

  it('a body of another type is 415', async () => {
    expect((await send('POST', '/mcp', { headers: { 'content-type': 'text/plain' }, body: '{}' })).status).toBe(415);
  });

  it('a body above the limit is 413 in the error shape, whether announced or not', async () => {
    const big = `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"${'a'.repeat(5_000_000)}"}}`;
    for (const headers of [{ 'content-length': String(big.length) }, { 'transfer-encoding': 'chunked' }]) {
      const reply = await post('/mcp', big, headers).catch((error: NodeJS.ErrnoException) => error.code);
      // The door closes while the rest still comes in: either the answer or the closed socket is seen first.
      if (typeof reply === 'object') expect(JSON.parse(reply.body)).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
      else expect(['EPIPE', 'ECONNRESET']).toContain(reply);
    }
  });

  it('an unknown method is -32601 with 404, an unknown version -32022 with 400', async () => {
    const unknown = await ask('/mcp', 'no/such');
    expect([unknown.status, JSON.parse(unknown.body).error.code]).toEqual([404, -32601]);
    const { body } = modern('tools/list');
    const version = await post('/mcp', body.replace('2026-07-28', '2030-01-01'), {
      'mcp-protocol-version': '2030-01-01',
      'mcp-method': 'tools/list',
    });
    expect([version.status, JSON.parse(version.body).error.code]).toEqual([400, -32022]);
  });

  it('an unknown tool and a foreign cursor are -32602', async () => {
    const tool = await ask('/mcp', 'tools/call', { name: 'kubernetes_fly', arguments: {} });
    expect(JSON.parse(tool.body).error).toMatchObject({ code: -32602, message: 'Unknown tool: kubernetes_fly' });
    const cursor = await ask('/mcp', 'tools/list', { cursor: 'bm9uc2Vuc2U' });
    expect(JSON.parse(cursor.body).error).toMatchObject({ code: -32602, message: 'Invalid cursor' });
  });
});

describe('routes (SEED-ROUTE-03, SEED-ROUTE-05, SEED-ARCH-04)', () => {
  it('answers 404 with the enabled services, 405 with Allow, in one JSON shape', async () => {
    const missing = await send('POST', '/api/loki/http');
    expect([missing.status, JSON.parse(missing.body).error]).toMatchObject([
      404,
      { code: 'NOT_FOUND', details: { services: ['platform', 'kubernetes', 'helm', 'aggregate'] } },
    ]);
    const method = await send('DELETE', '/health');
    expect([method.status, method.headers['allow']]).toEqual([405, 'GET, HEAD']);
  });

  it('accepts a trailing slash and refuses encoded, doubled and traversing paths', async () => {
    expect((await send('GET', '/health/')).status).toBe(200);
    for (const path of ['/api/kubernetes%2fhttp', '//health', '/api/../health', '/health/%2e%2e/health', '/%00'])
      expect((await send('GET', path)).status).toBe(404);
  });

  it('serves a profile by query parameter and refuses unknown ones by name', async () => {
    const names = async (query: string): Promise<string[]> =>
      JSON.parse((await ask(`/mcp${query}`, 'tools/list')).body).result.tools.map(({ name }: { name: string }) => name);
    expect(await names('?profile=platform')).toEqual(['platform_status']);
    expect((await names('?profile=kubernetes')).length).toBeGreaterThan((await names('')).length);
    const unknown = await ask('/mcp?profile=kuberntes', 'tools/list');
    expect([unknown.status, JSON.parse(unknown.body).error]).toMatchObject([
      400,
      { code: 'INVALID_ARGUMENT', details: { nearest: ['kubernetes'] } },
    ]);
    expect((await ask('/mcp?api_key=x', 'tools/list')).status).toBe(400);
  });

  it('keeps the tools of one service on its routes (SEED-ROUTE-01)', async () => {
    const { body } = await ask('/api/platform/http', 'tools/list');
    expect(JSON.parse(body).result.tools.map(({ name }: { name: string }) => name)).toEqual(['platform_status']);
    const foreign = await ask('/api/platform/http', 'tools/call', { name: 'kubernetes_list_resources', arguments: { kind: 'pods' } });
    expect(JSON.parse(foreign.body).error.code).toBe(-32602);
  });

  it('answers plain JSON on the http family in both eras, without SSE', async () => {
    const legacy = await send('POST', '/api/aggregate/http', {
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
    });
    const current = await ask('/api/aggregate/http', 'tools/call', { name: 'platform_status', arguments: {}, _meta: { progressToken: 1 } });
    for (const reply of [legacy, current]) {
      expect(reply.headers['content-type']).toMatch(/^application\/json/);
      expect(JSON.parse(reply.body).result).toBeDefined();
    }
  });
});

describe('foreign hosts and origins', () => {
  it.each(['/health', '/mcp', '/ready', '/nowhere'])('%s refuses them', async (path) => {
    const host = await send('GET', path, { headers: { host: 'evil.example.com' } });
    const origin = await send('GET', path, { headers: { origin: 'https://evil.example.com' } });
    expect([host.status, origin.status]).toEqual([403, 403]);
    expect(JSON.parse(host.body)).toMatchObject({ error: { code: 'FORBIDDEN' } });
  });

  it('puts safe headers and a request id on every answer', async () => {
    const { headers } = await send('GET', '/health', { headers: { 'x-request-id': 'abc-1' } });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'x-request-id': 'abc-1',
    });
    const strange = await send('GET', '/health', { headers: { 'x-request-id': 'a b' } });
    expect(strange.headers['x-request-id']).not.toBe('a b');
  });
});

describe('browsers', () => {
  it('are told the configured methods, headers and age, on every route the same', async () => {
    const program = await startProgram(['--kubeconfig', cluster.kubeconfig], {
      MCP_CORS_ALLOWED_ORIGINS: 'https://console.example.com',
      MCP_CORS_ALLOWED_METHODS: 'PATCH',
      MCP_CORS_ALLOWED_HEADERS: 'X-Team',
      MCP_CORS_MAX_AGE: '0',
      MCP_AUTH_ENABLED: 'true',
      MCP_AUTH_API_KEY: 'cnm_Zk3v9Qp7Lw2Xr8Tn5Yb1Hd6Jf4',
    });
    const headers = { origin: 'https://console.example.com', 'access-control-request-method': 'POST' };
    for (const path of ['/mcp', '/health', '/api/kubernetes/sse']) {
      const reply = await fetch(`${program.url}${path}`, { method: 'OPTIONS', headers });
      expect([reply.status, reply.headers.get('access-control-allow-origin')]).toEqual([204, 'https://console.example.com']);
      expect(reply.headers.get('access-control-allow-methods')).toBe('GET, POST, DELETE, OPTIONS, PATCH');
      expect(reply.headers.get('access-control-allow-headers')).toMatch(/X-Api-Key.*X-Team$/);
      expect(reply.headers.get('access-control-max-age')).toBe('0');
    }
    // A refusal can be read by the page that got it.
    const refused = await fetch(`${program.url}/mcp`, { method: 'POST', headers: { origin: 'https://console.example.com' } });
    expect([refused.status, refused.headers.get('access-control-expose-headers')]).toEqual([
      401,
      expect.stringContaining('WWW-Authenticate'),
    ]);
    await program.stop();
  });
});

describe('health (SEED-HTTP-05, GUIDE-DEPLOY-01, SEED-GOAL-07)', () => {
  it('is healthy, ready, and tells each service in detail', async () => {
    expect(JSON.parse((await send('GET', '/health')).body)).toEqual({ status: 'healthy' });
    expect(JSON.parse((await send('GET', '/ready')).body)).toEqual({ status: 'ready' });
    const { services } = JSON.parse((await send('GET', '/health/detailed')).body) as { services: { service: string; state: string }[] };
    expect(services.map(({ service, state }) => `${service} ${state}`)).toEqual(['platform up', 'kubernetes up', 'helm up']);
  });
});

describe('a start that cannot be meant', () => {
  it.each([
    [
      'a non-loopback address without authentication',
      ['--addr', '0.0.0.0:0'],
      {},
      /Refusing to listen on 0\.0\.0\.0:0 without authentication/,
    ],
    ['an unknown mode', ['--mode', 'carrier-pigeon'], {}, /server\.mode/],
    ['an unknown service', [], { MCP_DISABLED_SERVICES: 'kuberntes' }, /there is no service kuberntes/],
    ['an unknown profile', ['--profile', 'cor'], {}, /Unknown profile cor[\s\S]*core/],
    ['a number that is none', [], { MCP_K8S_QPS: 'fast' }, /kubernetes\.qps: must be a number, not a text\. It comes from MCP_K8S_QPS/],
    ['an unknown flag', ['--adr', 'x'], {}, /--addr/],
    ['a configuration file that is not there', ['--config', 'nowhere.yaml'], {}, /cannot be read/],
  ])('%s ends with 2 and words', async (_, args, env, words) => {
    const { code, stderr } = await runProgram(['--mode', 'http', ...args], env);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(code).toBe(2);
  });
});
