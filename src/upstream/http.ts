// The one HTTP client for all backends: pooled, rate-limited, bounded, retried where it is safe, cancelled down to the socket.
import type { Readable } from 'node:stream';
import type { WebSocket } from 'undici';
import { AppError } from '../kit/errors.ts';
import type { Tracing } from '../kit/trace.ts';
import { firstHeader, parseJson, readBounded, readStart, toTooLarge } from './body.ts';
import type { Circuit } from './circuit.ts';
import { createConnections, type TlsOptions } from './connections.ts';
import { createDeadline, type Deadline } from './deadline.ts';
import { type Answer, createExchange } from './exchange.ts';
import { isDecodingError, type ResponseHeaders, type ToError, toTransportError } from './failures.ts';
import type { Backend, Clock, Logger } from './ports.ts';
import { openSocket, type SocketRequest } from './socket.ts';
import { createTokenBucket } from './token-bucket.ts';
import { parseBaseUrl, type Query } from './url.ts';

export { readLines } from './body.ts';
export type { TlsOptions } from './connections.ts';
export { cleanText, type ResponseHeaders, type ToError } from './failures.ts';
export type { Backend, Clock, Logger } from './ports.ts';
export type { Query, QueryValue } from './url.ts';

/** Names to values; a list repeats the header (`Impersonate-Group`). */
export type HeaderValues = Readonly<Record<string, string | readonly string[]>>;

/** Asked before every attempt; `fresh` after a 401: what is remembered must not be given again. */
export type Provider<T> = (signal: AbortSignal, options: { fresh: boolean }) => Promise<T>;

export interface UpstreamOptions {
  /** Stands in details: `kubernetes`, `grafana`. */
  readonly service: string;
  /** Stands in sentences; absent = `service`. */
  readonly title?: string;
  /** http or https, may have a base path and a login. */
  readonly baseUrl: string;
  /** Fixed, or asked for before every attempt: the same object means the same connections. */
  readonly tls?: TlsOptions | Provider<TlsOptions | undefined> | undefined;
  /** Credentials. */
  readonly headers?: Provider<HeaderValues> | undefined;
  /** For a whole call, retries included. */
  readonly timeoutMs?: number;
  readonly qps?: number;
  readonly burst?: number;
  readonly maxConnections?: number;
  /** How often an idempotent request is repeated. */
  readonly retries?: number;
  /** http, https or socks5 URL. */
  readonly proxy?: string | undefined;
  /** Statuses outside 2xx to errors; absent = the table of `failures.ts`. */
  readonly toError?: ToError | undefined;
  readonly now: Clock;
  readonly logger: Logger;
  /** After every attempt. `api` is the request's endpoint pattern: bounded, fit for a metric label. */
  readonly onCall?: ((info: { api: string; status: number | 'error'; ms: number }) => void) | undefined;
  /** Shared by all clients of one target; absent = one of its own with the defaults. */
  readonly circuit?: Circuit | undefined;
  /** Which answers say that the backend as a whole fails; absent = 5xx but 501. What a request expects never does. */
  readonly isOutage?: ((status: number, request: UpstreamRequest) => boolean) | undefined;
  /** A span for each attempt; absent = none. */
  readonly tracing?: Tracing | undefined;
}

export interface UpstreamRequest {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'HEAD' | 'OPTIONS' | undefined;
  /** Segments, each encoded by itself; or one constant path. Joined to the base path. */
  readonly path: readonly string[] | string;
  readonly query?: Query | undefined;
  readonly accept?: string | undefined;
  /** Text and bytes go as they are, `URLSearchParams` as a form, anything else as JSON. */
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly signal: AbortSignal;
  /** Absent = the client's. A stream's limit is for its first byte. */
  readonly timeoutMs?: number | undefined;
  /** Bound of the decoded body: 10 MiB unless told; a stream has none unless told. */
  readonly maxBytes?: number | undefined;
  /** Streams: longest silence between two parts. */
  readonly idleMs?: number | undefined;
  /** May be repeated; GET, HEAD and OPTIONS are anyway. */
  readonly idempotent?: boolean | undefined;
  /** The endpoint pattern for metrics: `GET /api/v1/pods`. */
  readonly api?: string | undefined;
  readonly headers?: HeaderValues | undefined;
  /** Statuses outside 2xx that are answers here, not failures. */
  readonly expect?: readonly number[] | undefined;
  readonly toError?: ToError | undefined;
}

export interface UpstreamResponse<T> {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: T;
}

/** A body being read. Leaving the loop early, or `close`, destroys the connection. */
export interface UpstreamStream extends UpstreamResponse<AsyncIterable<Uint8Array>> {
  close(): void;
}

