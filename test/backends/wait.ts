/** Waiting for a server that is starting: it tells nobody when it is ready, so it is asked until it answers. */
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { StartedProcess } from './run.ts';

/** Asks until `ready` gives true (an error counts as no); fails at once when the process ends, or after `seconds`. */
export async function untilReady(started: StartedProcess, ready: () => Promise<boolean>, seconds = 60): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const ask = async () => {
    let last: unknown;
    while (performance.now() < end) {
      try {
        if (await ready()) return;
      } catch (error) {
        last = error;
      }
      await delay(40);
    }
    throw new Error(`${started.name} was not ready after ${seconds} s`, { cause: last });
  };
  await Promise.race([ask(), started.ended]);
}

/** Ports that are free on 127.0.0.1 now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, () => {
      const { promise, resolve, reject } = Promise.withResolvers<ReturnType<typeof createServer>>();
      const server = createServer();
      server.once('error', reject).listen(0, '127.0.0.1', () => resolve(server));
      return promise;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
