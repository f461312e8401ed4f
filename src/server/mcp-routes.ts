// The protocol families of one surface: streamable-http, http (JSON only) and legacy sse, each over the same factory.

import { randomUUID } from 'node:crypto';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import {
  type AuthInfo,
  createMcpHandler,
  isJsonContentType,
  isLegacyRequest,
  type ServerEventBus,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { SSEServerTransport } from '@modelcontextprotocol/server-legacy/sse';
import { AppError } from '../kit/errors.ts';
import { type HttpExchange, toErrorResponse } from '../kit/http.ts';
import { readParameters } from '../kit/query.ts';
import type { ServerFactory } from '../mcp/server.ts';
import { readBody } from './body.ts';
import { checkJsonBounds, type JsonBounds } from './json-bounds.ts';
import { createStreamStore, type StreamBudget } from './streams.ts';

export type Handle = (exchange: HttpExchange) => Promise<Response>;
/** Handlers by HTTP method. */
export type Route = Readonly<Record<string, Handle>>;

export interface FamilyOptions {
  readonly factory: ServerFactory;
  readonly bus: ServerEventBus;
  readonly maxBodyBytes: number;
  readonly bounds: JsonBounds;
  /** Shared by all routes. */
  readonly streams: StreamBudget;
  readonly report: (error: unknown, where: string) => void;
  /** Refuses a message that the caller's token has no scope for, so that an OAuth client can ask for more. */
  readonly authorize?: ((exchange: HttpExchange, body: unknown) => Response | undefined) | undefined;
}

export interface Family {
  readonly route: Route;
  close(): Promise<void>;
}

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;

const toRpcError = (status: number, code: number, message: string): Response =>
  Response.json({ jsonrpc: '2.0', error: { code, message }, id: null }, { status });

const toAuthInfo = ({ caller, address }: HttpExchange): AuthInfo => ({
  token: '',
  clientId: caller.id,
  scopes: [...caller.scopes],
  extra: { caller: caller.address === undefined ? { ...caller, address } : caller },
});

/** Body as JSON, or the answer that refuses it. */
const parseBody = async (
  exchange: HttpExchange,
  { maxBodyBytes, bounds, authorize }: Pick<FamilyOptions, 'maxBodyBytes' | 'bounds' | 'authorize'>,
): Promise<{ body: unknown } | { refusal: Response }> => {
  if (!isJsonContentType(exchange.request.headers.get('content-type'))) {
    return { refusal: toRpcError(415, -32000, 'Unsupported Media Type: Content-Type must be application/json') };
  }
  let text: string;
  try {
    text = await readBody(exchange, maxBodyBytes);
  } catch (thrown) {
    if (thrown instanceof AppError) return { refusal: toErrorResponse(thrown, { connection: 'close' }) };
    throw thrown;
  }
  try {
    const body: unknown = JSON.parse(text);
    if (Array.isArray(body)) return { refusal: toRpcError(400, INVALID_REQUEST, 'Batches are not supported') };
    checkJsonBounds(body, bounds);
    const refusal = authorize?.(exchange, body);
    return refusal === undefined ? { body } : { refusal };
  } catch (thrown) {
    return { refusal: thrown instanceof AppError ? toErrorResponse(thrown) : toRpcError(400, PARSE_ERROR, 'Parse error') };
  }
};

const withStreamHeaders = (response: Response): Response => {
  if (response.headers.get('content-type')?.startsWith('text/event-stream') === true) {
    response.headers.set('x-accel-buffering', 'no');
    response.headers.set('cache-control', 'no-cache, no-transform');
  } else response.headers.set('cache-control', 'no-store');
  return response;
};

const notAllowed =
  (allow: string): Handle =>
  async () => {
    const response = toRpcError(405, -32000, 'Method not allowed.');
    response.headers.set('allow', allow);
    return response;
  };

interface Stateless extends Family {
  answer(exchange: HttpExchange, body: unknown): Promise<Response>;
}

/** Streamable HTTP, both eras, stateless. */
export const streamableHttp = ({ factory, bus, report, ...limits }: FamilyOptions): Stateless => {
  const handler = createMcpHandler(factory, { legacy: 'stateless', bus, onerror: (error) => report(error, 'streamable-http') });
  const answer: Stateless['answer'] = async (exchange, body) => {
    const { request } = exchange;
    const authInfo = toAuthInfo(exchange);
    const byLibrary = (): Promise<Response> => handler.fetch(request, { parsedBody: body, authInfo });
    return withStreamHeaders(await factory.plain.serve(body, request, { authInfo, byLibrary }));
  };
  const post: Handle = async (exchange) => {
    const parsed = await parseBody(exchange, limits);
    return 'refusal' in parsed ? parsed.refusal : answer(exchange, parsed.body);
  };
  return { answer, route: { POST: post, GET: notAllowed('POST'), DELETE: notAllowed('POST') }, close: () => handler.close() };
};

/** Nothing is sent before the result when nobody asked for it, so the answer stays one JSON body. */
const withoutProgress = (body: unknown): unknown => {
  const meta = isFields(body) && isFields(body['params']) ? body['params']['_meta'] : undefined;
  if (!isFields(body) || !isFields(body['params']) || !isFields(meta)) return body;
  const { progressToken: _, 'io.modelcontextprotocol/logLevel': __, ...rest } = meta;
  return { ...body, params: { ...body['params'], _meta: rest } };
};

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Both eras, always one JSON body: for clients and scripts that cannot read event streams. */
export const plainHttp = ({ factory, bus, report, ...limits }: FamilyOptions): Family => {
  const modern = createMcpHandler(factory, { legacy: 'reject', bus, onerror: (error) => report(error, 'http') });
  const post: Handle = async (exchange) => {
    const parsed = await parseBody(exchange, limits);
    if ('refusal' in parsed) return parsed.refusal;
    const body = withoutProgress(parsed.body);
    const options = { parsedBody: body, authInfo: toAuthInfo(exchange) };
    // Scripts seldom send both media types; this family answers JSON whatever they accept.
    const headers = new Headers(exchange.request.headers);
    headers.set('accept', 'application/json, text/event-stream');
    const request = new Request(exchange.request.url, { method: 'POST', headers, signal: exchange.request.signal });
    const byLibrary = (): Promise<Response> => modern.fetch(request, options);
    if (!(await isLegacyRequest(request, body)))
      return withStreamHeaders(await factory.plain.serve(body, request, { authInfo: options.authInfo, byLibrary }));
    const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
    const server = factory({ era: 'legacy', authInfo: options.authInfo, requestInfo: request });
    await server.connect(transport);
    return withStreamHeaders(await transport.handleRequest(request, options));
  };
  return { route: { POST: post, GET: notAllowed('POST'), DELETE: notAllowed('POST') }, close: () => modern.close() };
};

/** Streamable HTTP with sessions for clients of 2025: server-to-client requests work, sticky routing is needed. */
export const sessionHttp = (options: FamilyOptions): Family => {
  const stateless = streamableHttp(options);
  const sessions = createStreamStore<WebStandardStreamableHTTPServerTransport>(options.streams, (transport) => transport.close());
  const open = async (exchange: HttpExchange): Promise<WebStandardStreamableHTTPServerTransport> => {
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => sessions.add(id, exchange.caller.id, transport),
      onsessionclosed: (id) => sessions.remove(id),
    });
    const server = options.factory({ era: 'legacy', live: true, authInfo: toAuthInfo(exchange), requestInfo: exchange.request });
    await server.connect(transport);
    return transport;
  };
  const toSession = async (exchange: HttpExchange, body: unknown): Promise<WebStandardStreamableHTTPServerTransport | Response> => {
    const id = exchange.request.headers.get('mcp-session-id');
    if (id === null) {
      const isInitialize = typeof body === 'object' && body !== null && 'method' in body && body.method === 'initialize';
      return isInitialize ? open(exchange) : toRpcError(400, -32000, 'Bad Request: Mcp-Session-Id header is required');
    }
    return sessions.find(id, exchange.caller.id) ?? toRpcError(404, -32001, 'Session not found');
  };
  const pass = async (exchange: HttpExchange, body: unknown): Promise<Response> => {
    const session = await toSession(exchange, body);
    if (session instanceof Response) return session;
    return withStreamHeaders(
      await session.handleRequest(exchange.request, {
        ...(body === undefined ? {} : { parsedBody: body }),
        authInfo: toAuthInfo(exchange),
      }),
    );
  };
  const post: Handle = async (exchange) => {
    const parsed = await parseBody(exchange, options);
    if ('refusal' in parsed) return parsed.refusal;
    if (await isLegacyRequest(exchange.request, parsed.body)) return pass(exchange, parsed.body);
    return stateless.answer(exchange, parsed.body);
  };
  return {
    route: { POST: post, GET: (exchange) => pass(exchange, undefined), DELETE: (exchange) => pass(exchange, undefined) },
    async close() {
      await sessions.close();
      await stateless.close();
    },
  };
};

