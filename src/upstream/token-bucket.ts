// The limit on requests per second towards one backend: a token bucket. Callers who wait are served in turn, each in the order it came.
import type { Clock } from './ports.ts';
import { createTurns } from './turns.ts';

export interface TokenBucket {
  /** Resolves when this caller's turn has come; rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<void>;
  /** How many callers wait. */
  readonly waiting: number;
}

export const createTokenBucket = ({ qps, burst, now }: { qps: number; burst: number; now: Clock }): TokenBucket => {
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
    while (tokens >= 1 && turns.callNext()) tokens -= 1;
    schedule();
  };
  const schedule = () => {
    if (timer === undefined && turns.waiting > 0) timer = setTimeout(serve, Math.max(1, Math.ceil(((1 - tokens) * 1000) / qps)));
  };
  const turns = createTurns({
    onLeave: () => {
      if (turns.waiting > 0) return;
      clearTimeout(timer);
      timer = undefined;
    },
  });

  return {
    get waiting() {
      return turns.waiting;
    },
    take: async (signal) => {
      signal.throwIfAborted();
      refill();
      // Whoever comes later waits behind those who wait already, even when a token has just come in.
      if (turns.waiting > 0 || tokens < 1) {
        const turn = turns.wait(signal);
        schedule();
        return turn;
      }
      tokens -= 1;
    },
  };
};
