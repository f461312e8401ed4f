// What is no request: answered in the shape of all errors, then the connection is closed. Nothing of what was sent is repeated.

import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, type ErrorCode, toWireError } from '../kit/errors.ts';
import { toErrorResponse } from '../kit/http.ts';

/** Why a connection ended without an answer to a request; a label of http_connections_refused_total. */
export type RefusedFor = 'max_connections' | 'unreadable' | 'too_large' | 'timeout';

/** Told of what never becomes a request. `isSilent`: not a byte was sent, as on connections that clients open ahead. */
export type OnRefusedConnection = (
  reason: RefusedFor,
  from: { readonly address: string; readonly isSilent: boolean; readonly code: ErrorCode },
) => void;

interface Refusal {
  readonly line: string;
  readonly reason: RefusedFor;
  readonly code: ErrorCode;
  readonly words: string;
}

const UNREADABLE: Refusal = {
  line: '400 Bad Request',
  reason: 'unreadable',
  code: 'INVALID_ARGUMENT',
  words: 'This is no HTTP request that can be read.',
};
const NO_TUNNEL: Refusal = {
  line: '405 Method Not Allowed',
  reason: 'unreadable',
  code: 'UNSUPPORTED',
  words: 'This server is no proxy: CONNECT opens nothing.',
};
const TOO_LARGE = { reason: 'too_large', code: 'PAYLOAD_TOO_LARGE' } as const;

/** By the code of Node's parser. */
const REFUSALS: Readonly<Record<string, Refusal>> = {
  HPE_HEADER_OVERFLOW: { ...TOO_LARGE, line: '431 Request Header Fields Too Large', words: 'The headers are too large.' },
  HPE_CHUNK_EXTENSIONS_OVERFLOW: { ...TOO_LARGE, line: '413 Payload Too Large', words: 'The chunk extensions are too large.' },
  ERR_HTTP_REQUEST_TIMEOUT: {
    line: '408 Request Timeout',
    reason: 'timeout',
    code: 'DEADLINE_EXCEEDED',
    words: 'The request did not arrive in time (server.readTimeoutSec).',
  },
};

/** Only the parser's words have a reader; a broken connection or TLS handshake has none, and would take no answer. */
const toRefusal = (code: string): Refusal | undefined => REFUSALS[code] ?? (code.startsWith('HPE_') ? UNREADABLE : undefined);

const HEADERS = 'Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\nConnection: close';

const toText = ({ line, code, words }: Refusal): string => {
  const body = JSON.stringify(toWireError(new AppError(code, words)));
  return `HTTP/1.1 ${line}\r\n${HEADERS}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
};

/** A request line or Host that makes no address. */
export const refuseAddress = (incoming: IncomingMessage | undefined, onRefused: OnRefusedConnection): Response => {
  const { code, reason } = UNREADABLE;
  onRefused(reason, { address: incoming?.socket.remoteAddress ?? '', isSilent: false, code });
  return toErrorResponse(new AppError('INVALID_ARGUMENT', 'Host and path of this request make no address.'), {
    connection: 'close',
    'x-content-type-options': 'nosniff',
  });
};

export interface UnreadableOptions {
  /** The newest answer that was begun on a socket: nothing may be written into it, nor before it. */
  readonly answering: (socket: Socket) => ServerResponse | undefined;
  readonly onRefused: OnRefusedConnection;
}

export const refuseUnreadable = (server: Server, { answering, onRefused }: UnreadableOptions): void => {
  server.on('drop', (data) => onRefused('max_connections', { address: data?.remoteAddress ?? '', isSilent: true, code: 'RATE_LIMITED' }));
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket;
    const answer = answering(socket);
    const isDue = answer !== undefined && !answer.writableFinished;
    const refusal = toRefusal(error.code ?? '');
    if (refusal !== undefined) {
      const { reason, code } = refusal;
      onRefused(reason, { address: socket.remoteAddress ?? '', isSilent: socket.bytesRead === 0, code });
    }
    if (refusal === undefined || !socket.writable || (isDue && answer.headersSent)) return void socket.destroy();
    const refuse = (): void => void socket.end(toText(refusal), () => socket.destroy());
    // Either the body of that request is broken, or what was sent behind it.
    if (isDue && answer.req.complete) answer.once('finish', refuse);
    else refuse();
  });
  // Node would cut the connection without a word.
  server.on('connect', ({ socket: { remoteAddress = '' } }: IncomingMessage, socket) => {
    onRefused('unreadable', { address: remoteAddress, isSilent: false, code: 'UNSUPPORTED' });
    socket.on('error', () => {}).end(toText(NO_TUNNEL), () => socket.destroy());
  });
  server.on('checkExpectation', ({ socket }, outgoing) => {
    onRefused('unreadable', { address: socket.remoteAddress ?? '', isSilent: false, code: 'UNSUPPORTED' });
    const body = JSON.stringify(toWireError(new AppError('UNSUPPORTED', 'No expectation but 100-continue is met here.')));
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), 'x-content-type-options': 'nosniff' };
    outgoing.writeHead(417, { ...headers, connection: 'close' }).end(body);
  });
};