/** The event stream of 2024: GET opens it, POST to the message route answers on it. */
export const legacySse = (
  { factory, streams: budget, ...limits }: FamilyOptions,
  messagePath: string,
): { readonly stream: Route; readonly message: Route; close(): Promise<void> } => {
  const streams = createStreamStore<SSEServerTransport>(budget, (transport) => transport.close());
  const get: Handle = async (exchange) => {
    const { SSEServerTransport: Transport } = await import('@modelcontextprotocol/server-legacy/sse');
    const transport = new Transport(messagePath, exchange.node.outgoing);
    streams.add(transport.sessionId, exchange.caller.id, transport);
    exchange.node.outgoing.once('close', () => streams.remove(transport.sessionId));
    exchange.node.outgoing.setHeader('x-accel-buffering', 'no');
    const server = factory({ era: 'legacy', live: true, authInfo: toAuthInfo(exchange) });
    await server.connect(transport as never);
    return RESPONSE_ALREADY_SENT;
  };
  const post: Handle = async (exchange) => {
    const { sessionId: id } = readParameters(exchange.url.searchParams, ['sessionId']);
    if (id === undefined)
      return toErrorResponse(
        new AppError('INVALID_ARGUMENT', 'The query parameter sessionId is required.', { details: { argument: 'sessionId' } }),
      );
    const transport = streams.find(id, exchange.caller.id);
    if (transport === undefined) return toErrorResponse(new AppError('NOT_FOUND', 'There is no such stream: open it again.'));
    const parsed = await parseBody(exchange, limits);
    if ('refusal' in parsed) return parsed.refusal;
    await transport.handleMessage(parsed.body, { authInfo: toAuthInfo(exchange) } as never);
    return new Response('Accepted', { status: 202 });
  };
  return { stream: { GET: get }, message: { POST: post }, close: () => streams.close() };
};
