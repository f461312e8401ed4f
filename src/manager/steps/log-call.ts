// One line per call, outcomes and refusals alike: no arguments, no results. At debug, what the arguments are called and how large they are.

import type { Step } from '../../kit/compose.ts';
import type { Logger } from '../../kit/context.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Call } from '../call.ts';
import { toOutcome } from '../outcome.ts';
import { toToolName } from './trace.ts';

const toSizes = (args: Readonly<Record<string, unknown>>): Record<string, number> =>
  Object.fromEntries(Object.entries(args).map(([name, value]) => [name, JSON.stringify(value)?.length ?? 0]));

export const logCall =
  ({ logger }: { readonly logger: Logger }): Step<Call, FinalAnswer> =>
  async (call, next) => {
    const started = performance.now();
    if (logger.writes?.('debug', call.service) === true)
      logger.debug({ service: call.service, tool: toToolName(call), argument_sizes: toSizes(call.args) }, 'tool call begins');
    const fields = (status: string) => ({
      service: call.service,
      tool: toToolName(call),
      duration_ms: Math.round(performance.now() - started),
      status,
      request_id: call.ctx.requestId,
      trace_id: call.ctx.traceId,
      principal: call.request.caller.id,
      ...(typeof call.args['cluster'] === 'string' ? { cluster: call.args['cluster'] } : {}),
    });
    try {
      const answer = await next(call);
      logger.info(fields('success'), 'tool call');
      return answer;
    } catch (thrown) {
      const { status, error } = toOutcome(thrown);
      const code = error === undefined ? {} : { error_code: error.code };
      if (error?.code === 'INTERNAL') logger.error({ ...fields(status), ...code, fault: error.cause }, 'tool call');
      else logger.info({ ...fields(status), ...code }, 'tool call');
      throw thrown;
    }
  };
