// The keys of compression and of the size of answers.

import { z } from 'zod';
import { described, section } from '../../kit/config.ts';

export const performanceConfig = section({
  compression_enabled: described(
    z.boolean().default(true),
    'MCP_COMPRESSION_ENABLED',
    'Packs JSON and text of 1 KiB and more with zstd, br or gzip for clients that ask for it; never event streams.',
  ),
  compression_level: described(z.int().min(1).max(9).default(6), 'MCP_COMPRESSION_LEVEL', '1 = fast, 9 = small.'),
  max_response_size: described(
    z.int().min(1024).default(5_242_880),
    'MCP_MAX_RESPONSE_SIZE',
    'Hard limit of one answer, bytes; the normal limit is in tokens.',
  ),
  truncate_large_responses: described(
    z.boolean().default(true),
    'MCP_TRUNCATE_LARGE_RESPONSES',
    'Above that limit: cut by rank and say so; false = fail with advice.',
  ),
  json_pool_size: described(z.int().min(0).max(10_000).default(100), 'MCP_JSON_POOL_SIZE', 'JSON encoders kept for use.'),
  json_buffer_size: described(z.int().min(256).max(16_777_216).default(8192), 'MCP_JSON_BUFFER_SIZE', 'First size of an encoder, bytes.'),
});

export type PerformanceConfig = z.infer<typeof performanceConfig>;
