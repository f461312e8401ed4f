// A backend that refuses, lies, breaks or hangs: each a typed error with words that help, nothing hanging, no stack, no secret.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { toErrorResult } from '../../src/mcp/result.ts';
import { CANARY_TOKEN, type Fault, type FaultyShop, openFaultyShop, status } from '../support/faults.ts';

const PODS = /\/api\/v1\/namespaces\/shop\/pods/;

const endless: Fault = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  const chunk = `{"metadata":{"name":"${'x'.repeat(65_536)}"}},`;
  let sent = 0;
  const write = (): void => {
    while (sent < 110 * 1024 * 1024 && response.writable) {
      sent += chunk.length;
      if (!response.write(chunk)) return void response.once('drain', write);
    }
    response.end();
  };
  response.write('{"kind":"PodList","items":[');
  write();
};

const cut: Fault = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
  response.write('{"kind":"Table","col');
  setImmediate(() => response.destroy());
};

const text =
  (code: number, type: string, body: string): Fault =>
  (response) => {
    response.writeHead(code, { 'content-type': type });
    response.end(body);
  };

const CASES: readonly (readonly [string, Fault, string, object])[] = [
  ['401 with an expired token', status(401, 'Unauthorized', 'Unauthorized'), 'UNAUTHENTICATED', {}],
  [
    '403',
    status(403, 'Forbidden', 'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "shop"', {
      details: { kind: 'pods' },
    }),
    'FORBIDDEN',
    { by: 'rbac', user: 'jane' },
  ],
  ['404 of the path', text(404, 'text/plain', '404 page not found'), 'UNSUPPORTED', {}],
  ['409', status(409, 'Conflict', 'the object has been modified', { details: { name: 'x', kind: 'pods' } }), 'CONFLICT', {}],
  ['410', status(410, 'Expired', 'The provided continue parameter is too old'), 'CURSOR_EXPIRED', {}],
  ['429 with Retry-After', status(429, 'TooManyRequests', 'too many requests'), 'RATE_LIMITED', { retry_after: '7s' }],
  ['500', status(500, 'InternalError', 'etcdserver: request timed out'), 'SERVICE_UNAVAILABLE', { service: 'kubernetes' }],
  [
    '503 as a page of a proxy',
    text(503, 'text/html', '<html><body><script>alert(1)</script>Bad gateway</body></html>'),
    'SERVICE_UNAVAILABLE',
    { service: 'kubernetes' },
  ],
  ['invalid JSON', text(200, 'application/json', '{"kind":"Table","rows":[{"cel'), 'DATA_ERROR', { service: 'kubernetes' }],
  ['an answer that is no object', text(200, 'application/json', '"hello"'), 'DATA_ERROR', { service: 'kubernetes' }],
  ['a connection cut in the middle', cut, 'SERVICE_UNAVAILABLE', { service: 'kubernetes' }],
  ['an answer of 100 MB', endless, 'PAYLOAD_TOO_LARGE', {}],
  ['a server that never answers', () => {}, 'DEADLINE_EXCEEDED', {}],
];

describe('a misbehaving API server', () => {
  let shop: FaultyShop;
  beforeAll(async () => {
    shop = await openFaultyShop();
  });
  afterAll(() => shop.close());

  const failure = async (args: object, signal?: AbortSignal): Promise<AppError> =>
    shop.call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', ...args }, signal === undefined ? {} : { signal }).then(
      (answer) => {
        throw new Error(`no failure: ${answer.text}`);
      },
      (error: AppError) => error,
    );

  it.each(CASES)('%s', async (_, fault, code, details) => {
    shop.inject(PODS, fault);
    const error = await failure({});
    expect({ code: error.code, details: error.details }).toMatchObject({ code, details });
    expect(error.message.length).toBeGreaterThan(10);
    const sent = JSON.stringify(toErrorResult(error));
    expect(sent).not.toMatch(/\\n\s+at |node_modules|node:internal|<script/);
    expect(`${sent}${shop.log.join('')}`).not.toContain(CANARY_TOKEN);
  });

  it('goes on as if nothing had been', async () => {
    shop.inject(PODS, undefined);
    const { structured } = await shop.call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', view: 'count' });
    expect(structured['total']).toBe(22);
  });

  it('cancels the request to the backend when the caller cancels (RULE-04)', async () => {
    let arrived: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    let closed: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      closed = resolve;
    });
    shop.inject(PODS, (response) => {
      response.once('close', () => closed());
      arrived();
    });
    const controller = new AbortController();
    const failed = failure({}, controller.signal);
    await waiting;
    controller.abort();
    expect((await failed).code).toBe('CANCELLED');
    await gone;
    expect(shop.seen.abandoned).toBe(1);
  });
});

describe('clusters that are not there', () => {
  it('answers SERVICE_UNAVAILABLE for a dead cluster and does not slow a living one', async () => {
    const { openTwoClusters } = await import('../support/two-clusters.ts');
    const two = await openTwoClusters();
    try {
      const alive = await two.call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', view: 'count', cluster: 'alive' });
      expect(alive.structured).toMatchObject({ cluster: 'alive', total: 22 });
      const dead = await two.call('kubernetes_list_resources', { kind: 'pods' }).catch((error: AppError) => error);
      expect(dead).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { service: 'kubernetes' } });
      const { structured } = await two.call('platform_status', { view: 'clusters' });
      expect(structured['clusters']).toMatchObject([
        { name: 'dead', default: true, reachable: false },
        { name: 'alive', reachable: true },
      ]);
      const unknown = await two.call('kubernetes_list_resources', { kind: 'pods', cluster: 'aliv' }).catch((error: AppError) => error);
      expect(unknown).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument: 'cluster', nearest: ['alive'] } });
    } finally {
      await two.close();
    }
  });
});
