// The platform service: joint tools over all services, through the directory port alone.

import { defineService } from '../../kit/service.ts';
import { platformConfig } from './config.ts';
import { prompts } from './prompts.ts';
import { resources } from './resources.ts';
import status from './tools/status.ts';
import undo from './tools/undo.ts';

export const platform = defineService({
  name: 'platform',
  title: 'Platform',
  config: platformConfig,
  tools: [...status, ...undo],
  connect: () => undefined,
  ping: async () => ({ state: 'up' }),
  resources,
  prompts,
});
