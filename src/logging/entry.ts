// One log entry as one line: which fields stand first, what is masked, how it looks in JSON and in text.

import { getAmbient } from '../kit/ambient.ts';
import { hidesField, type Mask } from '../kit/field-names.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the line itself says; a field that is called so keeps its value under `field_<name>`. */
const RESERVED: ReadonlySet<string> = new Set(['level', 'timestamp', 'message', 'request_id', 'trace_id', 'span_id', 'principal']);
/** Ids that a field may state itself: it knows the call better than the request around it. */
const OWN_IDS: ReadonlySet<string> = new Set(['request_id', 'trace_id', 'span_id', 'principal']);
/** Made or checked by this server: nothing to mask in them. */
const SAFE_IDS: ReadonlySet<string> = new Set(['request_id', 'trace_id', 'span_id']);
const MAX_DEPTH = 6;
const MAX_ITEMS = 100;
const MAX_STRING = 8000;
const MASKED = '***';

/**
 * A value as a line may hold it: masked before it is escaped, because a secret with a quote or a line end in it looks different afterwards;
 * errors as their name, words and stack; bounded in depth, length and count, so cycles end too.
 */
const clean = (value: unknown, mask: Mask, depth = 0): unknown => {
  if (typeof value === 'string') return mask(value.length > MAX_STRING ? `${value.slice(0, MAX_STRING)}…` : value);
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'function')
    return mask(String(value).slice(0, MAX_STRING));
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return '…';
  if (value instanceof Error) return cleanError(value, mask, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, mask, depth + 1));
  const cleaned: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value).slice(0, MAX_ITEMS))
    cleaned[mask(key)] = isHidden(value, key, mask) ? MASKED : clean(item, mask, depth + 1);
  return cleaned;
};

const isHidden = (fields: object, name: string, { hides }: Mask): boolean => hides !== undefined && hidesField(fields, name, hides);

const cleanError = (error: Error, mask: Mask, depth: number): Record<string, unknown> => ({
  name: error.name,
  message: mask(error.message),
  ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
  ...(error.stack === undefined ? {} : { stack: mask(error.stack) }),
  ...(error.cause === undefined ? {} : { cause: clean(error.cause, mask, depth + 1) }),
});

export interface EntryOptions {
  readonly level: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly message: string;
  readonly fields: object;
  readonly mask: Mask;
}

/** Names are words of ours; one that is not may have come from outside. */
const PLAIN = /^[a-z][a-z_]{0,40}$/i;
const toName = (name: string, mask: Mask): string => {
  if (RESERVED.has(name) && !OWN_IDS.has(name)) return `field_${name}`;
  return PLAIN.test(name) ? name : mask(name);
};

/** The entry in its order: level, timestamp, message, the ids of the request, then the fields. */
export const toEntry = ({ level, at, message, fields, mask }: EntryOptions): Record<string, unknown> => {
  const { requestId, traceId, spanId, principal } = getAmbient();
  const entry: Record<string, unknown> = { level, timestamp: new Date(at).toISOString(), message: mask(message) };
  const given = fields as Fields;
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (value === undefined) continue;
    const isPlain = typeof value === 'number' || SAFE_IDS.has(name);
    entry[toName(name, mask)] = isHidden(given, name, mask) ? MASKED : isPlain ? value : clean(value, mask);
  }
  if (requestId !== undefined && entry['request_id'] === undefined) entry['request_id'] = requestId;
  if (traceId !== undefined && entry['trace_id'] === undefined) entry['trace_id'] = traceId;
  if (spanId !== undefined && entry['span_id'] === undefined) entry['span_id'] = spanId;
  if (principal !== undefined && entry['principal'] === undefined) entry['principal'] = mask(principal);
  return entry;
};

const toText = (value: unknown): string => {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
  return /[\s"=\\]/.test(text) || text === '' ? JSON.stringify(text) : text;
};

/** One line, no line end in it. */
export const toJsonLine = (entry: Record<string, unknown>): string => JSON.stringify(entry);

/** `timestamp LEVEL message key=value ...`, one line. */
export const toTextLine = ({ level, timestamp, message, ...fields }: Record<string, unknown>): string =>
  [
    timestamp,
    String(level).toUpperCase().padEnd(5),
    String(message).replace(/\s*[\r\n]+\s*/g, ' '),
    ...Object.entries(fields).map(([key, value]) => `${/[\s"=]/.test(key) ? JSON.stringify(key) : key}=${toText(value)}`),
  ].join(' ');
