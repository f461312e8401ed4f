// A plugin with one tool that does nothing: what remains of a call is the cost of the layers.

import { z } from 'zod';
import { defineService } from '../../src/kit/service.ts';
import { tool } from '../../src/kit/tool.ts';

const nothing = z.object({});

export default defineService<unknown, null>({
  name: 'bench',
  title: 'Benchmark',
  config: z.unknown(),
  tools: [
    tool<null, typeof nothing.shape>({
      name: 'bench_do_nothing',
      title: 'Nothing',
      description: 'Does nothing.',
      effect: 'read',
      input: nothing,
      output: z.object({ done: z.boolean() }),
      run: async () => ({ head: { done: true } }),
    }),
  ],
  connect: () => null,
  ping: async () => ({ state: 'up' }),
});
