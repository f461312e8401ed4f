// Storage in PostgreSQL. All replicas write to one table; each has a chain of its own.

import pg from 'pg';
import { AppError } from '../kit/errors.ts';
import type { AuditLine } from './record.ts';
import { anchorsTable, COLUMNS, type DatabaseOptions, quote, type Run, readHead, removeStep, toReader, toSchema } from './sql.ts';
import type { AuditReader, AuditStorage } from './storage.ts';
import { createSweep } from './sweep.ts';

export interface PostgresqlOptions extends DatabaseOptions {
  readonly connectionString: string;
}

/** A server that does not answer must not hold a call for longer than a commit may take. */
const LIMIT_MS = 4500;
const CONNECTIONS = 3;
/** Replicas that make the same table at once would trip over each other. Any number will do. */
const SCHEMA_LOCK = 7_203_151;

const openPool = (connectionString: string, onError: (error: Error) => void): pg.Pool => {
  const pool = new pg.Pool({
    connectionString,
    max: CONNECTIONS,
    connectionTimeoutMillis: LIMIT_MS,
    query_timeout: LIMIT_MS,
    statement_timeout: LIMIT_MS,
    idle_in_transaction_session_timeout: LIMIT_MS * 2,
    keepAlive: true,
    allowExitOnIdle: true,
    application_name: 'cloud-native-mcp-server audit',
  });
  // A connection that breaks while it is idle; the next use opens another.
  pool.on('error', onError);
  return pool;
};

/** Messages of the driver may quote the connection string. */
const toWords = (thrown: unknown): string => {
  const { code } = thrown as { code?: unknown };
  return typeof code === 'string' ? code : 'no connection';
};

const createRun =
  (client: pg.Pool | pg.PoolClient): Run =>
  async (sql, values) =>
    (await client.query(sql, [...values])).rows;

const toOpenError = (thrown: unknown): AppError =>
  new AppError('INVALID_ARGUMENT', `The audit database cannot be opened: ${toWords(thrown)}. See audit.database.connectionString.`, {
    details: { key: 'audit.database.connectionString' },
    cause: thrown,
  });

export const openPostgresqlReader = async ({
  connectionString,
  table,
}: {
  connectionString: string;
  table: string;
}): Promise<AuditReader> => {
  const pool = openPool(connectionString, () => {});
  try {
    await pool.query(`SELECT ${COLUMNS.join(', ')} FROM ${quote(table)} LIMIT 0`);
  } catch (thrown) {
    await pool.end();
    throw toOpenError(thrown);
  }
  return toReader(createRun(pool), table, () => pool.end());
};

const TYPES: Readonly<Record<(typeof COLUMNS)[number], string>> = {
  writer: 'text',
  seq: 'bigint',
  record: 'text',
  phase: 'text',
  at: 'bigint',
  user_id: 'text',
  service_name: 'text',
  tool_name: 'text',
  status: 'text',
  line: 'text',
};

const toArrays = (lines: readonly AuditLine[]): unknown[][] => [
  lines.map(({ writer }) => writer),
  lines.map(({ seq }) => seq),
  lines.map(({ record }) => record),
  lines.map(({ phase }) => phase),
  lines.map(({ at }) => at),
  lines.map(({ userId }) => userId),
  lines.map(({ serviceName }) => serviceName),
  lines.map(({ toolName }) => toolName),
  lines.map(({ status }) => status),
  lines.map(({ line }) => line),
];

/** Opens the table, or makes it. Rejects when that is not possible. */
export const openPostgresql = async (options: PostgresqlOptions): Promise<AuditStorage> => {
  const { connectionString, table, maxRecords, cleanupMs, logger } = options;
  const pool = openPool(connectionString, (error) => logger.debug({ reason: toWords(error) }, 'a connection to the audit database broke'));
  const transact = async <Result>(work: (run: Run, client: pg.PoolClient) => Promise<Result>): Promise<Result> => {
    const client = await pool.connect();
    let failure: Error | undefined;
    try {
      await client.query('BEGIN');
      const result = await work(createRun(client), client);
      await client.query('COMMIT');
      return result;
    } catch (thrown) {
      // The state of its transaction is not known: the connection is not used again.
      failure = thrown instanceof Error ? thrown : new Error('failed');
      throw thrown;
    } finally {
      client.release(failure);
    }
  };
  const run = createRun(pool);
  const insert = `INSERT INTO ${quote(table)} (${COLUMNS.join(', ')}) SELECT * FROM unnest(${COLUMNS.map((name, index) => `$${index + 1}::${TYPES[name]}[]`).join(', ')}) ON CONFLICT (writer, seq) DO NOTHING`;
  try {
    await transact(async (inside) => {
      await inside('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
      for (const statement of toSchema(table, { id: 'BIGSERIAL PRIMARY KEY', bigint: 'BIGINT' })) await inside(statement, []);
      await inside(`SELECT ${COLUMNS.join(', ')} FROM ${quote(table)} LIMIT 0`, []);
    });
    const before = await readHead(run, table);
    const [setting] = await run('SHOW synchronous_commit', []);
    if (setting?.['synchronous_commit'] === 'off')
      logger.warn({ key: 'audit.database' }, 'the audit database answers before records are on its disk: synchronous_commit is off');
    const sweep = createSweep({
      everyMs: cleanupMs,
      isOn: maxRecords > 0,
      logger,
      step: () =>
        transact(async (inside) => {
          await inside(`LOCK TABLE ${quote(anchorsTable(table))} IN EXCLUSIVE MODE`, []);
          return removeStep(inside, table, maxRecords);
        }),
    });
    return {
      ...toReader(run, table, async () => {
        await sweep.close();
        await pool.end();
      }),
      name: 'postgresql',
      before,
      // A statement of its own is a transaction of its own, on disk when it is answered (synchronous_commit).
      async write(lines) {
        if (lines.length > 0) await pool.query(insert, toArrays(lines));
      },
    };
  } catch (thrown) {
    await pool.end();
    throw toOpenError(thrown);
  }
};
