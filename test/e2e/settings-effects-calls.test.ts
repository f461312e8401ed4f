// Keys whose effect is seen by calling: each with a value and with another, and what differs (SEED-CONF-01).

import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTls } from 'node:https';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import { afterEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { makeCertificates } from '../support/certificates.ts';
import { openFaultyShop } from '../support/faults.ts';
import { type Reply, sendRpc } from '../support/http.ts';
import { openIssuer } from '../support/issuer.ts';
import { toRefusal } from '../support/settings.ts';
import { openApp, openShop, type Shop, type ShopOptions } from '../support/shop.ts';

const opened: { close(): Promise<unknown> | unknown }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
});

type Flags = Readonly<Record<string, unknown>>;

const app = async (flags: Flags, now?: () => number): Promise<Omit<Shop, 'embedded'>> => {
  const made = await openApp(flags, now);
  opened.push(made);
  return made;
};
const shop = async (options: ShopOptions): Promise<Shop> => {
  const made = await openShop(options);
  opened.push(made);
  return made;
};
const listen = async (listener: RequestListener, make: (listener: RequestListener) => Server = createServer): Promise<number> => {
  const server = make(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push({
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  });
  return (server.address() as AddressInfo).port;
};
const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (thrown: unknown) => (thrown as AppError).code,
  );

describe('times of calls', () => {
  it('timeouts.callSec ends a call that takes longer', async () => {
    const faulty = await openFaultyShop({ 'timeouts.callSec': 1, 'kubernetes.timeoutSec': 60 });
    opened.push(faulty);
    faulty.inject(/\/pods/, () => {});
    expect(await codeOf(faulty.call('kubernetes_get_logs', { name: 'x', namespace: 'shop' }))).toBe('DEADLINE_EXCEEDED');
  });

  it('timeouts.maxCallSec ends a call that may wait for long', async () => {
    const { call } = await shop({ flags: { 'timeouts.callSec': 1, 'timeouts.maxCallSec': 1 } });
    const waiting = call('kubernetes_wait_for_resource', {
      kind: 'pod',
      name: 'never',
      namespace: 'shop',
      condition: 'exists',
      timeout: '1h',
    });
    // However it says so: it does not wait for the hour.
    expect(['answered', 'DEADLINE_EXCEEDED', 'INVALID_ARGUMENT']).toContain(await codeOf(waiting));
  });
});

