// What structured-merge-diff does with typed values: their fields, what changed, merging, taking away (typed/tofieldset.go, compare.go, merge.go, remove.go).
import { isEqual, isObject, type Json, type JsonObject } from '../json.ts';
import { FieldSet, type Path, type Step } from './set.ts';
import { type Atom, childType, deduce, type ListType, type MapType } from './types.ts';

/** The step to an item of a list that is merged; undefined when the item cannot be told from others. */
export const stepOf = (list: ListType, item: Json): Step | undefined => {
  if (list.keys.length === 0) return isObject(item) || Array.isArray(item) || item === null ? undefined : `v:${JSON.stringify(item)}`;
  if (!isObject(item)) return undefined;
  const map = list.item().map;
  const named = list.keys.flatMap((key): [string, Json][] => {
    const value = item[key] ?? map?.defaultOf(key);
    return value === undefined ? [] : [[key, value]];
  });
  return named.length === 0 ? undefined : `k:${JSON.stringify(Object.fromEntries(named))}`;
};

type Items = ReadonlyMap<Step, readonly Json[]>;

const itemsOf = (list: ListType, value: Json | undefined): Items => {
  const items = new Map<Step, Json[]>();
  for (const item of Array.isArray(value) ? value : []) {
    const step = stepOf(list, item);
    if (step !== undefined) items.set(step, [...(items.get(step) ?? []), item]);
  }
  return items;
};

const entriesOf = (value: Json | undefined): [string, Json][] =>
  isObject(value) ? Object.entries(value).flatMap(([key, item]): [string, Json][] => (item === undefined ? [] : [[key, item]])) : [];

/** The fields of a value that somebody applies. */
export const fieldsOf = (value: Json, atom: Atom): FieldSet => {
  const set = FieldSet.empty();
  collect(value, deduce(atom, value), [], set);
  return set;
};

const collect = (value: Json, { map, scalar, list }: Atom, path: Path, set: FieldSet): void => {
  if (map !== undefined) collectMap(value, map, path, set);
  else if (scalar !== undefined || list === undefined || list.isAtomic) set.insert(path);
  else {
    for (const [step, [item = null, ...others]] of itemsOf(list, value)) {
      if (others.length === 0) collect(item, deduce(list.item(), item), [...path, step], set);
      set.insert([...path, step]);
    }
  }
};

const collectMap = (value: Json, map: MapType, path: Path, set: FieldSet): void => {
  if (map.isAtomic) {
    set.insert(path);
    return;
  }
  for (const [key, item] of entriesOf(value)) {
    const place = [...path, `f:${key}`];
    collect(item, deduce(childType(map, key), item), place, set);
    const isEmpty = item === null || (isObject(item) && entriesOf(item).length === 0);
    if (isEmpty || map.field(key) === undefined) set.insert(place);
  }
};

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** How the right value differs from the left one. */
export const compare = (left: Json, right: Json, atom: Atom): Comparison => {
  const comparison = { added: FieldSet.empty(), modified: FieldSet.empty(), removed: FieldSet.empty() };
  if (left !== right) compareValues({ left, right, path: [], ...comparison }, atom);
  return comparison;
};

interface Pair extends Comparison {
  readonly left: Json | undefined;
  readonly right: Json | undefined;
  readonly path: Path;
}

const isSameType = (left: Atom, right: Atom): boolean =>
  (left.map === undefined) === (right.map === undefined) &&
  (left.list === undefined) === (right.list === undefined) &&
  (left.scalar === undefined) === (right.scalar === undefined);

const compareValues = (pair: Pair, atom: Atom): void => {
  const { left, right, path, added, removed } = pair;
  const [leftType, rightType] = [deduce(atom, left), deduce(atom, right)];
  let isLeaf: boolean;
  if (right === undefined) isLeaf = compareAs(pair, leftType);
  else if (left === undefined || isSameType(leftType, rightType)) isLeaf = compareAs(pair, rightType);
  else {
    compareAs(pair, leftType);
    isLeaf = compareAs(pair, rightType);
  }
  if (isLeaf) return;
  if (left === undefined) added.insert(path);
  else if (right === undefined) removed.insert(path);
};

const isEmptyMap = (value: Json | undefined): boolean => !isObject(value) || entriesOf(value).length === 0;
const isEmptyList = (value: Json | undefined): boolean => !Array.isArray(value) || value.length === 0;

/** True when the value counts as one, so that nothing below it is looked at. */
const compareAs = (pair: Pair, { map, list, scalar }: Atom): boolean => {
  const { left, right } = pair;
  if (map !== undefined) {
    if (map.isAtomic || (isEmptyMap(left) && isEmptyMap(right))) return compareLeaf(pair);
    const keys = new Set([...entriesOf(left), ...entriesOf(right)].map(([key]) => key));
    for (const key of keys) {
      const [before, after] = [isObject(left) ? left[key] : undefined, isObject(right) ? right[key] : undefined];
      if (before !== after) compareValues({ ...pair, left: before, right: after, path: [...pair.path, `f:${key}`] }, childType(map, key));
    }
    return false;
  }
  if (scalar !== undefined || list === undefined || list.isAtomic || (isEmptyList(left) && isEmptyList(right))) return compareLeaf(pair);
  compareItems(pair, list);
  return false;
};

