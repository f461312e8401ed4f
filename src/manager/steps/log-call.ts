// One line per call, outcomes and refusals alike: no arguments, no results.

import type { Step } from '../../kit/compose.ts';
import { toAppError } from '../../kit/errors.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Call, CallDeps } from '../call.ts';

const STATUS: Readonly<Record<string, string>> = { CANCELLED: 'cancelled', FORBIDDEN: 'denied', APPROVAL_REQUIRED: 'denied' };

export const logCall =
  ({ logger }: Pick<CallDeps, 'logger'>): Step<Call, FinalAnswer> =>
  async (call, next) => {
    const started = performance.now();
    const fields = () => ({
      service: call.service,
      tool: call.tool.name.slice(call.service.length + 1),
      duration_ms: Math.round(performance.now() - started),
      request_id: call.ctx.requestId,
      trace_id: call.ctx.traceId,
      principal: call.request.caller.id,
    });
    try {
      const answer = await next(call);
      logger.info({ ...fields(), status: 'success' }, 'tool call');
      return answer;
    } catch (thrown) {
      const error = toAppError(thrown);
      const isFault = error.code === 'INTERNAL';
      const detail = isFault && error.cause instanceof Error ? { fault: error.cause.stack } : {};
      logger[isFault ? 'error' : 'info'](
        { ...fields(), status: STATUS[error.code] ?? 'error', error_code: error.code, ...detail },
        'tool call',
      );
      throw thrown;
    }
  };
