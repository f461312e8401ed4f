// What is wrong with a configuration, in words that tell how to mend it.

import type { z } from 'zod';
import { AppError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';
import { type ConfigKey, getAt } from './keys.ts';

const TYPES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping of keys',
  record: 'a mapping of keys',
};

const toTypeOf = (value: unknown): string =>
  value === null
    ? 'empty'
    : Array.isArray(value)
      ? 'a list'
      : typeof value === 'object'
        ? 'a mapping of keys'
        : (TYPES[typeof value] ?? typeof value);

const toSizeWords = (origin: string, bound: string, most: boolean): string =>
  origin === 'string' && bound === '1' && !most
    ? 'must not be empty'
    : `must ${origin === 'string' || origin === 'array' ? 'have' : 'be'} at ${most ? 'most' : 'least'} ${bound}${origin === 'string' ? ' characters' : origin === 'array' ? ' entries' : ''}`;

/** The words of one issue; schemas with words of their own keep them. */
const toWords = (issue: z.core.$ZodRawIssue): string => {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is missing';
      if (issue.expected === 'int' && typeof issue.input === 'number') return 'must be a whole number';
      return `must be ${TYPES[issue.expected] ?? issue.expected}, not ${toTypeOf(issue.input)}`;
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      return issue.inclusive === false ? `must be more than ${issue.minimum}` : toSizeWords(issue.origin, String(issue.minimum), false);
    case 'too_big':
      return toSizeWords(issue.origin, String(issue.maximum), true);
    case 'invalid_format':
      return issue.format === 'url' ? 'must be a URL that begins with http:// or https://' : `must be ${issue.format}`;
    case 'invalid_union': {
      const branches = issue.errors.flatMap(([first]) => (first === undefined ? [] : [first.message]));
      return branches.length === 0 ? 'has a form that is not understood' : [...new Set(branches)].join(', or ');
    }
    default:
      return 'is not understood';
  }
};

export const ERRORS = { error: toWords } as const;

export interface Problem {
  readonly key: string;
  readonly message: string;
  readonly nearest: readonly string[];
}

const toPath = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`),
    '',
  );

/** People misspell a section or a key, and put keys into the wrong section. */
const nearestKeys = (unknown: string, keys: readonly ConfigKey[]): string[] => {
  const all = [...new Set(keys.flatMap(({ key }) => [key, key.split('.')[0] ?? key]))].filter(
    (key) => !/^[.[]/.test(unknown.slice(key.length)),
  );
  const last = unknown.split('.').at(-1) ?? unknown;
  const section = unknown.slice(0, -last.length);
  const siblings = all.filter((key) => key.startsWith(section)).map((key) => key.slice(section.length));
  const beside = section === '' ? [] : nearestNames(last, siblings, 1).map((name) => `${section}${name}`);
  const elsewhere = all.filter((key) => key.endsWith(`.${last}`));
  return [...new Set([...beside, ...elsewhere, ...nearestNames(unknown, all)])].slice(0, 3);
};

const toProblems = (issue: z.core.$ZodIssue, tree: unknown, keys: readonly ConfigKey[]): Problem[] => {
  const path = toPath(issue.path);
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((name) => {
      const key = path === '' ? name : `${path}.${name}`;
      const nearest = nearestKeys(key, keys);
      return { key, message: `unknown key.${nearest[0] === undefined ? '' : ` Did you mean ${nearest[0]}?`}`, nearest };
    });
  const value = getAt(tree, issue.path.map(String).join('.'));
  const nearest = issue.code === 'invalid_value' && typeof value === 'string' ? nearestNames(value, issue.values.map(String), 1) : [];
  return [{ key: path, message: `${issue.message}.${nearest[0] === undefined ? '' : ` Did you mean ${nearest[0]}?`}`, nearest }];
};

const MOST_TOLD = 20;

/** All that is wrong, in one error; the first key leads. */
export const explain = (
  issues: readonly z.core.$ZodIssue[],
  { tree, from, keys }: { readonly tree: unknown; readonly from: ReadonlyMap<string, string>; readonly keys: readonly ConfigKey[] },
): AppError => {
  const problems = issues.flatMap((issue) => toProblems(issue, tree, keys));
  const toLine = ({ key, message }: Problem): string => {
    const source = from.get(key) ?? from.get(key.slice(0, key.lastIndexOf('.')));
    return `${key}: ${message}${source === undefined || source === 'file' ? '' : ` It comes from ${source}.`}`;
  };
  const [first] = problems;
  const lines = problems.slice(0, MOST_TOLD).map(toLine);
  const more = problems.length > MOST_TOLD ? [`and ${problems.length - MOST_TOLD} more`] : [];
  const message =
    problems.length === 1
      ? `Configuration ${lines[0]}`
      : [`Configuration: ${problems.length} problems.`, ...[...lines, ...more].map((line) => `  ${line}`)].join('\n');
  return new AppError('INVALID_ARGUMENT', message, { details: { key: first?.key, nearest: first?.nearest ?? [] } });
};
