// Masks what must not leave: every secret value that the server has seen, credentials in URLs, and control characters.

/** Shorter values would mask ordinary words. */
const MIN_LENGTH = 6;
const MAX_VALUES = 10_000;
const MASK = '***';

// Terminal escape sequences, control characters other than tab and line ends, and bidirectional overrides.
const UNSAFE = /[\p{Cc}--[\t\n\r]](?:\[[0-9;?]*[ -\/]*[@-~]|\][^\p{Cc}]*)?|[\u202a-\u202e\u2066-\u2069]|\r(?!\n)/gv;
const URL_CREDENTIALS = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@:]*:[^\s/@]+@/gi;

export interface Redactor {
  /** Remembers a secret value, also in its base64 and URL-encoded forms. */
  learn(value: string): void;
  mask(text: string): string;
  /** How many values are known; rises with every new one. */
  learned(): number;
}

const toPatternText = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

const toForms = (value: string): string[] => {
  const base64 = Buffer.from(value).toString('base64').replace(/=+$/, '');
  return [value, base64, encodeURIComponent(value)];
};

export const createRedactor = (): Redactor => {
  const values = new Set<string>();
  let pattern: RegExp | undefined;
  const toPattern = (): RegExp | undefined => {
    if (values.size === 0) return undefined;
    // Longest first, so that a value that contains another is masked as a whole.
    pattern ??= new RegExp(
      [...values]
        .sort((a, b) => b.length - a.length)
        .map(toPatternText)
        .join('|'),
      'g',
    );
    return pattern;
  };
  return {
    learned: () => values.size,
    learn(value) {
      const trimmed = value.trim();
      if (trimmed.length < MIN_LENGTH || values.size >= MAX_VALUES) return;
      for (const form of toForms(trimmed)) values.add(form);
      pattern = undefined;
    },
    mask(text) {
      const known = toPattern();
      const clean = text.replace(UNSAFE, '');
      // The pattern walks long words again and again, so it is only tried where there is a URL.
      const safe = clean.includes('://') ? clean.replace(URL_CREDENTIALS, `$1${MASK}@`) : clean;
      return known === undefined ? safe : safe.replace(known, MASK);
    },
  };
};
