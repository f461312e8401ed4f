// Opens the HTTP transport: sockets and limits, then the pipeline, then the route. Nothing else.

import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { compose } from '../kit/compose.ts';
import type { Caller } from '../kit/context.ts';
import { AppError, toAppError } from '../kit/errors.ts';
import { type HttpExchange, PROTECTIONS, type Protection, toErrorResponse } from '../kit/http.ts';
import type { Forwarding } from './forwarded.ts';
import { httpPipeline, type PipelineOptions } from './pipeline.ts';
import type { Routes } from './routes.ts';
import { openTls, type TlsOptions } from './tls.ts';
import { type OnRefusedConnection, refuseAddress, refuseUnreadable } from './unreadable.ts';

export interface HttpOptions extends PipelineOptions {
  readonly host: string;
  readonly port: number;
  readonly routes: Routes;
  readonly readTimeoutMs: number;
  /** For answers that are no streams; 0 = none. */
  readonly writeTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly maxConnections: number;
  readonly anonymous: Caller;
  readonly forwarding: Forwarding;
  /** Absent = plain HTTP. */
  readonly tls?: TlsOptions | undefined;
  readonly report: (error: unknown, where: string) => void;
  /** Told of every accepted socket. */
  readonly onConnection: (socket: Socket) => void;
  /** Told of connections that end without an answer to a request. */
  readonly onRefusedConnection: OnRefusedConnection;
}

export interface HttpDoor {
  readonly url: string;
  /** Refuses new connections and waits until running requests are answered. */
  drain(): Promise<void>;
  /** Ends what is left. */
  close(): Promise<void>;
}

const SWEEP_MS = 50;
const MIN_CHECK_MS = 250;
const MAX_CHECK_MS = 5000;
const ENCODED_SEPARATOR = /%2f|%5c|%00|%2e|\/\.\.?(?:\/|$)|\/\/|\\/i;

/** The path as the table knows it: a trailing slash is accepted; encoded, doubled and traversing paths match nothing, even when `raw` alone shows it. */
const toPath = (pathname: string, raw: string = pathname): string => {
  if (ENCODED_SEPARATOR.test(pathname) || ENCODED_SEPARATOR.test(raw.split('?', 1)[0] ?? '')) return '';
  return pathname.length > 1 && pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
};

/** Some addresses show only here that they are none. */
const toUrl = (request: Request): URL | undefined => {
  try {
    return new URL(request.url);
  } catch {
    return undefined;
  }
};

const createFetch = ({
  routes,
  anonymous,
  forwarding,
  report,
  writeTimeoutMs,
  ...options
}: HttpOptions): ((request: Request, node: HttpExchange['node']) => Promise<Response>) => {
  const answer = async (exchange: HttpExchange): Promise<Response> => {
    const entry = exchange.route === undefined ? undefined : routes.table.get(exchange.route);
    if (entry === undefined) return routes.hint(toPath(exchange.url.pathname, exchange.node.incoming.url));
    const handler = entry.route[exchange.request.method];
    if (handler !== undefined) return handler(exchange).catch((thrown: unknown) => refuse(thrown, exchange));
    const allow = Object.keys(entry.route).join(', ');
    return toErrorResponse(new AppError('UNSUPPORTED', `This path takes ${allow}.`, { details: { allow } }), { allow }, 405);
  };
  const handlers = Object.fromEntries(
    PROTECTIONS.map((protection) => [protection, compose<HttpExchange, Response>(httpPipeline(options, protection), answer)]),
  ) as Record<Protection, (exchange: HttpExchange) => Promise<Response>>;
  const refuse = (thrown: unknown, { route = 'http' }: HttpExchange): Response => {
    const error = toAppError(thrown);
    if (error.code === 'INTERNAL') report(thrown, route);
    return toErrorResponse(error);
  };
  return async (request, node) => {
    const url = toUrl(request);
    if (url === undefined) return refuseAddress(node.incoming, options.onRefusedConnection);
    const path = toPath(url.pathname, node.incoming.url);
    const entry = routes.table.get(path);
    const exchange: HttpExchange = {
      request,
      url,
      route: entry === undefined ? undefined : path,
      requestId: '',
      caller: anonymous,
      known: {},
      address: forwarding.toAddress(node.incoming.socket.remoteAddress ?? '', request.headers),
      node,
    };
    const handled = handlers[entry?.protection ?? 'open'](exchange).catch((thrown: unknown) => refuse(thrown, exchange));
    return writeTimeoutMs > 0 ? inTime(handled, exchange, writeTimeoutMs) : handled;
  };
};

