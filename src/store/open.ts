// The store that the configuration asks for. The driver of Redis is loaded only when it is used.

import type { Logger } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import type { StoreConfig } from './config.ts';
import { createMemoryStore } from './memory.ts';
import type { Store } from './store.ts';

/** The address may be a reference to a secret. */
export const openStore = async (
  { type, url }: StoreConfig,
  secrets: { define(name: string, value: string): { current(): string | Promise<string> } },
  logger: Logger,
  now: () => number = Date.now,
): Promise<Store> => {
  if (type === 'memory') return createMemoryStore(now);
  if (url === undefined)
    throw new AppError('INVALID_ARGUMENT', 'Configuration store.url: is needed with store.type redis.', { details: { key: 'store.url' } });
  const { createRedisStore } = await import('./redis.ts');
  return createRedisStore(await secrets.define('store.url', url).current(), { logger });
};
