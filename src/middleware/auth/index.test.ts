import { describe, expect, it } from 'vitest';
import { compose } from '../../kit/compose.ts';
import type { HttpExchange } from '../../kit/http.ts';
import { createSecretManager } from '../../secrets/manager.ts';
import { narrowScopes } from './api-key.ts';
import { authConfig } from './config.ts';
import { createAuthentication } from './create.ts';
import { auth, type RefusedRequest } from './index.ts';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const KEYS = { operator: 'cnm_operator_8fK2mQ9xWv4Lp7Rt', reader: 'cnm_reader_5Gh8Jk2Lz7Xw3Qp9V' };

const build = async (needs?: 'admin') => {
  const refused: RefusedRequest[] = [];
  const authentication = await createAuthentication({
    config: authConfig.parse({
      enabled: true,
      failuresPerMinute: 3,
      apiKeys: [
        { name: 'operator', key: KEYS.operator, scopes: ['admin'] },
        { name: 'reader', key: KEYS.reader, scopes: ['read', 'admin'], services: ['platform'], namespaces: ['shop'] },
      ],
    }),
    secrets: createSecretManager({ now: Date.now, logger, learn: () => {}, checkSec: 60, overlapSec: 0, warnBeforeSec: 0 }),
    now: Date.now,
    logger,
    realm: 'test',
    services: ['platform'],
    publicUrl: undefined,
    baseUrl: () => 'http://localhost',
    hasClientCa: false,
    onRefused: (request) => refused.push(request),
  });
  const seen: HttpExchange['caller'][] = [];
  const handle = compose<HttpExchange, Response>([auth(authentication, needs)], async ({ caller }) => {
    seen.push(caller);
    return new Response('in');
  });
  const ask = (key: string | undefined, address = '192.0.2.1'): Promise<Response> => {
    const request = new Request('http://localhost/api/audit/logs', { headers: key === undefined ? {} : { 'x-api-key': key } });
    const url = new URL(request.url);
    const node = { incoming: { rawHeaders: [] } } as unknown as HttpExchange['node'];
    return handle({
      request,
      url,
      route: url.pathname,
      requestId: 'r',
      caller: { id: 'anonymous', groups: [], scopes: [] },
      address,
      known: {},
      node,
    });
  };
  return { ask, seen, refused };
};

describe('the step of authentication', () => {
  it('hands on who called, with rights and address, and nothing of the credential', async () => {
    const { ask, seen } = await build();
    expect((await ask(KEYS.reader)).headers.get('cache-control')).toBe('no-store');
    expect(seen).toEqual([
      {
        id: 'key:reader',
        groups: [],
        scopes: ['read:platform', 'admin:platform'],
        services: ['platform'],
        namespaces: ['shop'],
        address: '192.0.2.1',
      },
    ]);
  });

  it('lets only the scope admin onto the routes of operators: a narrowed one is not it', async () => {
    const { ask, seen, refused } = await build('admin');
    expect([(await ask(KEYS.operator)).status, (await ask(KEYS.reader)).status]).toEqual([200, 403]);
    expect([seen.length, refused]).toEqual([1, [{ address: '192.0.2.1', code: 'FORBIDDEN', reason: 'scope', userId: 'key:reader' }]]);
  });

  it('reports every refusal with address and reason, to the last one that is turned away for its number', async () => {
    const { ask, refused } = await build();
    for (const key of [undefined, 'wrong', 'wrong', 'wrong', KEYS.operator]) await ask(key, '192.0.2.9');
    expect(refused.map(({ code, reason }) => `${code} ${reason}`)).toEqual([
      'UNAUTHENTICATED missing',
      'UNAUTHENTICATED wrong',
      'UNAUTHENTICATED wrong',
      'UNAUTHENTICATED wrong',
      'RATE_LIMITED limit',
    ]);
    expect(JSON.stringify(refused)).not.toContain('cnm_');
  });
});

describe('scopes of a key that is limited to services', () => {
  it('are narrowed, never widened', () => {
    expect(narrowScopes(['read', 'write:helm'], [])).toEqual(['read', 'write:helm']);
    expect(narrowScopes(['read', 'write:helm', 'write:grafana'], ['helm', 'jaeger'])).toEqual(['read:helm', 'read:jaeger', 'write:helm']);
    expect(narrowScopes(['write:helm'], ['grafana'])).toEqual([]);
  });
});
