// Counts every call once, whatever became of it: answers from the cache and refusals too.

import type { Step } from '../../kit/compose.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Metrics } from '../../observability/metrics.ts';
import type { Call } from '../call.ts';
import { toOutcome } from '../outcome.ts';

export const metrics = (counted: Metrics): Step<Call, FinalAnswer> => {
  const sizes = counted.families.mcp_result_bytes.labels();
  const cut = counted.families.mcp_result_truncated_total.labels();
  return async (call, next) => {
    const started = performance.now();
    try {
      const answer = await next(call);
      counted.call(call.service, call.tool.name, { status: 'success', ms: performance.now() - started });
      sizes.observe(Buffer.byteLength(answer.text));
      if (answer.isCut === true) cut.inc();
      return answer;
    } catch (thrown) {
      const { error, status } = toOutcome(thrown);
      const ms = performance.now() - started;
      counted.call(call.service, call.tool.name, { status, ms, ...(error === undefined ? {} : { code: error.code }) });
      throw thrown;
    }
  };
};
