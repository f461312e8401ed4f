// Where state that several replicas share is kept.

import { z } from 'zod';
import { described, secret, section } from '../kit/config.ts';

export const storeConfig = section({
  type: described(
    z.enum(['memory', 'redis']).default('memory'),
    'MCP_STORE_TYPE',
    'memory = this process alone; redis = shared by all replicas.',
  ),
  url: secret('MCP_STORE_URL', 'Address of Redis or Valkey, such as redis://:password@redis:6379/0 or rediss://.'),
});

export type StoreConfig = z.infer<typeof storeConfig>;
