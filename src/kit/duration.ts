// Durations and times as tools take and give them (tools.md section 2).

import { AppError } from './errors.ts';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+$/;

/** Milliseconds of a Go-style duration such as `500ms`, `1h30m`, `7d`; undefined when it is none. */
export const toMilliseconds = (text: string): number | undefined => {
  if (!DURATION.test(text)) return undefined;
  let sum = 0;
  for (const [, amount = '0', unit = 's'] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d|w)/g)) sum += Number(amount) * (UNITS[unit] ?? 0);
  return sum;
};

/** Like {@link toMilliseconds}, with an error that names the argument. */
export const parseDuration = (text: string, argument: string): number => {
  const milliseconds = toMilliseconds(text.trim());
  if (milliseconds === undefined) {
    throw new AppError('INVALID_ARGUMENT', `${argument} is no duration.`, {
      details: { argument, expected: 'such as 500ms, 30s, 5m, 2h, 7d' },
    });
  }
  return milliseconds;
};

/** Shortest exact form: `90s` is `1m30s`, at most two units. */
export const formatDuration = (milliseconds: number): string => {
  if (milliseconds < 1000) return `${Math.round(milliseconds)}ms`;
  let rest = Math.round(milliseconds / 1000);
  const parts: string[] = [];
  for (const [unit, seconds] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
    ['s', 1],
  ] as const) {
    const count = Math.floor(rest / seconds);
    rest -= count * seconds;
    if (count > 0) parts.push(`${count}${unit}`);
    if (parts.length === 2) break;
  }
  return parts.join('') || '0s';
};

/** RFC 3339 in UTC with seconds. */
export const toTimestamp = (milliseconds: number): string => new Date(milliseconds).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** A point in time: RFC 3339, Unix seconds or milliseconds, `now`, `now-15m`, or a duration back from now. Gives milliseconds. */
export const parseTime = (text: string, argument: string, now: number): number => {
  const value = text.trim();
  if (value === 'now') return now;
  const relative = /^now([+-])(.+)$/.exec(value);
  const offset = toMilliseconds(relative?.[2] ?? value);
  if (offset !== undefined) return relative?.[1] === '+' ? now + offset : now - offset;
  if (/^\d{9,11}(\.\d+)?$/.test(value)) return Number(value) * 1000;
  if (/^\d{12,14}$/.test(value)) return Number(value);
  const parsed = /^\d{4}-\d{2}-\d{2}/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(parsed)) {
    throw new AppError('INVALID_ARGUMENT', `${argument} is no time.`, {
      details: { argument, expected: 'RFC 3339, Unix seconds or milliseconds, now, now-15m, or a duration back from now such as 15m' },
    });
  }
  return parsed;
};

/** The window between two times, checked. */
export const parseWindow = (since: string, until: string, now: number): { from: number; to: number } => {
  const from = parseTime(since, 'since', now);
  const to = parseTime(until, 'until', now);
  if (from >= to) throw new AppError('INVALID_ARGUMENT', 'since must lie before until.', { details: { argument: 'since' } });
  return { from, to };
};
