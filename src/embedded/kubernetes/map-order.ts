// A real API server writes maps of texts (labels, selectors, data, quantities) in the order of their keys, and struct fields as declared.
import { isObject, type Json } from './json.ts';
import type { KubernetesObject } from './object.ts';

const MAPS = new Set([
  ...['labels', 'annotations', 'matchLabels', 'nodeSelector', 'selector', 'data', 'binaryData', 'stringData', 'parameters'],
  ...['requests', 'limits', 'capacity', 'allocatable', 'hard', 'used'],
]);

const isTextMap = (value: Json): boolean => isObject(value) && Object.values(value).every((item) => typeof item === 'string');

const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0);

const sortMaps = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(sortMaps);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      const sorted = sortMaps(item ?? null);
      return [
        key,
        MAPS.has(key) && isObject(sorted) && isTextMap(sorted) ? Object.fromEntries(Object.entries(sorted).sort(byKey)) : sorted,
      ];
    }),
  );
};

/** The object with its maps in order; nothing else changes. */
export const inMapOrder = (object: KubernetesObject): KubernetesObject => ({ ...object, ...(sortMaps(object) as object) });
