// For tests: values that must never be seen, and the search for them in all their forms.

import { randomBytes } from 'node:crypto';

/** A value that looks like a password and stands nowhere else; with characters that every encoding changes. */
export const plant = (name: string): string => `cnry-${name}-${randomBytes(9).toString('hex')}/"+é&=`;
/** The same of characters that headers, URLs and command lines carry. */
export const plantPlain = (name: string): string => `cnry-${name}-${randomBytes(12).toString('hex')}`;

/** The part of the base64 text that is the same whatever follows, when so many bytes stand before. */
const alignedBase64 = (value: string, before: number): string => {
  const text = Buffer.from(`${'\0'.repeat(before)}${value}`)
    .toString('base64')
    .replace(/=+$/, '');
  return text.slice(before === 0 ? 0 : before + 1, -2);
};

const toNeedles = (value: string): string[] => {
  const base64 = [0, 1, 2].map((before) => alignedBase64(value, before));
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    JSON.stringify(JSON.stringify(value).slice(1, -1)).slice(1, -1),
    encodeURIComponent(value),
    encodeURIComponent(value).replace(/%../g, (code) => code.toLowerCase()),
    Buffer.from(value).toString('hex'),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ];
};

/** Everything that came out, by where. */
export interface Outcome {
  readonly where: string;
  readonly text: string;
}

/** `where: which value` of all that leaked; a value is known by its name, never shown. */
export const findLeaks = (outcomes: readonly Outcome[], planted: Readonly<Record<string, string>>): string[] =>
  Object.entries(planted).flatMap(([name, value]) => {
    const needles = toNeedles(value);
    return outcomes.filter(({ text }) => needles.some((needle) => text.includes(needle))).map(({ where }) => `${where}: ${name}`);
  });
