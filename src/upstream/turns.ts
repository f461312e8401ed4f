// Who is next: callers who wait are served in turn, each in the order it came, so that one with many requests does not hold up one with few.
import { getAmbient } from '../kit/ambient.ts';

export interface Turns {
  /** How many wait. */
  readonly waiting: number;
  /** Resolves when the turn of this caller has come; rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void>;
  /** Lets the next one go; false when nobody waits. */
  callNext(): boolean;
}

export const createTurns = ({ onLeave }: { onLeave?: () => void } = {}): Turns => {
  /** By caller; the one whose turn it is stands first. */
  const queues = new Map<string, Set<() => void>>();
  let waiting = 0;
  const remove = (caller: string, go: () => void): void => {
    const queue = queues.get(caller);
    if (queue?.delete(go) !== true) return;
    waiting -= 1;
    if (queue.size === 0) queues.delete(caller);
  };
  return {
    get waiting() {
      return waiting;
    },
    wait: (signal) =>
      new Promise<void>((resolve, reject) => {
        const { principal: caller = '' } = getAmbient();
        const go = (): void => {
          signal.removeEventListener('abort', leave);
          resolve();
        };
        const leave = (): void => {
          remove(caller, go);
          onLeave?.();
          reject(signal.reason);
        };
        signal.addEventListener('abort', leave, { once: true });
        queues.set(caller, (queues.get(caller) ?? new Set()).add(go));
        waiting += 1;
      }),
    callNext: () => {
      for (const [caller, queue] of queues) {
        for (const go of queue) {
          remove(caller, go);
          // To the end of the row.
          if (queues.delete(caller)) queues.set(caller, queue);
          go();
          return true;
        }
      }
      return false;
    },
  };
};
