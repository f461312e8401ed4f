// Who else wrote a field: `metadata.managedFields`, the sets of fields in the form of structured-merge-diff (fieldsV1).

import { isDeepStrictEqual } from 'node:util';
import { type Fields, fieldsAt, isObject, type KubeObject, listAt, textAt, timeAt } from '../../../upstream/kubernetes/objects.ts';
import type { Segment } from './difference.ts';

const parseKeys = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The part of a field set below one segment; undefined = not in the set. */
const step = (set: Fields, segment: Segment): Fields | undefined => {
  if (typeof segment === 'string') return isObject(set[`f:${segment}`]) ? fieldsAt(set, `f:${segment}`) : undefined;
  if (typeof segment === 'number') return undefined;
  const found = Object.keys(set).find((key) => {
    const keys = key.startsWith('k:') ? parseKeys(key.slice(2)) : undefined;
    return isObject(keys) && Object.entries(keys).every(([name, value]) => isDeepStrictEqual(segment.by[name] ?? value, value));
  });
  return found === undefined ? undefined : fieldsAt(set, found);
};

const owns = (set: Fields, path: readonly Segment[]): boolean => {
  let current = set;
  for (const segment of path) {
    const next = step(current, segment);
    // An empty set is a leaf: everything below belongs to it.
    if (next === undefined) return Object.keys(current).length === 0;
    current = next;
  }
  return true;
};

export interface FieldOwner {
  readonly manager: string;
  /** Milliseconds since the epoch. */
  readonly at: number | undefined;
}

/** The managers of one field, the latest first. */
export const ownersOfField = (object: KubeObject, path: readonly Segment[]): FieldOwner[] =>
  listAt(object, 'metadata', 'managedFields')
    .filter((entry) => owns(fieldsAt(entry, 'fieldsV1'), path))
    .map((entry) => ({ manager: textAt(entry, 'manager') ?? 'unknown', at: timeAt(entry, 'time') }))
    .sort((a, b) => (b.at ?? 0) - (a.at ?? 0));
