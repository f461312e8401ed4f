// Structured logs to stderr: JSON lines or text, one line per entry.

import type { Logger } from '../kit/context.ts';

export const LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type Level = (typeof LEVELS)[number];

export interface LoggerOptions {
  readonly level: Level;
  readonly json: boolean;
  /** Masks secret values in messages and fields. */
  readonly mask: (text: string) => string;
  readonly write?: (line: string) => void;
  readonly now?: () => number;
}

const toText = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return /[\s"=]/.test(text) || text === '' ? JSON.stringify(text) : text;
};

/** One line per entry: fields typed in JSON, `key=value` in text. */
export const createLogger = ({
  level,
  json,
  mask,
  write = (line) => process.stderr.write(line),
  now = Date.now,
}: LoggerOptions): Logger => {
  const threshold = LEVELS.indexOf(level);
  const log =
    (at: Level) =>
    (fields: object, message: string): void => {
      if (LEVELS.indexOf(at) < threshold) return;
      const timestamp = new Date(now()).toISOString();
      const line = json
        ? JSON.stringify({ level: at, timestamp, message, ...fields })
        : [
            timestamp,
            at.toUpperCase().padEnd(5),
            message,
            ...Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${toText(value)}`])),
          ].join(' ');
      write(`${mask(line)}\n`);
    };
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
};
