// Storage in SQLite, with the driver of Node. Several processes may share one file; each has a chain of its own.

import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditLine } from './record.ts';
import { COLUMNS, type DatabaseOptions, quote, type Row, type Run, readHead, removeStep, toReader, toSchema, type Value } from './sql.ts';
import type { AuditReader, AuditStorage } from './storage.ts';
import { createSweep } from './sweep.ts';

export interface SqliteOptions extends DatabaseOptions {
  readonly path: string;
}

/** Another process may be writing: at the start it is waited for at once, later beside the calls. */
const OPEN_BUSY_MS = 2000;
const BUSY_MS = 4000;
const RETRY_MS = 5;

const begin = async (database: DatabaseSync): Promise<void> => {
  const end = performance.now() + BUSY_MS;
  for (;;) {
    try {
      database.exec('BEGIN IMMEDIATE');
      return;
    } catch (thrown) {
      // The extended codes end with the plain one.
      const isBusy = (Number((thrown as { errcode?: unknown }).errcode) & 0xff) === SQLITE_BUSY;
      if (!isBusy || performance.now() > end) throw thrown;
      await delay(RETRY_MS);
    }
  }
};
const SQLITE_BUSY = 5;

/** Statements are few and made by us, so each is prepared once. */
const createRun = (database: DatabaseSync): Run => {
  const prepared = new Map<string, StatementSync>();
  return async (sql, values) => {
    const text = sql.replace(/\$(\d+)/g, '?$1');
    const statement = prepared.get(text) ?? database.prepare(text);
    if (prepared.size < 100) prepared.set(text, statement);
    return statement.all(...values) as Row[];
  };
};

export const openSqliteReader = ({ path, table }: { path: string; table: string }): AuditReader => {
  const database = new DatabaseSync(path, { readOnly: true });
  return toReader(createRun(database), table, async () => database.close());
};

const toValues = ({ writer, seq, record, phase, at, userId, serviceName, toolName, status, line }: AuditLine): Value[] => [
  writer,
  seq,
  record,
  phase,
  at,
  userId,
  serviceName,
  toolName,
  status,
  line,
];

/** Opens or makes the database. Rejects when that is not possible. */
export const openSqlite = async ({ path, table, maxRecords, cleanupMs, logger }: SqliteOptions): Promise<AuditStorage> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o750 });
  const database = new DatabaseSync(path);
  let last: Promise<unknown> = Promise.resolve();
  /** One transaction after the other: they share the connection. */
  const transact = <Result>(work: () => Promise<Result>, isDurable = false): Promise<Result> => {
    const result = last.then(async () => {
      // With FULL a commit reaches the disk, and all before it; with NORMAL it survives this process, but not the machine.
      if (isDurable) database.exec('PRAGMA synchronous = FULL');
      try {
        await begin(database);
        const value = await work();
        database.exec('COMMIT');
        return value;
      } finally {
        if (database.isTransaction) database.exec('ROLLBACK');
        if (isDurable) database.exec('PRAGMA synchronous = NORMAL');
      }
    });
    last = result.catch(() => {});
    return result;
  };
  try {
    database.exec(`PRAGMA busy_timeout = ${OPEN_BUSY_MS}; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL`);
    for (const statement of toSchema(table, { id: 'INTEGER PRIMARY KEY AUTOINCREMENT', bigint: 'INTEGER' })) database.exec(statement);
    const run = createRun(database);
    const insert = database.prepare(
      `INSERT OR IGNORE INTO ${quote(table)} (${COLUMNS.join(', ')}) VALUES (${COLUMNS.map(() => '?').join(', ')})`,
    );
    const before = await readHead(run, table);
    database.exec('PRAGMA busy_timeout = 0');
    const sweep = createSweep({
      everyMs: cleanupMs,
      isOn: maxRecords > 0,
      logger,
      step: () => transact(() => removeStep(run, table, maxRecords)),
    });
    let commits = 0;
    return {
      ...toReader(run, table, async () => {
        await sweep.close();
        await last;
        database.close();
      }),
      name: 'sqlite',
      before,
      write: (lines, durable) =>
        transact(async () => {
          for (const line of lines) insert.run(...toValues(line));
          // A commit without a change would write nothing, and so bring nothing to the disk.
          commits = (commits + 1) % 1000;
          if (lines.length === 0) database.exec(`PRAGMA user_version = ${commits}`);
        }, durable),
    };
  } catch (thrown) {
    database.close();
    throw thrown;
  }
};
