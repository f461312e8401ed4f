// The limit on requests per second towards one backend: a token bucket whose waiters are served in the order they came.
import type { Clock } from './ports.ts';

export interface TokenBucket {
  /** Resolves when this caller's turn has come; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>;
  /** How many callers wait. */
  readonly waiting: number;
}

export const createTokenBucket = ({ qps, burst, now }: { qps: number; burst: number; now: Clock }): TokenBucket => {
  const waiters = new Set<() => void>();
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
    for (const go of waiters) {
      if (tokens < 1) break;
      tokens -= 1;
      waiters.delete(go);
      go();
    }
    schedule();
  };
  const schedule = () => {
    if (timer === undefined && waiters.size > 0) timer = setTimeout(serve, Math.max(1, Math.ceil(((1 - tokens) * 1000) / qps)));
  };
  const wait = (signal: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const go = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      const leave = () => {
        waiters.delete(go);
        if (waiters.size === 0) {
          clearTimeout(timer);
          timer = undefined;
        }
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      waiters.add(go);
      schedule();
    });

  return {
    get waiting() {
      return waiters.size;
    },
    take: async (signal) => {
      signal.throwIfAborted();
      refill();
      // Whoever comes later waits behind those who wait already, even when a token has just come in.
      if (waiters.size > 0 || tokens < 1) return wait(signal);
      tokens -= 1;
    },
  };
};
