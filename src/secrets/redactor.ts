// Masks what must not leave: every secret value that the server has seen, credentials in URLs, and control characters.

import { createNameCheck, type Mask } from '../kit/field-names.ts';
import { createFieldMask } from './field-text.ts';
import { isOrdinary, toPatterns } from './forms.ts';
import { createPatternIndex } from './pattern-index.ts';
import { createViews } from './views.ts';

const MASK = '***';
/** Longer values are not learnt. */
const MAX_LENGTH = 65_536;
const MAX_VALUES = 10_000;
/** Of all patterns of all values. */
const MAX_CHARACTERS = 32 * 1024 * 1024;

// Terminal escape sequences, control characters other than tab and line ends, and bidirectional overrides.
const UNSAFE = /[\p{Cc}--[\t\n\r]](?:\[[0-9;?]*[ -\/]*[@-~]|\][^\p{Cc}]*)?|[\u202a-\u202e\u2066-\u2069]|\r(?!\n)/gv;
/** A name and a password, or a long name alone: a token. */
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)(?:[^\s/@:]*:[^\s/@]+|[^\s/@:]{20,})@/gi;

export interface LearnOptions {
  /** A secret of the server's own configuration: values seen elsewhere never push it out. */
  readonly own?: boolean;
}

export interface Redactor {
  /** Remembers a secret value, to mask it wherever it reappears: plain, escaped, percent-encoded, in base64 or hexadecimal. */
  learn(value: string, options?: LearnOptions): void;
  /** Finds values, and what stands behind the names of `fields`. */
  readonly mask: Mask;
  /** The same for neighbouring lines of one text: finds also what begins on one and goes on on the next. As many lines come back. */
  maskLines(lines: readonly string[]): string[];
  /** How many values were learnt; rises with every new one, also when an old one is forgotten for it. */
  learned(): number;
}

export interface RedactorOptions {
  /** Called once, when the first value is forgotten because there are too many. */
  readonly onFull?: () => void;
  /** How many values are remembered: so many own, so many others. */
  readonly maxValues?: number;
  readonly maxCharacters?: number;
  /** Names of fields whose values are masked, whatever they are. */
  readonly fields?: readonly string[];
}

type Span = readonly [start: number, end: number];

/** Sorted, those that overlap made one. */
const join = (spans: Span[]): Span[] => {
  const joined: [number, number][] = [];
  for (const [start, end] of spans.sort(([a], [b]) => a - b)) {
    const last = joined.at(-1);
    if (last !== undefined && start < last[1]) last[1] = Math.max(last[1], end);
    else joined.push([start, end]);
  }
  return joined;
};

/** @param keepLines a mask over several lines leaves their ends */
const maskSpans = (text: string, spans: readonly Span[], keepLines: boolean): string => {
  let masked = '';
  let at = 0;
  for (const [start, end] of spans) {
    const ends = keepLines ? text.slice(start, end).split('\n').length - 1 : 0;
    masked += `${text.slice(at, start)}${MASK}${`\n${MASK}`.repeat(ends)}`;
    at = end;
  }
  return masked + text.slice(at);
};

const cleanText = (text: string): string => {
  const clean = text.replace(UNSAFE, '');
  // The pattern walks long words again and again, so it is only tried where there is a URL.
  return clean.includes('://') ? clean.replace(URL_CREDENTIALS, `$1${MASK}@`) : clean;
};

export const createRedactor = ({
  onFull,
  maxValues = MAX_VALUES,
  maxCharacters = MAX_CHARACTERS,
  fields = [],
}: RedactorOptions = {}): Redactor => {
  const hides = fields.length === 0 ? undefined : createNameCheck(fields);
  const maskFields = hides === undefined ? undefined : createFieldMask(hides);
  const toClean = (text: string): string => {
    const clean = cleanText(text);
    return maskFields === undefined ? clean : maskFields(clean);
  };
  const index = createPatternIndex();
  const view = createViews();
  /** How many characters the patterns of a value have; the value used last stands last. */
  const own = new Map<string, number>();
  const seen = new Map<string, number>();
  let characters = 0;
  let count = 0;
  let isFull = false;

  const forgetOldest = (values: Map<string, number>): void => {
    const [[oldest, length] = ['', 0]] = values;
    values.delete(oldest);
    characters -= length;
    for (const pattern of toPatterns(oldest)) index.remove(pattern);
    if (isFull) return;
    isFull = true;
    onFull?.();
  };

  const spansOf = (text: string): Span[] => {
    const spans: Span[] = [];
    if (index.size === 0) return spans;
    view(text, (reading) =>
      index.scan(reading, (start, end) => void spans.push([reading.starts[start] as number, reading.ends[end - 1] as number])),
    );
    return spans.length > 1 ? join(spans) : spans;
  };

  return {
    learned: () => count,
    learn(value, { own: isOwn = false } = {}) {
      const trimmed = value.replace(UNSAFE, '').trim();
      if (trimmed.length > MAX_LENGTH || isOrdinary(trimmed)) return;
      const known = seen.get(trimmed);
      if (own.has(trimmed)) return;
      if (known !== undefined) {
        seen.delete(trimmed);
        (isOwn ? own : seen).set(trimmed, known);
        return;
      }
      const values = isOwn ? own : seen;
      let length = 0;
      for (const pattern of toPatterns(trimmed)) {
        index.add(pattern);
        length += pattern.length;
      }
      values.set(trimmed, length);
      characters += length;
      count += 1;
      if (values.size > maxValues) forgetOldest(values);
      while (characters > maxCharacters && seen.size > 1) forgetOldest(seen);
    },
    mask: Object.assign(
      (text: string): string => {
        const clean = toClean(text);
        const spans = spansOf(clean);
        return spans.length === 0 ? clean : maskSpans(clean, spans, false);
      },
      { hides },
    ),
    maskLines(lines) {
      const clean = toClean(lines.map((line) => line.replace(/[\r\n]+/g, ' ')).join('\n'));
      const spans = spansOf(clean);
      return (spans.length === 0 ? clean : maskSpans(clean, spans, true)).split('\n');
    },
  };
};
