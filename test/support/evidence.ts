// For tests: what a deed leaves behind, as an operator sees it: its audit records and the rise of the counters, both read through the front door.

import type { AuditRecord } from '../../src/audit/index.ts';
import { send } from './http.ts';
import { type Scrape, scrape } from './prometheus-text.ts';

export interface Evidence<Result> {
  readonly result: Result;
  /** In the order in which they began; the newest 1000. */
  readonly records: readonly AuditRecord[];
  /** How much the series of this name with these labels rose together. */
  readonly rise: (name: string, labels?: Readonly<Record<string, string>>) => number;
}

export interface Place {
  readonly url: string;
  /** Of a caller who may read both. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** As many as one query answers. */
const MAX_RECORDS = 1000;

const readRecords = async ({ url, headers = {} }: Place, limit: number): Promise<{ total: number; newest: readonly AuditRecord[] }> => {
  const {
    status,
    body,
    headers: answered,
  } = await send(`${url}/api/audit/logs?limit=${Math.min(MAX_RECORDS, Math.max(1, limit))}`, { headers });
  if (status !== 200) throw new Error(`${status} ${body}`);
  return { total: Number(answered['x-total-count']), newest: JSON.parse(body) as AuditRecord[] };
};

const read = async (place: Place): Promise<{ total: number; metrics: Scrape }> => ({
  total: (await readRecords(place, 1)).total,
  metrics: await scrape(`${place.url}/metrics`, place.headers),
});

/** Does it, and tells what was recorded and counted meanwhile. */
export const gather = async <Result>(place: Place, deed: () => Promise<Result>): Promise<Evidence<Result>> => {
  const before = await read(place);
  const result = await deed();
  const after = await read(place);
  const rose = after.total - before.total;
  const { newest } = await readRecords(place, rose);
  return {
    result,
    records: newest.slice(0, rose).toReversed(),
    rise: (name, labels) => after.metrics.value(name, labels) - before.metrics.value(name, labels),
  };
};

/** A record as `[action, status, error code]`. */
export const toOutcome = ({ action, status, error_msg = '' }: AuditRecord): readonly [string, string, string] => [
  action,
  status,
  error_msg.split(':', 1)[0] ?? '',
];