describe('tools and changes', () => {
  const names = async (flags: Flags): Promise<readonly string[]> => {
    const { app: made } = await shop({ flags });
    return made.surface(['core']).tables.tools.items.map(({ name }) => name);
  };

  it('enableDisable.enabledTools adds to what the profile gives', async () => {
    const before = await names({});
    const { app: whole } = await shop({});
    const all = whole.surface(['all']).tables.tools.items.map(({ name }) => name);
    const extra = all.find((name) => !before.includes(name));
    expect(extra).toBeDefined();
    expect(await names({ 'enableDisable.enabledTools': [extra] })).toEqual(expect.arrayContaining([...before, extra]));
  });

  const REMOVE = { kind: 'configmap', name: 'effect-of-a-key', namespace: 'shop' };
  const open = async (flags: Flags, now?: () => number): Promise<Shop> => {
    const made = await shop({
      flags: { 'security.allowWrites': true, 'security.allowDestructive': true, ...flags },
      ...(now === undefined ? {} : { now }),
    });
    const headers = { authorization: `Bearer ${made.embedded.token('admin')}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: REMOVE.name }, data: { a: '1' } });
    await made.embedded.handle(new Request('http://api/api/v1/namespaces/shop/configmaps', { method: 'POST', headers, body }));
    return made;
  };

  it('security.approval.delete decides over deletions alone', async () => {
    const { call } = await open({ 'security.approval.delete': 'deny' });
    expect(await codeOf(call('kubernetes_delete_resource', REMOVE))).toBe('FORBIDDEN');
    const scale = { kind: 'deployment', name: 'web', namespace: 'shop', replicas: 2 };
    expect(await codeOf(call('kubernetes_scale_workload', scale))).not.toBe('FORBIDDEN');
    const free = await open({});
    expect(await codeOf(free.call('kubernetes_delete_resource', REMOVE))).toBe('answered');
  });

  it.each([
    [1, 'NOT_FOUND'],
    [24, 'answered'],
  ])('changes.keepHours %d: after two hours an undo is %s', async (hours, expected) => {
    let late = 0;
    const { call } = await open({ 'changes.keepHours': hours }, () => Date.now() + late);
    const plan = (await call('kubernetes_delete_resource', REMOVE)).structured['plan'];
    const { changeId } = (await call('kubernetes_delete_resource', { ...REMOVE, apply: plan })).structured;
    late = 2 * 3_600_000;
    expect(await codeOf(call('platform_undo_change', { changeId }))).toBe(expected);
  });
});

describe('the cache', () => {
  it.each([
    [2, 4],
    [1, 2],
  ])('cache.segments %d of two places: of four looks at two things %d reach the backend', async (segments, expected) => {
    const { call, embedded } = await shop({
      flags: { 'cache.enabled': true, 'cache.type': 'segmented', 'cache.max_size': 2, 'cache.segments': segments },
    });
    const look = (name: string) => call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', labelSelector: `app=${name}` });
    await look('warm');
    const start = embedded.requests.length;
    await look('one');
    const before = embedded.requests.length;
    const each = before - start;
    for (const name of ['a', 'b', 'a', 'b']) await look(name);
    // One place per shelf: each look pushes the other out. Two places on one shelf: both stay.
    expect(embedded.requests.length - before).toBe(expected * each);
  });
});

describe('telemetry', () => {
  interface Sink {
    readonly flags: Flags;
    readonly asked: Record<string, number>;
    readonly bodies: string[];
  }
  const openSink = async (more: Flags, answers = true): Promise<Sink> => {
    const asked: Record<string, number> = {};
    const bodies: string[] = [];
    const port = await listen((request, response) => {
      asked[request.url ?? ''] = (asked[request.url ?? ''] ?? 0) + 1;
      request.on('data', (chunk: Buffer) => bodies.push(chunk.toString('latin1')));
      request.on('end', () => void (answers && response.writeHead(200).end()));
    });
    const otel = { 'otel.enabled': true, 'otel.endpoint': `http://127.0.0.1:${port}`, 'otel.tracing.sampleRate': 1 };
    return { flags: { ...otel, ...more }, asked, bodies };
  };
  const run = async (sink: Sink): Promise<Omit<Shop, 'embedded'>> => {
    const made = await openApp(sink.flags);
    for (let count = 0; count < 5; count++) await made.call('platform_status');
    await made.close();
    return made;
  };

  it('otel.tracing.enabled and otel.metrics.enabled send each or neither', async () => {
    const paths = async (more: Flags): Promise<string[]> => {
      const sink = await openSink(more);
      await run(sink);
      return Object.keys(sink.asked).sort();
    };
    expect(await paths({})).toEqual(['/v1/metrics', '/v1/traces']);
    expect(await paths({ 'otel.tracing.enabled': false })).toEqual(['/v1/metrics']);
    expect(await paths({ 'otel.metrics.enabled': false })).toEqual(['/v1/traces']);
  });

  it('otel.serviceVersion is told with every export', async () => {
    const sink = await openSink({ 'otel.serviceVersion': '9.8.7-mine' });
    await run(sink);
    expect(sink.bodies.join('')).toContain('9.8.7-mine');
  });

  it('otel.tracing.maxExportBatchSize bounds what one export holds', async () => {
    const sink = await openSink({ 'otel.tracing.maxExportBatchSize': 1, 'otel.metrics.enabled': false });
    const { call } = await app(sink.flags);
    for (let count = 0; count < 5; count++) await call('platform_status');
    // One span each, while the server runs; the default waits for five seconds or 512 spans.
    await expect.poll(() => sink.asked['/v1/traces'] ?? 0).toBeGreaterThan(10);
  });

  it('otel.metrics.exportTimeoutSec gives up on a collector that is silent', async () => {
    const told = async (seconds: number): Promise<boolean> => {
      const sink = await openSink({ 'otel.metrics.exportTimeoutSec': seconds, 'otel.tracing.enabled': false }, false);
      return (await run(sink)).log.some((line) => line.includes('does not reach its collector'));
    };
    expect(await Promise.all([told(1), told(60)])).toEqual([true, false]);
  });
});

describe('tokens', () => {
  const AUDIENCE = 'https://mcp.example.com';
  const server = async (flags: Flags, now?: () => number): Promise<(token: string) => Promise<Reply>> => {
    const made = await app({ 'auth.enabled': true, 'auth.mode': 'bearer', 'auth.failuresPerMinute': 0, ...flags }, now);
    const { url } = await made.app.openHttp({ port: 0 });
    return (token) => sendRpc(`${url}/api/platform/http`, 'ping', {}, { headers: { authorization: `Bearer ${token}` } });
  };
  const issuerOf = async () => {
    const issuer = await openIssuer();
    opened.push(issuer);
    return issuer;
  };

  it('auth.jwtAlgorithm is the one that passes', async () => {
    const secret = 'a shared key of sixty-four characters, for each of three algorithms';
    const sign = (alg: string): Promise<string> =>
      new SignJWT({ scope: 'read' })
        .setProtectedHeader({ alg })
        .setSubject('x')
        .setAudience(AUDIENCE)
        .setExpirationTime('5m')
        .sign(new TextEncoder().encode(secret));
    const statuses = async (flags: Flags): Promise<number[]> => {
      const ask = await server({ 'auth.jwtSecret': secret, 'server.publicUrl': AUDIENCE, ...flags });
      return Promise.all(['HS256', 'HS384', 'HS512'].map(async (alg) => (await ask(await sign(alg))).status));
    };
    expect(await statuses({})).toEqual([200, 401, 401]);
    expect(await statuses({ 'auth.jwtAlgorithm': 'HS512' })).toEqual([401, 401, 200]);
  });

  it('auth.oidcClientId is the audience where nothing else names one', async () => {
    const issuer = await issuerOf();
    const ask = await server({ 'auth.oidcIssuerUrl': issuer.url, 'auth.oidcClientId': 'my-client' });
    expect((await ask(await issuer.forge({ aud: 'my-client', scope: 'read' }))).status).toBe(200);
    expect((await ask(await issuer.forge({ aud: 'other-client', scope: 'read' }))).status).toBe(401);
  });

  it('auth.oidcDiscoveryUrl is where the issuer is looked up', async () => {
    const issuer = await issuerOf();
    const document = await (await fetch(`${issuer.url}/.well-known/openid-configuration`)).text();
    const asked: string[] = [];
    const port = await listen((request, response) => {
      asked.push(request.url ?? '');
      response.writeHead(200, { 'content-type': 'application/json' }).end(document);
    });
    const before = issuer.asked.length;
    const ask = await server({
      'auth.oidcIssuerUrl': issuer.url,
      'auth.oidcDiscoveryUrl': `http://127.0.0.1:${port}/elsewhere`,
      'auth.oidcAudience': AUDIENCE,
    });
    expect((await ask(await issuer.forge({ aud: AUDIENCE, scope: 'read' }))).status).toBe(200);
    expect([asked, issuer.asked.slice(before)]).toEqual([['/elsewhere'], ['/jwks']]);
  });

  it('auth.oidcHttpTimeoutSec ends a question to a silent issuer', async () => {
    const port = await listen(() => {});
    const issuer = await issuerOf();
    const ask = await server({
      'auth.oidcIssuerUrl': `http://127.0.0.1:${port}`,
      'auth.oidcHttpTimeoutSec': 1,
      'auth.oidcAudience': AUDIENCE,
    });
    expect((await ask(await issuer.forge({ aud: AUDIENCE, scope: 'read' }))).status).toBe(503);
  });

  it('auth.oidcJwksCacheTtlSec is the age at which keys are read again', async () => {
    const issuer = await issuerOf();
    let late = 0;
    const flags = { 'auth.oidcIssuerUrl': issuer.url, 'auth.oidcJwksCacheTtlSec': 100, 'auth.oidcAudience': AUDIENCE };
    const ask = await server(flags, () => Date.now() + late);
    const reads = async (seconds: number): Promise<number> => {
      late = seconds * 1000;
      // A token is remembered, and its keys with it: another one each time.
      expect((await ask(await issuer.forge({ aud: AUDIENCE, scope: 'read', jti: String(seconds) }))).status).toBe(200);
      return issuer.asked.filter((path) => path === '/jwks').length;
    };
    expect([await reads(0), await reads(90), await reads(110), await reads(120)]).toEqual([1, 1, 2, 2]);
  });
});

describe('secrets', () => {
  it('secrets.provider takes memory alone, and says where secrets come from instead', async () => {
    expect(await toRefusal({ env: { MCP_SECRETS_PROVIDER: 'vault' } })).toContain('secrets.provider: must be memory');
  });

  it('secrets.vault.mount, namespace and caFile say where in Vault, and whom to believe', async () => {
    const certificates = makeCertificates();
    opened.push(certificates);
    const authority = certificates.authority('vault');
    const { cert, key } = certificates.issue('server', authority, { subject: '/CN=localhost', server: true });
    const asked: unknown[] = [];
    const port = await listen(
      (request, response) => {
        asked.push([request.url, request.headers['x-vault-namespace']]);
        response.writeHead(200, { 'content-type': 'application/json' });
        response.end(JSON.stringify({ data: { data: { key: 'cnm_of_vault_Zk3v9Qp7Lw2Xr8Tn5' }, metadata: {} } }));
      },
      (listener) => createTls({ cert, key }, listener) as unknown as Server,
    );
    const flags = {
      'auth.enabled': true,
      'auth.apiKey': 'vault:mcp#key',
      'secrets.vault.address': `https://localhost:${port}`,
      'secrets.vault.token': 'hvs.token-of-the-test',
      'secrets.vault.mount': 'teams',
      'secrets.vault.namespace': 'team-a',
    };
    const made = await app({ ...flags, 'secrets.vault.caFile': authority.certFile });
    const { url } = await made.app.openHttp({ port: 0 });
    const headers = { 'x-api-key': 'cnm_of_vault_Zk3v9Qp7Lw2Xr8Tn5' };
    expect((await sendRpc(`${url}/api/platform/http`, 'ping', {}, { headers })).status).toBe(200);
    expect(asked).toEqual([['/v1/teams/data/mcp', 'team-a']]);
    const strict = await app(flags);
    expect(await codeOf(strict.app.openHttp({ port: 0 }))).not.toBe('answered');
  });
});
