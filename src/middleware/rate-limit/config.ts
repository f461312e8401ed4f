// The keys of the rate limit.

import { z } from 'zod';
import { described, live, section } from '../../kit/config.ts';

export const rateLimitConfig = section({
  enabled: described(z.boolean().default(true), 'MCP_RATELIMIT_ENABLED', 'A token bucket per verified caller, else per address.').meta({
    aliases: ['MCP_RATE_LIMIT_ENABLED'],
  }),
  requests_per_second: live(
    described(
      z.number().positive().max(1_000_000).default(50),
      'MCP_RATELIMIT_REQUESTS_PER_SECOND',
      'Tokens that come back each second.',
    ).meta({ aliases: ['MCP_RATE_LIMIT_REQUESTS_PER_SECOND'] }),
  ),
  burst: live(
    described(z.int().min(1).max(1_000_000).default(100), 'MCP_RATELIMIT_BURST', 'Tokens of a full bucket: requests at once.').meta({
      aliases: ['MCP_RATE_LIMIT_BURST'],
    }),
  ),
  requests_per_day: live(
    described(
      z.int().min(0).default(0),
      'MCP_RATELIMIT_REQUESTS_PER_DAY',
      'Quota of a caller, counted from its first request of 24 hours; 0 = none.',
    ),
  ),
});

export type RateLimitConfig = z.infer<typeof rateLimitConfig>;
