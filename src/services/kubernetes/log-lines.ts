// What is made of log lines while they are read: filter with context, fold repeats, keep the newest, find patterns.

import type { Matcher } from '../../kit/match.ts';
import type { LogLine, LogStream } from '../../upstream/kubernetes/logs.ts';

export interface KeptLine {
  /** RFC 3339 with milliseconds. */
  readonly at: string | undefined;
  readonly text: string;
  /** How often it stood there, one after the other. */
  repeat: number;
}

export interface Reading {
  readonly lines: readonly KeptLine[];
  /** Lines read in the window. */
  readonly total: number;
  readonly matched: number;
  readonly bytes: number;
  /** The bound ended the reading. */
  readonly isCut: boolean;
}

export interface ReadOptions {
  readonly from: number | undefined;
  readonly to: number | undefined;
  readonly matches: Matcher | undefined;
  /** Lines kept around a match. */
  readonly context: number;
  /** The newest so many lines are kept. */
  readonly limit: number;
  /** Sees every line in the window that matches. */
  readonly observe?: (line: LogLine) => void;
  readonly maskLines: (lines: readonly string[]) => string[];
}

const MAX_TEXT = 2000;

const toMillis = (at: string | undefined): number | undefined => {
  const time = at === undefined ? Number.NaN : Date.parse(at);
  return Number.isNaN(time) ? undefined : time;
};

const shorten = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…(+${text.length - MAX_TEXT} chars)` : text);

const toStamp = (at: string | undefined): string | undefined => {
  const time = toMillis(at);
  return time === undefined ? undefined : new Date(time).toISOString();
};

/** Lines masked at once. */
const BATCH = 200;
/** Or so many characters. */
const BATCH_CHARACTERS = 256 * 1024;

/**
 * Lines with secret values masked, each looked at together with both its neighbours. This stands before every filter, so that nobody finds a
 * secret by asking which expressions match, and before every cut.
 */
const masked = async function* (lines: AsyncIterable<LogLine>, maskLines: (lines: readonly string[]) => string[]): AsyncGenerator<LogLine> {
  let batch: LogLine[] = [];
  let characters = 0;
  /** 1 when the first of the batch was given out already and is only there for its neighbour. */
  let done = 0;
  const flush = (isEnd: boolean): LogLine[] => {
    const texts = maskLines(batch.map(({ text }) => text));
    const ready = batch.map((line, at) => ({ at: line.at, text: texts[at] ?? '' })).slice(done, isEnd ? undefined : -1);
    batch = batch.slice(-2);
    done = batch.length - 1;
    characters = batch.reduce((sum, { text }) => sum + text.length, 0);
    return ready;
  };
  for await (const line of lines) {
    batch.push(line);
    characters += line.text.length;
    if (batch.length >= BATCH || (characters >= BATCH_CHARACTERS && batch.length > 2)) yield* flush(false);
  }
  if (batch.length > 0) yield* flush(true);
};

/** Reads a stream to its end with memory bounded by `limit`. */
export const readLines = async (
  stream: LogStream,
  { from, to, matches, context, limit, observe, maskLines }: ReadOptions,
): Promise<Reading> => {
  const kept: KeptLine[] = [];
  const before: LogLine[] = [];
  let after = 0;
  let total = 0;
  let matched = 0;
  const keep = (line: LogLine): void => {
    const last = kept.at(-1);
    if (last !== undefined && last.text === shorten(line.text)) {
      last.repeat += 1;
      return;
    }
    kept.push({ at: toStamp(line.at), text: shorten(line.text), repeat: 1 });
    if (kept.length > limit) kept.shift();
  };
  for await (const line of masked(stream.lines, maskLines)) {
    const time = toMillis(line.at);
    if (time !== undefined && ((from !== undefined && time < from) || (to !== undefined && time > to))) continue;
    total += 1;
    if (matches === undefined || matches(line.text)) {
      matched += 1;
      observe?.(line);
      for (const earlier of before.splice(0)) keep(earlier);
      keep(line);
      after = context;
    } else if (after > 0) {
      keep(line);
      after -= 1;
    } else if (context > 0) {
      before.push(line);
      if (before.length > context) before.shift();
    }
  }
  return { lines: kept, total, matched, bytes: stream.bytesRead, isCut: stream.isCut };
};

const LEVELS: readonly (readonly [string, RegExp])[] = [
  ['fatal', /\b(fatal|panic|critical|crit|emerg)\b/i],
  ['error', /\b(error|err|severe|exception)\b|^E\d{4} /i],
  ['warn', /\b(warn|warning)\b|^W\d{4} /i],
  ['info', /\b(info|notice)\b|^I\d{4} /i],
  ['debug', /\b(debug|trace)\b|^D\d{4} /i],
];

/** Level of a line: what its level field says, else the gravest word at its start. */
export const levelOf = (text: string): string | undefined => {
  const field = /\b"?(?:level|severity|lvl)"?\s*[=:]\s*"?([a-zA-Z]+)/.exec(text)?.[1];
  return LEVELS.find(([, pattern]) => pattern.test(field ?? text.slice(0, 120)))?.[0];
};

/** The words of a structured line; other lines as they are. */
const messageOf = (text: string): string =>
  /"(?:msg|message|log|event)"\s*:\s*"((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ??
  /\b(?:msg|message)="((?:[^"\\]|\\.)*)"/.exec(text)?.[1] ??
  text;

/** What differs between lines of one statement: times, ids, numbers, quoted values with digits. */
const toTemplate = (text: string): string =>
  messageOf(text)
    .slice(0, 400)
    .replace(/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?/g, '<time>')
    .replace(/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '<id>')
    .replace(/\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b/gi, '<id>')
    .replace(/\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b/g, '<addr>')
    .replace(/\d+(?:\.\d+)?/g, '<n>');

/** In the order in which people read it. */
export interface Pattern {
  count: number;
  readonly level: string | undefined;
  firstAt: string | undefined;
  lastAt: string | undefined;
  readonly template: string;
  readonly sample: string;
}

const MAX_PATTERNS = 2000;

/** Collects templates with counts; beyond the bound, new ones are counted together. */
export const createPatterns = (): { observe: (line: LogLine) => void; list: () => Pattern[] } => {
  const patterns = new Map<string, Pattern>();
  return {
    observe({ at, text }) {
      const wanted = toTemplate(text);
      const template = patterns.has(wanted) || patterns.size < MAX_PATTERNS ? wanted : '<other lines>';
      const pattern = patterns.get(template) ?? {
        count: 0,
        level: levelOf(text),
        firstAt: toStamp(at),
        lastAt: undefined,
        template,
        sample: text.slice(0, 300),
      };
      pattern.count += 1;
      // Streams are read side by side: times do not come in order.
      const time = toStamp(at);
      if (time !== undefined && (pattern.lastAt === undefined || time > pattern.lastAt)) pattern.lastAt = time;
      if (time !== undefined && (pattern.firstAt === undefined || time < pattern.firstAt)) pattern.firstAt = time;
      patterns.set(template, pattern);
    },
    list: () => [...patterns.values()].sort((a, b) => b.count - a.count),
  };
};
