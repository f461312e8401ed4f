// Requests that are refused before they become a call leave a record too.

import type { AuditLog } from '../../audit/index.ts';
import type { Step } from '../../kit/compose.ts';
import type { ErrorCode } from '../../kit/errors.ts';
import type { HttpExchange } from '../../kit/http.ts';

const REFUSALS: ReadonlyMap<number, ErrorCode> = new Map([
  [401, 'UNAUTHENTICATED'],
  [403, 'FORBIDDEN'],
  [413, 'PAYLOAD_TOO_LARGE'],
  [429, 'RATE_LIMITED'],
]);

export const auditRefusals =
  (audit: AuditLog): Step<HttpExchange, Response> =>
  async (exchange, next) => {
    const response = await next(exchange);
    const code = REFUSALS.get(response.status);
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
