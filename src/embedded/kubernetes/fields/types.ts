// How values of a kind merge and who can own what of them: the types of structured-merge-diff, read from the published schema (kube-openapi, pkg/schemaconv).
import { readDataFile } from '../data-files.ts';
import { isObject, type Json, type JsonObject, listAt, objectAt, parseJson, textAt } from '../json.ts';
import { apiDescription, definitionOf } from '../schema.ts';

export type Scalar = 'numeric' | 'string' | 'boolean' | 'untyped';

export interface ListType {
  /** Owned and replaced as one value. */
  readonly isAtomic: boolean;
  /** The fields that tell items apart; none: a set of plain values. */
  readonly keys: readonly string[];
  readonly item: () => Atom;
}

export interface MapType {
  readonly isAtomic: boolean;
  /** The type of a field that is declared; undefined when it is not. */
  readonly field: (name: string) => Atom | undefined;
  /** The type of all other keys; undefined when there may be none. */
  readonly element: (() => Atom) | undefined;
  /** Defaults of declared fields: a key of a list item may be left out when it has one. */
  readonly defaultOf: (name: string) => Json | undefined;
}

/** What a value may be; several at once where the schema leaves it open. */
export interface Atom {
  readonly scalar?: Scalar;
  readonly list?: ListType;
  readonly map?: MapType;
}

const atomicMap: MapType = { isAtomic: true, field: () => undefined, element: () => UNTYPED, defaultOf: () => undefined };
const atomicList: ListType = { isAtomic: true, keys: [], item: () => UNTYPED };
const deducedMap: MapType = { isAtomic: false, field: () => undefined, element: () => DEDUCED, defaultOf: () => undefined };

/** Anything, owned as one value. */
const UNTYPED: Atom = { scalar: 'untyped', list: atomicList, map: atomicMap };

/** Anything, of which maps are merged: for kinds and parts without a schema. */
export const DEDUCED: Atom = { scalar: 'untyped', list: atomicList, map: deducedMap };

const DEFINITIONS = '#/definitions/';
const METADATA = `${DEFINITIONS}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta`;

/** Types that the converter knows by name, whatever their schema says. */
const NAMED: Readonly<Record<string, Atom>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { scalar: 'untyped' },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': UNTYPED,
};

let defaults: JsonObject | undefined;

/** Defaults of the fields of built-in types: only version 3 of the description has them, so they are kept apart. */
export const declaredDefaults = (definition: string): JsonObject => {
  if (defaults === undefined) {
    const read = parseJson(readDataFile('defaults.json.gz'));
    defaults = isObject(read) ? read : {};
  }
  return objectAt(defaults, definition);
};

interface Place {
  /** The name of the definition that the schema is; '' inside of one. */
  readonly definition: string;
  /** Unknown fields are kept here and below. */
  readonly isPreserving: boolean;
  /** `x-kubernetes-map-type` of the field that refers here. */
  readonly mapType: string;
  /** A custom object, which has metadata though its schema may not say so. */
  readonly isCustomRoot: boolean;
}

const INSIDE: Place = { definition: '', isPreserving: false, mapType: '', isCustomRoot: false };

const known = new WeakMap<JsonObject, Map<string, Atom>>();

/** The type of a schema; made once, its parts when they are first asked for. */
const toAtom = (schema: JsonObject, place: Place): Atom => {
  const key = `${place.isPreserving}/${place.mapType}/${place.isCustomRoot}`;
  const made = known.get(schema) ?? new Map<string, Atom>();
  known.set(schema, made);
  const atom = made.get(key) ?? makeAtom(schema, place);
  made.set(key, atom);
  return atom;
};

const makeAtom = (schema: JsonObject, place: Place): Atom => {
  const isPreserving = place.isPreserving || schema['x-kubernetes-preserve-unknown-fields'] === true;
  const inside = { ...place, isPreserving };
  const type = textAt(schema, 'type');
  if (type === '') return { scalar: 'untyped', list: toList(schema, inside), map: toMap(schema, inside) };
  if (type === 'object') return { map: toMap(schema, inside) };
  if (type === 'array') return { list: toList(schema, inside) };
  if (type === 'integer' || type === 'number') return { scalar: 'numeric' };
  if (type === 'boolean') return { scalar: 'boolean' };
  return { scalar: ['', 'byte'].includes(textAt(schema, 'format')) ? 'string' : 'untyped' };
};

/** The type that a property, an item or a value of a map refers to or declares. */
const referred = (schema: JsonObject, isPreserving: boolean): Atom => {
  const reference = textAt(schema, '$ref');
  if (reference === '') return toAtom(schema, { ...INSIDE, isPreserving });
  const definition = reference.replace(DEFINITIONS, '');
  return NAMED[definition] ?? toAtom(schemaOf(definition), { ...INSIDE, definition, mapType: textAt(schema, 'x-kubernetes-map-type') });
};

