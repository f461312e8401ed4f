// How many calls of one caller run at once: more wait their turn, so that no caller takes the whole server. The deadline counts while they wait.

import type { Step } from '../../kit/compose.ts';
import { AppError } from '../../kit/errors.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Call } from '../call.ts';

/** How many may wait for each that runs. */
const WAITING_PER_SLOT = 32;

interface Slots {
  running: number;
  readonly waiting: Set<() => void>;
}

export interface AdmitOptions {
  /** Calls of one caller that run at once. */
  readonly limits: { readonly concurrentCalls: number };
  /** How many calls wait, after every change. */
  readonly onWaiting?: ((count: number) => void) | undefined;
}

/** @throws AppError RATE_LIMITED when too many of the caller's calls wait already */
export const admit = ({ limits, onWaiting }: AdmitOptions): Step<Call, FinalAnswer> => {
  const callers = new Map<string, Slots>();
  let waitingInAll = 0;
  const tellWaiting = (change: number): void => {
    waitingInAll += change;
    onWaiting?.(waitingInAll);
  };
  const wait = (slots: Slots, signal: AbortSignal): Promise<void> => {
    if (slots.waiting.size >= limits.concurrentCalls * WAITING_PER_SLOT) {
      throw new AppError(
        'RATE_LIMITED',
        `${slots.waiting.size} calls of this caller wait already; ${limits.concurrentCalls} run at once.`,
        {
          details: { retry_after: '1s', setting: 'limits.concurrentCalls' },
        },
      );
    }
    tellWaiting(1);
    return new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => () => {
        slots.waiting.delete(go);
        signal.removeEventListener('abort', leave);
        tellWaiting(-1);
        settle();
      };
      const go = end(resolve);
      const leave = end(() => reject(signal.reason));
      slots.waiting.add(go);
      signal.addEventListener('abort', leave, { once: true });
    });
  };
  const release = (id: string, slots: Slots): void => {
    const [next] = slots.waiting;
    // The slot goes straight to the one who waits longest.
    if (next === undefined) slots.running -= 1;
    else next();
    if (slots.running === 0) callers.delete(id);
  };
  return async (call, next) => {
    const { id } = call.request.caller;
    const slots = callers.get(id) ?? { running: 0, waiting: new Set() };
    callers.set(id, slots);
    if (slots.running < limits.concurrentCalls) slots.running += 1;
    else await wait(slots, call.ctx.signal);
    try {
      return await next(call);
    } finally {
      release(id, slots);
    }
  };
};
