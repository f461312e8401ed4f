// Keys of the logs.

import { z } from 'zod';
import { described, live, section } from '../kit/config.ts';

const level = z.enum(['debug', 'info', 'warn', 'error', 'fatal']);

export const loggingConfig = {
  logging: section({
    level: live(described(level.default('info'), 'MCP_LOG_LEVEL', 'Least severe level that is written; `fatal` means error.')),
    json: described(z.boolean().default(false), 'MCP_LOG_JSON', 'JSON lines instead of text.'),
    services: live(
      z.record(z.string(), level).default({}).meta({ description: 'Levels of single services, such as `kubernetes: debug`.' }),
    ),
  }),
} as const;
