// Who owns which fields: `metadata.managedFields`, read, changed by a write, and written again (apimachinery, pkg/util/managedfields; structured-merge-diff, merge/update.go).
import { isObject, type Json, type JsonObject, objectAt, objectsAt, textAt } from '../json.ts';
import type { KubernetesObject, ManagedFields } from '../object.ts';
import type { Resource } from '../resources.ts';
import { toGroupVersion } from '../resources.ts';
import { StatusError } from '../status.ts';
import { FieldSet, type Path } from './set.ts';
import { type Atom, builtInType, customType, DEDUCED, emptyObject } from './types.ts';
import { faultsOf } from './validate.ts';
import { type Comparison, compare } from './walk.ts';

export interface Manager {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string | undefined;
  readonly set: FieldSet;
}

/** Managers by what tells them apart. */
export type Managers = Map<string, Manager>;

/** Who writes now. */
export interface Writer {
  readonly manager: string;
  /** None for a scale: the server forgets it there. */
  readonly time: string | undefined;
  readonly subresource: string | undefined;
}

/** An applier is the same in every version of the API, an updater is not. */
export const idOf = ({ manager, operation, apiVersion, subresource }: Omit<Manager, 'set' | 'time'>): string =>
  JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource]);

/** Reads the entries; undefined when one of them cannot be read. */
export const parseManagers = (entries: readonly Json[] | Json | undefined): Managers | undefined => {
  const managers: Managers = new Map();
  for (const entry of Array.isArray(entries) ? entries : []) {
    const operation = textAt(entry, 'operation');
    const apiVersion = textAt(entry, 'apiVersion');
    if ((operation !== 'Apply' && operation !== 'Update') || apiVersion === '' || textAt(entry, 'fieldsType') !== 'FieldsV1')
      return undefined;
    const [manager, subresource] = [textAt(entry, 'manager'), textAt(entry, 'subresource')];
    const time = textAt(entry, 'time') || undefined;
    const read: Manager = { manager, operation, apiVersion, subresource, time, set: FieldSet.parse(objectAt(entry, 'fieldsV1')) };
    managers.set(idOf(read), read);
  }
  return managers;
};

const toEntry = ({ manager, operation, apiVersion, time, set, subresource }: Manager): ManagedFields => ({
  manager,
  operation,
  apiVersion,
  ...(time === undefined ? {} : { time }),
  fieldsType: 'FieldsV1',
  fieldsV1: set.toFields(),
  ...(subresource === '' ? {} : { subresource }),
});

/** Entries in the server's order: appliers first, then by time, then by name. */
export const sortedManagers = (entries: readonly ManagedFields[]): ManagedFields[] => {
  const keys = ({ operation, time = '', manager, apiVersion, subresource = '' }: ManagedFields): string =>
    [operation, time, manager, apiVersion, subresource].join('\n');
  return entries.toSorted((left, right) => (keys(left) < keys(right) ? -1 : 1));
};

export const toEntries = (managers: Managers): ManagedFields[] => sortedManagers([...managers.values()].map(toEntry));

export const withEntries = (object: KubernetesObject, entries: readonly ManagedFields[] | undefined): KubernetesObject => {
  const { managedFields: _old, ...metadata } = object.metadata;
  const kept = entries === undefined || entries.length === 0 ? {} : { managedFields: [...entries] };
  return { ...object, metadata: { ...metadata, name: object.metadata.name, ...kept } };
};

export const withoutManagers = (object: KubernetesObject): KubernetesObject => withEntries(object, undefined);

/** The types of a kind by version, as far as this server knows them. */
export type TypeOf = (apiVersion: string) => Atom | undefined;

/** Types of the kind of an object, custom ones by the definition of their resource. */
export const typesOf = (kind: string, resource?: Resource): TypeOf => {
  const custom = resource?.custom;
  if (custom === undefined) return (apiVersion) => builtInType(apiVersion, kind) ?? (resource === undefined ? DEDUCED : undefined);
  return (apiVersion) => {
    const versions = objectsAt(custom.definition, 'spec', 'versions');
    const found = versions.find((version) => toGroupVersion(resource?.group ?? '', textAt(version, 'name')) === apiVersion);
    const schema = objectAt(found, 'schema', 'openAPIV3Schema');
    return found === undefined ? undefined : customType(Object.keys(schema).length === 0 ? undefined : schema);
  };
};

/** What an object is compared with that did not exist before. */
export const nothingOf = ({ apiVersion, kind }: Pick<KubernetesObject, 'apiVersion' | 'kind'>, resource?: Resource): JsonObject =>
  resource?.custom === undefined ? emptyObject(apiVersion, kind) : { apiVersion, kind };

const STRIPPED: readonly Path[] = [
  ['f:apiVersion'],
  ['f:kind'],
  ['f:metadata'],
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields', 'resourceVersion'].map(
    (name): Path => ['f:metadata', `f:${name}`],
  ),
];

/** Without what the server itself writes: nobody owns that. */
export const stripped = (set: FieldSet): FieldSet => set.difference(FieldSet.of(...STRIPPED));

