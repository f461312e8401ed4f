// The writer behind the logs: lines are gathered and written together, off the hot path; nothing is lost at an orderly or a sudden end.

import { writeSync } from 'node:fs';

type Destination = ReturnType<typeof import('pino').destination>;

export interface Writer {
  write(line: string): void;
  /** Writes what is gathered, at once. */
  flush(): void;
  /** Lines that were dropped because their reader stood still. */
  readonly dropped: () => number;
  /** Resolves when all is written. */
  close(): Promise<void>;
}

const STDERR = 2;
/** Gathered at most before a write; and the longest a line waits. */
const GATHER_BYTES = 4096;
const FLUSH_MS = 100;
/** A reader of stderr that stands still must not fill the memory: what comes after this is dropped and counted. */
const MAX_BYTES = 4 * 1024 * 1024;

/** Straight to the descriptor; a reader that is gone is no failure of ours. */
const writeNow = (text: string): void => {
  try {
    writeSync(STDERR, text);
  } catch {
    // Nobody reads any more: there is nowhere left to say so.
  }
};

/** Loads pino's writer with the first line: a start on stdio writes none. Until it is there, lines wait here. */
export const createStderr = (): Writer => {
  let waiting = '';
  let loading: Promise<void> | undefined;
  let out: Destination | undefined;
  let dropped = 0;
  let closed = false;

  const flush = (): void => {
    if (out === undefined) {
      if (waiting !== '') writeNow(waiting);
      waiting = '';
      return;
    }
    try {
      out.flushSync();
    } catch {
      // The descriptor is closed.
    }
  };
  const load = async (): Promise<void> => {
    const { default: pino } = await import('pino');
    const made = pino.destination({ dest: STDERR, sync: false, minLength: GATHER_BYTES, maxLength: MAX_BYTES, periodicFlush: FLUSH_MS });
    made.on('error', () => {});
    made.on('drop', () => {
      dropped += 1;
    });
    out = made;
    if (waiting !== '') out.write(waiting);
    waiting = '';
  };
  process.on('exit', flush);
  return {
    write(line) {
      if (closed) return writeNow(line);
      if (out !== undefined) return void out.write(line);
      waiting += line;
      loading ??= load();
    },
    flush,
    dropped: () => dropped,
    async close() {
      if (closed) return;
      closed = true;
      await loading;
      process.off('exit', flush);
      flush();
      await settle(out);
    },
  };
};

/** Waits for a write under way, not longer than a reader that stands still deserves. */
const settle = (out: Destination | undefined): Promise<void> =>
  new Promise((resolve) => {
    if (out === undefined) return resolve();
    const timer = setTimeout(resolve, 1000);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    out.flush(done);
  });
