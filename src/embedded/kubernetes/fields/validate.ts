// Whether an applied value fits its type (structured-merge-diff, typed/validate.go), in the words of the original.
import { isObject, type Json } from '../json.ts';
import { printPath } from './set.ts';
import { type Atom, deduce, type ListType, type MapType, type Scalar } from './types.ts';
import { stepOf } from './walk.ts';

/** A value as Go prints it with %v behind a pointer. */
const goValue = (value: Json | undefined): string => `&{${goText(value)}}`;

const goText = (value: Json | undefined): string => {
  if (value === undefined || value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isObject(value)) return String(value);
  const keys = Object.keys(value).sort();
  return `map[${keys.map((key) => `${key}:${goText(value[key])}`).join(' ')}]`;
};

const goType = (value: Json): string => {
  if (Array.isArray(value)) return '[]interface {}';
  if (isObject(value)) return 'map[string]interface {}';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'number' ? (Number.isInteger(value) ? 'int64' : 'float64') : 'string';
};

/** A value as Go writes it in source. */
const goSource = (value: Json | undefined): string => {
  if (value === undefined || value === null) return 'interface {}(nil)';
  if (Array.isArray(value)) return `[]interface {}{${value.map(goSource).join(', ')}}`;
  if (!isObject(value)) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `map[string]interface {}{${keys.map((key) => `${JSON.stringify(key)}:${goSource(value[key])}`).join(', ')}}`;
};

const goLiteral = (value: Json): string => `&value.valueUnstructured{Value:${goSource(value)}}`;

const SCALARS: Readonly<Record<Scalar, (value: Json) => string | undefined>> = {
  numeric: (value) => (typeof value === 'number' ? undefined : `expected numeric (int or float), got ${goType(value)}`),
  string: (value) => (typeof value === 'string' ? undefined : `expected string, got ${goLiteral(value)}`),
  boolean: (value) => (typeof value === 'boolean' ? undefined : `expected boolean, got ${goValue(value)}`),
  untyped: (value) => (typeof value === 'object' ? `expected any scalar, got ${goValue(value)}` : undefined),
};

/** What is wrong with a value, each fault with its place; empty when nothing is. */
export const faultsOf = (value: Json, atom: Atom, place = ''): string[] => {
  const { map, list, scalar } = deduce(atom, value);
  if (value === null) return [];
  const here = (text: string): string => (place === '' ? text : `${place}: ${text}`);
  if (map !== undefined) return isObject(value) ? mapFaults(value, map, place) : [here(`expected map, got ${goValue(value)}`)];
  if (scalar !== undefined) return [SCALARS[scalar](value)].filter((text) => text !== undefined).map(here);
  if (list === undefined) return [];
  return Array.isArray(value) ? listFaults(value, list, place) : [here(`expected list, got ${goValue(value)}`)];
};

const mapFaults = (value: { readonly [key: string]: Json | undefined }, map: MapType, place: string): string[] =>
  Object.entries(value).flatMap(([key, item]) => {
    if (item === undefined) return [];
    const type = map.field(key) ?? map.element?.();
    return type === undefined ? [`${place}.${key}: field not declared in schema`] : faultsOf(item, type, `${place}.${key}`);
  });

const listFaults = (value: readonly Json[], list: ListType, place: string): string[] => {
  const seen = new Set<string>();
  return value.flatMap((item, index) => {
    if (list.isAtomic) return faultsOf(item, list.item(), `${place}[${index}]`);
    const step = stepOf(list, item);
    if (step === undefined) return [`${place}: element ${index}: ${whyNoStep(item, list)}`];
    const path = printPath([step]);
    const twice = seen.has(step) ? [`${place}: duplicate entries for key ${path}`] : [];
    seen.add(step);
    return [...twice, ...faultsOf(item, list.item(), `${place}${path}`)];
  });
};

const whyNoStep = (item: Json, { keys }: ListType): string => {
  if (keys.length === 0) {
    if (isObject(item)) return "associative list without keys has an element that's a map type";
    if (item === null) return "associative list without keys has an element that's an explicit null";
    return 'not supported: associative list with lists as elements';
  }
  if (item === null) return 'associative list with keys may not have a null element';
  if (!isObject(item)) return 'associative list with keys may not have non-map elements';
  const names = keys.map((key) => JSON.stringify(key)).join(' ');
  return `associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`;
};