/** Parts that the place written to does not take: a write of the object resets its status, a write of the status all else. */
export const resetBy = (subresource: string | undefined, hasStatus: boolean): FieldSet => {
  if (subresource === 'status') return FieldSet.of(['f:spec']);
  return hasStatus && subresource === undefined ? FieldSet.of(['f:status']) : FieldSet.empty();
};

export interface Change {
  readonly live: Json;
  readonly next: Json;
  readonly apiVersion: string;
  readonly managers: Managers;
  /** The identity of who writes. */
  readonly self: string;
  readonly typeOf: TypeOf;
  readonly reset: FieldSet;
}

export interface Touched {
  readonly managers: Managers;
  readonly comparison: Comparison;
  /** Fields of others that the change touches, by the identity of their manager. */
  readonly conflicts: ReadonlyMap<string, FieldSet>;
}

const filtered = ({ added, modified, removed }: Comparison, reset: FieldSet): Comparison => ({
  added: added.without(reset),
  modified: modified.without(reset),
  removed: removed.without(reset),
});

/** An object that is written in one version must make sense in those that others wrote in. */
const refuseInconvertible = (next: Json, type: Atom): void => {
  const [fault] = faultsOf(next, type);
  if (fault !== undefined) throw new StatusError(500, '', `failed to convert new object: ${fault}`);
};

/** What a change does to the other managers: what it changed is theirs no more, what is gone is nobody's. */
export const touch = ({ live, next, apiVersion, managers, self, typeOf, reset }: Change): Touched => {
  const compared = new Map<string, Comparison>();
  const comparisonIn = (version: string): Comparison | undefined => {
    const type = typeOf(version);
    const known = compared.get(version);
    if (known !== undefined || type === undefined) return known;
    if (version !== apiVersion) refuseInconvertible(next, type);
    const made = filtered(compare(live, next, type), reset);
    compared.set(version, made);
    return made;
  };
  const kept: Managers = new Map();
  const conflicts = new Map<string, FieldSet>();
  for (const [id, manager] of managers) {
    const comparison = id === self ? undefined : comparisonIn(manager.apiVersion);
    if (id !== self && comparison === undefined) continue;
    if (comparison === undefined) {
      kept.set(id, manager);
      continue;
    }
    const conflict = manager.set.intersection(comparison.modified.union(comparison.added));
    if (!conflict.isEmpty) conflicts.set(id, conflict);
    const set = manager.set.difference(conflict).difference(comparison.removed);
    if (!set.isEmpty) kept.set(id, { ...manager, set });
  }
  const none = { added: FieldSet.empty(), modified: FieldSet.empty(), removed: FieldSet.empty() };
  return { managers: kept, conflicts, comparison: comparisonIn(apiVersion) ?? none };
};

/** More updaters than this are put together, the oldest first. */
const MAX_UPDATERS = 10;
const ANCIENT = 'ancient-changes';

const capped = (managers: Managers): Managers => {
  const updaters = [...managers].filter(([, { operation }]) => operation === 'Update');
  if (updaters.length <= MAX_UPDATERS) return managers;
  const age = ([id, { time = '' }]: readonly [string, Manager]): string => `${time}\n${id}`;
  const oldest = updaters.toSorted((left, right) => (age(left) < age(right) ? -1 : 1));
  const result = new Map(managers);
  const first = new Map<string, string>();
  let count = updaters.length;
  for (const [id, manager] of oldest) {
    if (count <= MAX_UPDATERS) break;
    const before = first.get(manager.apiVersion);
    if (before === undefined) {
      first.set(manager.apiVersion, id);
      continue;
    }
    const bucket = { ...manager, manager: ANCIENT, subresource: '' };
    const bucketId = idOf(bucket);
    const gathered = result.get(bucketId) ?? result.get(before);
    result.delete(before);
    result.delete(id);
    result.set(bucketId, { ...bucket, set: manager.set.union(gathered?.set ?? FieldSet.empty()) });
    count -= 1;
  }
  return result;
};

export interface Update {
  readonly live: Json;
  readonly next: Json;
  readonly apiVersion: string;
  readonly managers: Managers;
  readonly writer: Writer;
  readonly typeOf: TypeOf;
  readonly reset?: FieldSet;
}

const SELF = 'current-operation';

/** The managers after an update: what changed belongs to the writer now, and to nobody else. */
export const updated = ({ live, next, apiVersion, managers, writer, typeOf, reset = FieldSet.empty() }: Update): Managers => {
  const touched = touch({ live, next, apiVersion, managers, self: SELF, typeOf, reset });
  const { comparison } = touched;
  const written = stripped(comparison.modified.union(comparison.added));
  const result = touched.managers;
  if (!written.isEmpty) {
    const { manager, time, subresource = '' } = writer;
    const own = { manager, operation: 'Update', apiVersion, subresource, time } as const;
    const before = result.get(idOf(own));
    result.set(idOf(own), { ...own, set: before === undefined ? written : written.union(before.set) });
  }
  return capped(result);
};

/** No entry, or a single empty one: so a client has everybody forgotten. */
export const isReset = (entries: Json | undefined): boolean => {
  if (!Array.isArray(entries)) return false;
  const [only] = entries;
  return entries.length === 0 || (entries.length === 1 && isObject(only) && Object.keys(only).length === 0);
};
