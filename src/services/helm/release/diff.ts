// What differs between two values, as paths with what was and what is.

import { type Fields, isFields } from '../../../upstream/shapes.ts';

export interface Difference {
  readonly path: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly op: 'add' | 'remove' | 'change';
}

const isSame = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  if (!isFields(a) || !isFields(b)) return false;
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && isSame(a[key], b[key]));
};

/** Dots and brackets in a key would read as a path. */
const step = (path: string, key: string): string => {
  const plain = /^[A-Za-z0-9_$/-]+$/.test(key);
  return plain ? (path === '' ? key : `${path}.${key}`) : `${path}["${key}"]`;
};

const ITEM_KEYS = ['name', 'containerPort', 'port', 'mountPath', 'key', 'ip', 'type', 'host'] as const;

/** The key by which the items of both lists can be told apart. */
const itemKey = (lists: readonly (readonly unknown[])[]): string | undefined =>
  ITEM_KEYS.find((key) =>
    lists.every((list) => {
      const values = list.map((item) => (isFields(item) ? item[key] : undefined));
      return values.every((value) => typeof value === 'string' || typeof value === 'number') && new Set(values).size === values.length;
    }),
  );

const byKey = (list: readonly unknown[], key: string): Map<string, unknown> =>
  new Map(list.map((item) => [String((item as Fields)[key]), item]));

const diffLists = (before: readonly unknown[], after: readonly unknown[], path: string): Difference[] => {
  const key = before.length > 0 && after.length > 0 ? itemKey([before, after]) : undefined;
  if (key !== undefined) {
    const [left, right] = [byKey(before, key), byKey(after, key)];
    return [...new Set([...left.keys(), ...right.keys()])].flatMap((name) =>
      diff(left.get(name), right.get(name), `${path}[${key}=${name}]`),
    );
  }
  const isAligned = before.length === after.length && before.every((item) => isFields(item));
  if (isAligned) return before.flatMap((item, index) => diff(item, after[index], `${path}[${index}]`));
  return [{ path, before, after, op: 'change' }];
};

/** Both values without what is only key order; an absent value is undefined. */
export const diff = (before: unknown, after: unknown, path = ''): Difference[] => {
  if (isSame(before, after)) return [];
  if (before === undefined) return [{ path, after, op: 'add' }];
  if (after === undefined) return [{ path, before, op: 'remove' }];
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, path);
  // What is hidden is one thing, not a size and a hash.
  if (!isFields(before) || !isFields(after) || (isHidden(before) && isHidden(after)))
    return [{ path, ...shorten(before, after), op: 'change' }];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) => diff(before[key], after[key], step(path, key)));
};

const isHidden = (fields: Fields): boolean => Object.keys(fields).length === 2 && 'size' in fields && 'hash' in fields;

/** Of long texts (files in ConfigMaps) only the lines that differ. */
const shorten = (before: unknown, after: unknown): { before: unknown; after: unknown } => {
  if (typeof before !== 'string' || typeof after !== 'string' || !(before.includes('\n') && after.includes('\n'))) return { before, after };
  const [left, right] = [before.split('\n'), after.split('\n')];
  const shorter = Math.min(left.length, right.length);
  let start = 0;
  while (start < shorter && left[start] === right[start]) start += 1;
  let end = 0;
  while (end < shorter - start && left.at(-1 - end) === right.at(-1 - end)) end += 1;
  const cut = (lines: readonly string[]): string =>
    `${start > 0 ? `…(${start} equal lines)\n` : ''}${lines.slice(start, lines.length - end).join('\n')}${end > 0 ? `\n…(${end} equal lines)` : ''}`;
  return { before: cut(left), after: cut(right) };
};