const compareLeaf = ({ left, right, path, added, modified, removed }: Pair): true => {
  if (left === undefined) added.insert(path);
  else if (right === undefined) removed.insert(path);
  else if (!isEqual(left, right)) modified.insert(path);
  return true;
};

const compareItems = (pair: Pair, list: ListType): void => {
  const { added, modified, removed } = pair;
  const [before, after] = [itemsOf(list, pair.left), itemsOf(list, pair.right)];
  for (const step of new Set([...before.keys(), ...after.keys()])) {
    const [lefts, rights] = [before.get(step) ?? [], after.get(step) ?? []];
    const path = [...pair.path, step];
    const one = (left: Json | undefined, right: Json | undefined): void => compareValues({ ...pair, left, right, path }, list.item());
    if (lefts.length <= 1 && rights.length <= 1) one(lefts[0], rights[0]);
    else if (lefts.length > 1 && rights.length > 1) {
      if (!isEqual([...lefts], [...rights])) modified.insert(path);
    } else if (lefts.length > 1) {
      if (rights[0] !== undefined) one(undefined, rights[0]);
      removed.insert(path);
    } else {
      if (lefts[0] !== undefined) one(lefts[0], undefined);
      added.insert(path);
    }
  }
};

/** The left value with everything that the right one says. */
export const merge = (left: Json | undefined, right: Json | undefined, atom: Atom): Json | undefined => {
  const type = deduce(atom, right ?? left);
  const last = right === undefined ? left : right;
  if (type.map !== undefined) {
    if (type.map.isAtomic || (isEmptyMap(left) && isEmptyMap(right))) return last;
    return mergeMaps(isObject(left) ? left : {}, isObject(right) ? right : {}, type.map);
  }
  if (type.scalar !== undefined || type.list === undefined || type.list.isAtomic || (isEmptyList(left) && isEmptyList(right))) return last;
  return mergeLists(Array.isArray(left) ? left : [], Array.isArray(right) ? right : [], type.list);
};

const mergeMaps = (left: JsonObject, right: JsonObject, map: MapType): JsonObject => {
  const merged: JsonObject = {};
  for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
    const value = merge(left[key], right[key], childType(map, key));
    if (value !== undefined) merged[key] = value;
  }
  return merged;
};

/** Items of both in the order of the right list; items of the left list alone stay where they are between them. */
const mergeLists = (left: readonly Json[], right: readonly Json[], list: ListType): Json[] => {
  const [lefts, rights] = [left, right].map((items) => items.map((item) => stepOf(list, item) ?? JSON.stringify(item)));
  const [leftSteps, rightSteps] = [lefts ?? [], rights ?? []];
  const both = (step: Step): Json | null => merge(only(left, leftSteps, step), right[rightSteps.indexOf(step)], list.item()) ?? null;
  const shared = rightSteps.filter((step) => leftSteps.includes(step));
  const done = new Set<Step>();
  const merged: Json[] = [];
  let [l, r] = [0, 0];
  while (l < leftSteps.length || r < rightSteps.length) {
    const [leftStep, rightStep] = [leftSteps[l], rightSteps[r]];
    if (leftStep !== undefined && rightStep !== undefined) {
      if (leftStep === rightStep) {
        done.add(leftStep);
        merged.push(both(leftStep));
        [l, r] = [l + 1, r + 1];
        shared.shift();
        continue;
      }
      // A shared item whose turn comes later.
      if (rightSteps.includes(leftStep) && shared[0] !== undefined && shared[0] !== leftStep) {
        l += 1;
        continue;
      }
    }
    if (leftStep !== undefined && !rightSteps.includes(leftStep)) {
      merged.push(left[l] ?? null);
      l += 1;
      continue;
    }
    if (leftStep !== undefined && done.has(leftStep)) l += 1;
    if (rightStep === undefined) continue;
    done.add(rightStep);
    merged.push(both(rightStep));
    r += 1;
    if (shared[0] === rightStep) shared.shift();
  }
  return merged;
};

/** The item of a step; none when there are several: those are not merged. */
const only = (items: readonly Json[], steps: readonly Step[], step: Step): Json | undefined => {
  const first = steps.indexOf(step);
  return first === steps.lastIndexOf(step) ? items[first] : undefined;
};

/** The value without the given fields; undefined when nothing is left of it. */
export const withoutFields = (value: Json, fields: FieldSet, atom: Atom): Json | undefined => {
  const { map, list, scalar } = deduce(atom, value);
  if (map !== undefined) {
    if (isEmptyMap(value) || map.isAtomic) return undefined;
    const kept: JsonObject = {};
    for (const [key, item] of entriesOf(value)) {
      const step = `f:${key}`;
      if (fields.has([step])) continue;
      const below = fields.below(step);
      const left = below === undefined ? item : withoutFields(item, below, childType(map, key));
      if (left !== undefined) kept[key] = left;
    }
    return Object.keys(kept).length === 0 ? undefined : kept;
  }
  if (scalar !== undefined || list === undefined || !Array.isArray(value)) return value;
  if (value.length === 0 || list.isAtomic) return undefined;
  const left = value.flatMap((item): Json[] => {
    const step = stepOf(list, item);
    if (step === undefined) return [item];
    if (fields.has([step])) return [];
    const below = fields.below(step);
    return below === undefined ? [item] : [withoutFields(item, below, list.item()) ?? null];
  });
  return left.length === 0 ? undefined : left;
};
