// Every request has an id: the client's own when it is safe to repeat, else a new one. It and the client's trace follow the request from here on.

import { randomUUID } from 'node:crypto';
import { withAmbient } from '../../kit/ambient.ts';
import type { Step } from '../../kit/compose.ts';
import type { HttpExchange } from '../../kit/http.ts';
import { parseTraceContext } from '../../kit/trace.ts';

const SAFE = /^[A-Za-z0-9._~-]{1,128}$/;

export const requestId = (): Step<HttpExchange, Response> => async (exchange, next) => {
  const { headers } = exchange.request;
  const given = headers.get('x-request-id');
  const id = given !== null && SAFE.test(given) ? given : randomUUID();
  const trace = parseTraceContext(headers.get('traceparent'), headers.get('tracestate')) ?? { traceId: randomUUID().replaceAll('-', '') };
  const response = await withAmbient({ requestId: id, ...trace }, () => next({ ...exchange, requestId: id }));
  response.headers.set('x-request-id', id);
  return response;
};
