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

/** References and selectors that are owned as one value. */
const ATOMIC = new Set([
  'claimRef',
  'configMapKeyRef',
  'fieldRef',
  'involvedObject',
  'labelSelector',
  'matchLabels',
  'namespaceSelector',
  'nodeSelector',
  'podSelector',
  'port',
  'regarding',
  'related',
  'required',
  'resourceFieldRef',
  'roleRef',
  'secretKeyRef',
  'selector',
  'targetRef',
]);

/** Parts that Go always writes, if only as an empty object: they have no "." of their own, and nobody owns them empty. */
const STRUCTS = new Set([
  'spec',
  'status',
  'metadata',
  'template',
  'strategy',
  'updateStrategy',
  'jobTemplate',
  'loadBalancer',
  'nodeInfo',
  'resources',
  'scaleTargetRef',
  'podSelector',
  'involvedObject',
  'regarding',
  'source',
  'deprecatedSource',
  'daemonEndpoints',
  'kubeletEndpoint',
]);

/** A list that Go writes even when it is empty. */
const ALWAYS_LISTED = new Set(['containers']);

const SETS = new Set(['finalizers']);

const keysOf = (name: string, item: JsonObject): readonly string[] | undefined => (name === 'ports' ? portKeys(item) : LIST_KEYS[name]);

const toItemKey = (keys: readonly string[], item: JsonObject): string => {
  const named = keys.filter((key) => item[key] !== undefined).map((key) => [key, item[key]]);
  return `k:${JSON.stringify(Object.fromEntries(named))}`;
};

/** Whether a value stands inside something that is new as a whole: there every part has its "." */
interface Place {
  readonly isInItem: boolean;
  readonly isCustom: boolean;
}

const DOT: Readonly<JsonObject> = { '.': {} };

const ofList = (name: string, list: readonly Json[], place: Place): JsonObject => {
  if (SETS.has(name)) return Object.fromEntries([['.', {}], ...list.map((item) => [`v:${JSON.stringify(item)}`, {}])]);
  const first = list[0];
  const keys = isObject(first) && !place.isCustom ? keysOf(name, first) : undefined;
  if (keys === undefined) return {};
  const inside = { ...place, isInItem: true };
  const items = list.filter(isObject).map((item): [string, JsonObject] => [toItemKey(keys, item), { ...DOT, ...toFields(item, inside) }]);
  const sorted = items.sort(([left], [right]) => (left < right ? -1 : 1));
  return { ...(ALWAYS_LISTED.has(name) && !place.isInItem ? {} : DOT), ...Object.fromEntries(sorted) };
};

const isStruct = (name: string, { isInItem, isCustom }: Place): boolean =>
  !isInItem && (isCustom ? name === 'metadata' : STRUCTS.has(name));

/** The fields of one value; undefined when there is nothing to own. */
const ofValue = (name: string, value: Json, place: Place): JsonObject | undefined => {
  if (Array.isArray(value)) return ofList(name, value, place);
  if (!isObject(value)) return {};
  const struct = isStruct(name, place);
  if (ATOMIC.has(name) && !place.isCustom) return struct && Object.keys(value).length === 0 ? undefined : {};
  const fields = toFields(value, place);
  if (Object.keys(fields).length === 0) return struct ? undefined : {};
  return struct ? fields : { ...DOT, ...fields };
};

const TOP: Place = { isInItem: false, isCustom: false };

/** The fields of one object, keys sorted. */
const toFields = (value: JsonObject, place: Place = TOP): JsonObject => {
  const entries = Object.entries(value).flatMap(([name, item]): [string, JsonObject][] => {
    if (item === undefined || item === null) return [];
    const fields = ofValue(name, item, place);
    return fields === undefined ? [] : [[`f:${name}`, fields]];
  });
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
};

/** Custom kinds have no structs: what a client leaves out is not there. */
const placeOf = (apiVersion: string): Place => {
  const [group = ''] = apiVersion.split('/');
  return { isInItem: false, isCustom: group.includes('.') && !group.endsWith('.k8s.io') };
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
  const fields = toFields({ ...rest, ...(Object.keys(own).length === 0 ? {} : { metadata: own }) }, placeOf(apiVersion));
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
const changedFields = (name: string, value: Json, other: Json | undefined, place: Place): Fields | undefined => {
  if (other === undefined) return ofValue(name, value, place);
  if (isEqual(value, other)) return undefined;
  const items = place.isCustom ? undefined : listItems(name, value);
  const otherItems = place.isCustom ? undefined : listItems(name, other);
  if (items !== undefined && otherItems !== undefined) {
    const inside = { ...place, isInItem: true };
    const changed = [...items].flatMap(([key, item]): [string, JsonObject][] => {
      const before = otherItems.get(key);
      const fields = before === undefined ? { ...DOT, ...toFields(item, inside) } : changedIn(item, before, inside);
      return Object.keys(fields).length === 0 ? [] : [[key, fields]];
    });
    return changed.length === 0 ? undefined : Object.fromEntries(changed);
  }
  if (!isObject(value) || !isObject(other) || ATOMIC.has(name)) return ofValue(name, value, place);
  const fields = changedIn(value, other, place);
  return Object.keys(fields).length === 0 ? undefined : fields;
};

const changedIn = (value: JsonObject, other: JsonObject, place: Place): Fields => {
  const entries = Object.entries(value).flatMap(([name, item]): [string, JsonObject][] => {
    if (item === undefined || item === null) return [];
    const fields = changedFields(name, item, other[name] ?? undefined, place);
    return fields === undefined ? [] : [[`f:${name}`, fields]];
  });
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)));
};

/** What a writer has written who made `value` out of `other`; all of it when there was nothing. */
export const writtenFields = (value: JsonObject, other: JsonObject | undefined, apiVersion: string): Fields =>
  other === undefined ? toFields(value, placeOf(apiVersion)) : changedIn(value, other, placeOf(apiVersion));

/** Both sets together. */
export const unionOf = (left: Fields, right: Fields): Fields => {
  const union: Fields = { ...left };
  for (const [key, value] of Object.entries(right)) {
    const known = union[key];
    union[key] = isObject(known) && isObject(value) ? unionOf(known, value) : value;
  }
  return union;
};

/** The left set without the fields of the right one; a part of which only the "." is left is written as a leaf. */
export const differenceOf = (left: Fields, right: Fields): Fields => {
  const difference: Fields = {};
  for (const [key, value] of Object.entries(left)) {
    const taken = right[key];
    if (taken === undefined) difference[key] = value;
    else if (isObject(value) && isObject(taken) && Object.keys(taken).length > 0 && Object.keys(value).length > 0) {
      const rest = differenceOf(value, taken);
      const isLoneDot = Object.keys(rest).length === 1 && rest['.'] !== undefined;
      if (Object.keys(rest).length > 0) difference[key] = isLoneDot ? {} : rest;
    }
  }
  return difference;
};

/** Entries in the server's order: appliers first, then by time, then by name. */
export const sortedManagers = (entries: readonly ManagedFields[]): ManagedFields[] =>
  entries.toSorted((left, right) => {
    const keys = ({ operation, time = '', manager, apiVersion, subresource = '' }: ManagedFields): string =>
      [operation, time, manager, apiVersion, subresource].join('\n');
    return keys(left) < keys(right) ? -1 : 1;
  });
