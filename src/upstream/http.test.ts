import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { AppError } from '../kit/errors.ts';
import { parseRetryAfter } from './failures.ts';
import { createUpstream, type Logger, readLines, type Upstream, type UpstreamOptions } from './http.ts';

const logger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const opened: { server: Server; upstreams: Upstream[] }[] = [];

afterEach(async () => {
  for (const { server, upstreams } of opened.splice(0)) {
    await Promise.all(upstreams.map((upstream) => upstream.close()));
    server.closeAllConnections();
    server.close();
  }
});

interface Backend {
  readonly url: string;
  readonly requests: IncomingMessage[];
  readonly sockets: Socket[];
  connect(options?: Partial<UpstreamOptions>): Upstream;
}

const startBackend = async (handler: RequestListener): Promise<Backend> => {
  const requests: IncomingMessage[] = [];
  const sockets: Socket[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    handler(request, response);
  });
  server.on('connection', (socket) => sockets.push(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const upstreams: Upstream[] = [];
  opened.push({ server, upstreams });
  return {
    url,
    requests,
    sockets,
    connect: (options = {}) => {
      const upstream = createUpstream({ service: 'backend', baseUrl: url, now: Date.now, logger, ...options });
      upstreams.push(upstream);
      return upstream;
    },
  };
};

const sendJson = (
  response: ServerResponse,
  value: unknown,
  { status = 200, headers = {} }: { status?: number; headers?: Record<string, string> } = {},
) => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(value));
};

