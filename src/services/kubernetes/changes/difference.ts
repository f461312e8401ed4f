// What differs between two states of an object, field by field, so that it can be shown, compared, and put back.

import { isDeepStrictEqual } from 'node:util';
import { type Fields, isObject } from '../../../upstream/kubernetes/objects.ts';

/** A key, an index, or the item of a list that has these keys: `containers[name=web]`. */
export type Segment = string | number | { readonly by: Fields };

export interface Difference {
  readonly path: readonly Segment[];
  readonly before?: unknown;
  readonly after?: unknown;
  /** Where an item of a list stood that is gone afterwards. */
  readonly at?: number;
}

/** What items of lists are known by, as the API merges them; the first that fits both lists. */
const LIST_KEYS: readonly (readonly string[])[] = [
  ['name'],
  ['containerPort', 'protocol'],
  ['port', 'protocol'],
  ['mountPath'],
  ['devicePath'],
  ['uid'],
  ['key', 'operator', 'value', 'effect'],
  ['topologyKey', 'whenUnsatisfiable'],
  ['type'],
  ['ip'],
  ['host'],
  ['key'],
];

const toKey = (item: Fields, keys: readonly string[]): string => JSON.stringify(keys.map((key) => item[key]));

const isKeyedBy = (keys: readonly string[], items: readonly unknown[]): items is readonly Fields[] =>
  items.every((item) => isObject(item) && item[keys[0] ?? ''] !== undefined) &&
  new Set(items.map((item) => toKey(item as Fields, keys))).size === items.length;

const findKeys = (before: readonly unknown[], after: readonly unknown[]): readonly string[] | undefined =>
  LIST_KEYS.find((keys) => isKeyedBy(keys, before) && isKeyedBy(keys, after));

const pick = (item: Fields, keys: readonly string[]): Fields =>
  Object.fromEntries(keys.filter((key) => item[key] !== undefined).map((key) => [key, item[key]]));

/** Keys are free in some maps: `__proto__` is one like any other. */
const ownValue = (fields: Fields, key: string): unknown => (Object.hasOwn(fields, key) ? fields[key] : undefined);

const diffItems = (
  before: readonly Fields[],
  after: readonly Fields[],
  keys: readonly string[],
  path: readonly Segment[],
): Difference[] | undefined => {
  const old = new Map(before.map((item, at) => [toKey(item, keys), { item, at }]));
  const fresh = new Map(after.map((item) => [toKey(item, keys), item]));
  const order = (items: readonly Fields[], other: ReadonlyMap<string, unknown>) =>
    items.map((item) => toKey(item, keys)).filter((key) => other.has(key));
  // Another order is a change of the whole list.
  if (!isDeepStrictEqual(order(before, fresh), order(after, old))) return undefined;
  return [
    ...before.flatMap((item, at) => {
      const next = fresh.get(toKey(item, keys));
      const own = [...path, { by: pick(item, keys) }];
      return next === undefined ? [{ path: own, before: item, at }] : diffValues(item, next, own);
    }),
    ...after.filter((item) => !old.has(toKey(item, keys))).map((item) => ({ path: [...path, { by: pick(item, keys) }], after: item })),
  ];
};

const toWhole = (path: readonly Segment[], before: unknown, after: unknown): Difference => ({
  path,
  ...(before === undefined ? {} : { before }),
  ...(after === undefined ? {} : { after }),
});

const diffLists = (before: readonly unknown[], after: readonly unknown[], path: readonly Segment[]): Difference[] => {
  const keys = before.length === 0 || after.length === 0 ? undefined : findKeys(before, after);
  if (keys !== undefined)
    return diffItems(before as readonly Fields[], after as readonly Fields[], keys, path) ?? [toWhole(path, before, after)];
  const areObjects = [...before, ...after].every(isObject);
  if (!areObjects || before.length !== after.length) return [toWhole(path, before, after)];
  return before.flatMap((item, index) => diffValues(item, after[index], [...path, index]));
};

/** Maps of free keys, to which controllers add their own: told key by key, also where there was none before. */
const isOpenMap = (path: readonly Segment[]): boolean => path.at(-1) === 'labels' || path.at(-1) === 'annotations';

const diffValues = (given: unknown, next: unknown, path: readonly Segment[]): Difference[] => {
  const areMaps = isOpenMap(path) && [given, next].every((value) => value === undefined || isObject(value));
  const [before, after] = areMaps ? [given ?? {}, next ?? {}] : [given, next];
  if (isDeepStrictEqual(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after)) return diffLists(before, after, path);
  if (!isObject(before) || !isObject(after)) return [toWhole(path, before, after)];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) => diffValues(ownValue(before, key), ownValue(after, key), [...path, key]));
};

