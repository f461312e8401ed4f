// One call as a row of attempts: credentials, a turn in the bucket, the request, and what to do with a status or a broken connection.
import type { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { AppError } from '../kit/errors.ts';
import { decodeBody, readStart } from './body.ts';
import type { Connections, TlsOptions } from './connections.ts';
import type { Deadline } from './deadline.ts';
import { classifyTransport, createToError, parseRetryAfter, type ResponseHeaders } from './failures.ts';
import type { HeaderValues, UpstreamOptions, UpstreamRequest } from './http.ts';
import type { Backend } from './ports.ts';
import { type BaseUrl, toRequestPath } from './url.ts';

/** An answer whose body waits to be read. */
export interface Answer {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: Readable;
}

export interface ExchangeDeps extends UpstreamOptions {
  readonly backend: Backend;
  readonly base: BaseUrl;
  readonly connections: Connections;
  readonly take: (signal: AbortSignal) => Promise<void>;
}

interface Login {
  readonly headers: HeaderValues;
  readonly tls: TlsOptions | undefined;
}

const ERROR_BODY_BYTES = 64 * 1024;
const RETRY_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const FIRST_BACKOFF_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/** Throws AppError, or what undici threw; the caller knows whether the deadline or a closing explains it. */
export const createExchange = (deps: ExchangeDeps) => {
  const { backend, retries = 2, now, logger, toError = createToError(backend) } = deps;
  return async (request: UpstreamRequest, deadline: Deadline): Promise<Answer> => {
    const { signal } = deadline;
    const repeatable = request.idempotent ?? SAFE_METHODS.has(request.method ?? 'GET');
    let login = await takeLogin(deps, { signal, fresh: false });
    let renewed = false;
    for (let failures = 0; ; failures += 1) {
      const mayRetry = repeatable && failures < retries;
      // A circuit breaker per target, when there is one, stands around this attempt.
      const outcome = await attempt(request, { ...deps, login, signal }).catch((error: unknown) => ({ error }));
      if ('error' in outcome) {
        const isPassing = !signal.aborted && !(outcome.error instanceof AppError) && classifyTransport(outcome.error).retry;
        if (!mayRetry || !isPassing || !(await pause(undefined, { failures, deadline }))) throw outcome.error;
      } else {
        const { status, headers, body } = outcome;
        if ((status >= 200 && status < 300) || request.expect?.includes(status))
          return { ...outcome, body: await decodeBody(body, { headers, backend }) };
        const text = await readErrorBody(outcome, backend);
        const next: Login = status === 401 && !renewed ? await takeLogin(deps, { signal, fresh: true }) : login;
        const hasNewLogin: boolean = !isDeepStrictEqual(next, login);
        const mayPass = mayRetry && RETRY_STATUSES.has(status);
        if (!hasNewLogin && !(mayPass && (await pause(parseRetryAfter(headers, { now: now() }), { failures, deadline })))) {
          throw (request.toError ?? toError)(status, headers, text);
        }
        renewed ||= hasNewLogin;
        login = next;
      }
      logger.debug({ service: backend.service, api: request.api, failures: failures + 1 }, 'upstream request is repeated');
    }
  };
};

const takeLogin = async ({ headers, tls }: ExchangeDeps, { signal, fresh }: { signal: AbortSignal; fresh: boolean }): Promise<Login> => ({
  headers: { ...(await headers?.(signal, { fresh })) },
  tls: typeof tls === 'function' ? await tls(signal, { fresh }) : tls,
});

/** What a refusal says: its first part, or nothing when the connection breaks meanwhile. */
const readErrorBody = async ({ headers, body }: Answer, backend: Backend): Promise<string> => {
  try {
    const start = await readStart(await decodeBody(body, { headers, backend }), { maxBytes: ERROR_BODY_BYTES });
    return start.body.toString();
  } catch {
    return '';
  }
};

/** Waits before a repetition; false when there is no time for it, so that the failure is told at once. */
const pause = async (asked: number | undefined, { failures, deadline }: { failures: number; deadline: Deadline }): Promise<boolean> => {
  const backoff = FIRST_BACKOFF_MS * 2 ** failures * (0.5 + Math.random());
  const milliseconds = asked === undefined ? backoff : asked + Math.random() * FIRST_BACKOFF_MS;
  if (milliseconds > LONGEST_PAUSE_MS || milliseconds >= deadline.remaining()) return false;
  await deadline.wait(milliseconds);
  return true;
};

const attempt = async (
  request: UpstreamRequest,
  { base, connections, take, now, onCall, login, signal }: ExchangeDeps & { login: Login; signal: AbortSignal },
): Promise<Answer> => {
  const { method = 'GET', idleMs = 0, api = 'other' } = request;
  const path = toRequestPath(base.prefix, request.path, request.query);
  const payload = toPayload(request);
  await take(signal);
  const startedAt = now();
  let status: number | 'error' = 'error';
  try {
    const pool = await connections.use(login.tls);
    const headers = toHeaders(request, { base, login, contentType: payload.contentType });
    const response = await pool.request({ origin: base.origin, path, method, signal, bodyTimeout: idleMs, body: payload.body, headers });
    status = response.statusCode;
    // Without a listener, a connection that breaks between two reads would end the process.
    response.body.on('error', () => {});
    return { status, headers: response.headers, body: response.body };
  } finally {
    onCall?.({ api, status, ms: now() - startedAt });
  }
};

const toPayload = ({ body, contentType }: UpstreamRequest): { body: string | Uint8Array | null; contentType: string | undefined } => {
  if (body === undefined) return { body: null, contentType };
  if (typeof body === 'string' || body instanceof Uint8Array) return { body, contentType };
  if (body instanceof URLSearchParams) return { body: body.toString(), contentType: contentType ?? 'application/x-www-form-urlencoded' };
  return { body: JSON.stringify(body), contentType: contentType ?? 'application/json' };
};

const toHeaders = (
  request: UpstreamRequest,
  { base, login, contentType }: { base: BaseUrl; login: Login; contentType: string | undefined },
): Record<string, string | string[]> => {
  const headers: Record<string, string | string[]> = {
    'user-agent': 'cloud-native-mcp-server',
    accept: request.accept ?? '*/*',
    // Packing costs more than it saves when nothing goes over a wire.
    ...(base.loopback ? {} : { 'accept-encoding': 'gzip, deflate, br' }),
    ...(contentType === undefined ? {} : { 'content-type': contentType }),
    ...(base.authorization === undefined ? {} : { authorization: base.authorization }),
  };
  for (const [name, value] of [...Object.entries(login.headers), ...Object.entries(request.headers ?? {})]) {
    headers[name.toLowerCase()] = typeof value === 'string' ? value : [...value];
  }
  return headers;
};
