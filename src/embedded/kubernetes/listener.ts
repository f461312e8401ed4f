// The socket: HTTP or HTTPS on 127.0.0.1. Streams (watches, followed logs) end when their client goes or the listener closes.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createAdaptorServer, type Http2Bindings, type HttpBindings } from '@hono/node-server';
import { createCertificate } from './certificate.ts';
import { conversationOf, refuseUpgrade, toRequest } from './exec/upgrade.ts';
import { onCut } from './faults.ts';

export interface Listener {
  readonly url: string;
  /** The certificate authority in PEM, when the listener speaks HTTPS. */
  readonly authority: string | undefined;
  close(): Promise<void>;
}

export interface ListenerOptions {
  readonly port?: number;
  readonly tls?: boolean;
}

const HOST = '127.0.0.1';
const YEAR = 365 * 24 * 3_600_000;

const isAddress = (address: string | AddressInfo | null): address is AddressInfo => typeof address === 'object' && address !== null;

const createIdentity = (): ReturnType<typeof createCertificate> => {
  const now = Date.now();
  const names = [HOST, 'localhost', 'kubernetes.default.svc'];
  return createCertificate({
    seed: randomUUID(),
    commonName: 'kube-apiserver',
    names,
    notBefore: now - 3_600_000,
    notAfter: now + YEAR,
    isAuthority: true,
  });
};

/** Listens on a port of the loopback address, a free one when it is 0. */
export const openListener = async (
  handle: (request: Request) => Promise<Response>,
  { port = 0, tls = false }: ListenerOptions,
): Promise<Listener> => {
  const identity = tls ? createIdentity() : undefined;
  const answer = async (request: Request, { outgoing }: HttpBindings | Http2Bindings): Promise<Response> => {
    const response = await handle(request);
    onCut(response, () => outgoing.socket?.destroySoon());
    return response;
  };
  const common = { fetch: answer, overrideGlobalObjects: false };
  const server =
    identity === undefined
      ? createAdaptorServer(common)
      : createAdaptorServer({ ...common, createServer, serverOptions: { cert: identity.certificate, key: identity.key } });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const open = new Set<() => void>();
  const upgrade = async (message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const response = await handle(toRequest(message, `http://${HOST}`));
    const conversation = conversationOf(response);
    if (conversation === undefined) {
      await refuseUpgrade(socket, response);
      return;
    }
    const end = conversation(socket, head);
    open.add(end);
    socket.once('close', () => open.delete(end));
  };
  server.on('upgrade', (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    upgrade(message, socket, head).catch(() => socket.destroy());
  });
  const address = server.address();
  if (!isAddress(address)) throw new Error('the listener has no address');
  return {
    url: `${tls ? 'https' : 'http'}://${HOST}:${address.port}`,
    authority: identity?.certificate,
    close: () =>
      new Promise<void>((resolve) => {
        for (const end of [...open]) end();
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
};
