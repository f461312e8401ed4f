// What the HTTP middleware and the doors share: one request on its way, and the one shape of HTTP errors.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from './context.ts';
import { type AppError, ERROR_CODES, toWireError } from './errors.ts';

export interface HttpExchange {
  readonly request: Request;
  readonly url: URL;
  /** Pattern of the matched route; undefined when none matched. */
  readonly route: string | undefined;
  readonly requestId: string;
  readonly caller: Caller;
  /** Filled on the way in, read on the way out: what the steps outside of authentication cannot know before. */
  readonly known: { principal?: string };
  /** The client's address: the peer of the socket, or what a trusted proxy says. */
  readonly address: string;
  /** The sockets beneath: bodies are read from them, and legacy SSE writes to them. */
  readonly node: { readonly incoming: IncomingMessage; readonly outgoing: ServerResponse };
}

/** What a route asks of its callers: nothing, an identity, or the scope `admin`. Without authentication all are open. */
export const PROTECTIONS = ['open', 'auth', 'admin'] as const;
export type Protection = (typeof PROTECTIONS)[number];

/** The error shape of every HTTP answer that is not the protocol's own. */
export const toErrorResponse = (
  error: AppError,
  headers: Readonly<Record<string, string>> = {},
  status: number = ERROR_CODES[error.code].http,
): Response => {
  const retryAfter = error.details['retry_after'];
  return Response.json(toWireError(error), {
    status,
    headers: { ...(typeof retryAfter === 'string' ? { 'retry-after': String(Number.parseInt(retryAfter, 10) || 1) } : {}), ...headers },
  });
};
