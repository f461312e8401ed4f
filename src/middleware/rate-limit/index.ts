// How often: a token bucket per verified caller, else per address, and a quota per day. Shared by replicas when the store is.

import type { Step } from '../../kit/compose.ts';
import { AppError } from '../../kit/errors.ts';
import { type HttpExchange, toErrorResponse } from '../../kit/http.ts';
import { toNetwork } from '../../kit/network.ts';
import { createMemoryStore } from '../../store/memory.ts';
import type { Store, Taken } from '../../store/store.ts';
import type { RateLimitConfig } from './config.ts';

const DAY_MS = 86_400_000;

type CountedBy = 'caller' | 'address' | 'quota';

export interface RateLimitDeps {
  readonly store: Store;
  readonly now?: (() => number) | undefined;
  /** Id of callers without credentials: they are told apart by address. */
  readonly anonymous: string;
  /** Told of every refusal: by what the requests were counted. */
  readonly onRefused?: ((by: CountedBy) => void) | undefined;
}

/** A shared store that cannot be reached: this process counts by itself, which is stricter than not counting. */
const withSpare =
  <Args extends readonly unknown[], Result>(first: (...args: Args) => Promise<Result>, spare: (...args: Args) => Promise<Result>) =>
  (...args: Args): Promise<Result> =>
    first(...args).catch(() => spare(...args));

const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1000));

/** The fields of draft-ietf-httpapi-ratelimit-headers-10. */
const toHeaders = ({ remaining, waitMs }: Taken, { requests_per_second, burst }: RateLimitConfig): Record<string, string> => ({
  'ratelimit-policy': `"requests";q=${burst};w=${seconds((burst / requests_per_second) * 1000)}`,
  ratelimit: `"requests";r=${remaining};t=${seconds(waitMs)}`,
});

export const rateLimit = (config: RateLimitConfig, { store, now, anonymous, onRefused }: RateLimitDeps): Step<HttpExchange, Response> => {
  const spare = createMemoryStore(now);
  const take = withSpare(store.take, spare.take);
  const increment = withSpare(store.increment, spare.increment);
  // Read with each request: the keys change while the server runs.
  const bucket = {
    get rate() {
      return config.requests_per_second;
    },
    get burst() {
      return config.burst;
    },
  };
  const refuse = (by: CountedBy, waitMs: number, headers: Record<string, string>): Response => {
    const message =
      by === 'quota' ? `The quota of ${config.requests_per_day} requests in 24 hours is used up.` : 'Too many requests: slow down.';
    const error = new AppError('RATE_LIMITED', message, { details: { retry_after: `${seconds(waitMs)}s`, by } });
    onRefused?.(by);
    return toErrorResponse(error, headers);
  };
  return async (exchange, next) => {
    const by = exchange.caller.id === anonymous ? 'address' : 'caller';
    const who = `${by}:${by === 'address' ? toNetwork(exchange.address) : exchange.caller.id}`;
    const taken = await take(`rate:${who}`, bucket);
    const headers = toHeaders(taken, config);
    if (!taken.allowed) return refuse(by, taken.waitMs, headers);
    const quota = config.requests_per_day;
    if (quota > 0) {
      const { count, leftMs } = await increment(`quota:${who}`, DAY_MS);
      if (count > quota) return refuse('quota', leftMs, headers);
    }
    const response = await next(exchange);
    for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
    return response;
  };
};
