// Authentication through the front door, mode by mode: right, wrong, missing, malformed, expired; and what a refused caller is told.

import { createHash, createHmac } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashPassword } from '../../src/secrets/password.ts';
import { errorOf, type Reply, send, sendRpc } from '../support/http.ts';
import { runProgram, startProgram } from '../support/program.ts';
import { openShop, type Shop } from '../support/shop.ts';

const KEY = 'cnm_Zk3v9Qp7Lw2Xr8Tn5Yb1Hd6Jf4';
const READER = 'cnm_reader_8fK2mQ9xWv4Lp7Rt1Zc';
const EXPIRED = 'cnm_expired_5Gh8Jk2Lz7Xw3Qp9Vn';
const LIST = '/api/kubernetes/http';

interface Door {
  readonly shop: Shop;
  readonly url: string;
  close(): Promise<void>;
}

const openDoor = async (flags: Readonly<Record<string, unknown>>): Promise<Door> => {
  const shop = await openShop({ flags: { 'auth.enabled': true, ...flags } });
  const { url } = await shop.app.openHttp({ port: 0 });
  return { shop, url, close: () => shop.close() };
};

const sha256 = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;
const basic = (name: string, password: string): string => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
const outcome = ({ status, headers }: Reply): string => `${status} ${String(headers['www-authenticate'] ?? '').split(' ')[0]}`.trim();

/** Opens a door for a group of tests. */
const withDoor = (flags: () => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>): { readonly door: Door } => {
  const held: { door?: Door } = {};
  beforeAll(async () => {
    held.door = await openDoor(await flags());
  });
  afterAll(() => held.door?.close());
  return {
    get door() {
      if (held.door === undefined) throw new Error('not open');
      return held.door;
    },
  };
};

