// The limit on requests per second towards one backend: a token bucket. Callers who wait are served in turn, each in the order it came.
import { getAmbient } from '../kit/ambient.ts';
import type { Clock } from './ports.ts';

export interface TokenBucket {
  /** Resolves when this caller's turn has come; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>;
  /** How many callers wait. */
  readonly waiting: number;
}

export const createTokenBucket = ({ qps, burst, now }: { qps: number; burst: number; now: Clock }): TokenBucket => {
  /** By caller; the one whose turn it is stands first. */
  const queues = new Map<string, Set<() => void>>();
  let waiting = 0;
  let tokens = burst;
  let filledAt = now();
  let timer: NodeJS.Timeout | undefined;

  const refill = () => {
    const at = now();
    // A clock that was set back must not freeze the bucket.
    tokens = Math.min(burst, tokens + (Math.max(0, at - filledAt) * qps) / 1000);
    filledAt = at;
  };
  const serve = () => {
    timer = undefined;
    refill();
    while (waiting > 0 && tokens >= 1) {
      tokens -= 1;
      callNext();
    }
    schedule();
  };
  const remove = (caller: string, go: () => void) => {
    const queue = queues.get(caller);
    if (queue?.delete(go) !== true) return;
    waiting -= 1;
    if (queue.size === 0) queues.delete(caller);
  };
  const callNext = () => {
    for (const [caller, queue] of queues) {
      for (const go of queue) {
        remove(caller, go);
        // To the end of the row: a caller with many requests does not hold up one with few.
        if (queues.delete(caller)) queues.set(caller, queue);
        return go();
      }
    }
  };
  const schedule = () => {
    if (timer === undefined && waiting > 0) timer = setTimeout(serve, Math.max(1, Math.ceil(((1 - tokens) * 1000) / qps)));
  };
  const wait = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const { principal: caller = '' } = getAmbient();
      const go = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        remove(caller, go);
        if (waiting === 0) {
          clearTimeout(timer);
          timer = undefined;
        }
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      const queue = queues.get(caller) ?? new Set();
      queues.set(caller, queue.add(go));
      waiting += 1;
      schedule();
    });

  return {
    get waiting() {
      return waiting;
    },
    take: async (signal) => {
      signal.throwIfAborted();
      refill();
      // Whoever comes later waits behind those who wait already, even when a token has just come in.
      if (waiting > 0 || tokens < 1) return wait(signal);
      tokens -= 1;
    },
  };
};
