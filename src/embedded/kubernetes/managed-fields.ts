// `fieldsV1`: the set of fields that a manager owns, derived from what it wrote (structured-merge-diff's serialisation).
import { isEqual, isObject, type Json, type JsonObject, textAt } from './json.ts';
import type { ManagedFields } from './object.ts';

/** Lists whose items are merged by keys; all other lists of objects are owned whole. */
const LIST_KEYS: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  env: ['name'],
  volumes: ['name'],
  volumeMounts: ['mountPath'],
  ownerReferences: ['uid'],
  conditions: ['type'],
  imagePullSecrets: ['name'],
  secrets: ['name'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  hostAliases: ['ip'],
  podIPs: ['ip'],
  hostIPs: ['ip'],
  addresses: ['type'],
};

/** In containers ports merge by number and protocol, in a Service by number and protocol of the Service. */
const portKeys = (item: JsonObject): readonly string[] =>
  item['containerPort'] === undefined ? ['port', 'protocol'] : ['containerPort', 'protocol'];

/** Maps that are owned as one value. */
const ATOMIC = new Set([
  'selector',
  'nodeSelector',
  'matchLabels',
  'resourceFieldRef',
  'fieldRef',
  'configMapKeyRef',
  'secretKeyRef',
  'scaleTargetRef',
  'roleRef',
  'claimRef',
]);

const SETS = new Set(['finalizers']);

const keysOf = (name: string, item: JsonObject): readonly string[] | undefined => (name === 'ports' ? portKeys(item) : LIST_KEYS[name]);

const toItemKey = (keys: readonly string[], item: JsonObject): string => {
  const named = keys.filter((key) => item[key] !== undefined).map((key) => [key, item[key]]);
  return `k:${JSON.stringify(Object.fromEntries(named))}`;
};

const ofList = (name: string, list: readonly Json[]): JsonObject => {
  if (SETS.has(name)) return Object.fromEntries([['.', {}], ...list.map((item) => [`v:${JSON.stringify(item)}`, {}])]);
  const first = list[0];
  const keys = isObject(first) ? keysOf(name, first) : undefined;
  if (keys === undefined) return {};
  const items = list.filter(isObject).map((item): [string, JsonObject] => [toItemKey(keys, item), { '.': {}, ...toFields(item) }]);
  return Object.fromEntries([['.', {}], ...items.sort(([left], [right]) => (left < right ? -1 : 1))]);
};

const ofValue = (name: string, value: Json, isTop: boolean): JsonObject => {
  if (Array.isArray(value)) return ofList(name, value);
  if (!isObject(value) || ATOMIC.has(name)) return {};
  const fields = toFields(value);
  const isMap = name === 'labels' || name === 'annotations' || name === 'data' || name === 'limits' || name === 'requests';
  if (Object.keys(fields).length === 0) return {};
  return isMap || !isTop ? { '.': {}, ...fields } : fields;
};

/** Structs that Go cannot leave out have no "." of their own. */
const STRUCTS = new Set([
  'spec',
  'status',
  'metadata',
  'template',
  'strategy',
  'resources',
  'jobTemplate',
  'updateStrategy',
  'loadBalancer',
  'nodeInfo',
]);

/** The fields of one object, keys sorted. */
const toFields = (value: JsonObject): JsonObject => {
  const entries = Object.entries(value).filter((entry): entry is [string, Json] => entry[1] !== undefined && entry[1] !== null);
  const sorted = entries.sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, item]) => [`f:${name}`, ofValue(name, item, STRUCTS.has(name))]));
};

/** What the server itself owns, so no manager does. */
const SERVER_OWNED = [
  'name',
  'namespace',
  'uid',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'managedFields',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
];

export interface FieldsOwner {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly time: string;
  readonly apiVersion: string;
  readonly subresource?: string;
}

/** One entry of `metadata.managedFields` for the fields that appear in `written` (an object, or a part such as `{ status }`). */
export const toManagedFields = (written: JsonObject, { manager, operation, time, apiVersion, subresource }: FieldsOwner): ManagedFields => {
  const { kind: _kind, apiVersion: _apiVersion, metadata, ...rest } = written;
  const own = isObject(metadata) ? Object.fromEntries(Object.entries(metadata).filter(([key]) => !SERVER_OWNED.includes(key))) : {};
  const fields = toFields({ ...rest, ...(Object.keys(own).length === 0 ? {} : { metadata: own }) });
  return {
    manager,
    operation,
    apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(subresource === undefined ? {} : { subresource }),
  };
};

/** The newest time at which any manager wrote, '' when none is known. */
export const lastWritten = (object: JsonObject): string => {
  const metadata = object['metadata'];
  const entries = isObject(metadata) && Array.isArray(metadata['managedFields']) ? metadata['managedFields'] : [];
  const times = entries.map((entry) => textAt(entry, 'time'));
  return [...times, textAt(metadata, 'creationTimestamp')].sort().at(-1) ?? '';
};

/** A set of fields as FieldsV1 writes it. */
export type Fields = JsonObject;

const listItems = (name: string, value: Json | undefined): Map<string, JsonObject> | undefined => {
  if (!Array.isArray(value)) return undefined;
  const items = value.filter(isObject);
  const first = items[0];
  const keys = first === undefined ? undefined : keysOf(name, first);
  return keys === undefined ? undefined : new Map(items.map((item) => [toItemKey(keys, item), item]));
};

/** The fields of a value that differ from those of another; all of them when there is no other. */
const changedFields = (name: string, value: Json, other: Json | undefined): Fields | undefined => {
  if (other === undefined) return ofValue(name, value, false);
  if (isEqual(value, other)) return undefined;
  const items = listItems(name, value);
  const otherItems = listItems(name, other);
  if (items !== undefined && otherItems !== undefined) {
    const changed = [...items].flatMap(([key, item]): [string, JsonObject][] => {
      const before = otherItems.get(key);
      const fields = before === undefined ? { '.': {}, ...toFields(item) } : writtenFields(item, before);
      return Object.keys(fields).length === 0 ? [] : [[key, fields]];
    });
    return changed.length === 0 ? undefined : Object.fromEntries(changed);
  }
  if (!isObject(value) || !isObject(other) || ATOMIC.has(name)) return ofValue(name, value, false);
  const fields = writtenFields(value, other);
  return Object.keys(fields).length === 0 ? undefined : fields;
};

/** What a writer has written who made `value` out of `other`. */
export const writtenFields = (value: JsonObject, other: JsonObject | undefined): Fields => {
  if (other === undefined) return toFields(value);
  const entries = Object.entries(value).flatMap(([name, item]): [string, JsonObject][] => {
    if (item === undefined || item === null) return [];
    const fields = changedFields(name, item, other[name] ?? undefined);
    return fields === undefined ? [] : [[`f:${name}`, fields]];
  });
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
};

/** Both sets together. */
export const unionOf = (left: Fields, right: Fields): Fields => {
  const union: Fields = { ...left };
  for (const [key, value] of Object.entries(right)) {
    const known = union[key];
    union[key] = isObject(known) && isObject(value) ? unionOf(known, value) : value;
  }
  return union;
};

/** The left set without the fields of the right one. */
export const differenceOf = (left: Fields, right: Fields): Fields => {
  const difference: Fields = {};
  for (const [key, value] of Object.entries(left)) {
    const taken = right[key];
    if (taken === undefined) difference[key] = value;
    else if (isObject(value) && isObject(taken) && Object.keys(taken).length > 0 && Object.keys(value).length > 0) {
      const rest = differenceOf(value, taken);
      if (Object.keys(rest).length > 0) difference[key] = rest;
    }
  }
  return difference;
};
