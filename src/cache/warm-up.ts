// Calls made once after the start, so that the first callers find their answers. Nothing waits for them.

import type { Logger } from '../kit/context.ts';
import { toAppError } from '../kit/errors.ts';
import type { CacheConfig } from './config.ts';

type Wanted = CacheConfig['warm_up'][number];

/** One after the other, so that a start is no storm. A call that fails is told in the log and hinders nothing. */
export const warmUp = async (
  wanted: readonly Wanted[],
  call: (tool: string, args: Wanted['arguments']) => Promise<unknown>,
  logger: Logger,
): Promise<void> => {
  for (const { tool, arguments: args } of wanted) {
    await call(tool, args).catch((thrown: unknown) => {
      const { code, message } = toAppError(thrown);
      logger.warn({ tool, error_code: code, reason: message }, 'the cache could not be warmed up');
    });
  }
};
