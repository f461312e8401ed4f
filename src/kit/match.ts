// Text patterns that callers give: substring, glob or /regex/. Regular expressions run in linear time, so that none can hang the server.

import { AppError } from './errors.ts';

const MAX_PATTERN = 500;

export type Matcher = (text: string) => boolean;

const hasGlob = (pattern: string): boolean => /[*?]/.test(pattern);

/** Iterative glob match: `*` any run, `?` one character. */
export const matchesGlob = (pattern: string, text: string): boolean => {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t]) && pattern[p] !== '*') {
      p += 1;
      t += 1;
    } else if (p < pattern.length && pattern[p] === '*') {
      star = p;
      mark = t;
      p += 1;
    } else if (star >= 0) {
      p = star + 1;
      mark += 1;
      t = mark;
    } else return false;
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
};

/** A regular expression of RE2's syntax (no backreferences, no look-around). Case counts unless `(?i)` says otherwise. */
export const toRegexMatcher = async (pattern: string, argument: string): Promise<Matcher> => {
  if (pattern.length > MAX_PATTERN)
    throw new AppError('INVALID_ARGUMENT', `${argument} is too long.`, { details: { argument, limit: MAX_PATTERN } });
  const { RE2JS } = await import('re2js');
  try {
    const compiled = RE2JS.compile(pattern);
    return (text) => compiled.matcher(text).find();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.slice(0, 200) : '';
    throw new AppError('INVALID_ARGUMENT', `${argument} is no regular expression that can be used: ${reason}`, {
      details: { argument, expected: 'RE2 syntax: no look-around, no backreferences' },
      cause,
    });
  }
};

/** `name` of list tools: substring, glob (`web-*`), or `/regex/`. Case does not count for substrings and globs. */
export const toNameMatcher = async (pattern: string, argument = 'name'): Promise<Matcher> => {
  const [, regex] = /^\/(.*)\/$/s.exec(pattern) ?? [];
  if (regex !== undefined) return toRegexMatcher(regex, argument);
  const wanted = pattern.toLowerCase();
  return hasGlob(wanted) ? (text) => matchesGlob(wanted, text.toLowerCase()) : (text) => text.toLowerCase().includes(wanted);
};
