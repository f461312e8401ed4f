// Tokens of a real OpenID provider: what they must be to pass, what an OAuth client is told, and what happens when the issuer is away.

import { createHmac, createPublicKey } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createApp, loadSettings } from '../../src/app.ts';
import { gather, type Place, toOutcome } from '../support/evidence.ts';
import { errorOf, type Reply, send, sendRpc } from '../support/http.ts';
import { CLIENT, OPAQUE, openIssuer, type TestIssuer } from '../support/issuer.ts';
import { type Cluster, openCluster } from '../support/program.ts';

const PUBLIC = 'https://mcp.example.com';
const PATH = '/api/kubernetes/http';

interface Server {
  readonly url: string;
  readonly log: readonly string[];
  close(): Promise<void>;
}

let cluster: Cluster;
let issuer: TestIssuer;
/** The clock of the server under test. */
let skew = 0;
const opened: Server[] = [];
beforeAll(async () => {
  cluster = await openCluster();
});
afterAll(() => cluster.close());
beforeEach(async () => {
  skew = 0;
  issuer = await openIssuer();
});
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
  await issuer.close();
});

const openServer = async (flags: Readonly<Record<string, unknown>> = {}): Promise<Server> => {
  const log: string[] = [];
  const settings = await loadSettings({
    env: {},
    flags: {
      'kubernetes.kubeconfig': cluster.kubeconfig,
      'security.allowWrites': true,
      'security.allowDestructive': true,
      'auth.enabled': true,
      'auth.mode': 'bearer',
      'auth.oidcIssuerUrl': issuer.url,
      'auth.failuresPerMinute': 0,
      'server.publicUrl': PUBLIC,
      ...flags,
    },
  });
  const app = await createApp(settings, { log: (line) => void log.push(line), now: () => Date.now() + skew });
  const { url } = await app.openHttp({ port: 0 });
  const server = { url, log, close: () => app.close() };
  opened.push(server);
  return server;
};

const list = (server: Server, token: string): Promise<Reply> =>
  sendRpc(`${server.url}${PATH}`, 'tools/list', {}, { headers: { authorization: `Bearer ${token}` } });
/** With a token that may read audit and metrics. */
const toPlace = async ({ url }: Server): Promise<Place> => ({
  url,
  headers: { authorization: `Bearer ${await issuer.token({ resource: PUBLIC, scope: 'read admin' })}` },
});
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const countOf = (path: string): number => issuer.asked.filter((asked) => asked === path).length;

