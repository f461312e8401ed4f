// One signal for one call: it fires when the caller leaves or the time is over, and its reason is always an AppError.
import { AppError } from '../kit/errors.ts';
import type { Backend, Clock } from './ports.ts';

export interface Deadline extends Disposable {
  readonly signal: AbortSignal;
  /** Milliseconds left; Infinity after `lift`. */
  remaining(): number;
  /** No time limit from now on; the caller's signal still counts. For streams whose answer has begun. */
  lift(): void;
  /** Resolves after this time, or rejects with the reason of the signal. */
  wait(milliseconds: number): Promise<void>;
}

export const createDeadline = (
  caller: AbortSignal,
  { backend, timeoutMs, now }: { backend: Backend; timeoutMs: number; now: Clock },
): Deadline => {
  const controller = new AbortController();
  const { signal } = controller;
  let endsAt = now() + timeoutMs;
  const leave = () => controller.abort(toAbortError(caller.reason));
  const timer = setTimeout(() => controller.abort(toTimeoutError(backend, timeoutMs)), timeoutMs);
  if (caller.aborted) leave();
  else caller.addEventListener('abort', leave, { once: true });
  return {
    signal,
    remaining: () => endsAt - now(),
    lift: () => {
      clearTimeout(timer);
      endsAt = Number.POSITIVE_INFINITY;
    },
    wait: (milliseconds) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const stop = () => {
          clearTimeout(pause);
          reject(signal.reason);
        };
        const pause = setTimeout(() => {
          signal.removeEventListener('abort', stop);
          resolve();
        }, milliseconds);
        signal.addEventListener('abort', stop, { once: true });
      }),
    [Symbol.dispose]: () => {
      clearTimeout(timer);
      caller.removeEventListener('abort', leave);
    },
  };
};

/** The caller's own reason when it is one of ours, else CANCELLED; a time-out signal is a time-out. */
export const toAbortError = (reason: unknown): AppError => {
  if (reason instanceof AppError) return reason;
  if (reason instanceof Error && reason.name === 'TimeoutError')
    return new AppError('DEADLINE_EXCEEDED', 'The time allowed for this call is over.', { cause: reason });
  return new AppError('CANCELLED', 'The call was cancelled.', { cause: reason });
};

const toTimeoutError = ({ service, title }: Backend, timeoutMs: number): AppError =>
  new AppError('DEADLINE_EXCEEDED', `${title} did not answer within ${formatSeconds(timeoutMs)}.`, {
    details: { service, after: formatSeconds(timeoutMs) },
  });

/** `30s`, `1.5s`, `250ms`. */
export const formatSeconds = (milliseconds: number): string =>
  milliseconds < 1000 ? `${Math.round(milliseconds)}ms` : `${Math.round(milliseconds / 100) / 10}s`;

/** Waits for work that others wait for too: whoever is cancelled leaves alone, the work goes on. */
export const abandonable = <T>(promise: Promise<T>, signal: AbortSignal): Promise<T> =>
  new Promise((resolve, reject) => {
    // With nobody left to wait for it, a failure of the shared work must not end the process.
    promise.catch(() => {});
    if (signal.aborted) return reject(signal.reason);
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
