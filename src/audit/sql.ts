// What both databases share: the table, and the questions put to it. Every line is kept as it was sealed; columns are there to find it.

import type { Logger } from '../kit/context.ts';
import type { Link } from './chain.ts';
import { parseLine } from './chain.ts';
import { type AuditStatus, toRecord } from './record.ts';
import { toStats } from './select.ts';
import type { AuditPage, AuditQuery, AuditReader, AuditStats, Position } from './storage.ts';

export type Value = string | number;
export type Row = Readonly<Record<string, unknown>>;

/** Runs one statement; parameters are written `$1`, `$2`, ... */
export type Run = (sql: string, values: readonly Value[]) => Promise<readonly Row[]>;

/** What either database is told. */
export interface DatabaseOptions {
  readonly table: string;
  /** Records that are kept; 0 = all. */
  readonly maxRecords: number;
  readonly cleanupMs: number;
  readonly logger: Logger;
}

export const COLUMNS = ['writer', 'seq', 'record', 'phase', 'at', 'user_id', 'service_name', 'tool_name', 'status', 'line'] as const;

export const quote = (name: string): string => `"${name}"`;
export const anchorsTable = (table: string): string => `${table}_anchors`;

/** Statements that make the tables, for either database. */
export const toSchema = (table: string, { id, bigint }: { id: string; bigint: string }): string[] => [
  `CREATE TABLE IF NOT EXISTS ${quote(table)} (id ${id}, writer TEXT NOT NULL, seq ${bigint} NOT NULL, record TEXT NOT NULL, phase TEXT NOT NULL, at ${bigint} NOT NULL, user_id TEXT NOT NULL, service_name TEXT NOT NULL, tool_name TEXT NOT NULL, status TEXT NOT NULL, line TEXT NOT NULL, UNIQUE (writer, seq))`,
  `CREATE INDEX IF NOT EXISTS ${quote(`${table}_record`)} ON ${quote(table)} (record, phase)`,
  `CREATE INDEX IF NOT EXISTS ${quote(`${table}_at`)} ON ${quote(table)} (at, record)`,
  `CREATE TABLE IF NOT EXISTS ${quote(anchorsTable(table))} (writer TEXT PRIMARY KEY, seq ${bigint} NOT NULL, hash TEXT NOT NULL, position ${bigint} NOT NULL)`,
];

/** The line that stands for each record: the completed one, else the started one. */
const shown = (table: string): string =>
  `(t.phase = 'completed' OR NOT EXISTS (SELECT 1 FROM ${quote(table)} c WHERE c.record = t.record AND c.phase = 'completed'))`;

export const queryPage = async (run: Run, table: string, { order, after, limit, ...filter }: AuditQuery): Promise<AuditPage> => {
  const values: Value[] = [];
  const bind = (value: Value): string => `$${values.push(value)}`;
  const where = [shown(table), `t.at >= ${bind(filter.from)}`, `t.at < ${bind(filter.to)}`];
  const equals = { user_id: filter.userId, service_name: filter.serviceName, tool_name: filter.toolName, status: filter.status };
  for (const [column, value] of Object.entries(equals)) if (value !== undefined) where.push(`t.${column} = ${bind(value)}`);
  const from = `FROM ${quote(table)} t WHERE ${where.join(' AND ')}`;
  const [counted] = await run(`SELECT COUNT(*) AS total ${from}`, values);
  const page = after === undefined ? '' : ` AND (t.at, t.record) ${order === 'asc' ? '>' : '<'} (${bind(after.at)}, ${bind(after.record)})`;
  const direction = order === 'asc' ? 'ASC' : 'DESC';
  // One more than asked for tells whether there is a next page.
  const rows = await run(
    `SELECT t.line, t.at, t.record ${from}${page} ORDER BY t.at ${direction}, t.record ${direction} LIMIT ${bind(limit + 1)}`,
    values,
  );
  const records = rows.slice(0, limit);
  const last = records.at(-1);
  const next: Position | undefined =
    rows.length > limit && last !== undefined ? { at: Number(last['at']), record: String(last['record']) } : undefined;
  return {
    records: records.map(({ line }) => toRecord(String(line))),
    total: Number(counted?.['total'] ?? 0),
    ...(next === undefined ? {} : { next }),
  };
};

export const queryStats = async (run: Run, table: string, { from, to }: { from: number; to: number }): Promise<AuditStats> => {
  const rows = await run(
    `SELECT t.tool_name, t.service_name, t.status, COUNT(*) AS count FROM ${quote(table)} t WHERE ${shown(table)} AND t.at >= $1 AND t.at < $2 GROUP BY t.tool_name, t.service_name, t.status ORDER BY t.tool_name`,
    [from, to],
  );
  return toStats(
    rows.map((row) => ({
      toolName: String(row['tool_name']),
      serviceName: String(row['service_name']),
      status: String(row['status']) as AuditStatus,
      count: Number(row['count']),
    })),
  );
};