describe('mode apikey (SEED-MW-01, SEED-REQ-02, SEED-CONF-03)', () => {
  const held = withDoor(() => ({
    'auth.apiKey': KEY,
    'auth.failuresPerMinute': 0,
    'auth.apiKeys': [
      { name: 'reader', hash: sha256(READER), scopes: ['read', 'write'], services: ['platform'] },
      { name: 'gone', key: EXPIRED, expires: '2020-01-01' },
      { name: 'shop-only', key: 'cnm_shop_2Vw8Kp5Rt9Xz3Lm7Qc1Nb', namespaces: ['shop'] },
    ],
  }));
  const list = (headers: Readonly<Record<string, string | readonly string[]>>): Promise<Reply> =>
    sendRpc(`${held.door.url}${LIST}`, 'tools/list', {}, { headers });

  it('takes the right key, and answers so that nothing is stored', async () => {
    const reply = await list({ 'x-api-key': KEY });
    expect([reply.status, reply.headers['cache-control']]).toEqual([200, 'no-store']);
    expect(JSON.parse(reply.body).result.tools.length).toBeGreaterThan(5);
  });

  it.each([
    ['wrong', { 'x-api-key': `${KEY}x` }, 401],
    ['missing', {}, 401],
    ['empty', { 'x-api-key': '' }, 401],
    ['a million characters of nonsense, of which a header holds few', { 'x-api-key': '\u00ff'.repeat(8000) }, 401],
    ['a credential of another mode', { authorization: `Bearer ${KEY}` }, 401],
    ['expired', { 'x-api-key': EXPIRED }, 401],
    ['two at once', { 'x-api-key': KEY, authorization: `Bearer ${KEY}` }, 400],
    ['the header twice', { 'x-api-key': [KEY, KEY] }, 400],
    ['the other header twice', { authorization: ['Bearer a', 'Bearer b'] }, 400],
  ])('refuses: %s', async (name, headers, status) => {
    const reply = await list(headers);
    expect(reply.status).toBe(status);
    if (status === 401) expect(reply.headers['www-authenticate']).toBe('ApiKey realm="cloud-native-mcp-server", header="X-Api-Key"');
    if (name === 'expired') expect(errorOf(reply).message).toBe('This API key has expired.');
    expect(errorOf(reply).code).toBe(status === 401 ? 'UNAUTHENTICATED' : 'INVALID_ARGUMENT');
    expect(reply.body).not.toContain(KEY);
  });

  it.each(['api_key', 'access_token'])('explains that %s is no query parameter, and logs no value', async (parameter) => {
    const reply = await sendRpc(`${held.door.url}${LIST}?${parameter}=${KEY}`, 'tools/list', {}, { headers: { 'x-api-key': KEY } });
    expect([reply.status, errorOf(reply).message]).toEqual([
      400,
      expect.stringContaining(`the parameter ${parameter} would stand in logs`),
    ]);
    expect(held.door.shop.log.join('\n')).not.toContain(KEY);
  });

  it('narrows a key to its services', async () => {
    const call = (tool: string, args: object): Promise<Reply> =>
      sendRpc(`${held.door.url}/api/aggregate/http`, 'tools/call', { name: tool, arguments: args }, { headers: { 'x-api-key': READER } });
    expect(JSON.parse((await call('platform_status', {})).body).result.isError).toBeUndefined();
    expect(JSON.parse((await call('kubernetes_list_resources', { kind: 'pods' })).body).result).toMatchObject({
      isError: true,
      structuredContent: { error: { code: 'FORBIDDEN', details: { missing: 'read' } } },
    });
  });

  it('keeps a key within its namespaces, whatever a call names', async () => {
    const call = async (args: object): Promise<object> =>
      JSON.parse(
        (
          await sendRpc(
            `${held.door.url}/api/aggregate/http`,
            'tools/call',
            { name: 'kubernetes_list_resources', arguments: { kind: 'pods', ...args } },
            { headers: { 'x-api-key': 'cnm_shop_2Vw8Kp5Rt9Xz3Lm7Qc1Nb' } },
          )
        ).body,
      ).result;
    expect(await call({ namespace: 'shop' })).not.toHaveProperty('isError');
    for (const args of [{ namespace: 'kube-system' }, { namespace: '*' }])
      expect(await call(args)).toMatchObject({ isError: true, structuredContent: { error: { code: 'FORBIDDEN' } } });
  });

  it('protects routes by their kind: health is open, details are not', async () => {
    const status = async (path: string, headers = {}): Promise<number> => (await send(`${held.door.url}${path}`, { headers })).status;
    expect([await status('/health'), await status('/ready'), await status('/health/detailed')]).toEqual([200, 200, 401]);
    expect(await status('/health/detailed', { 'x-api-key': READER })).toBe(200);
    expect(await status('/nowhere')).toBe(404);
    expect(await status('/mcp')).toBe(401);
    expect(await status('/api/kubernetes/sse')).toBe(401);
  });

  it('is spoken by a real client, on every transport', async () => {
    const headers = { 'x-api-key': KEY };
    const transports = [
      new StreamableHTTPClientTransport(new URL('/mcp', held.door.url), { requestInit: { headers } }),
      new SSEClientTransport(new URL('/api/kubernetes/sse', held.door.url), {
        requestInit: { headers },
        eventSourceInit: { fetch: (url, init) => fetch(url, { ...init, headers: { ...(init.headers as object), ...headers } }) },
      }),
    ];
    for (const transport of transports) {
      const client = new Client({ name: 'test', version: '1' });
      await client.connect(transport as Parameters<Client['connect']>[0]);
      expect((await client.listTools()).tools.length).toBeGreaterThan(5);
      await client.close();
    }
  });

  it('checks Host before anything else', async () => {
    const reply = await send(`${held.door.url}/mcp`, { headers: { host: 'evil.example.com', 'x-api-key': KEY } });
    expect(reply.status).toBe(403);
  });

  it('gives a stream to the principal that opened it alone', async () => {
    const opened = await fetch(`${held.door.url}/api/kubernetes/sse`, { headers: { 'x-api-key': KEY } });
    const reader = (opened.body as ReadableStream<Uint8Array>).getReader();
    const text = new TextDecoder().decode((await reader.read()).value);
    const path = /data: (\S+)/.exec(text)?.[1] ?? '';
    const ping = (key: string): Promise<Reply> => sendRpc(`${held.door.url}${path}`, 'ping', {}, { headers: { 'x-api-key': key } });
    expect([(await ping(READER)).status, (await ping(KEY)).status]).toEqual([404, 202]);
    await reader.cancel();
  });
});

