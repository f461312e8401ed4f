// The socket: plain HTTP on 127.0.0.1. Streams (watches, followed logs) end when their client goes or the listener closes.
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';

export interface Listener {
  readonly url: string;
  close(): Promise<void>;
}

const isAddress = (address: string | AddressInfo | null): address is AddressInfo => typeof address === 'object' && address !== null;

/** Listens on a port of the loopback address, a free one when it is 0. */
export const openListener = async (handle: (request: Request) => Promise<Response>, port: number): Promise<Listener> => {
  const server = createAdaptorServer({ fetch: handle, overrideGlobalObjects: false });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  if (!isAddress(address)) throw new Error('the listener has no address');
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
};