/** Rows of one reading step. */
const PAGE = 1000;

/**
 * Every line in the order in which it came. A row whose columns do not say what its line says gives an empty line, which no chain has: the
 * columns decide what queries find.
 */
export async function* readRows(run: Run, table: string): AsyncGenerator<string> {
  let last = 0;
  for (;;) {
    const rows = await run(`SELECT id, ${COLUMNS.join(', ')} FROM ${quote(table)} WHERE id > $1 ORDER BY id LIMIT ${PAGE}`, [last]);
    for (const row of rows) yield isTrue(row) ? String(row['line']) : '';
    const end = rows.at(-1);
    if (end === undefined) return;
    last = Number(end['id']);
  }
}

const isTrue = (row: Row): boolean => {
  try {
    const said = JSON.parse(String(row['line'])) as Row;
    return (
      said['writer'] === row['writer'] &&
      said['seq'] === Number(row['seq']) &&
      said['id'] === row['record'] &&
      Date.parse(String(said['timestamp'])) === Number(row['at']) &&
      (said['status'] === 'started') === (row['phase'] === 'started') &&
      ['user_id', 'service_name', 'tool_name', 'status'].every((name) => said[name] === row[name])
    );
  } catch {
    return false;
  }
};

export const readAnchors = async (run: Run, table: string): Promise<Link[]> =>
  (await run(`SELECT writer, seq, hash FROM ${quote(anchorsTable(table))} ORDER BY position`, [])).map((row) => ({
    writer: String(row['writer']),
    seq: Number(row['seq']),
    hash: String(row['hash']),
  }));

/** The questions of a reader, put to one table. Rows are whole or absent: none is torn. */
export const toReader = (run: Run, table: string, close: () => Promise<void>): AuditReader => ({
  query: (query) => queryPage(run, table, query),
  stats: (range) => queryStats(run, table, range),
  lines: () => readRows(run, table),
  anchors: () => readAnchors(run, table),
  torn: async () => 0,
  close,
});

/** The newest line, or where there is none, the newest that was removed. */
export const readHead = async (run: Run, table: string): Promise<Link | undefined> => {
  const [row] = await run(`SELECT line FROM ${quote(table)} ORDER BY id DESC LIMIT 1`, []);
  return row === undefined ? (await readAnchors(run, table)).at(-1) : parseLine(String(row['line']));
};

/** Rows of one removal, so that none holds the database for long. */
const REMOVE = 2000;
/** Writers whose removed lines are remembered: those that wrote the oldest lines that are left are among the newest. */
const MAX_ANCHORS = 1000;

/** Removes one step of what is too much, from the oldest on, and remembers where each chain now begins. To be run in a transaction. */
export const removeStep = async (run: Run, table: string, maxRecords: number): Promise<boolean> => {
  const [oldest] = await run(`SELECT id FROM ${quote(table)} WHERE phase = 'started' ORDER BY id DESC LIMIT 1 OFFSET $1`, [maxRecords - 1]);
  if (oldest === undefined) return false;
  const [end] = await run(`SELECT MAX(id) AS id FROM (SELECT id FROM ${quote(table)} WHERE id < $1 ORDER BY id LIMIT ${REMOVE}) AS step`, [
    Number(oldest['id']),
  ]);
  if (end === undefined || end['id'] === null) return false;
  const last = Number(end['id']);
  const ends = await run(
    `SELECT id, line FROM ${quote(table)} WHERE id IN (SELECT MAX(id) FROM ${quote(table)} WHERE id <= $1 GROUP BY writer) ORDER BY id`,
    [last],
  );
  for (const { id, line } of ends) {
    const link = parseLine(String(line));
    if (link === undefined) continue;
    await run(
      `INSERT INTO ${quote(anchorsTable(table))} (writer, seq, hash, position) VALUES ($1, $2, $3, $4) ON CONFLICT (writer) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, position = excluded.position`,
      [link.writer, link.seq, link.hash, Number(id)],
    );
  }
  await run(`DELETE FROM ${quote(table)} WHERE id <= $1`, [last]);
  await run(
    `DELETE FROM ${quote(anchorsTable(table))} WHERE position < (SELECT MIN(position) FROM (SELECT position FROM ${quote(anchorsTable(table))} ORDER BY position DESC LIMIT ${MAX_ANCHORS}) AS newest)`,
    [],
  );
  return true;
};
