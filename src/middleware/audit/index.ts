// Requests that are refused before they become a call leave a record too.

import type { AuditLog } from '../../audit/index.ts';
import type { Step } from '../../kit/compose.ts';
import type { ErrorCode } from '../../kit/errors.ts';
import type { HttpExchange } from '../../kit/http.ts';

const REFUSALS: ReadonlyMap<number, ErrorCode> = new Map([
  [400, 'INVALID_ARGUMENT'],
  [401, 'UNAUTHENTICATED'],
  [403, 'FORBIDDEN'],
  [413, 'PAYLOAD_TOO_LARGE'],
  [415, 'UNSUPPORTED'],
  [429, 'RATE_LIMITED'],
]);
/** Clients try these where they are not offered: an event stream, the end of a session, a preflight. */
const USUAL_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);
/** No client writes a path like these: encoded, doubled, traversing, or a whole address. */
const ODD_PATH = /[%\\]|\/\/|\/\.\.?(?:\/|$)/;

/** Clients look for paths that are not there, such as documents of OAuth. These ask for a method that does not exist, or for the session of another. */
const isForged = ({ node, route, request }: HttpExchange): boolean =>
  ODD_PATH.test(node.incoming.url?.split('?', 1)[0] ?? '') ||
  (route !== undefined && (request.method === 'POST' || request.headers.has('mcp-session-id')));

const toCode = (status: number, exchange: HttpExchange): ErrorCode | undefined => {
  if (status === 404) return isForged(exchange) ? 'NOT_FOUND' : undefined;
  if (status === 405) return USUAL_METHODS.has(exchange.request.method) ? undefined : 'UNSUPPORTED';
  return REFUSALS.get(status);
};

export const auditRefusals =
  (audit: AuditLog): Step<HttpExchange, Response> =>
  async (exchange, next) => {
    const response = await next(exchange);
    const code = response.status < 400 ? undefined : toCode(response.status, exchange);
    if (code === undefined) return response;
    const { address, request, route = 'other', requestId, known } = exchange;
    audit.refused({
      address,
      action: `${request.method} ${route}`,
      code,
      requestId,
      ...(known.principal === undefined ? {} : { userId: known.principal }),
    });
    return response;
  };
