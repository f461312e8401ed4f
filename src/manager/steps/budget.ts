// The last word on size: turns a tool's answer into the form that leaves, within the caller's token budget and the server's limit in bytes.

import { fitAnswer } from '../../kit/budget.ts';
import { AppError } from '../../kit/errors.ts';
import type { Answer, FinalAnswer } from '../../kit/result.ts';
import type { Call, CallLimits } from '../call.ts';

type BudgetLimits = Pick<CallLimits, 'maxTokens' | 'maxTokensCeiling' | 'maxResponseBytes' | 'cutsLarge'>;

const tooLarge = (bytes: number, limit: number): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', `The answer has ${bytes} bytes where ${limit} are allowed: narrow the call, or lower maxTokens.`, {
    details: { bytes, limit, setting: 'performance.max_response_size' },
  });

/** @throws AppError PAYLOAD_TOO_LARGE for what is too large in bytes and may not, or cannot, be cut */
export const budget =
  ({ maxTokens, maxTokensCeiling, maxResponseBytes, cutsLarge }: BudgetLimits, execute: (call: Call) => Promise<Answer>) =>
  async (call: Call): Promise<FinalAnswer> => {
    const answer = await execute(call);
    const asked = call.args['maxTokens'];
    const fitted = fitAnswer(answer, {
      maxTokens: Math.min(typeof asked === 'number' ? asked : maxTokens, maxTokensCeiling),
      maxBytes: maxResponseBytes,
      cutsLarge,
      seal: call.sealCursor,
    });
    if (fitted.bytes !== undefined && fitted.bytes > maxResponseBytes) throw tooLarge(fitted.bytes, maxResponseBytes);
    return fitted;
  };
