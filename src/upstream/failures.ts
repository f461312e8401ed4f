// What went wrong between us and a backend, in words and codes: transport failures, and statuses of backends without a table of their own.
import { AppError, type ErrorCode } from '../kit/errors.ts';
import type { Backend } from './ports.ts';

/** Lower-case names, as they came. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Makes the error of a status outside 2xx. `bodyText` is at most 64 KiB and may be anything, HTML included. */
export type ToError = (status: number, headers: ResponseHeaders, bodyText: string) => AppError;

const UPSTREAM_TEXT_LIMIT = 300;

/** Text from outside, fit for `details`: one line, no control or direction characters, cut. */
export const cleanText = (text: string, limit = UPSTREAM_TEXT_LIMIT): string => {
  const line = text
    .slice(0, limit * 4)
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .replace(/ {2,}/g, ' ')
    .trim();
  return line.length > limit ? `${line.slice(0, limit)}…` : line;
};

const STATUS_CODES: Readonly<Record<number, { code: ErrorCode; words: string }>> = {
  400: { code: 'INVALID_ARGUMENT', words: 'refused the request as wrong' },
  401: { code: 'UNAUTHENTICATED', words: 'refused the login' },
  403: { code: 'FORBIDDEN', words: 'does not allow this to the configured login' },
  404: { code: 'NOT_FOUND', words: 'does not have what was asked for' },
  405: { code: 'UNSUPPORTED', words: 'does not offer this operation' },
  408: { code: 'DEADLINE_EXCEEDED', words: 'gave up the request as too slow' },
  409: { code: 'CONFLICT', words: 'reports a conflict with the present state' },
  410: { code: 'CURSOR_EXPIRED', words: 'no longer has the state that this request continues' },
  412: { code: 'CONFLICT', words: 'reports that the object has changed' },
  413: { code: 'PAYLOAD_TOO_LARGE', words: 'refused the request as too large' },
  415: { code: 'INTERNAL', words: 'did not understand the form of the request' },
  422: { code: 'INVALID_ARGUMENT', words: 'refused the values as invalid' },
  429: { code: 'RATE_LIMITED', words: 'limits the rate of requests' },
  501: { code: 'UNSUPPORTED', words: 'does not offer this operation' },
  504: { code: 'SERVICE_UNAVAILABLE', words: 'does not answer behind its gateway' },
};

/** The table for backends that do not bring their own. */
export const createToError =
  ({ service, title }: Backend): ToError =>
  (status, headers, bodyText) => {
    const { code, words } = STATUS_CODES[status] ?? fallback(status);
    const upstream = toUpstreamText(headers, bodyText);
    const retryAfter = code === 'RATE_LIMITED' || code === 'SERVICE_UNAVAILABLE' ? { retry_after: formatRetryAfter(headers) } : {};
    return new AppError(code, `${title} ${words} (HTTP ${status}).`, {
      details: { service, status, ...retryAfter, ...(upstream === '' ? {} : { upstream }) },
    });
  };

const fallback = (status: number): { code: ErrorCode; words: string } => {
  if (status >= 500) return { code: 'SERVICE_UNAVAILABLE', words: 'fails' };
  if (status >= 400) return { code: 'INVALID_ARGUMENT', words: 'refused the request' };
  return { code: 'DATA_ERROR', words: 'redirects elsewhere, which is never followed: correct its configured address' };
};

/** A backend's words for `details.upstream`; of a web page only its title. */
export const toUpstreamText = (headers: ResponseHeaders, bodyText: string): string => {
  const isPage = /\bhtml\b/i.test(String(headers['content-type'] ?? '')) || /^\s*<(!doctype|html)/i.test(bodyText);
  return isPage ? `(web page) ${cleanText(/<title[^>]*>([^<]*)/i.exec(bodyText)?.[1] ?? '')}`.trim() : cleanText(bodyText);
};

/** Milliseconds a backend asks to wait: seconds or an HTTP date; undefined when it says nothing readable. */
export const parseRetryAfter = (headers: ResponseHeaders, { now }: { now: number }): number | undefined => {
  const text = String(headers['retry-after'] ?? '').trim();
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
};