/** Differences in the order of the fields; an absent state is `undefined`. */
export const diffObjects = (before: unknown, after: unknown): Difference[] => diffValues(before, after, []);

const PLAIN = /^[A-Za-z_$][\w$-]*$/;

/** `spec.template.spec.containers[name=web].image`, `metadata.labels["app.kubernetes.io/name"]`. */
export const toPathText = (path: readonly Segment[]): string =>
  path
    .map((segment, index) => {
      if (typeof segment === 'number') return `[${segment}]`;
      if (typeof segment === 'string') return PLAIN.test(segment) ? `${index === 0 ? '' : '.'}${segment}` : `[${JSON.stringify(segment)}]`;
      return `[${Object.entries(segment.by)
        .map(([key, value]) => `${key}=${String(value)}`)
        .join(',')}]`;
    })
    .join('');

const holds = (item: unknown, by: Fields): boolean =>
  isObject(item) && Object.entries(by).every(([key, value]) => isDeepStrictEqual(item[key], value));

const childOf = (value: unknown, segment: Segment): unknown => {
  if (typeof segment === 'string') return isObject(value) ? ownValue(value, segment) : undefined;
  if (!Array.isArray(value)) return undefined;
  return typeof segment === 'number' ? value[segment] : value.find((item) => holds(item, segment.by));
};

/** The value at a path; undefined when there is none. */
export const valueAtPath = (object: unknown, path: readonly Segment[]): unknown => path.reduce<unknown>(childOf, object);

type Container = Record<string, unknown> | unknown[];

/** Puts a value at the last segment of a path; `undefined` takes it away. False: the place is gone. */
const put = (container: Container, segment: Segment, value: unknown, at: number | undefined): boolean => {
  if (typeof segment === 'string') {
    if (Array.isArray(container)) return false;
    if (value === undefined) delete container[segment];
    else Object.defineProperty(container, segment, { value, enumerable: true, writable: true, configurable: true });
    return true;
  }
  if (!Array.isArray(container)) return false;
  const index = typeof segment === 'number' ? segment : container.findIndex((item) => holds(item, segment.by));
  if (value === undefined) container.splice(index, index < 0 ? 0 : 1);
  else if (index >= 0) container[index] = value;
  else container.splice(at ?? container.length, 0, value);
  return true;
};

/** Sets the value at a path that is there. */
export const putAt = (object: Fields, path: readonly Segment[], value: unknown): void => {
  const container = valueAtPath(object, path.slice(0, -1));
  const last = path.at(-1);
  if (last !== undefined && (isObject(container) || Array.isArray(container))) put(container as Container, last, value, undefined);
};

export interface Restored {
  readonly object: Fields;
  /** Differences whose field is no longer as it was left: another changed it since. */
  readonly conflicts: readonly Difference[];
}

/** Labels and annotations go with their last key: their map is made again, and the one that it stood in. */
const openContainer = (object: Fields, path: readonly Segment[]): unknown => {
  const container = valueAtPath(object, path);
  if (container !== undefined || !isOpenMap(path)) return container;
  openContainer(object, path.slice(0, -1));
  putAt(object, path, {});
  return valueAtPath(object, path);
};

/** And it goes with its last key. */
const closeContainer = (object: Fields, path: readonly Segment[]): void => {
  const container = valueAtPath(object, path);
  if (!isOpenMap(path) || !isObject(container) || Object.keys(container).length > 0) return;
  putAt(object, path, undefined);
  closeContainer(object, path.slice(0, -1));
};

/** The object with every difference taken back, where the fields are still as they were left. */
export const restore = (object: Fields, differences: readonly Difference[]): Restored => {
  const copy = structuredClone(object) as Record<string, unknown>;
  const conflicts: Difference[] = [];
  // What came goes first: the places in lists are those of before.
  const [came, rest] = [differences.filter((one) => one.before === undefined), differences.filter((one) => one.before !== undefined)];
  for (const difference of [...came, ...rest]) {
    const { path, before, after, at } = difference;
    const last = path.at(-1);
    const container = openContainer(copy, path.slice(0, -1));
    const isOpen = isObject(container) || Array.isArray(container);
    if (last === undefined || !isOpen || !isDeepStrictEqual(valueAtPath(copy, path), after)) conflicts.push(difference);
    else if (!put(container as Container, last, structuredClone(before), at)) conflicts.push(difference);
  }
  for (const { path } of differences) closeContainer(copy, path.slice(0, -1));
  return { object: copy, conflicts };
};
