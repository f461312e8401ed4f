// Queries over lines in memory: the records of a ring or of the end of a file.

import { type LineFacts, toRecord } from './record.ts';
import type { AuditFilter, AuditPage, AuditQuery, AuditStats, Position } from './storage.ts';

/** A line that stands for its record, with what is asked for. */
export interface Candidate extends LineFacts {
  readonly line: string;
}

type Counted = Pick<LineFacts, 'toolName' | 'serviceName' | 'status'>;

/** Adds up what a set of records, or of groups of records, was. */
export const toStats = (records: Iterable<Counted & { readonly count?: number }>): AuditStats => {
  const counts = { total: 0, success: 0, failure: 0, denied: 0 };
  const tools = new Map<string, number>();
  const services = new Map<string, number>();
  for (const { toolName, serviceName, status, count = 1 } of records) {
    counts.total += count;
    if (status === 'success' || status === 'failure' || status === 'denied') counts[status] += count;
    if (toolName !== '') tools.set(toolName, (tools.get(toolName) ?? 0) + count);
    if (serviceName !== '') services.set(serviceName, (services.get(serviceName) ?? 0) + count);
  }
  return {
    total_logs: counts.total,
    success_count: counts.success,
    failure_count: counts.failure,
    denied_count: counts.denied,
    tools_used: Object.fromEntries(tools),
    services_used: Object.fromEntries(services),
  };
};

const matches = (candidate: LineFacts, filter: AuditFilter): boolean =>
  candidate.at >= filter.from &&
  candidate.at < filter.to &&
  (filter.userId === undefined || candidate.userId === filter.userId) &&
  (filter.serviceName === undefined || candidate.serviceName === filter.serviceName) &&
  (filter.toolName === undefined || candidate.toolName === filter.toolName) &&
  (filter.status === undefined || candidate.status === filter.status);

/** Oldest first: by the beginning, then by the id. */
const compare = (a: Position, b: Position): number => a.at - b.at || (a.record < b.record ? -1 : a.record > b.record ? 1 : 0);

export const selectStats = (candidates: Iterable<Candidate>, range: { from: number; to: number }): AuditStats =>
  toStats([...candidates].filter(({ at }) => at >= range.from && at < range.to));

export const selectPage = (candidates: Iterable<Candidate>, { order, after, limit, ...filter }: AuditQuery): AuditPage => {
  const sign = order === 'asc' ? 1 : -1;
  const found = [...candidates].filter((candidate) => matches(candidate, filter)).sort((a, b) => sign * compare(a, b));
  const rest = after === undefined ? found : found.filter((candidate) => sign * compare(candidate, after) > 0);
  const shown = rest.slice(0, limit);
  const last = shown.at(-1);
  return {
    records: shown.map(({ line }) => toRecord(line)),
    total: found.length,
    ...(rest.length > shown.length && last !== undefined ? { next: { at: last.at, record: last.record } } : {}),
  };
};
