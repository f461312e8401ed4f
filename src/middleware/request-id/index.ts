// Every request has an id: the client's own when it is safe to repeat, else a new one.

import { randomUUID } from 'node:crypto';
import type { Step } from '../../kit/compose.ts';
import type { HttpExchange } from '../../kit/http.ts';

const SAFE = /^[A-Za-z0-9._~-]{1,128}$/;

export const requestId = (): Step<HttpExchange, Response> => async (exchange, next) => {
  const given = exchange.request.headers.get('x-request-id');
  const id = given !== null && SAFE.test(given) ? given : randomUUID();
  const response = await next({ ...exchange, requestId: id });
  response.headers.set('x-request-id', id);
  return response;
};
