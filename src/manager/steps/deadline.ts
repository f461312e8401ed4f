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

const toCancelled = (reason: unknown): AppError =>
  reason instanceof AppError ? reason : new AppError('CANCELLED', 'The call was cancelled.', { cause: reason });

export const deadline = (limits: Pick<CallLimits, 'callMs' | 'maxCallMs'>, stopping: AbortSignal): Step<Call, FinalAnswer> => {
  /** One listener on the shutdown, however many calls run. */
  const running = new Set<(reason: AppError) => void>();
  const stop = (): void => {
    for (const end of running) end(toCancelled(stopping.reason));
  };
  stopping.addEventListener('abort', stop, { once: true });
  return async (call, next) => {
    const { signal } = call.request;
    if (signal.aborted) throw toCancelled(signal.reason);
    if (stopping.aborted) throw toCancelled(stopping.reason);
    const { callMs, maxCallMs } = limits;
    const ms = Math.min(Math.max(callMs, toWaitMs(call.args)), maxCallMs + WAIT_MARGIN_MS);
    const controller = new AbortController();
    const { promise: ended, reject } = Promise.withResolvers<never>();
    let grace: NodeJS.Timeout | undefined;
    const end = (reason: AppError): void => {
      if (controller.signal.aborted) return;
      controller.abort(reason);
      if (call.tool.effect === 'read') reject(reason);
      else grace = setTimeout(reject, LAST_WORDS_MS, reason);
    };
    const cancelled = (): void => end(toCancelled(signal.reason));
    const timer = setTimeout(() => end(toLate(ms)), ms);
    signal.addEventListener('abort', cancelled, { once: true });
    running.add(end);
    try {
      return await Promise.race([next({ ...call, ctx: { ...call.ctx, signal: controller.signal } }), ended]);
    } finally {
      clearTimeout(timer);
      clearTimeout(grace);
      signal.removeEventListener('abort', cancelled);
      running.delete(end);
    }
  };
};
