// The store that replicas share: Redis or Valkey. Every command has a time limit; a store that is gone is told at once, not waited for.

import { Redis } from 'ioredis';
import type { Logger } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import type { Bucket, Store } from './store.ts';

const PREFIX = 'cnmcp:';
const COMMAND_MS = 500;
const RECONNECT_MOST_MS = 5000;
const WARN_EVERY_MS = 60_000;

/** `takeFrom` of store.ts on the server, by the server's clock, in microseconds: one step for all replicas. */
const TAKE = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local interval = 1000000 / tonumber(ARGV[1])
local fullAt = tonumber(redis.call('GET', KEYS[1]) or '0')
local next = math.max(fullAt, now) + interval
local overdrawn = next - now - tonumber(ARGV[2]) * interval
if overdrawn > 0 then return { 0, 0, string.format('%.3f', overdrawn / 1000) } end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000) + 1000)
return { 1, math.floor(-overdrawn / interval + 0.000001), string.format('%.3f', (next - now) / 1000) }
`;
const INCREMENT = `
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return { count, redis.call('PTTL', KEYS[1]) }
`;

interface Scripted extends Redis {
  cnmcpTake(key: string, rate: number, burst: number): Promise<[number, number, string]>;
  cnmcpIncrement(key: string, ttlMs: number): Promise<[number, number]>;
}

/** At most one line a minute, however often it fails. */
const createWarning = (logger: Logger, now: () => number): ((error: Error) => void) => {
  let warnedAt = Number.NEGATIVE_INFINITY;
  return ({ message }) => {
    if (now() - warnedAt < WARN_EVERY_MS) return;
    warnedAt = now();
    logger.warn({ reason: message }, 'the shared store cannot be reached; this replica counts by itself until it is back');
  };
};

/** Connects in the background: a store that is down does not delay the start. Throws INVALID_ARGUMENT for an address that is none. */
export const createRedisStore = (url: string, { logger, now = Date.now }: { logger: Logger; now?: () => number }): Store => {
  if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) {
    throw new AppError('INVALID_ARGUMENT', 'Configuration store.url: must be an address such as redis://host:6379/0.', {
      details: { key: 'store.url' },
    });
  }
  const options = {
    commandTimeout: COMMAND_MS,
    connectTimeout: 5000,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times: number) => Math.min(times * 200, RECONNECT_MOST_MS),
  };
  const client = new Redis(url, options) as Scripted;
  const warn = createWarning(logger, now);
  client.on('error', warn);
  client.defineCommand('cnmcpTake', { numberOfKeys: 1, lua: TAKE });
  client.defineCommand('cnmcpIncrement', { numberOfKeys: 1, lua: INCREMENT });
  const listeners = new Map<string, Set<(message: string) => void>>();
  let hearing: Redis | undefined;
  /** A connection that listens can do nothing else; it subscribes again by itself after a break. */
  const hear = (): Redis => {
    if (hearing !== undefined) return hearing;
    hearing = client.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null });
    hearing.on('error', warn);
    hearing.on('message', (channel: string, message: string) => {
      for (const listener of listeners.get(channel) ?? []) listener(message);
    });
    return hearing;
  };
  return {
    async take(key, { rate, burst }: Bucket) {
      const [allowed, remaining, waitMs] = await client.cnmcpTake(`${PREFIX}${key}`, rate, burst);
      return { allowed: allowed === 1, remaining, waitMs: Number(waitMs) };
    },
    async increment(key, ttlMs) {
      const [count, leftMs] = await client.cnmcpIncrement(`${PREFIX}${key}`, ttlMs);
      return { count, leftMs };
    },
    get: async (key) => (await client.get(`${PREFIX}${key}`)) ?? undefined,
    async set(key, value, ttlMs) {
      await client.set(`${PREFIX}${key}`, value, 'PX', Math.max(1, Math.ceil(ttlMs)));
    },
    async publish(channel, message) {
      await client.publish(`${PREFIX}${channel}`, message);
    },
    async subscribe(channel, listener) {
      const name = `${PREFIX}${channel}`;
      const own = listeners.get(name) ?? new Set();
      listeners.set(name, own.add(listener));
      if (own.size === 1) void hear().subscribe(name).catch(warn);
      return () => void own.delete(listener);
    },
    async close() {
      client.disconnect();
      hearing?.disconnect();
    },
  };
};
