// Structured logs: levels for all and for single services, JSON lines or text, one line per entry, secrets masked, the ids of the request on each.

import type { Logger } from '../kit/context.ts';
import type { Mask } from '../kit/field-names.ts';
import { toEntry, toJsonLine, toTextLine } from './entry.ts';
import { createStderr } from './stderr.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];
/** As configured: `fatal` is accepted for error. */
export type ConfiguredLevel = Level | 'fatal';

export interface LoggerOptions {
  readonly level: ConfiguredLevel;
  /** Levels of single services: an entry with that `service` follows its own. */
  readonly services?: Readonly<Record<string, ConfiguredLevel>>;
  readonly json: boolean;
  /** Masks secret values in messages and fields. */
  readonly mask: Mask;
  /** Takes each line at once; absent = stderr, gathered. */
  readonly write?: (line: string) => void;
  readonly now?: () => number;
}

export interface Logs extends Logger {
  /** Other levels from now on. */
  setLevels(levels: Pick<LoggerOptions, 'level' | 'services'>): void;
  /** Writes what is gathered, at once. */
  flush(): void;
  /** Lines that were dropped because nobody read them. */
  dropped(): number;
  close(): Promise<void>;
}

const toThreshold = (level: ConfiguredLevel): number => LEVELS.indexOf(level === 'fatal' ? 'error' : level);

export const createLogger = ({ level, services = {}, json, mask, write, now = Date.now }: LoggerOptions): Logs => {
  const writer = write === undefined ? createStderr() : { write, flush: () => {}, dropped: () => 0, close: async () => {} };
  const toOwn = (levels: NonNullable<LoggerOptions['services']>) =>
    new Map(Object.entries(levels).map(([name, value]) => [name, toThreshold(value)]));
  let common = toThreshold(level);
  let own = toOwn(services);
  const toLine = json ? toJsonLine : toTextLine;
  const thresholdFor = (fields: object): number => {
    const { service } = fields as { service?: unknown };
    return typeof service === 'string' ? (own.get(service) ?? common) : common;
  };
  const writes = (at: Level, service?: string): boolean =>
    LEVELS.indexOf(at) >= (service === undefined ? common : (own.get(service) ?? common));
  const log = (at: Level) => {
    const rank = LEVELS.indexOf(at);
    return (fields: object, message: string): void => {
      if (rank < (own.size === 0 ? common : thresholdFor(fields))) return;
      writer.write(`${toLine(toEntry({ level: at, at: now(), message, fields, mask }))}\n`);
      // What goes wrong may be the last thing that is said.
      if (at === 'error') writer.flush();
    };
  };
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    writes,
    setLevels(levels) {
      common = toThreshold(levels.level);
      own = toOwn(levels.services ?? {});
    },
    flush: writer.flush,
    dropped: writer.dropped,
    close: writer.close,
  };
};
