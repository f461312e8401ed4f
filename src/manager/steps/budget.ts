// The last word on size: turns a tool's answer into the form that leaves, within the caller's token budget.

import { fitAnswer } from '../../kit/budget.ts';
import type { Answer, FinalAnswer } from '../../kit/result.ts';
import type { Call, CallLimits } from '../call.ts';

export const budget =
  (limits: Pick<CallLimits, 'maxTokens' | 'maxTokensCeiling'>, execute: (call: Call) => Promise<Answer>) =>
  async (call: Call): Promise<FinalAnswer> => {
    const answer = await execute(call);
    const asked = call.args['maxTokens'];
    return fitAnswer(answer, {
      maxTokens: Math.min(typeof asked === 'number' ? asked : limits.maxTokens, limits.maxTokensCeiling),
      seal: call.sealCursor,
    });
  };