describe('mode basic (SEED-MW-01, SEED-CONF-03)', () => {
  const held = withDoor(async () => ({
    'auth.mode': 'basic',
    'auth.failuresPerMinute': 0,
    'auth.username': 'root',
    'auth.password': 'correct horse: battery',
    'auth.users': [{ name: 'anna', hash: await hashPassword('grüße aus Köln'), scopes: ['read', 'admin'] }],
  }));
  it.each([
    ['the single user, with a colon in the password', basic('root', 'correct horse: battery'), '200'],
    ['a user with a hash', basic('anna', 'grüße aus Köln'), '200'],
    ['the same password, composed otherwise', basic('anna', 'grüße aus Köln'.normalize('NFD')), '200'],
    ['a wrong password', basic('anna', 'grüße aus Kiel'), '401 Basic'],
    ['an unknown user', basic('otto', 'grüße aus Köln'), '401 Basic'],
    ['the password of another user', basic('anna', 'correct horse: battery'), '401 Basic'],
    ['no colon', `Basic ${Buffer.from('anna').toString('base64')}`, '401 Basic'],
    ['no base64', 'Basic %%%', '401 Basic'],
    ['nothing', 'Basic ', '401 Basic'],
    ['another scheme', 'Bearer abc', '401 Basic'],
  ])('%s', async (_, authorization, expected) => {
    expect(outcome(await sendRpc(`${held.door.url}${LIST}`, 'tools/list', {}, { headers: { authorization } }))).toBe(expected);
  });

  it('tells browsers the encoding', async () => {
    const reply = await send(`${held.door.url}/mcp`, { method: 'POST' });
    expect(reply.headers['www-authenticate']).toBe('Basic realm="cloud-native-mcp-server", charset="UTF-8"');
  });
});

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const JWT_SECRET = 'Qm7vLx2Rk9Tz4Wp8Nc5Hd3Jf6Yb1Gs0Va';
const sign = (payload: object, { alg = 'HS256', secret = JWT_SECRET, digest = 'sha256' } = {}): string => {
  const body = `${encode({ alg, typ: 'JWT' })}.${encode(payload)}`;
  return `${body}.${alg === 'none' ? '' : createHmac(digest, secret).update(body).digest('base64url')}`;
};

describe('mode bearer with a static token and a shared key (SEED-MW-01, SEED-CONF-03)', () => {
  const held = withDoor(() => ({
    'auth.mode': 'bearer',
    'auth.failuresPerMinute': 0,
    'auth.bearerToken': 'static-5f1c9e7a2b8d4c6e',
    'auth.jwtSecret': JWT_SECRET,
  }));
  const seconds = Math.floor(Date.now() / 1000);
  it.each([
    ['the static token', 'static-5f1c9e7a2b8d4c6e', '200'],
    ['another token', 'static-5f1c9e7a2b8d4c6f', '401 Bearer'],
    ['a signed token', sign({ sub: 'anna', scope: 'read', exp: seconds + 600 }), '200'],
    ['one that has expired', sign({ sub: 'anna', exp: seconds - 600 }), '401 Bearer'],
    ['one that is not valid yet', sign({ sub: 'anna', nbf: seconds + 600, exp: seconds + 1200 }), '401 Bearer'],
    ['one that never expires', sign({ sub: 'anna' }), '401 Bearer'],
    ['one that names nobody', sign({ exp: seconds + 600 }), '401 Bearer'],
    ['one without a signature', sign({ sub: 'anna', exp: seconds + 600 }, { alg: 'none' }), '401 Bearer'],
    ['one by another algorithm', sign({ sub: 'anna', exp: seconds + 600 }, { alg: 'HS512', digest: 'sha512' }), '401 Bearer'],
    ['one by another key', sign({ sub: 'anna', exp: seconds + 600 }, { secret: `${JWT_SECRET}x` }), '401 Bearer'],
    ['characters that are in no token', 'a b"c', '401 Bearer'],
    ['parts that are no JSON', 'eyJx.eyJx.x', '401 Bearer'],
  ])('%s', async (_, token, expected) => {
    const reply = await sendRpc(`${held.door.url}${LIST}`, 'tools/list', {}, { headers: { authorization: `Bearer ${token}` } });
    expect(outcome(reply)).toBe(expected);
    if (expected !== '200') expect(reply.headers['www-authenticate']).toContain('error="invalid_token"');
  });

  it('says nothing of errors to one who brought nothing (RFC 6750, 3.1)', async () => {
    const reply = await send(`${held.door.url}/mcp`, { method: 'POST' });
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer realm="cloud-native-mcp-server"']);
  });

  it('gives a token the scopes that stand in it, and nobody more (SEED-REQ-03)', async () => {
    const call = async (scope: string): Promise<object> => {
      const authorization = `Bearer ${sign({ sub: 'anna', scope, exp: seconds + 600 })}`;
      const params = { name: 'kubernetes_list_resources', arguments: { kind: 'namespaces' } };
      return JSON.parse((await sendRpc(`${held.door.url}${LIST}`, 'tools/call', params, { headers: { authorization } })).body).result;
    };
    expect(await call('openid read:kubernetes')).not.toHaveProperty('isError');
    const before = held.door.shop.embedded.requests.length;
    expect(await call('openid all read:platform')).toMatchObject({
      isError: true,
      structuredContent: { error: { code: 'FORBIDDEN', details: { by: 'policy', missing: 'read' } } },
    });
    // Refused before the service was reached.
    expect(held.door.shop.embedded.requests.length).toBe(before);
  });
});

