// So many at once and no more: what is large stays bounded, however many ask for it.
import { createTurns } from './turns.ts';

export interface Slots {
  /** Resolves with the way out when a slot is free; rejects with the signal's reason. Callers who wait are served in turn. */
  enter(signal: AbortSignal): Promise<() => void>;
}

export const createSlots = (most: number): Slots => {
  const turns = createTurns();
  let free = most;
  const leave = (): void => {
    // The slot goes straight to the next one.
    if (!turns.callNext()) free += 1;
  };
  return {
    enter: async (signal) => {
      signal.throwIfAborted();
      if (free > 0) free -= 1;
      else await turns.wait(signal);
      return leave;
    },
  };
};
