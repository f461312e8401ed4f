// The API description as types: which fields an object may have, and how its lists merge. Read when it is first needed.
import { readDataFile } from './data-files.ts';
import { isObject, type Json, type JsonObject, objectAt, objectsAt, parseJson, textAt } from './json.ts';
import { type Resource, splitGroupVersion } from './resources.ts';

let document: JsonObject | undefined;
let kinds: Map<string, string> | undefined;

/** The OpenAPI v2 document of the release. */
export const apiDescription = (): JsonObject => {
  if (document === undefined) {
    const read = parseJson(readDataFile('openapi.json.gz'));
    document = isObject(read) ? read : {};
  }
  return document;
};

const kindNames = (): Map<string, string> => {
  if (kinds !== undefined) return kinds;
  kinds = new Map();
  for (const [name, definition] of Object.entries(objectAt(apiDescription(), 'definitions'))) {
    for (const type of objectsAt(definition, 'x-kubernetes-group-version-kind')) {
      kinds.set(`${textAt(type, 'group')}/${textAt(type, 'version')}/${textAt(type, 'kind')}`, name);
    }
  }
  return kinds;
};

/** The name under which the description defines a built-in kind. */
export const definitionOf = (apiVersion: string, kind: string): string | undefined => {
  const { group, version } = splitGroupVersion(apiVersion);
  return kindNames().get(`${group}/${version}/${kind}`);
};

/** The schema of a built-in kind. */
export const findSchema = (apiVersion: string, kind: string): JsonObject | undefined => {
  const name = definitionOf(apiVersion, kind);
  return name === undefined ? undefined : objectAt(apiDescription(), 'definitions', name);
};

/** The schema of the objects of a resource: that of its definition for a custom kind. */
export const schemaOf = (resource: Resource): JsonObject | undefined => {
  if (resource.custom !== undefined) {
    const schema = objectAt(resource.custom.version, 'schema', 'openAPIV3Schema');
    return Object.keys(schema).length === 0 ? undefined : schema;
  }
  return findSchema(resource.group === '' ? resource.version : `${resource.group}/${resource.version}`, resource.kind);
};

/** Follows `$ref` to the schema itself. */
export const resolve = (schema: JsonObject | undefined): JsonObject => {
  const reference = textAt(schema, '$ref');
  if (reference === '') return schema ?? {};
  return objectAt(apiDescription(), 'definitions', reference.replace('#/definitions/', ''));
};

const METADATA = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

/** The schema of a field; metadata of a custom kind is that of all objects. */
export const fieldSchema = (schema: JsonObject, name: string, isRoot: boolean): JsonObject | undefined => {
  const found = objectAt(schema, 'properties')[name];
  if (isRoot && name === 'metadata') return objectAt(apiDescription(), 'definitions', METADATA);
  if (isObject(found)) return resolve(found);
  const others = schema['additionalProperties'];
  return isObject(others) ? resolve(others) : undefined;
};

/** How a list merges in a strategic patch. */
export const mergeKeyOf = (schema: JsonObject, name: string): { readonly key: string; readonly isMerged: boolean } => {
  const property = objectAt(schema, 'properties', name);
  return {
    key: textAt(property, 'x-kubernetes-patch-merge-key'),
    isMerged: textAt(property, 'x-kubernetes-patch-strategy').split(',').includes('merge'),
  };
};

interface Pruned {
  readonly value: JsonObject;
  readonly unknown: readonly string[];
}

const isOpen = (schema: JsonObject): boolean =>
  schema['properties'] === undefined && schema['additionalProperties'] === undefined
    ? true
    : schema['x-kubernetes-preserve-unknown-fields'] === true;

/** Names that every object may have at its root. */
const ROOT = new Set(['apiVersion', 'kind', 'metadata']);

const pruneValue = (value: Json, schema: JsonObject, path: string, unknown: string[]): Json => {
  if (Array.isArray(value)) {
    const items = schema['items'];
    return isObject(items) ? value.map((item, index) => pruneValue(item, resolve(items), `${path}[${index}]`, unknown)) : value;
  }
  return isObject(value) ? pruneObject(value, schema, path, unknown) : value;
};

const pruneObject = (object: JsonObject, schema: JsonObject, path: string, unknown: string[]): JsonObject => {
  if (isOpen(schema)) return object;
  const pruned: JsonObject = {};
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const place = path === '' ? name : `${path}.${name}`;
    const field = fieldSchema(schema, name, path === '');
    if (field !== undefined) pruned[name] = pruneValue(value, field, place, unknown);
    else if (path === '' && ROOT.has(name)) pruned[name] = value;
    else unknown.push(place);
  }
  return pruned;
};

/** Drops the fields that the kind does not have, as decoding into its type does, and names them. */
export const prune = (object: JsonObject, schema: JsonObject): Pruned => {
  const unknown: string[] = [];
  return { value: pruneObject(object, schema, '', unknown), unknown };
};

const TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
  array: Array.isArray,
  object: isObject,
};

export interface TypeFault {
  readonly path: string;
  readonly wanted: string;
  readonly found: string;
}

const typeName = (value: Json): string => {
  if (Array.isArray(value)) return 'array';
  if (isObject(value)) return 'object';
  return typeof value === 'boolean' ? 'bool' : typeof value;
};

/** The first value whose type is not that of its field; null is taken everywhere, as Go does. */
export const findTypeFault = (value: Json, schema: JsonObject, path = '', isRoot = true): TypeFault | undefined => {
  if (value === null) return undefined;
  const wanted = textAt(schema, 'type');
  const format = textAt(schema, 'format');
  const isTolerant =
    format === 'int-or-string' || schema['x-kubernetes-int-or-string'] === true || textAt(schema, 'description').startsWith('Quantity is');
  if (wanted !== '' && !isTolerant && TYPES[wanted]?.(value) === false) return { path, wanted, found: typeName(value) };
  if (Array.isArray(value)) {
    const items = schema['items'];
    if (!isObject(items)) return undefined;
    return value.map((item) => findTypeFault(item, resolve(items), path, false)).find((fault) => fault !== undefined);
  }
  if (!isObject(value)) return undefined;
  for (const [name, item] of Object.entries(value)) {
    const field = fieldSchema(schema, name, isRoot);
    const fault =
      field === undefined || item === undefined ? undefined : findTypeFault(item, field, path === '' ? name : `${path}.${name}`, false);
    if (fault !== undefined) return fault;
  }
  return undefined;
};