describe('tokens of an issuer (SEED-MW-01, SEED-CONF-03)', () => {
  it('lets in those that it issued for this server, and for an address beneath it', async () => {
    const server = await openServer();
    for (const resource of [PUBLIC, `${PUBLIC}${PATH}`]) expect((await list(server, await issuer.token({ resource }))).status).toBe(200);
    expect(countOf('/.well-known/openid-configuration')).toBe(1);
  });

  it('refuses all others, records and counts each, and says why in words that tell nothing more', async () => {
    const server = await openServer();
    const place = await toPlace(server);
    const seconds = Math.floor(Date.now() / 1000);
    const stranger = await generateKeyPair('RS256');
    const good = { aud: PUBLIC, scope: 'read' };
    const pem = createPublicKey({ key: issuer.publicKey() as never, format: 'jwk' })
      .export({ type: 'spki', format: 'pem' })
      .toString();
    const confused = `${encode({ alg: 'HS256', kid: 'key-1' })}.${encode({ iss: issuer.url, sub: 'x', aud: PUBLIC, exp: seconds + 600 })}`;
    const tokens: Readonly<Record<string, [string, RegExp]>> = {
      'for another server': [await issuer.token({ resource: 'https://other.example.com' }), /not issued for this server/],
      'for a name that begins alike': [await issuer.forge({ aud: `${PUBLIC}.evil.example` }), /not issued for this server/],
      'for nobody': [await issuer.forge({}), /not issued for this server/],
      'of another issuer': [await issuer.forge({ ...good, iss: 'https://evil.example' }), /another issuer/],
      expired: [await issuer.forge({ ...good, exp: seconds - 3600 }), /has expired/],
      'not valid yet': [await issuer.forge({ ...good, nbf: seconds + 3600 }), /not valid yet/],
      'without an end': [await issuer.forge(good, { expires: null }), /malformed/],
      'by a key of a stranger': [await issuer.forge(good, { key: stranger.privateKey }), /signature/],
      'with no algorithm': [
        `${encode({ alg: 'none' })}.${encode({ ...good, iss: issuer.url, sub: 'x', exp: seconds + 600 })}.`,
        /signature|malformed/,
      ],
      'by the public key as a shared one': [`${confused}.${createHmac('sha256', pem).update(confused).digest('base64url')}`, /signature/],
    };
    for (const [name, [token, words]] of Object.entries(tokens)) {
      const { result: reply, records, rise } = await gather(place, () => list(server, token));
      expect([name, reply.status, errorOf(reply).message]).toEqual([name, 401, expect.stringMatching(words)]);
      expect(reply.headers['www-authenticate']).toContain('error="invalid_token"');
      expect(records.map(toOutcome)).toEqual([[`POST ${PATH}`, 'denied', 'UNAUTHENTICATED']]);
      expect([rise('mcp_auth_failures_total'), rise('http_requests_total', { status_code: '401' })]).toEqual([1, 1]);
      expect(server.log.join('\n') + JSON.stringify(records)).not.toContain(token);
    }
    // Larger than any header may be: the door itself refuses.
    const huge = await issuer.forge({ ...good, filler: 'x'.repeat(20_000) });
    const { records, rise } = await gather(place, async () => {
      expect((await list(server, huge)).status).toBe(431);
      const inAddress = `${server.url}${PATH}?access_token=${await issuer.token({ resource: PUBLIC })}`;
      expect((await send(inAddress, { method: 'POST' })).status).toBe(400);
    });
    expect(records.map(toOutcome)).toEqual([
      ['connection', 'denied', 'PAYLOAD_TOO_LARGE'],
      [`POST ${PATH}`, 'denied', 'INVALID_ARGUMENT'],
    ]);
    expect([rise('http_connections_refused_total', { reason: 'too_large' }), rise('mcp_auth_failures_total', { reason: 'query' })]).toEqual(
      [1, 1],
    );
  });

  it('asks for the keys once, however many unknown key ids storm in', async () => {
    const server = await openServer();
    expect((await list(server, await issuer.token({ resource: PUBLIC }))).status).toBe(200);
    const before = countOf('/jwks');
    const tokens = await Promise.all(Array.from({ length: 50 }, (_, index) => issuer.forge({ aud: PUBLIC }, { kid: `unknown-${index}` })));
    const replies = await Promise.all(tokens.map((token) => list(server, token)));
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([401]));
    expect(countOf('/jwks') - before).toBe(1);
  });

  it('follows a rotation of keys at once, and forgets the old key', async () => {
    const server = await openServer();
    const old = await issuer.forge({ aud: PUBLIC });
    expect((await list(server, old)).status).toBe(200);
    await issuer.rotate();
    expect((await list(server, await issuer.token({ resource: PUBLIC }))).status).toBe(200);
    // What was verified a moment ago is remembered for a minute, not longer.
    skew = 61_000;
    expect((await list(server, old)).status).toBe(401);
  });

  it('works on with stale keys while the issuer is down, for a day', async () => {
    const server = await openServer();
    const first = await issuer.forge({ aud: PUBLIC }, { expires: '40h' });
    expect((await list(server, first)).status).toBe(200);
    const later = await issuer.forge({ aud: PUBLIC, sub: 'later' }, { expires: '40h' });
    const tooLate = await issuer.forge({ aud: PUBLIC, sub: 'late' }, { expires: '40h' });
    await issuer.down();
    skew = 3_600_000;
    expect((await list(server, later)).status).toBe(200);
    expect(server.log.join('\n')).toContain('the keys of the issuer cannot be read');
    skew = 25 * 3_600_000;
    expect((await list(server, tooLate)).status).toBe(503);
    await issuer.up();
    skew += 6000;
    expect((await list(server, tooLate)).status).toBe(200);
  });

  it('answers 503 and not 401 when the keys were never read: the caller did nothing wrong', async () => {
    const token = await issuer.token({ resource: PUBLIC });
    await issuer.down();
    const server = await openServer({ 'auth.failuresPerMinute': 1 });
    for (let again = 0; again < 3; again += 1) {
      const reply = await list(server, token);
      expect([reply.status, errorOf(reply).code]).toEqual([503, 'SERVICE_UNAVAILABLE']);
      expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    }
    await issuer.up();
    skew = 6000;
    expect((await list(server, token)).status).toBe(200);
  });

  it('reads keys from a file, and reads it again when it changes', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'jwks-'));
    const file = join(folder, 'jwks.json');
    await writeFile(file, JSON.stringify(issuer.jwks()));
    const server = await openServer({ 'auth.jwksFile': file });
    expect((await list(server, await issuer.forge({ aud: PUBLIC }))).status).toBe(200);
    await issuer.rotate();
    const next = await issuer.forge({ aud: PUBLIC });
    expect((await list(server, next)).status).toBe(401);
    await writeFile(file, `${JSON.stringify(issuer.jwks())}\n`);
    expect((await list(server, next)).status).toBe(200);
    expect(issuer.asked.filter((path) => path.includes('jwks') || path.includes('well-known'))).toEqual([]);
    await rm(folder, { recursive: true });
  });
});

