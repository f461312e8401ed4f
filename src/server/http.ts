// Opens the HTTP transport: sockets and limits, then the pipeline, then the route. Nothing else.

import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { compose } from '../kit/compose.ts';
import type { Caller } from '../kit/context.ts';
import { AppError, toAppError } from '../kit/errors.ts';
import { type HttpExchange, toErrorResponse } from '../kit/http.ts';
import { httpPipeline, type PipelineOptions } from './pipeline.ts';
import type { Routes } from './routes.ts';

export interface HttpOptions extends PipelineOptions {
  readonly host: string;
  readonly port: number;
  readonly routes: Routes;
  readonly readTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly anonymous: Caller;
  readonly report: (error: unknown, where: string) => void;
  /** Told of every accepted socket. */
  readonly onConnection: (socket: Socket) => void;
}

export interface HttpDoor {
  readonly url: string;
  /** Refuses new connections and waits until running requests are answered. */
  drain(): Promise<void>;
  /** Ends what is left. */
  close(): Promise<void>;
}

const SWEEP_MS = 50;
const ENCODED_SEPARATOR = /%2f|%5c|%00|%2e|\/\.\.?(?:\/|$)|\/\/|\\/i;

/** The path as the table knows it: a trailing slash is accepted; encoded, doubled and traversing paths match nothing, even when `raw` alone shows it. */
const toPath = (pathname: string, raw: string = pathname): string => {
  if (ENCODED_SEPARATOR.test(pathname) || ENCODED_SEPARATOR.test(raw.split('?', 1)[0] ?? '')) return '';
  return pathname.length > 1 && pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
};

const createFetch = ({
  routes,
  anonymous,
  report,
  ...options
}: HttpOptions): ((request: Request, node?: HttpExchange['node']) => Promise<Response>) => {
  const handle = compose<HttpExchange, Response>(httpPipeline(options), async (exchange) => {
    const path = toPath(exchange.url.pathname, exchange.node?.incoming.url);
    const route = routes.table.get(path);
    if (route === undefined) return routes.hint(path);
    const handler = route[exchange.request.method];
    if (handler !== undefined) return handler(exchange).catch((thrown: unknown) => refuse(thrown, exchange));
    const allow = Object.keys(route).join(', ');
    return toErrorResponse(new AppError('UNSUPPORTED', `This path takes ${allow}.`, { details: { allow } }), { allow }, 405);
  });
  const refuse = (thrown: unknown, { route = 'http' }: HttpExchange): Response => {
    const error = toAppError(thrown);
    if (error.code === 'INTERNAL') report(thrown, route);
    return toErrorResponse(error);
  };
  return async (request, node) => {
    const url = new URL(request.url);
    const path = toPath(url.pathname, node?.incoming.url);
    const exchange: HttpExchange = {
      request,
      url,
      route: routes.table.has(path) ? path : undefined,
      requestId: '',
      caller: anonymous,
      address: node?.incoming.socket.remoteAddress ?? '',
      ...(node === undefined ? {} : { node }),
    };
    return handle(exchange).catch((thrown: unknown) => refuse(thrown, exchange));
  };
};

const listen = (server: Server, host: string, port: number): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new AppError(
          'INVALID_ARGUMENT',
          `Cannot listen on ${host}:${port}: ${cause.code === 'EADDRINUSE' ? 'the port is in use' : (cause.code ?? 'refused')}.`,
          { details: { key: 'server.addr' }, cause },
        ),
      ),
    );
    server.listen(port, host, () => resolve(server.address() as AddressInfo));
  });

/** Listens; resolves when connections are taken. */
export const openHttp = async (options: HttpOptions): Promise<HttpDoor> => {
  const fetch = createFetch(options);
  const listener = getRequestListener((request, env) => fetch(request, env as HttpExchange['node']), { overrideGlobalObjects: false });
  const server = createServer(
    { requestTimeout: options.readTimeoutMs, headersTimeout: options.readTimeoutMs, keepAliveTimeout: options.idleTimeoutMs },
    (incoming, outgoing) => void listener(incoming, outgoing),
  );
  server.maxConnections = options.maxConnections;
  server.on('connection', options.onConnection);
  const address = await listen(server, options.host, options.port);
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closed: Promise<void> | undefined;
  const stopListening = (): Promise<void> => {
    closed ??= new Promise((resolve) => server.close(() => resolve()));
    return closed;
  };
  return {
    url: `http://${host}:${address.port}`,
    async drain() {
      const done = stopListening();
      // A connection turns idle when its last answer is out; nothing tells us, so we look.
      const sweep = setInterval(() => server.closeIdleConnections(), SWEEP_MS);
      server.closeIdleConnections();
      await done;
      clearInterval(sweep);
    },
    async close() {
      const done = stopListening();
      server.closeAllConnections();
      await done;
    },
  };
};
