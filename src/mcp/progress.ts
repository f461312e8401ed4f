// Progress: only when the client asked, monotonic, a few a second at most.

import type { ProgressUpdate } from '../kit/context.ts';
import type { RequestContext } from './server.ts';

const MIN_INTERVAL_MS = 250;

export interface ProgressReporter {
  report(update: ProgressUpdate): void;
  /** Sends what was held back; call before the result leaves. */
  done(): Promise<void>;
}

/** @returns undefined when the client did not ask for progress */
export const createProgress = (c: RequestContext): ProgressReporter | undefined => {
  const progressToken = c.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return undefined;
  let sentAt = Number.NEGATIVE_INFINITY;
  let highest = Number.NEGATIVE_INFINITY;
  let held: ProgressUpdate | undefined;
  let sending: Promise<void> = Promise.resolve();
  const send = (update: ProgressUpdate): void => {
    highest = update.progress;
    sentAt = performance.now();
    held = undefined;
    // A client that has gone is told by the signal of the call, not by a failed notification.
    sending = sending
      .then(() => c.mcpReq.notify({ method: 'notifications/progress', params: { progressToken, ...update } }))
      .catch(() => {});
  };
  return {
    report(update) {
      if (update.progress <= highest) return;
      if (performance.now() - sentAt >= MIN_INTERVAL_MS) send(update);
      else held = update;
    },
    async done() {
      if (held !== undefined && !c.mcpReq.signal.aborted) send(held);
      await sending;
    },
  };
};