/** Every method throws AppError and nothing else. */
export interface Upstream {
  /** Scheme, host, port and base path, without a login: for people. */
  readonly address: string;
  json(request: UpstreamRequest): Promise<UpstreamResponse<unknown>>;
  text(request: UpstreamRequest): Promise<UpstreamResponse<string>>;
  bytes(request: UpstreamRequest): Promise<UpstreamResponse<Buffer>>;
  /** The first `maxBytes` of a body; what comes after is not read. */
  start(request: UpstreamRequest): Promise<UpstreamResponse<Buffer> & { readonly isCut: boolean }>;
  stream(request: UpstreamRequest): Promise<UpstreamStream>;
  /** A WebSocket, closed with the signal. The one method that throws something else: HandshakeRefused, which the caller explains. */
  socket(request: SocketRequest): Promise<WebSocket>;
  /** Ends everything, running calls too. Safe to call twice. */
  close(): Promise<void>;
}

const DEFAULT_MAX_BYTES = 10 * 1024 * 1024;

/** Opens no connection and loads no library: both wait for the first call. Throws INVALID_ARGUMENT for an address that is none. */
export const createUpstream = (options: UpstreamOptions): Upstream => {
  const { service, title = service, timeoutMs = 30_000, qps = 100, burst = 200, maxConnections = 64, proxy, now } = options;
  const backend: Backend = { service, title };
  const base = parseBaseUrl(options.baseUrl, backend);
  const connections = createConnections({ origin: base.origin, maxConnections, proxy });
  const { take } = createTokenBucket({ qps, burst, now });
  const deps = { ...options, backend, base, connections, take };
  const exchange = createExchange(deps);
  let closed = false;

  const open = async (request: UpstreamRequest) => {
    if (closed) throw toClosed(backend);
    const deadline = createDeadline(request.signal, { backend, timeoutMs: request.timeoutMs ?? timeoutMs, now });
    const fail = (error: unknown) => (closed ? toClosed(backend) : toFailure(error, { deadline, backend }));
    try {
      return { ...(await exchange(request, deadline)), deadline, fail };
    } catch (error) {
      deadline[Symbol.dispose]();
      throw fail(error);
    }
  };
  /** The deadline holds until the body is read. */
  const use = async <T>(request: UpstreamRequest, consume: (answer: Answer, maxBytes: number) => Promise<T>) => {
    const { status, headers, body, deadline, fail } = await open(request);
    using _ = deadline;
    try {
      return { status, headers, ...(await consume({ status, headers, body }, request.maxBytes ?? DEFAULT_MAX_BYTES)) };
    } catch (error) {
      body.destroy();
      throw fail(error);
    }
  };
  const read = <T>(request: UpstreamRequest, convert: (bytes: Buffer, answer: Answer) => T) =>
    use(request, async (answer, maxBytes) => {
      if (isDeclaredLarger(answer.headers, maxBytes)) throw toTooLarge(backend, maxBytes);
      return { body: convert(await readBounded(answer.body, { maxBytes, backend }), answer) };
    });

  return {
    address: `${base.origin}${base.prefix}`,
    json: (request) =>
      read({ accept: 'application/json', ...request }, (bytes, { status, headers }) =>
        parseJson(bytes.toString(), { backend, status, headers }),
      ),
    text: (request) => read(request, (bytes) => bytes.toString()),
    bytes: (request) => read(request, (bytes) => bytes),
    start: (request) => use(request, ({ body }, maxBytes) => readStart(body, { maxBytes })),
    stream: async (request) => {
      const { status, headers, body, deadline, fail } = await open(request);
      deadline.lift();
      const close = () => {
        deadline[Symbol.dispose]();
        body.destroy();
      };
      return { status, headers, close, body: follow(body, { close, fail, backend, maxBytes: request.maxBytes }) };
    },
    socket: (request) => openSocket(deps, request),
    close: async () => {
      closed = true;
      await connections.destroy();
    },
  };
};

/** Refused before a byte of it is read. A packed body says nothing about its real size here. */
const isDeclaredLarger = (headers: ResponseHeaders, maxBytes: number): boolean =>
  headers['content-encoding'] === undefined && Number(firstHeader(headers, 'content-length') ?? 0) > maxBytes;

async function* follow(
  body: Readable,
  {
    close,
    fail,
    backend,
    maxBytes = Number.POSITIVE_INFINITY,
  }: { close: () => void; fail: (error: unknown) => AppError; backend: Backend; maxBytes?: number | undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) throw toTooLarge(backend, maxBytes);
      yield chunk;
    }
  } catch (error) {
    throw fail(error);
  } finally {
    close();
  }
}

const toFailure = (error: unknown, { deadline, backend }: { deadline: Deadline; backend: Backend }): AppError => {
  if (deadline.signal.aborted) return deadline.signal.reason;
  if (error instanceof AppError) return error;
  if (isDecodingError(error))
    return new AppError('DATA_ERROR', `${backend.title} answered a body that cannot be unpacked.`, {
      details: { service: backend.service },
      cause: error,
    });
  return toTransportError(error, backend);
};

const toClosed = ({ service, title }: Backend): AppError =>
  new AppError('SERVICE_UNAVAILABLE', `The connection to ${title} was closed here: it stops, or its configuration has changed.`, {
    details: { service, reason: 'CLOSED', retry_after: '1s' },
  });
