// For tests: bytes on a socket as an attacker writes them, and what comes back until the server closes.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface RawReply {
  /** Everything that was answered. */
  readonly text: string;
  /** Status codes of all answers on the connection. */
  readonly statuses: readonly number[];
}

/** A connected socket; errors of writing to one that was cut are what the tests provoke. */
export const openSocket = async (url: string): Promise<Socket> => {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
};

/** Reads until the server closes the connection. */
export const readToEnd = async (socket: Socket): Promise<RawReply> => {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  // Not `once`: a write to a connection that was cut is no failure here.
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve));
  return { text, statuses: [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, code]) => Number(code)) };
};

/** Writes the bytes and reads all answers, until the server closes or has been idle for as long as it allows. */
export const sendRaw = async (url: string, bytes: string): Promise<RawReply> => {
  const socket = await openSocket(url);
  socket.write(bytes, 'latin1');
  return readToEnd(socket);
};
