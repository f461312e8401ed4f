// One writer at a time, across processes. The operating system keeps the lock, so that one whose holder was killed is free again.

import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const RETRY_MS = 5;
const LONGEST_MS = 5000;

export interface FileLock {
  /** Runs work while no other process holds the lock. Rejects when it is not free in time. */
  hold<Result>(work: () => Promise<Result>): Promise<Result>;
  close(): void;
}

const SQLITE_BUSY = 5;
/** The extended codes of SQLite end with the plain one. */
const isBusy = (thrown: unknown): boolean => (Number((thrown as { errcode?: unknown }).errcode) & 0xff) === SQLITE_BUSY;

/** Node has no file locks of its own; those of SQLite are real ones, here on an empty file that stays. */
export const openLock = (path: string): FileLock => {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA busy_timeout = 0');
  const acquire = async (): Promise<void> => {
    const end = performance.now() + LONGEST_MS;
    for (;;) {
      try {
        database.exec('BEGIN EXCLUSIVE');
        return;
      } catch (thrown) {
        if (!isBusy(thrown) || performance.now() > end) throw thrown;
        await delay(RETRY_MS);
      }
    }
  };
  let last: Promise<unknown> = Promise.resolve();
  return {
    hold(work) {
      const run = last.then(async () => {
        await acquire();
        try {
          return await work();
        } finally {
          database.exec('ROLLBACK');
        }
      });
      last = run.catch(() => {});
      return run;
    },
    close() {
      database.close();
    },
  };
};
