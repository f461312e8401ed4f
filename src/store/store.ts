// The few things that replicas must agree on: tokens in a bucket, short-lived values, counters, and word of a change.

export interface Taken {
  readonly allowed: boolean;
  /** Tokens left in the bucket. */
  readonly remaining: number;
  /** When refused: how long until a token is there. When allowed: how long until the bucket is full. Milliseconds. */
  readonly waitMs: number;
}

export interface Counted {
  /** The sum, this one included. */
  readonly count: number;
  /** Until the counter ends, milliseconds. */
  readonly leftMs: number;
}

export interface Bucket {
  /** Tokens per second. */
  readonly rate: number;
  /** Tokens when full. */
  readonly burst: number;
}

/** Every method may reject when a shared store cannot be reached; callers decide what that means. */
export interface Store {
  /** Takes one token from the bucket of this key. */
  take(key: string, bucket: Bucket): Promise<Taken>;
  /** Adds one; the counter ends `ttlMs` after its first increment. */
  increment(key: string, ttlMs: number): Promise<Counted>;
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, ttlMs: number): Promise<void>;
  /** Tells the others; this process hears it too. */
  publish(channel: string, message: string): Promise<void>;
  subscribe(channel: string, listener: (message: string) => void): Promise<() => void>;
  close(): Promise<void>;
}

/**
 * A token bucket as one number, the time at which it will be full (the generic cell rate algorithm, ITU-T I.371).
 * @param fullAt ms; 0 for a bucket never used
 */
export const takeFrom = (fullAt: number, now: number, { rate, burst }: Bucket): Taken & { readonly fullAt: number } => {
  const interval = 1000 / rate;
  const next = Math.max(fullAt, now) + interval;
  const overdrawn = next - now - burst * interval;
  if (overdrawn > 0) return { allowed: false, remaining: 0, waitMs: overdrawn, fullAt };
  return { allowed: true, remaining: Math.floor(-overdrawn / interval + 1e-6), waitMs: next - now, fullAt: next };
};
