// What a query may ask, for the endpoints and the command alike. It must be understood to the letter.

import { AppError } from '../kit/errors.ts';
import { type AuditStatus, STATUSES } from './record.ts';
import type { AuditQuery, Position } from './storage.ts';

export const LOGS_PARAMETERS = ['user_id', 'service_name', 'tool_name', 'status', 'from', 'to', 'limit', 'cursor', 'order'] as const;
export const STATS_PARAMETERS = ['start', 'end'] as const;
const DEFAULT_LIMIT = 100;
const DAY_MS = 86_400_000;
const RFC3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/i;

const refuse = (argument: string, message: string, details: Readonly<Record<string, unknown>> = {}): AppError =>
  new AppError('INVALID_ARGUMENT', message, { details: { argument, ...details } });

const parseTime = (text: string | undefined, argument: string): number | undefined => {
  if (text === undefined) return undefined;
  const time = RFC3339.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw refuse(argument, `${argument} is no time.`, { expected: 'RFC 3339, such as 2026-01-31T12:00:00Z' });
  return time;
};

/** A range within what queries may look back to. */
const toRange = (
  { begin, end }: { begin: readonly [name: string, text: string | undefined]; end: readonly [name: string, text: string | undefined] },
  { now, rangeMs, defaultMs }: { now: number; rangeMs: number; defaultMs: number },
): { from: number; to: number } => {
  const to = parseTime(end[1], end[0]) ?? now + 1;
  const from = parseTime(begin[1], begin[0]) ?? Math.max(to - defaultMs, now - rangeMs);
  if (from < now - rangeMs)
    throw refuse(begin[0], `${begin[0]} lies further back than queries look.`, {
      earliest: new Date(now - rangeMs).toISOString(),
      key: 'audit.query.timeRange',
    });
  if (from > to) throw refuse(begin[0], `${begin[0]} lies after ${end[0]}.`);
  return { from, to };
};

const parseLimit = (text: string | undefined, most: number): number => {
  if (text === undefined) return Math.min(DEFAULT_LIMIT, most);
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > most) throw refuse('limit', `limit must be a number from 1 to ${most}.`);
  return limit;
};

const parseChoice = <Value extends string>(text: string | undefined, argument: string, choices: readonly Value[]): Value | undefined => {
  if (text === undefined) return undefined;
  const found = choices.find((choice) => choice === text);
  if (found === undefined) throw refuse(argument, `${argument} must be one of ${choices.join(', ')}.`, { choices });
  return found;
};

/** A cursor only says where a page ended; it gives no right, so it is not sealed. */
export const toCursor = ({ at, record }: Position): string => Buffer.from(`${at}:${record}`).toString('base64url');

export const parseCursor = (text: string | undefined): Position | undefined => {
  if (text === undefined) return undefined;
  const [, at, record] = /^(\d{1,15}):([0-9a-f]{12}-\d{9,15})$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (at === undefined || record === undefined) throw refuse('cursor', 'This cursor is not valid: take the one of the Link header.');
  return { at: Number(at), record };
};

export type AuditFilters = { readonly [Name in (typeof LOGS_PARAMETERS)[number]]?: string };

/** What queries may ask for at most. */
export interface QueryLimits {
  readonly maxResults: number;
  readonly rangeMs: number;
}

/** @param now milliseconds since the epoch */
export const parseAuditQuery = (given: AuditFilters, { maxResults, rangeMs }: QueryLimits, now: number): AuditQuery => {
  const range = toRange({ begin: ['from', given.from], end: ['to', given.to] }, { now, rangeMs, defaultMs: rangeMs });
  const status = parseChoice<AuditStatus>(given.status, 'status', STATUSES);
  const after = parseCursor(given.cursor);
  return {
    ...range,
    limit: parseLimit(given.limit, maxResults),
    order: parseChoice(given.order, 'order', ['asc', 'desc']) ?? 'desc',
    ...(given.user_id === undefined ? {} : { userId: given.user_id }),
    ...(given.service_name === undefined ? {} : { serviceName: given.service_name }),
    ...(given.tool_name === undefined ? {} : { toolName: given.tool_name }),
    ...(status === undefined ? {} : { status }),
    ...(after === undefined ? {} : { after }),
  };
};

export const parseStatsRange = (
  given: { readonly start?: string; readonly end?: string },
  rangeMs: number,
  now: number,
): { from: number; to: number } => toRange({ begin: ['start', given.start], end: ['end', given.end] }, { now, rangeMs, defaultMs: DAY_MS });
