// Counts each HTTP request once, when its answer is out, and writes one access line: the route's pattern, never the path or the query.

import { getAmbient, withAmbient } from '../../kit/ambient.ts';
import type { Step } from '../../kit/compose.ts';
import type { Logger } from '../../kit/context.ts';
import { ERROR_CODES, toAppError } from '../../kit/errors.ts';
import type { HttpExchange } from '../../kit/http.ts';
import type { Counter, Gauge, Histogram } from '../../observability/instruments.ts';
import type { Metrics } from '../../observability/metrics.ts';

export interface MetricsOptions {
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** The service that a route belongs to; `server` for the others. */
  readonly serviceOf: (route: string) => string;
}

const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Asked for every few seconds by machines: told at debug only, unless they fail. */
const PROBES: ReadonlySet<string> = new Set(['/health', '/ready', '/metrics']);

interface StatusSeries {
  readonly requests: Counter;
  readonly seconds: Histogram;
  readonly responseBytes: Histogram;
}

interface RouteSeries {
  readonly method: string;
  readonly path: string;
  readonly requestBytes: Histogram;
  status(code: number): StatusSeries;
}

const createSeries = ({ families }: Metrics, serviceOf: MetricsOptions['serviceOf']) => {
  const routes = new Map<string, RouteSeries>();
  const make = (method: string, path: string): RouteSeries => {
    const service = path === 'other' ? 'server' : serviceOf(path);
    const statuses = new Map<number, StatusSeries>();
    return {
      method,
      path,
      requestBytes: families.http_request_size_bytes.labels(method, path, service),
      status(code) {
        const known = statuses.get(code);
        if (known !== undefined) return known;
        const labels = [method, path, String(code), service] as const;
        const made = {
          requests: families.http_requests_total.labels(...labels),
          seconds: families.http_request_duration_seconds.labels(...labels),
          responseBytes: families.http_response_size_bytes.labels(...labels),
        };
        statuses.set(code, made);
        return made;
      },
    };
  };
  /** Routes are those of the table and methods are known, so this map is as large as the table. */
  return (exchange: HttpExchange): RouteSeries => {
    const method = METHODS.has(exchange.request.method) ? exchange.request.method : 'other';
    const path = exchange.route ?? 'other';
    const key = `${method} ${path}`;
    const known = routes.get(key);
    if (known !== undefined) return known;
    const made = make(method, path);
    routes.set(key, made);
    return made;
  };
};

/** Bytes of the body as they went out; the socket counts headers too. */
const toBodyBytes = (node: NonNullable<HttpExchange['node']>, before: number): number => {
  const { _header: header } = node.outgoing as unknown as { _header?: string | null };
  return Math.max(0, (node.incoming.socket.bytesWritten ?? 0) - before - (header?.length ?? 0));
};

const isStream = (response: Response | undefined): boolean =>
  response?.headers.get('content-type')?.startsWith('text/event-stream') === true || response?.headers.has('x-hono-already-sent') === true;

export const metrics = ({ metrics: counted, logger, serviceOf }: MetricsOptions): Step<HttpExchange, Response> => {
  const find = createSeries(counted, serviceOf);
  const active: Gauge = counted.families.mcp_active_connections.labels();
  const streams: Gauge = counted.families.mcp_stream_count.labels();

  const finish = (
    route: RouteSeries,
    { status, ms, size, address }: { status: number; ms: number; size: number; address: string },
  ): void => {
    const series = route.status(status);
    series.requests.inc();
    series.seconds.observe(ms / 1000);
    series.responseBytes.observe(size);
    const isQuiet = PROBES.has(route.path) && status < 400;
    logger[isQuiet ? 'debug' : 'info'](
      { method: route.method, path: route.path, status, size, duration_ms: Math.round(ms), client_ip: address },
      'http request',
    );
  };

  return async (exchange, next) => {
    const started = performance.now();
    const { node, address } = exchange;
    const route = find(exchange);
    const written = node?.incoming.socket.bytesWritten ?? 0;
    route.requestBytes.observe(Number(exchange.request.headers.get('content-length') ?? 0) || 0);
    active.add(1);
    const ambient = getAmbient();
    const end = (status: number, isOpenStream: boolean): void => {
      const done = (): void => {
        active.add(-1);
        if (isOpenStream) streams.add(-1);
        const size = node === undefined ? 0 : toBodyBytes(node, written);
        withAmbient(ambient, () => finish(route, { status, ms: performance.now() - started, size, address }));
      };
      if (isOpenStream) streams.add(1);
      if (node === undefined || node.outgoing.closed) done();
      else node.outgoing.once('close', done);
    };
    try {
      const response = await next(exchange);
      end(response.status, isStream(response));
      return response;
    } catch (thrown) {
      end(ERROR_CODES[toAppError(thrown).code].http, false);
      throw thrown;
    }
  };
};