const failureOf = async (promise: Promise<unknown>): Promise<AppError> => {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, got ${String(error)}`);
};

const collect = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
};

const signal = new AbortController().signal;

describe('request line', () => {
  it('joins the base path and encodes every segment by itself', async () => {
    const backend = await startBackend((request, response) => sendJson(response, { url: request.url }));
    const upstream = backend.connect({ baseUrl: `${backend.url}/gateway/a%20b/` });
    const { body } = await upstream.json({
      path: ['api', 'v1', 'x/y', 'ä:b'],
      query: { limit: 5, watch: true, gone: undefined, 'match[]': ['a=b', 'c'] },
      signal,
    });
    expect(body).toEqual({ url: '/gateway/a%20b/api/v1/x%2Fy/%C3%A4%3Ab?limit=5&watch=true&match%5B%5D=a%3Db&match%5B%5D=c' });
    expect((await upstream.json({ path: '/api/', signal })).body).toEqual({ url: '/gateway/a%20b/api/' });
    expect(upstream.address).toBe(`${backend.url}/gateway/a%20b`);
  });

  it.each([[''], ['.'], ['..'], ['\ud800']])('refuses the segment %j before anything is sent', async (segment) => {
    const backend = await startBackend((_, response) => sendJson(response, {}));
    const error = await failureOf(backend.connect().json({ path: ['pods', segment], signal }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(backend.requests).toHaveLength(0);
  });

  it('takes the login out of the address and never shows it', async () => {
    const backend = await startBackend((request, response) => sendJson(response, { login: request.headers.authorization }));
    const upstream = backend.connect({ baseUrl: backend.url.replace('//', '//user:p%40ss@') });
    expect((await upstream.json({ path: '/', signal })).body).toEqual({ login: `Basic ${Buffer.from('user:p@ss').toString('base64')}` });
    expect(upstream.address).toBe(backend.url);
  });

  it('refuses an address that is no http URL without repeating it', () => {
    expect(() => createUpstream({ service: 'backend', baseUrl: 'secret-thing', now: Date.now, logger })).toThrow(
      /^The address of backend is not an http or https URL\.$/,
    );
  });

  it('sends objects as JSON, forms as forms and repeats list headers', async () => {
    const backend = await startBackend(async (request, response) => {
      const chunks = await request.toArray();
      sendJson(response, {
        body: Buffer.concat(chunks).toString(),
        type: request.headers['content-type'],
        groups: request.headersDistinct['impersonate-group'],
      });
    });
    const upstream = backend.connect({ headers: async () => ({ 'Impersonate-Group': ['a', 'b'] }) });
    expect((await upstream.json({ method: 'POST', path: '/', body: { a: 1 }, signal })).body).toEqual({
      body: '{"a":1}',
      type: 'application/json',
      groups: ['a', 'b'],
    });
    const form = await upstream.json({ method: 'POST', path: '/', body: new URLSearchParams({ query: 'up==1' }), signal });
    expect(form.body).toMatchObject({ body: 'query=up%3D%3D1', type: 'application/x-www-form-urlencoded' });
  });
});

describe('retry', () => {
  it('repeats a read after 503 and tells every attempt to the metrics (SEED-GOAL-08)', async () => {
    const backend = await startBackend((_, response) => {
      if (backend.requests.length < 3) sendJson(response, {}, { status: 503 });
      else sendJson(response, { ok: true });
    });
    const calls: unknown[] = [];
    const upstream = backend.connect({ onCall: ({ api, status }) => calls.push([api, status]) });
    expect((await upstream.json({ path: '/', api: 'GET /', signal })).body).toEqual({ ok: true });
    expect(calls).toEqual([
      ['GET /', 503],
      ['GET /', 503],
      ['GET /', 200],
    ]);
  });

  it('repeats a read whose connection broke before an answer, and gives up in the end', async () => {
    const backend = await startBackend((request) => request.socket.destroy());
    const error = await failureOf(backend.connect({ retries: 2 }).json({ path: '/', signal }));
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { service: 'backend', reason: 'RESET', retry_after: '30s' } });
    expect(backend.requests).toHaveLength(3);
  });

  it.each(['POST', 'PATCH', 'DELETE'] as const)('never repeats a %s by itself', async (method) => {
    const backend = await startBackend((_, response) => sendJson(response, {}, { status: 503 }));
    await failureOf(backend.connect().json({ method, path: '/', signal }));
    expect(backend.requests).toHaveLength(1);
  });

  it('repeats a POST that is declared idempotent', async () => {
    const backend = await startBackend((_, response) =>
      sendJson(response, { n: backend.requests.length }, { status: backend.requests.length === 1 ? 502 : 200 }),
    );
    expect((await backend.connect().json({ method: 'POST', path: '/', idempotent: true, signal })).body).toEqual({ n: 2 });
  });

  it.each([
    ['2', 2000],
    ['Thu, 01 Jan 1970 00:00:05 GMT', 4000],
    ['Thu, 01 Jan 1970 00:00:00 GMT', 0],
    ['soon', undefined],
    ['', undefined],
  ])('reads Retry-After %j', (text, wait) => {
    expect(parseRetryAfter({ 'retry-after': text }, { now: 1000 })).toBe(wait);
  });

  it('tells RATE_LIMITED at once when Retry-After lies beyond the deadline', async () => {
    const backend = await startBackend((_, response) =>
      sendJson(response, { slow: 'down' }, { status: 429, headers: { 'retry-after': '7' } }),
    );
    const error = await failureOf(backend.connect({ timeoutMs: 5000 }).json({ path: '/', signal }));
    expect(error).toMatchObject({ code: 'RATE_LIMITED', details: { retry_after: '7s', upstream: '{"slow":"down"}' } });
    expect(backend.requests).toHaveLength(1);
  });

  it('can be cancelled while it waits', async () => {
    const controller = new AbortController();
    const backend = await startBackend((_, response) => {
      sendJson(response, {}, { status: 503, headers: { 'retry-after': '9' } });
      response.on('finish', () => controller.abort());
    });
    const error = await failureOf(backend.connect({ timeoutMs: 60_000 }).json({ path: '/', signal: controller.signal }));
    expect(error.code).toBe('CANCELLED');
    expect(backend.requests).toHaveLength(1);
  });
});

describe('credentials', () => {
  it('are renewed once after a 401, then the request is repeated', async () => {
    const backend = await startBackend((request, response) =>
      sendJson(response, {}, { status: request.headers.authorization === 'Bearer new' ? 200 : 401 }),
    );
    const upstream = backend.connect({ headers: async (_, { fresh }) => ({ authorization: fresh ? 'Bearer new' : 'Bearer old' }) });
    expect((await upstream.json({ method: 'POST', path: '/', signal })).status).toBe(200);
    expect(backend.requests.map((request) => request.headers.authorization)).toEqual(['Bearer old', 'Bearer new']);
  });

  it('that cannot be renewed are not sent twice', async () => {
    const backend = await startBackend((_, response) => sendJson(response, {}, { status: 401 }));
    const error = await failureOf(backend.connect({ headers: async () => ({ authorization: 'Bearer x' }) }).json({ path: '/', signal }));
    expect(error.code).toBe('UNAUTHENTICATED');
    expect(backend.requests).toHaveLength(1);
  });
});

describe('cancellation and time', () => {
  it('closes the socket of a cancelled call', async () => {
    const closed = Promise.withResolvers<void>();
    const controller = new AbortController();
    const backend = await startBackend((request) => {
      request.socket.on('close', () => closed.resolve());
      controller.abort();
    });
    expect((await failureOf(backend.connect().json({ path: '/', signal: controller.signal }))).code).toBe('CANCELLED');
    await closed.promise;
  });

  it('rethrows an AppError given as reason, and knows a time-out signal', async () => {
    const reason = new AppError('APPROVAL_REQUIRED', 'stop');
    const backend = await startBackend(() => {});
    const upstream = backend.connect();
    expect(await failureOf(upstream.json({ path: '/', signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect((await failureOf(upstream.json({ path: '/', signal: AbortSignal.timeout(20) }))).code).toBe('DEADLINE_EXCEEDED');
  });

  it('ends a call at its deadline, in the middle of the body too', async () => {
    const closed = Promise.withResolvers<void>();
    const backend = await startBackend((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.write('{');
    });
    const error = await failureOf(backend.connect().json({ path: '/', signal, timeoutMs: 50 }));
    expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED', details: { service: 'backend', after: '50ms' } });
    await closed.promise;
  });

  it('ends running calls on close, and refuses later ones', async () => {
    const arrived = Promise.withResolvers<void>();
    const backend = await startBackend(() => arrived.resolve());
    const upstream = backend.connect();
    const running = failureOf(upstream.json({ path: '/', signal }));
    await arrived.promise;
    await upstream.close();
    await upstream.close();
    expect(await running).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { reason: 'CLOSED' } });
    expect((await failureOf(upstream.json({ path: '/', signal }))).code).toBe('SERVICE_UNAVAILABLE');
  });
});

describe('bodies', () => {
  // undici rests a socket for one turn of the event loop after an answer, so two take turns.
  it('keeps connections open from call to call', async () => {
    const backend = await startBackend((_, response) => sendJson(response, {}));
    const upstream = backend.connect();
    for (let call = 0; call < 200; call += 1) await upstream.json({ path: '/', signal });
    expect(backend.sockets.length).toBeLessThanOrEqual(2);
  });

  it('never opens more than the allowed connections', async () => {
    const backend = await startBackend((_, response) => void setImmediate(() => sendJson(response, {})));
    const upstream = backend.connect({ maxConnections: 2 });
    await Promise.all(Array.from({ length: 20 }, () => upstream.json({ path: '/', signal })));
    expect(backend.sockets).toHaveLength(2);
  });

  it.each([true, false])('stops reading at the bound and closes the socket (length declared: %s)', async (declared) => {
    const closed = Promise.withResolvers<void>();
    const backend = await startBackend((request, response) => {
      request.socket.on('close', () => closed.resolve());
      if (declared) response.setHeader('content-length', String(1024 * 1024 * 1024));
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 'a')));
      };
      response.on('drain', more);
      more();
    });
    const error = await failureOf(backend.connect().text({ path: '/', signal, maxBytes: 2 * 1024 * 1024 }));
    expect(error).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', details: { limit: '2 MiB' } });
    await closed.promise;
  });

  it.each([
    ['gzip', gzipSync('{"a":1}')],
    ['br', brotliCompressSync('{"a":1}')],
    ['deflate', deflateSync('{"a":1}')],
    ['deflate', deflateRawSync('{"a":1}')],
    ['deflate, gzip', gzipSync(deflateSync('{"a":1}'))],
    ['identity', Buffer.from('{"a":1}')],
  ])('unpacks %s', async (encoding, packed) => {
    const backend = await startBackend((_, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(packed));
    expect((await backend.connect().json({ path: '/', signal })).body).toEqual({ a: 1 });
  });

  it('bounds what comes out of a decompression bomb', async () => {
    const backend = await startBackend(
      (_, response) => void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(64 * 1024 * 1024))),
    );
    expect((await failureOf(backend.connect().text({ path: '/', signal, maxBytes: 1024 * 1024 }))).code).toBe('PAYLOAD_TOO_LARGE');
  });

  it.each([
    ['garbage as gzip', { 'content-encoding': 'gzip' }, 'not gzip'],
    ['an unknown encoding', { 'content-encoding': 'snappy' }, '{}'],
    ['broken JSON', { 'content-type': 'application/json' }, '{"a":'],
    ['a web page', { 'content-type': 'text/html' }, '<html><title>Sign in</title></html>'],
    ['a web page that calls itself JSON', { 'content-type': 'application/json' }, '\n<!DOCTYPE html>'],
  ])('calls %s a DATA_ERROR', async (_, headers, text) => {
    const backend = await startBackend((_request, response) => void response.writeHead(200, headers).end(text));
    expect((await failureOf(backend.connect().json({ path: '/', signal }))).code).toBe('DATA_ERROR');
  });

  it('calls an answer that is cut off unavailable', async () => {
    const backend = await startBackend((request, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"a":', () => request.socket.destroy());
    });
    const error = await failureOf(backend.connect().json({ path: '/', signal }));
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { reason: 'RESET' } });
    expect(backend.requests).toHaveLength(1);
  });

  it('streams lines as they come and closes the socket when the reader leaves', async () => {
    const closed = Promise.withResolvers<void>();
    const backend = await startBackend((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.write(Buffer.from('one\r\ntw\xc3', 'latin1'), () => response.write(Buffer.from('\xb6\nthree\n', 'latin1')));
    });
    const { body } = await backend.connect().stream({ path: '/', signal, timeoutMs: 5000 });
    const lines: string[] = [];
    for await (const line of readLines(body)) {
      lines.push(line);
      if (lines.length === 3) break;
    }
    expect(lines).toEqual(['one', 'twö', 'three']);
    await closed.promise;
  });

  it('reads the start of a body that never ends, and no more', async () => {
    const closed = Promise.withResolvers<void>();
    const backend = await startBackend((request, response) => {
      request.socket.on('close', () => closed.resolve());
      response.writeHead(404).write('x'.repeat(5000));
    });
    const { status, body, isCut } = await backend.connect().start({ path: '/', signal, maxBytes: 100, expect: [404] });
    expect([status, body.length, isCut]).toEqual([404, 100, true]);
    await closed.promise;
  });

  it('ends a stream that falls silent', async () => {
    const backend = await startBackend((_, response) => void response.write('a'));
    const { body } = await backend.connect().stream({ path: '/', signal, idleMs: 50 });
    const error = await failureOf(collect(body));
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { reason: 'IDLE' } });
  });

  it('cuts an endless line', async () => {
    const part = async function* () {
      for (let count = 0; count < 100; count += 1) yield Buffer.alloc(1000, 'x');
      yield Buffer.from('\nnext');
    };
    expect(await collect(readLines(part(), { maxLine: 10 }))).toEqual(['xxxxxxxxxx', 'next']);
  });
});

describe('refusals', () => {
  it.each([
    [400, 'INVALID_ARGUMENT'],
    [401, 'UNAUTHENTICATED'],
    [403, 'FORBIDDEN'],
    [404, 'NOT_FOUND'],
    [405, 'UNSUPPORTED'],
    [409, 'CONFLICT'],
    [410, 'CURSOR_EXPIRED'],
    [413, 'PAYLOAD_TOO_LARGE'],
    [415, 'INTERNAL'],
    [422, 'INVALID_ARGUMENT'],
    [429, 'RATE_LIMITED'],
    [500, 'SERVICE_UNAVAILABLE'],
    [302, 'DATA_ERROR'],
  ])('maps %d to %s with a cleaned excerpt', async (status, code) => {
    const backend = await startBackend(
      (_, response) => void response.writeHead(status, { location: '/elsewhere' }).end(`no\u0007\n${'x'.repeat(1000)}`),
    );
    const error = await failureOf(backend.connect({ retries: 0 }).json({ path: '/', signal }));
    expect(error.code).toBe(code);
    expect(error.details['upstream']).toBe(`no ${'x'.repeat(297)}…`);
    expect(error.message).not.toContain('xxx');
    expect(backend.requests).toHaveLength(1);
  });

  it('shows only the title of a web page', async () => {
    const backend = await startBackend(
      (_, response) =>
        void response.writeHead(502, { 'content-type': 'text/html' }).end('<html><title>Bad gateway</title><body>long</body>'),
    );
    expect((await failureOf(backend.connect({ retries: 0 }).json({ path: '/', signal }))).details['upstream']).toBe(
      '(web page) Bad gateway',
    );
  });

  it('takes a status that is expected as an answer', async () => {
    const backend = await startBackend((_, response) => sendJson(response, { timed_out: true }, { status: 408 }));
    expect(await backend.connect().json({ path: '/', signal, expect: [408] })).toMatchObject({ status: 408, body: { timed_out: true } });
  });

  it.each([
    ['http://127.0.0.1:1', 'REFUSED'],
    ['http://does-not-exist.invalid', 'DNS'],
  ])('tells why %s does not answer', async (baseUrl, reason) => {
    const upstream = createUpstream({ service: 'backend', baseUrl, now: Date.now, logger, retries: 0 });
    const error = await failureOf(upstream.json({ path: '/', signal }));
    expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { reason } });
    expect(error.message).not.toContain('127.0.0.1');
    await upstream.close();
  });
});

describe('rate', () => {
  it('serves waiting calls in the order they came, and forgets cancelled ones', async () => {
    const order: string[] = [];
    const backend = await startBackend((request, response) => {
      order.push(request.url ?? '');
      sendJson(response, {});
    });
    const upstream = backend.connect({ qps: 100, burst: 1, maxConnections: 1 });
    const controller = new AbortController();
    const calls = ['/1', '/2', '/3', '/4'].map((path) => upstream.json({ path, signal: path === '/3' ? controller.signal : signal }));
    const cancelled = failureOf(calls[2] ?? Promise.reject(new Error('no call')));
    controller.abort();
    expect((await cancelled).code).toBe('CANCELLED');
    await Promise.all(calls.filter((_, index) => index !== 2));
    expect(order).toEqual(['/1', '/2', '/4']);
  });
});