const isStream = ({ headers }: Response): boolean => headers.get('content-type')?.startsWith('text/event-stream') === true;

/** Answers in time, and is read in time; a stream has all the time it needs. */
const inTime = async (handled: Promise<Response>, { node, request }: HttpExchange, ms: number): Promise<Response> => {
  if (request.method === 'GET') return handled;
  const { promise: late, resolve } = Promise.withResolvers<Response>();
  const message = `No answer within ${ms / 1000}s (server.writeTimeoutSec).`;
  const timer = setTimeout(() => resolve(toErrorResponse(new AppError('DEADLINE_EXCEEDED', message), { connection: 'close' })), ms);
  const response = await Promise.race([handled, late]);
  clearTimeout(timer);
  if (isStream(response)) return response;
  const slow = setTimeout(() => node.outgoing.destroy(), ms);
  node.outgoing.once('close', () => clearTimeout(slow));
  return response;
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

/**
 * The adapter writes its own light responses without building a web stream; `Response.json` would still make a heavy one,
 * and it is how the protocol library answers.
 */
const lightenJson = (): void => {
  Response.json = (data, init) => {
    const body = JSON.stringify(data);
    if (init?.headers === undefined) return new Response(body, { ...init, headers: { 'content-type': 'application/json' } });
    const headers = new Headers(init.headers);
    if (!headers.has('content-type')) headers.set('content-type', 'application/json');
    return new Response(body, { ...init, headers });
  };
};

/**
 * Connections without a request yet, such as those that clients open ahead. Node counts them as active, so that one of them would hold
 * a shutdown for its whole grace time. Known by their peer: a request over TLS comes with another socket object.
 */
const createSilent = () => {
  const sockets = new Map<string, Socket>();
  const toKey = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
  return {
    add(socket: Socket): void {
      const key = toKey(socket);
      sockets.set(key, socket);
      socket.once('close', () => {
        if (sockets.get(key) === socket) sockets.delete(key);
      });
    },
    remove: (socket: Socket): void => void sockets.delete(toKey(socket)),
    destroy(): void {
      for (const socket of sockets.values()) socket.destroy();
    },
  };
};

/** Listens; resolves when connections are taken. */
export const openHttp = async (options: HttpOptions): Promise<HttpDoor> => {
  const fetch = createFetch(options);
  let current: IncomingMessage | undefined;
  const listener = getRequestListener((request, env) => fetch(request, env as HttpExchange['node']), {
    overrideGlobalObjects: true,
    // Before the first wait, and for nothing but an address that is none: the rest is handled above.
    errorHandler: () => refuseAddress(current, options.onRefusedConnection),
  });
  lightenJson();
  const limits = {
    requestTimeout: options.readTimeoutMs,
    headersTimeout: options.readTimeoutMs,
    keepAliveTimeout: options.idleTimeoutMs,
    // Refused one step later, in the shape of all errors.
    requireHostHeader: false,
    // How often those who send too slowly are looked for.
    connectionsCheckingInterval: Math.min(MAX_CHECK_MS, Math.max(MIN_CHECK_MS, options.readTimeoutMs / 4)),
  };
  const silent = createSilent();
  const answers = new WeakMap<Socket, ServerResponse>();
  const onRequest: RequestListener = (incoming, outgoing) => {
    silent.remove(incoming.socket);
    answers.set(incoming.socket, outgoing);
    current = incoming;
    void listener(incoming, outgoing);
    current = undefined;
  };
  const tls = options.tls === undefined ? undefined : await openTls(options.tls, limits, onRequest);
  const server = tls?.server ?? createServer(limits, onRequest);
  server.maxConnections = options.maxConnections;
  server.on('connection', options.onConnection);
  server.on('connection', silent.add);
  refuseUnreadable(server, { answering: (socket) => answers.get(socket), onRefused: options.onRefusedConnection });
  const address = await listen(server, options.host, options.port);
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  let closed: Promise<void> | undefined;
  const stopListening = (): Promise<void> => {
    tls?.close();
    closed ??= new Promise((resolve) => server.close(() => resolve()));
    return closed;
  };
  return {
    url: `${tls === undefined ? 'http' : 'https'}://${host}:${address.port}`,
    async drain() {
      const done = stopListening();
      // A connection turns idle when its last answer is out; nothing tells us, so we look.
      const sweep = setInterval(() => {
        server.closeIdleConnections();
        silent.destroy();
      }, SWEEP_MS);
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
