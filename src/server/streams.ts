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

/** Open streams of all routes together: a cap in total, and a quarter of it per caller. */
export interface StreamBudget {
  /** @throws RATE_LIMITED when the caller or the server has too many */
  open(caller: string): void;
  close(caller: string): void;
}

export const createStreamBudget = (most: number): StreamBudget => {
  const byCaller = new Map<string, number>();
  let all = 0;
  return {
    open(caller) {
      const own = byCaller.get(caller) ?? 0;
      if (all >= most || own >= Math.max(1, most / 4))
        throw new AppError('RATE_LIMITED', 'Too many open streams.', {
          details: { retry_after: '10s', setting: 'server.max_connections' },
        });
      byCaller.set(caller, own + 1);
      all += 1;
    },
    close(caller) {
      const own = (byCaller.get(caller) ?? 0) - 1;
      all -= 1;
      if (own > 0) byCaller.set(caller, own);
      else byCaller.delete(caller);
    },
  };
};

export const createStreamStore = <Transport>(
  budget: StreamBudget,
  end: (transport: Transport) => Promise<void>,
): StreamStore<Transport> => {
  const entries = new Map<string, Entry<Transport>>();
  const remove = (id: string): void => {
    const entry = entries.get(id);
    if (entry === undefined) return;
    entries.delete(id);
    budget.close(entry.caller);
  };
  const dropIdle = (): void => {
    for (const [id, entry] of entries) {
      if (Date.now() - entry.usedAt < IDLE_MS) continue;
      remove(id);
      void end(entry.transport);
    }
  };
  return {
    add(id, caller, transport) {
      dropIdle();
      budget.open(caller);
      entries.set(id, { caller, transport, usedAt: Date.now() });
    },
    find(id, caller) {
      const entry = entries.get(id);
      if (entry === undefined || entry.caller !== caller) return undefined;
      entry.usedAt = Date.now();
      return entry.transport;
    },
    remove,
    async close() {
      const open = [...entries.values()];
      for (const id of [...entries.keys()]) remove(id);
      await Promise.allSettled(open.map(({ transport }) => end(transport)));
    },
  };
};
