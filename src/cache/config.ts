// The keys of the result cache.

import { z } from 'zod';
import { described, section } from '../kit/config.ts';

export const cacheConfig = section({
  enabled: described(
    z.boolean().default(true),
    'MCP_CACHE_ENABLED',
    'Answers of reads are kept for a short time and shared by equal calls.',
  ),
  type: described(
    z.enum(['lru', 'segmented']).default('segmented'),
    'MCP_CACHE_TYPE',
    'lru = one shelf; segmented = a shelf per kind of data, so that a flood of one kind does not push out another.',
  ),
  max_size: described(z.int().min(1).max(1_000_000).default(1000), 'MCP_CACHE_MAX_SIZE', 'Most answers kept.'),
  segments: described(z.int().min(1).max(1000).default(10), 'MCP_CACHE_SEGMENTS', 'Shelves of the segmented cache.'),
  default_ttl: described(
    z.number().min(0).max(86_400).default(300),
    'MCP_CACHE_DEFAULT_TTL',
    'Longest time an answer is kept, seconds; tools and services shorten it.',
  ),
  max_bytes: described(z.int().min(1024).default(67_108_864), 'MCP_CACHE_MAX_BYTES', 'Bytes of all kept answers together.'),
  warm_up: z
    .array(z.strictObject({ tool: z.string().min(1), arguments: z.record(z.string(), z.unknown()).default({}) }))
    .default([])
    .meta({
      description: 'Calls made once after the start, so that the first callers find their answers; readiness does not wait for them.',
    }),
});

export type CacheConfig = z.infer<typeof cacheConfig>;
