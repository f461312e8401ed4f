// Open streams and sessions: bound to the caller that opened them, capped, removed when idle or closed.

import { AppError } from '../kit/errors.ts';

const IDLE_MS = 30 * 60_000;

interface Entry<Transport> {
  readonly caller: string;
  readonly transport: Transport;
  usedAt: number;
}

export interface StreamStore<Transport> {
  /** @throws RATE_LIMITED when the caller or the server has too many */
  add(id: string, caller: string, transport: Transport): void;
  /** Another caller's stream is as unknown as none. */
  find(id: string, caller: string): Transport | undefined;
  remove(id: string): void;
  close(): Promise<void>;
}

export const createStreamStore = <Transport>(most: number, end: (transport: Transport) => Promise<void>): StreamStore<Transport> => {
  const entries = new Map<string, Entry<Transport>>();
  const dropIdle = (): void => {
    for (const [id, entry] of entries) {
      if (Date.now() - entry.usedAt < IDLE_MS) continue;
      entries.delete(id);
      void end(entry.transport);
    }
  };
  return {
    add(id, caller, transport) {
      dropIdle();
      const own = [...entries.values()].filter((entry) => entry.caller === caller).length;
      if (entries.size >= most || own >= Math.max(1, most / 4))
        throw new AppError('RATE_LIMITED', 'Too many open streams.', { details: { retry_after: '10s' } });
      entries.set(id, { caller, transport, usedAt: Date.now() });
    },
    find(id, caller) {
      const entry = entries.get(id);
      if (entry === undefined || entry.caller !== caller) return undefined;
      entry.usedAt = Date.now();
      return entry.transport;
    },
    remove: (id) => void entries.delete(id),
    async close() {
      const open = [...entries.values()];
      entries.clear();
      await Promise.allSettled(open.map(({ transport }) => end(transport)));
    },
  };
};
