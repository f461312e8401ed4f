// Paths into objects as tools take them: a.b, a[0], a[*].b, a[?k=v].b, a["odd.key"]; a leading $. or {.…} is accepted.

import { AppError } from './errors.ts';

type Step =
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'each' }
  | { readonly kind: 'where'; readonly key: string; readonly value: string };

export type Path = readonly Step[];

const STEP =
  /^(?:\.?([A-Za-z0-9_$/-]+)|\[(-?\d+)\]|\[\*\]|\.\*|\[\?\s*\(?@?\.?([A-Za-z0-9_.$/-]+)\s*==?\s*["']?([^"'\])]*)["']?\)?\s*\]|\[["']([^"']+)["']\])/;

const toStep = ([text, key, index, whereKey, whereValue, odd]: RegExpExecArray): Step => {
  if (key !== undefined || odd !== undefined) return { kind: 'key', key: key ?? odd ?? '' };
  if (index !== undefined) return { kind: 'index', index: Number(index) };
  if (whereKey !== undefined) return { kind: 'where', key: whereKey, value: whereValue ?? '' };
  void text;
  return { kind: 'each' };
};

/** @throws INVALID_ARGUMENT that names the argument and shows where the path breaks */
export const parsePath = (text: string, argument = 'fields'): Path => {
  let rest = text
    .trim()
    .replace(/^\{(.*)\}$/, '$1')
    .replace(/^\$/, '');
  const steps: Step[] = [];
  while (rest !== '') {
    const matched = STEP.exec(rest);
    if (matched === null) {
      throw new AppError('INVALID_ARGUMENT', `The path ${text.slice(0, 100)} cannot be read at "${rest.slice(0, 20)}".`, {
        details: { argument, expected: 'a.b, a[0], a[*].b, a[?k=v].b, a["odd.key"]' },
      });
    }
    steps.push(toStep(matched));
    rest = rest.slice(matched[0].length);
  }
  if (steps.length === 0) throw new AppError('INVALID_ARGUMENT', 'A path is empty.', { details: { argument } });
  return steps;
};

const childOf = (value: unknown, key: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Readonly<Record<string, unknown>>)[key] : undefined;

/** Values of an object or array; nothing of anything else. */
const childrenOf = (value: unknown): readonly unknown[] => (typeof value === 'object' && value !== null ? Object.values(value) : []);

const holds = (value: unknown, key: string, wanted: string): boolean => String(key.split('.').reduce(childOf, value)) === wanted;

const follow = (value: unknown, step: Step): readonly unknown[] => {
  if (step.kind === 'key') return [childOf(value, step.key)];
  if (step.kind === 'index') return [Array.isArray(value) ? value.at(step.index) : undefined];
  return step.kind === 'each' ? childrenOf(value) : childrenOf(value).filter((child) => holds(child, step.key, step.value));
};

/** All values that a path leads to. */
export const selectAll = (value: unknown, path: Path): readonly unknown[] =>
  path
    .reduce<readonly unknown[]>((values, step) => values.flatMap((item) => follow(item, step)), [value])
    .filter((item) => item !== undefined && item !== null);

/** One value: the only one, or the list when the path can lead to several. */
export const select = (value: unknown, path: Path): unknown => {
  const found = selectAll(value, path);
  const isMany = path.some(({ kind }) => kind === 'each' || kind === 'where');
  return isMany && found.length !== 1 ? (found.length === 0 ? undefined : found) : found[0];
};