describe('guessing', () => {
  it('10,000 wrong passwords end in 429 for their address, and shut nobody else out', async () => {
    const door = await openDoor({
      'auth.mode': 'basic',
      'auth.users': [{ name: 'anna', hash: await hashPassword('right password'), scopes: ['read'] }],
    });
    const login = (password: string, from: string): Promise<Reply> =>
      sendRpc(`${door.url}${LIST}`, 'tools/list', {}, { headers: { authorization: basic('anna', password) }, from });
    const counts = new Map<number, number>();
    let last: Reply | undefined;
    for (let sent = 0; sent < 10_000; sent += 100) {
      const replies = await Promise.all(Array.from({ length: 100 }, (_, index) => login(`guess number ${sent + index}`, '127.0.0.7')));
      for (const { status } of replies) counts.set(status, (counts.get(status) ?? 0) + 1);
      last = replies.at(-1);
    }
    expect(counts.get(401)).toBe(10);
    expect(counts.get(429)).toBe(9990);
    expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(last?.headers['retry-after'])).toBeLessThanOrEqual(60);
    // Even the right one has to wait there; from elsewhere it is taken.
    expect((await login('right password', '127.0.0.7')).status).toBe(429);
    expect((await login('right password', '127.0.0.8')).status).toBe(200);
    await door.close();
  });

  it('many right logins at once from one address are no guesses', async () => {
    const users = await Promise.all(
      Array.from({ length: 15 }, async (_, index) => ({ name: `user${index}`, hash: await hashPassword(`password of ${index}`) })),
    );
    const door = await openDoor({ 'auth.mode': 'basic', 'auth.users': users });
    const replies = await Promise.all(
      users.map(({ name }, index) =>
        sendRpc(`${door.url}${LIST}`, 'tools/list', {}, { headers: { authorization: basic(name, `password of ${index}`) } }),
      ),
    );
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    await door.close();
  });
});

describe('behind proxies', () => {
  it('counts by the client that a trusted proxy names, and by the proxy when that is not trusted', async () => {
    const door = await openDoor({
      'auth.apiKey': KEY,
      'auth.failuresPerMinute': 2,
      'server.trustedProxies': ['127.0.0.9/32', '10.0.0.0/8'],
    });
    const guess = async (from: string, forwarded: string): Promise<number> =>
      (await send(`${door.url}/mcp`, { from, headers: { 'x-api-key': 'wrong', 'x-forwarded-for': forwarded } })).status;
    // Trusted: the rightmost address that is no proxy counts; what clients wrote before it does not.
    expect([await guess('127.0.0.9', '203.0.113.5'), await guess('127.0.0.9', '198.51.100.1, 203.0.113.5, 10.1.2.3')]).toEqual([401, 401]);
    expect([await guess('127.0.0.9', '203.0.113.5'), await guess('127.0.0.9', '203.0.113.6')]).toEqual([429, 401]);
    // Not trusted: the header is a claim that anyone can make.
    expect([
      await guess('127.0.0.10', '192.0.2.1'),
      await guess('127.0.0.10', '192.0.2.2'),
      await guess('127.0.0.10', '192.0.2.3'),
    ]).toEqual([401, 401, 429]);
    await door.close();
  });
});

