// A WebSocket to a backend, over the same connections and with the same login as every request.
import type { WebSocket } from 'undici';
import { type ExchangeDeps, takeLogin } from './exchange.ts';
import { type Query, toRequestPath } from './url.ts';

export interface SocketRequest {
  readonly path: readonly string[];
  readonly query?: Query | undefined;
  readonly protocols: readonly string[];
  readonly signal: AbortSignal;
  /** For metrics: `create pods/exec`. */
  readonly api: string;
}

/** The handshake was refused; why, only a plain request to the same path can tell. */
export class HandshakeRefused extends Error {}

/** Opens the socket; it is closed when the signal fires. Throws HandshakeRefused, or the reason of the signal. */
export const openSocket = async (deps: ExchangeDeps, { path, query, protocols, signal, api }: SocketRequest): Promise<WebSocket> => {
  const { base, connections, take, now, onCall } = deps;
  const { WebSocket } = await import('undici');
  await take(signal);
  const login = await takeLogin(deps, { signal, fresh: false });
  const startedAt = now();
  const headers = Object.entries(login.headers).flatMap(([name, value]): [string, string][] => [value].flat().map((one) => [name, one]));
  if (base.authorization !== undefined) headers.push(['authorization', base.authorization]);
  const socket = new WebSocket(`${base.origin.replace(/^http/, 'ws')}${toRequestPath(base.prefix, path, query)}`, {
    protocols: [...protocols],
    dispatcher: await connections.use(login.tls),
    headers,
  });
  socket.binaryType = 'arraybuffer';
  const close = (): void => socket.close();
  signal.addEventListener('abort', close, { once: true });
  socket.addEventListener('close', () => signal.removeEventListener('abort', close), { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve(), { once: true });
      socket.addEventListener('error', () => reject(signal.aborted ? signal.reason : new HandshakeRefused()), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
    onCall?.({ api, status: 101, ms: now() - startedAt });
    return socket;
  } catch (thrown) {
    onCall?.({ api, status: 'error', ms: now() - startedAt });
    socket.close();
    throw thrown;
  }
};
