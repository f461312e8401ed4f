// No call outlives its time: the signal that a tool sees is aborted by the client, by the deadline, or by shutdown.

import type { Step } from '../../kit/compose.ts';
import { formatDuration, toMilliseconds } from '../../kit/duration.ts';
import { AppError } from '../../kit/errors.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Call, CallLimits } from '../call.ts';

/** A change that was ended has this long to say what was done. */
const LAST_WORDS_MS = 5000;
/** A tool that waits has that time plus this. */
const WAIT_MARGIN_MS = 10_000;

const toWaitMs = (args: Readonly<Record<string, unknown>>): number => {
  for (const key of ['timeout', 'wait', 'duration']) {
    const value = args[key];
    if (typeof value === 'string') return (toMilliseconds(value) ?? 0) + WAIT_MARGIN_MS;
  }
  return 0;
};

const toLate = (ms: number): AppError =>
  new AppError('DEADLINE_EXCEEDED', `No answer within ${formatDuration(ms)}.`, {
    details: { after: formatDuration(ms), narrow: 'Ask for less: a namespace, a selector, a shorter window.' },
  });

export const deadline =
  (limits: Pick<CallLimits, 'callMs' | 'maxCallMs'>, stopping: AbortSignal): Step<Call, FinalAnswer> =>
  async (call, next) => {
    const { callMs, maxCallMs } = limits;
    const ms = Math.min(Math.max(callMs, toWaitMs(call.args)), maxCallMs + WAIT_MARGIN_MS);
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(toLate(ms)), ms);
    let grace: NodeJS.Timeout | undefined;
    const cancelled = (event?: Event): void => {
      const { reason } = event?.target instanceof AbortSignal ? event.target : call.request.signal;
      controller.abort(reason instanceof AppError ? reason : new AppError('CANCELLED', 'The call was cancelled.', { cause: reason }));
    };
    if (call.request.signal.aborted) cancelled();
    if (stopping.aborted) controller.abort(stopping.reason);
    const sources = [call.request.signal, stopping];
    for (const source of sources) source.addEventListener('abort', cancelled, { once: true });
    try {
      const graceMs = call.tool.effect === 'read' ? 0 : LAST_WORDS_MS;
      const ended = new Promise<never>((_, reject) => {
        const end = (): void => reject(controller.signal.reason);
        const onAbort = (): void => {
          if (graceMs === 0) end();
          else grace = setTimeout(end, graceMs);
        };
        controller.signal.addEventListener('abort', onAbort, { once: true });
      });
      if (controller.signal.aborted) throw controller.signal.reason;
      return await Promise.race([next({ ...call, ctx: { ...call.ctx, signal: controller.signal } }), ended]);
    } finally {
      clearTimeout(timer);
      clearTimeout(grace);
      for (const source of sources) source.removeEventListener('abort', cancelled);
    }
  };
