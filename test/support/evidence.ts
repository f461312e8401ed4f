// For tests: what a deed leaves behind, as an operator sees it: its audit records and the rise of the counters, both read through the front door.

import type { AuditRecord } from '../../src/audit/index.ts';
import { send } from './http.ts';
import { type Scrape, scrape } from './prometheus-text.ts';

export interface Evidence<Result> {
  readonly result: Result;
  /** In the order in which they began; 1000 at most. */
  readonly records: readonly AuditRecord[];
  /** How much the series of this name with these labels rose together. */
  readonly rise: (name: string, labels?: Readonly<Record<string, string>>) => number;
}

export interface Place {
  readonly url: string;
  /** Of a caller who may read both. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Snapshot {
  readonly records: readonly AuditRecord[];
  readonly metrics: Scrape;
}

const DAY_MS = 86_400_000;
const daysFromNow = (days: number): string => new Date(Date.now() + days * DAY_MS).toISOString();

/** The newest records, also those of a server whose clock was ahead. */
const toQuery = (): string => `limit=1000&from=${daysFromNow(-10)}&to=${daysFromNow(10)}`;

const read = async ({ url, headers = {} }: Place): Promise<Snapshot> => {
  const { status, body } = await send(`${url}/api/audit/logs?${toQuery()}`, { headers });
  if (status !== 200) throw new Error(`${status} ${body}`);
  return { records: JSON.parse(body) as AuditRecord[], metrics: await scrape(`${url}/metrics`, headers) };
};

/** Does it, and tells what was recorded and counted meanwhile. */
export const gather = async <Result>(place: Place, deed: () => Promise<Result>): Promise<Evidence<Result>> => {
  const before = await read(place);
  const known = new Set(before.records.map(({ hash }) => hash));
  const result = await deed();
  const after = await read(place);
  return {
    result,
    records: after.records.filter(({ hash }) => !known.has(hash)).toReversed(),
    rise: (name, labels) => after.metrics.value(name, labels) - before.metrics.value(name, labels),
  };
};

/** A record as `[action, status, error code]`. */
export const toOutcome = ({ action, status, error_msg = '' }: AuditRecord): readonly [string, string, string] => [
  action,
  status,
  error_msg.split(':', 1)[0] ?? '',
];
