// A server span for each HTTP request, below the one that the client sent. Left out of the pipeline when traces are off.

import type { Step } from '../../kit/compose.ts';
import type { HttpExchange } from '../../kit/http.ts';
import type { Tracing } from '../../kit/trace.ts';

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Named by method and route pattern (OpenTelemetry HTTP conventions); no path, no query, no header value. */
export const trace =
  (tracing: Tracing): Step<HttpExchange, Response> =>
  (exchange, next) => {
    const method = METHODS.has(exchange.request.method) ? exchange.request.method : '_OTHER';
    const attributes = () => ({ 'http.request.method': method, 'http.route': exchange.route, 'client.address': exchange.address });
    return tracing.span(
      exchange.route === undefined ? method : `${method} ${exchange.route}`,
      { kind: 'server', attributes },
      async (span) => {
        const response = await next(exchange);
        span.set('http.response.status_code', response.status);
        if (response.status >= 500) span.fail(String(response.status));
        return response;
      },
    );
  };