describe('opaque tokens', () => {
  it('are asked about once, and believed for a short time', async () => {
    const server = await openServer({
      'auth.oidcIssuerUrl': undefined,
      'auth.introspection.url': `${issuer.url}/token/introspection`,
      'auth.introspection.clientId': CLIENT.id,
      'auth.introspection.clientSecret': CLIENT.secret,
      'auth.oidcAudience': OPAQUE,
    });
    const token = await issuer.token({ resource: OPAQUE });
    const replies = await Promise.all([list(server, token), list(server, token), list(server, token)]);
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(countOf('/token/introspection')).toBe(1);
    expect((await list(server, 'no-such-token-at-all')).status).toBe(401);
    await issuer.down();
    expect((await list(server, token)).status).toBe(200);
    expect((await list(server, 'another-token')).status).toBe(503);
  });
});

describe('what an OAuth client is told', () => {
  it('the challenge leads to the metadata of this very address, and that to the issuer (RFC 9728)', async () => {
    const server = await openServer();
    const reply = await send(`${server.url}/mcp`, { method: 'POST' });
    expect(reply.headers['www-authenticate']).toBe(
      `Bearer realm="cloud-native-mcp-server", scope="read", resource_metadata="${PUBLIC}/.well-known/oauth-protected-resource/mcp"`,
    );
    for (const path of ['', '/mcp', '/api/kubernetes/streamable-http', '/api/aggregate/http']) {
      const document = await send(`${server.url}/.well-known/oauth-protected-resource${path}`);
      expect([document.status, JSON.parse(document.body)]).toMatchObject([
        200,
        { resource: `${PUBLIC}${path}`, authorization_servers: [issuer.url], bearer_methods_supported: ['header'] },
      ]);
    }
    const own = JSON.parse((await send(`${server.url}/.well-known/oauth-authorization-server`)).body);
    expect(own).toMatchObject({ issuer: issuer.url, token_endpoint: `${issuer.url}/token` });
  });

  it('derives its address from the request, or from what a trusted proxy says', async () => {
    const server = await openServer({ 'server.publicUrl': undefined, 'auth.oidcAudience': 'mcp', 'server.trustedProxies': ['127.0.0.9'] });
    const resource = async (from: string): Promise<string> => {
      const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'tools.example.com' };
      return JSON.parse((await send(`${server.url}/.well-known/oauth-protected-resource/mcp`, { from, headers })).body).resource;
    };
    expect([await resource('127.0.0.9'), await resource('127.0.0.1')]).toEqual(['https://tools.example.com/mcp', `${server.url}/mcp`]);
  });

  it('a token with too few scopes is told all that it needs, before anything is done (SEED-REQ-03)', async () => {
    const server = await openServer();
    const before = cluster.embedded.requests.length;
    const place = await toPlace(server);
    const authorization = `Bearer ${await issuer.token({ resource: PUBLIC, scope: 'write' })}`;
    const params = { name: 'kubernetes_list_resources', arguments: { kind: 'pods' } };
    for (const path of ['/api/kubernetes/http', '/api/kubernetes/streamable-http', '/mcp']) {
      const headers = { authorization, accept: 'application/json, text/event-stream' };
      const {
        result: reply,
        records,
        rise,
      } = await gather(place, () => sendRpc(`${server.url}${path}`, 'tools/call', params, { headers }));
      expect(records.map(toOutcome)).toEqual([[`POST ${path}`, 'denied', 'FORBIDDEN']]);
      expect(rise('mcp_auth_failures_total', { reason: 'scope' })).toBe(1);
      expect([reply.status, errorOf(reply)]).toMatchObject([403, { code: 'FORBIDDEN', details: { by: 'scope', missing: 'read' } }]);
      expect(reply.headers['www-authenticate']).toContain('error="insufficient_scope"');
      expect(reply.headers['www-authenticate']).toContain('scope="write read"');
    }
    // Reading the metrics asks for the state of the service, no more.
    expect(cluster.embedded.requests.slice(before).filter(({ path }) => path.includes('pods'))).toEqual([]);
    const enough = `Bearer ${await issuer.token({ resource: PUBLIC, scope: 'write read' })}`;
    const reply = await sendRpc(`${server.url}/api/kubernetes/http`, 'tools/call', params, { headers: { authorization: enough } });
    expect(JSON.parse(reply.body).result).not.toHaveProperty('isError');
  });

  it('is silent about metadata where no issuer is configured', async () => {
    const server = await openServer({ 'auth.oidcIssuerUrl': undefined, 'auth.bearerToken': 'static-5f1c9e7a2b8d4c6e' });
    expect((await send(`${server.url}/.well-known/oauth-protected-resource`)).status).toBe(404);
  });
});