describe('a start that cannot be meant', () => {
  const ON = { MCP_AUTH_ENABLED: 'true' };
  it.each([
    ['no key', { ...ON }, /auth\.enabled: authentication by apikey needs auth\.apiKey \(MCP_AUTH_API_KEY\) or auth\.apiKeys/],
    ['no token', { ...ON, MCP_AUTH_MODE: 'bearer' }, /bearer needs auth\.bearerToken/],
    ['no user', { ...ON, MCP_AUTH_MODE: 'basic', MCP_AUTH_USERNAME: 'root' }, /basic needs auth\.username and auth\.password/],
    ['no subjects', { ...ON, MCP_AUTH_MODE: 'mtls' }, /mtls needs server\.tls\.certFile, keyFile and clientCAFile/],
    ['a short key', { ...ON, MCP_AUTH_API_KEY: 'short' }, /auth\.apiKey: must have at least 16 characters.*secrets generate/],
    ['a key of a manual', { ...ON, MCP_AUTH_API_KEY: 'your-secret-api-key-here' }, /auth\.apiKey: this is a sample value/],
    [
      'a short shared key',
      { ...ON, MCP_AUTH_MODE: 'bearer', MCP_AUTH_JWT_SECRET: 'x7Lm2Qp9Rt4Vw8Zc' },
      /auth\.jwtSecret: must have at least 32/,
    ],
    [
      'an issuer without https',
      { ...ON, MCP_AUTH_MODE: 'bearer', MCP_AUTH_OIDC_ISSUER_URL: 'http://issuer.example.com' },
      /oidcIssuerUrl: must be https/,
    ],
    [
      'an issuer without an audience',
      { ...ON, MCP_AUTH_MODE: 'bearer', MCP_AUTH_OIDC_ISSUER_URL: 'https://issuer.example.com' },
      /oidcAudience: is needed/,
    ],
    ['a key in a file that is not there', { ...ON, MCP_AUTH_API_KEY_FILE: '/nowhere/key' }, /secret file \/nowhere\/key cannot be read/],
    [
      'a key twice',
      { ...ON, MCP_AUTH_API_KEY_FILE: '/x', MCP_AUTH_API_KEY: KEY },
      /both MCP_AUTH_API_KEY and MCP_AUTH_API_KEY_FILE are set/,
    ],
    ['half a certificate', { MCP_TLS_CERT_FILE: '/nowhere.pem' }, /server\.tls\.keyFile: TLS needs both/],
    ['a proxy that is no network', { MCP_TRUSTED_PROXIES: '10.0.0.0/99' }, /server\.trustedProxies/],
    ['another place for secrets', { MCP_SECRETS_PROVIDER: 'vault' }, /secrets\.provider: must be memory/],
    ['impersonation of nobody', { MCP_KUBERNETES_IDENTITY: 'impersonate' }, /kubernetes\.identity: impersonate needs auth\.enabled/],
    ['an exchange of tokens', { MCP_KUBERNETES_IDENTITY: 'exchange' }, /kubernetes\.identity: .*exchange \(RFC 8693\) is not offered/],
    ['a weak signing key', { MCP_SIGNING_KEY: 'short' }, /security\.signingKey: must have at least 32/],
  ])('%s ends with 2, words, and no secret', async (_, env, words) => {
    const { code, stderr } = await runProgram(['--mode', 'http', '--addr', '127.0.0.1:0'], env);
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stderr).not.toContain(KEY);
    expect(code).toBe(2);
  });

  it('an address that others reach is served once callers must log in', async () => {
    const program = await startProgram(['--addr', '0.0.0.0:0'], { ...ON, MCP_AUTH_API_KEY: KEY });
    const url = program.url.replace('0.0.0.0', '127.0.0.1');
    expect((await send(`${url}/mcp`, { method: 'POST' })).status).toBe(401);
    expect(
      (await sendRpc(`${url}/mcp`, 'ping', {}, { headers: { 'x-api-key': KEY, accept: 'application/json, text/event-stream' } })).status,
    ).toBe(200);
    expect(program.stderr()).toContain('credentials are taken without TLS');
    await program.stop();
  });
});
