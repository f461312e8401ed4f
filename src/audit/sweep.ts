// Retention, now and then and in small steps, beside the calls.

import type { Logger } from '../kit/context.ts';

export interface SweepOptions {
  readonly everyMs: number;
  readonly isOn: boolean;
  readonly logger: Logger;
  /** Removes a little; true while there may be more. */
  readonly step: () => Promise<boolean>;
}

/** After the start, which should not wait for it. */
const FIRST_MS = 1000;
/** Longest delay of a timer. */
const MOST_MS = 2_147_483_647;

/** The first one runs soon after the start, so that processes that live shortly remove too. */
export const createSweep = ({ everyMs, isOn, logger, step }: SweepOptions): { close(): Promise<void> } => {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isClosed = false;
  const sweep = async (): Promise<void> => {
    try {
      while (!isClosed && (await step())) await new Promise((resolve) => setImmediate(resolve));
    } catch (thrown) {
      const { code, message } = thrown as { code?: unknown; message?: unknown };
      logger.warn({ reason: code ?? message }, 'old audit records could not be removed');
    }
  };
  const plan = (ms: number): void => {
    timer = setTimeout(
      () => {
        running = sweep().finally(() => {
          if (!isClosed && everyMs > 0) plan(everyMs);
        });
      },
      Math.min(ms, MOST_MS),
    );
    timer.unref();
  };
  if (isOn) plan(Math.min(FIRST_MS, everyMs === 0 ? FIRST_MS : everyMs));
  return {
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await running;
    },
  };
};
