// `fieldsV1`: the set of fields that a manager owns, derived from what it wrote (structured-merge-diff's serialisation).
import { isObject, type Json, type JsonObject, textAt } from './json.ts';
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
