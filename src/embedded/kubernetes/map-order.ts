// A real API server writes maps of texts (labels, selectors, data, quantities) in the order of their keys, and struct fields as declared.
import { isObject, type Json, type JsonObject } from './json.ts';
import type { KubernetesObject } from './object.ts';

const MAPS = new Set([
  ...['labels', 'annotations', 'matchLabels', 'nodeSelector', 'selector', 'data', 'binaryData', 'stringData', 'parameters'],
  ...['requests', 'limits', 'capacity', 'allocatable', 'hard', 'used'],
]);

const isInOrder = (keys: readonly string[]): boolean => keys.every((key, index) => index === 0 || (keys[index - 1] ?? '') <= key);

/** The same map, or one with its keys in order; maps of other things than texts are left alone. */
const sortMap = (map: JsonObject): JsonObject => {
  const keys = Object.keys(map);
  if (isInOrder(keys) || !Object.values(map).every((item) => typeof item === 'string')) return map;
  return Object.fromEntries(keys.sort().map((key) => [key, map[key]]));
};

/** Objects are kept as they are where nothing is out of order: most are not, and a store takes in many. */
const sortMaps = (value: JsonObject): JsonObject => {
  let sorted: JsonObject | undefined;
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== 'object' || item === null) continue;
    const inner = Array.isArray(item) ? sortList(item) : MAPS.has(key) ? sortMap(sortMaps(item)) : sortMaps(item);
    if (inner === item) continue;
    sorted ??= { ...value };
    sorted[key] = inner;
  }
  return sorted ?? value;
};

const sortList = (list: Json[]): Json[] => {
  if (typeof list[0] !== 'object') return list;
  const sorted = list.map((item) => (isObject(item) ? sortMaps(item) : item));
  return sorted.every((item, index) => item === list[index]) ? list : sorted;
};

/** The object with its maps in order; nothing else changes. */
export const inMapOrder = (object: KubernetesObject): KubernetesObject => ({ ...object, ...sortMaps(object) });
