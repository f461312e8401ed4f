// One call as a row of attempts: credentials, a turn in the bucket, the request, and what to do with a status or a broken connection.
import type { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { getAmbient } from '../kit/ambient.ts';
import { AppError } from '../kit/errors.ts';
import { toTraceHeaders } from '../kit/trace.ts';
import { decodeBody, readStart } from './body.ts';
import { type Circuit, createCircuit } from './circuit.ts';
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

export interface Login {
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
  const circuit = deps.circuit ?? createCircuit({ backend });
  return async (request: UpstreamRequest, deadline: Deadline): Promise<Answer> => {
    const { signal } = deadline;
    const repeatable = request.idempotent ?? SAFE_METHODS.has(request.method ?? 'GET');
    let login = await takeLogin(deps, { signal, fresh: false });
    let renewed = false;
    for (let failures = 0; ; failures += 1) {
      const mayRetry = repeatable && failures < retries;
      const outcome = await attempt(request, { ...deps, login, signal, circuit }).catch((error: unknown) => ({ error }));
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

export const takeLogin = async (
  { headers, tls }: Pick<ExchangeDeps, 'headers' | 'tls'>,
  { signal, fresh }: { signal: AbortSignal; fresh: boolean },
): Promise<Login> => ({
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

type AttemptDeps = ExchangeDeps & { readonly login: Login; readonly signal: AbortSignal; readonly circuit: Circuit };

const SERVER_ERROR = 500;
const NOT_IMPLEMENTED = 501;
const isServerError = (status: number): boolean => status >= SERVER_ERROR && status !== NOT_IMPLEMENTED;

const attempt = async (request: UpstreamRequest, deps: AttemptDeps): Promise<Answer> => {
  const { take, signal, circuit, tracing, isOutage = isServerError } = deps;
  await take(signal);
  const once = (): Promise<Answer> =>
    circuit.run(
      () => send(request, deps),
      ({ status }) => !(request.expect?.includes(status) ?? false) && isOutage(status, request),
    );
  if (tracing === undefined) return once();
  const { method = 'GET', api = 'other' } = request;
  const attributes = () => {
    const { hostname, port } = new URL(deps.base.origin);
    return {
      service: deps.backend.service,
      'http.request.method': method,
      'url.template': api,
      'server.address': hostname,
      ...(port === '' ? {} : { 'server.port': Number(port) }),
    };
  };
  return tracing.span(`${method} ${deps.backend.service}`, { kind: 'client', attributes }, async (span) => {
    const answer = await once();
    span.set('http.response.status_code', answer.status);
    if (answer.status >= 400) span.fail(String(answer.status));
    return answer;
  });
};

/** One request on its way. The trace goes with it, also one that is not ours. */
const send = async (request: UpstreamRequest, { base, connections, now, onCall, login, signal }: AttemptDeps): Promise<Answer> => {
  const { method = 'GET', idleMs = 0, api = 'other' } = request;
  const path = toRequestPath(base.prefix, request.path, request.query);
  const payload = toPayload(request);
  const startedAt = now();
  let status: number | 'error' = 'error';
  try {
    const pool = await connections.use(login.tls);
    const headers = toHeaders(request, { base, login, contentType: payload.contentType });
    Object.assign(headers, toTraceHeaders(getAmbient()));
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