const DEFAULT_RETRY_AFTER = '30s';

/** For `details.retry_after`. */
export const formatRetryAfter = (headers: ResponseHeaders): string => {
  const text = String(headers['retry-after'] ?? '').trim();
  return /^\d{1,6}$/.test(text) ? `${text}s` : DEFAULT_RETRY_AFTER;
};

/** `retry`: may the same idempotent request work in a moment? Wrong certificates and wrong protocols do not mend themselves. */
interface Transport {
  readonly reason: string;
  readonly words: string;
  readonly retry: boolean;
}

const TRANSPORT: readonly (readonly [RegExp, Transport])[] = [
  [/^ECONNREFUSED$/, { reason: 'REFUSED', words: 'the connection was refused', retry: true }],
  [
    /^(ECONNRESET|EPIPE|UND_ERR_SOCKET|ECONNABORTED)$/,
    { reason: 'RESET', words: 'the connection was closed before the answer was complete', retry: true },
  ],
  [/^(ENOTFOUND|EAI_AGAIN|EAI_\w+)$/, { reason: 'DNS', words: 'its host name cannot be resolved', retry: true }],
  [
    /^(ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|UND_ERR_HEADERS_TIMEOUT)$/,
    { reason: 'TIMEOUT', words: 'no connection came about in time', retry: true },
  ],
  [/^UND_ERR_BODY_TIMEOUT$/, { reason: 'IDLE', words: 'its answer stopped in the middle', retry: false }],
  [/^(EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|EADDRNOTAVAIL)$/, { reason: 'UNREACHABLE', words: 'there is no route to its host', retry: true }],
  [/^CERT_HAS_EXPIRED$/, { reason: 'TLS', words: 'its certificate has expired', retry: false }],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, { reason: 'TLS', words: 'its certificate is for another name', retry: false }],
  [/SELF_SIGNED|UNABLE_TO_|ISSUER|^CERT_|^ERR_TLS_CERT|CRL_/, { reason: 'TLS', words: 'its certificate is not trusted', retry: false }],
  [/^(EPROTO|ERR_SSL|ERR_TLS|ERR_OSSL)/, { reason: 'TLS', words: 'the TLS handshake failed', retry: false }],
  [
    /^(HPE_|UND_ERR_RESPONSE|UND_ERR_HEADERS_OVERFLOW|UND_ERR_RES_)/,
    { reason: 'PROTOCOL', words: 'it does not speak proper HTTP here', retry: false },
  ],
  [/^UND_ERR_(ABORTED|PRX_TLS|PRX_\w+)|SOCKS/, { reason: 'PROXY', words: 'the proxy before it refused the connection', retry: true }],
];

const OTHER: Transport = { reason: 'CONNECTION', words: 'the connection failed', retry: false };

/** Which kind of transport failure this is; aggregate errors (several addresses tried) count as their first. */
export const classifyTransport = (error: unknown): Transport => {
  const code = codeOf(error);
  return TRANSPORT.find(([pattern]) => pattern.test(code))?.[1] ?? OTHER;
};

const codeOf = (error: unknown): string => {
  if (!(error instanceof Error)) return '';
  const own = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (own !== '') return own;
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner === undefined ? '' : codeOf(inner);
};

/** A failed connection as SERVICE_UNAVAILABLE: a short human reason, never an address. What is no failure of a connection is a fault of ours. */
export const toTransportError = (error: unknown, { service, title }: Backend): AppError => {
  if (/^(|UND_ERR_INVALID_ARG|ERR_INVALID_.*)$/.test(codeOf(error))) {
    return new AppError('INTERNAL', `The request to ${title} could not be made.`, { details: { service }, cause: error });
  }
  const { reason, words } = classifyTransport(error);
  return new AppError('SERVICE_UNAVAILABLE', `${title} does not answer: ${words}.`, {
    details: { service, reason, retry_after: DEFAULT_RETRY_AFTER },
    cause: error,
  });
};

/** Zlib's errors: the body was compressed, and badly. */
export const isDecodingError = (error: unknown): boolean => /^(Z_|ERR_BROTLI|ERR_ZLIB|ERR__ERROR_FORMAT)/.test(codeOf(error));
