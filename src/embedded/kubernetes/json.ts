// JSON values and the readers that everything here uses: an object of the store may lack any field, so nothing is read by cast.

export type Json = string | number | boolean | null | Json[] | JsonObject;

export interface JsonObject {
  [key: string]: Json | undefined;
}

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value at a path of keys, or undefined where the path ends early. */
export const at = (value: Json | undefined, ...path: readonly string[]): Json | undefined => {
  let current = value;
  for (const key of path) {
    if (!isObject(current)) return undefined;
    current = current[key];
  }
  return current;
};

export const textAt = (value: Json | undefined, ...path: readonly string[]): string => {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
};

export const numberAt = (value: Json | undefined, ...path: readonly string[]): number => {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : 0;
};

export const isTrueAt = (value: Json | undefined, ...path: readonly string[]): boolean => at(value, ...path) === true;

export const listAt = (value: Json | undefined, ...path: readonly string[]): readonly Json[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};

export const objectsAt = (value: Json | undefined, ...path: readonly string[]): readonly JsonObject[] =>
  listAt(value, ...path).filter(isObject);

const NOTHING: JsonObject = Object.freeze({});

export const objectAt = (value: Json | undefined, ...path: readonly string[]): JsonObject => {
  const found = at(value, ...path);
  return isObject(found) ? found : NOTHING;
};

/** A map of strings, as labels, annotations and node selectors are; other values are left out. */
export const textsAt = (value: Json | undefined, ...path: readonly string[]): Readonly<Record<string, string>> => {
  const texts: Record<string, string> = {};
  for (const [key, text] of Object.entries(objectAt(value, ...path))) if (typeof text === 'string') texts[key] = text;
  return texts;
};

/** Milliseconds since the epoch of an RFC 3339 time, or undefined when it is absent, null or unreadable. */
export const timeAt = (value: Json | undefined, ...path: readonly string[]): number | undefined => {
  const time = Date.parse(textAt(value, ...path));
  return Number.isNaN(time) ? undefined : time;
};

/** metav1.Time: RFC 3339 in UTC with whole seconds. */
export const toTime = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;

/** metav1.MicroTime: RFC 3339 in UTC with six decimals. */
export const toMicroTime = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 23)}000Z`;

/** Equality of JSON values; the order of keys does not matter, an undefined value is as good as none. */
export const isEqual = (left: Json | undefined, right: Json | undefined): boolean => {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => isEqual(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].every((key) => isEqual(left[key], right[key]));
};

/** Reads JSON text as a value without trusting it further. */
export const parseJson = (text: string): Json => {
  const value: Json = JSON.parse(text);
  return value;
};