const isAtomicList = (schema: JsonObject): boolean => {
  const type = textAt(schema, 'x-kubernetes-list-type');
  if (type !== '') return type === 'atomic';
  return !textAt(schema, 'x-kubernetes-patch-strategy').split(',').includes('merge');
};

const keysOf = (schema: JsonObject): string[] => {
  const declared = listAt(schema, 'x-kubernetes-list-map-keys').filter((key) => typeof key === 'string');
  if (textAt(schema, 'x-kubernetes-list-type') !== '') return declared;
  const merged = textAt(schema, 'x-kubernetes-patch-merge-key');
  return merged === '' ? [] : [merged];
};

const toList = (schema: JsonObject, { isPreserving }: Place): ListType => {
  const items = schema['items'];
  return {
    isAtomic: isAtomicList(schema),
    keys: keysOf(schema).sort(),
    item: () => (isObject(items) ? referred(items, isPreserving) : UNTYPED),
  };
};

const toElement = (schema: JsonObject, isPreserving: boolean): (() => Atom) | undefined => {
  const others = schema['additionalProperties'];
  if (isObject(others)) return () => referred(others, isPreserving);
  if (others === true) return () => DEDUCED;
  const isFree = others === undefined && (isPreserving || Object.keys(objectAt(schema, 'properties')).length === 0);
  return isFree ? () => DEDUCED : undefined;
};

/** Fields of every object, which the schema of a custom kind need not name. */
const ROOT: Readonly<JsonObject> = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { $ref: METADATA } };

const toMap = (schema: JsonObject, { definition, isPreserving, mapType, isCustomRoot }: Place): MapType => {
  const isObjectOfItsOwn = isCustomRoot || schema['x-kubernetes-embedded-resource'] === true;
  const properties: JsonObject = isObjectOfItsOwn ? { ...objectAt(schema, 'properties'), ...ROOT } : objectAt(schema, 'properties');
  return {
    isAtomic: (mapType || textAt(schema, 'x-kubernetes-map-type')) === 'atomic',
    field: (name) => {
      const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
      return isObject(property) ? referred(property, isPreserving) : undefined;
    },
    element: toElement(schema, isPreserving),
    defaultOf: (name) => (definition === '' ? objectAt(properties, name)['default'] : declaredDefaults(definition)[name]),
  };
};

const schemaOf = (definition: string): JsonObject => objectAt(apiDescription(), 'definitions', definition);

/** The type of the objects of a built-in kind; undefined when this server does not describe it. */
export const builtInType = (apiVersion: string, kind: string): Atom | undefined => {
  const definition = definitionOf(apiVersion, kind);
  return definition === undefined ? undefined : toAtom(schemaOf(definition), { ...INSIDE, definition });
};

/** The type of the objects of a custom kind by the schema of one of its versions; without one, whatever they hold. */
export const customType = (schema: JsonObject | undefined): Atom =>
  schema === undefined ? DEDUCED : toAtom(schema, { ...INSIDE, isCustomRoot: true });

/** Which of the possible types a value has; where that is open or wrong, all of them. */
export const deduce = (atom: Atom, value: Json | undefined): Atom => {
  if (value === undefined || value === null) return atom;
  if (Array.isArray(value)) return atom.list === undefined ? atom : { list: atom.list };
  if (isObject(value)) return atom.map === undefined ? atom : { map: atom.map };
  return atom.scalar === undefined ? atom : { scalar: atom.scalar };
};

/** The type below a key of a map. */
export const childType = (map: MapType, key: string): Atom => map.field(key) ?? map.element?.() ?? DEDUCED;

/** A built-in object as the server makes it from nothing: parts that are never left out, all of them empty. */
export const emptyObject = (apiVersion: string, kind: string): JsonObject => {
  const definition = definitionOf(apiVersion, kind);
  return { ...(definition === undefined ? {} : emptyOf(definition)), apiVersion, kind };
};

const empties = new Map<string, JsonObject>();

const emptyOf = (definition: string): JsonObject => {
  const ready = empties.get(definition);
  if (ready !== undefined) return ready;
  const schema = schemaOf(definition);
  const required = listAt(schema, 'required');
  const empty: JsonObject = {};
  for (const [name, property] of Object.entries(objectAt(schema, 'properties'))) {
    const value = declaredDefaults(definition)[name];
    const reference = textAt(property, '$ref').replace(DEFINITIONS, '');
    if (isObject(value)) empty[name] = emptyOf(reference);
    else if (required.includes(name) && textAt(property, 'type') === 'array') empty[name] = null;
    else if (required.includes(name) && (value === '' || value === 0 || value === false)) empty[name] = value;
  }
  empties.set(definition, empty);
  return empty;
};
