// Host and Origin are checked on every route, against rebinding and foreign pages; safe headers go on every answer.

import type { Step } from '../../kit/compose.ts';
import { AppError } from '../../kit/errors.ts';
import { type HttpExchange, toErrorResponse } from '../../kit/http.ts';

export interface SecurityOptions {
  /** Host names accepted in Host; empty = any (a non-loopback bind without a list). */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Additions to the built-in lists, and how long browsers remember, seconds. */
  readonly cors: { readonly allowedMethods: readonly string[]; readonly allowedHeaders: readonly string[]; readonly maxAge: number };
  /** Callers come over TLS: browsers are told to stay there. */
  readonly isSecure: boolean;
}

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];
const METHODS = ['GET', 'POST', 'DELETE', 'OPTIONS'];
const REQUEST_HEADERS =
  'Content-Type, Accept, Authorization, X-Api-Key, MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID, traceparent, tracestate';
const EXPOSED_HEADERS = 'Mcp-Session-Id, WWW-Authenticate, Retry-After, X-Request-Id';

const SAFE_HEADERS: readonly (readonly [string, string])[] = [
  ['x-content-type-options', 'nosniff'],
  ['x-frame-options', 'DENY'],
  ['referrer-policy', 'no-referrer'],
  ['content-security-policy', "default-src 'none'; frame-ancestors 'none'"],
  ['cross-origin-resource-policy', 'same-origin'],
];

const toHostName = (host: string): string => host.replace(/:\d+$/, '').toLowerCase();

const isAllowedHost = (host: string | null, allowed: readonly string[]): boolean =>
  allowed.length === 0 || (host !== null && allowed.includes(toHostName(host)));

/** An Origin on a loopback name is as good as the Host check; others must be listed. */
const isAllowedOrigin = (origin: string, { allowedHosts, allowedOrigins }: SecurityOptions): boolean => {
  if (allowedOrigins.includes(origin)) return true;
  if (!URL.canParse(origin)) return false;
  const { hostname } = new URL(origin);
  return LOOPBACK_NAMES.includes(hostname) && allowedHosts.includes(hostname);
};

const toCorsHeaders = (origin: string): Record<string, string> => ({
  'access-control-allow-origin': origin,
  'access-control-expose-headers': EXPOSED_HEADERS,
  vary: 'Origin',
});

const preflight = (origin: string, { allowedMethods, allowedHeaders, maxAge }: SecurityOptions['cors']): Response =>
  new Response(null, {
    status: 204,
    headers: {
      ...toCorsHeaders(origin),
      'access-control-allow-methods': [...new Set([...METHODS, ...allowedMethods])].join(', '),
      'access-control-allow-headers': [REQUEST_HEADERS, ...allowedHeaders].join(', '),
      'access-control-max-age': String(maxAge),
    },
  });

export const security =
  (options: SecurityOptions): Step<HttpExchange, Response> =>
  async (exchange, next) => {
    const { headers, method } = exchange.request;
    const origin = headers.get('origin');
    const answer = async (): Promise<Response> => {
      if (!isAllowedHost(headers.get('host'), options.allowedHosts))
        return toErrorResponse(new AppError('FORBIDDEN', 'This Host is not allowed.', { details: { by: 'server.allowedHosts' } }));
      if (origin === null) return next(exchange);
      if (!isAllowedOrigin(origin, options))
        return toErrorResponse(new AppError('FORBIDDEN', 'This Origin is not allowed.', { details: { by: 'server.cors.allowedOrigins' } }));
      if (method === 'OPTIONS' && headers.has('access-control-request-method')) return preflight(origin, options.cors);
      const response = await next(exchange);
      for (const [name, value] of Object.entries(toCorsHeaders(origin))) response.headers.set(name, value);
      return response;
    };
    const response = await answer();
    for (const [name, value] of SAFE_HEADERS) response.headers.set(name, value);
    if (options.isSecure) response.headers.set('strict-transport-security', 'max-age=31536000');
    return response;
  };

export { LOOPBACK_NAMES };
