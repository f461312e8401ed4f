// Requests that leave HTTP: an answer that says how the conversation goes on once the socket is free.
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

/** Takes over the socket; the returned function ends the conversation. */
export type Conversation = (socket: Duplex, head: Buffer) => () => void;

const conversations = new WeakMap<Response, Conversation>();

/** An answer in whose place the conversation begins. */
export const upgradeTo = (conversation: Conversation): Response => {
  const response = new Response(null);
  conversations.set(response, conversation);
  return response;
};

export const conversationOf = (response: Response): Conversation | undefined => conversations.get(response);

/** The request of an upgrade as any other request. */
export const toRequest = (message: IncomingMessage, base: string): Request => {
  const headers = new Headers();
  for (const [name, value] of Object.entries(message.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value);
  }
  return new Request(new URL(message.url ?? '/', base), { method: message.method ?? 'GET', headers });
};

/** Answers in HTTP what is not to be upgraded, and ends the connection. */
export const refuseUpgrade = async (socket: Duplex, response: Response): Promise<void> => {
  const body = Buffer.from(await response.arrayBuffer());
  const headers = new Headers(response.headers);
  headers.set('content-length', String(body.length));
  headers.set('connection', 'close');
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${response.status} ${response.statusText || 'Status'}\r\n${lines}\r\n`), body]));
};
