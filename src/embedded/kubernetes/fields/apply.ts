// Server-side apply: what becomes of an object when somebody says which fields he wants (structured-merge-diff, merge/update.go; apimachinery, pkg/util/managedfields).
import { isEqual, isObject, type Json, type JsonObject, parseJson, textAt } from '../json.ts';
import type { ManagedFields } from '../object.ts';
import { type StatusCause, StatusError } from '../status.ts';
import { idOf, type Manager, type Managers, stripped, type TypeOf, toEntries, touch, updated, type Writer } from './managers.ts';
import { type FieldSet, printPath } from './set.ts';
import { type Atom, DEDUCED } from './types.ts';
import { compare, fieldsOf, merge, withoutFields } from './walk.ts';

export interface Application {
  /** The present object, or an empty one of the kind. */
  readonly live: JsonObject;
  /** An empty object of the kind. */
  readonly nothing: JsonObject;
  /** What is applied. */
  readonly config: JsonObject;
  readonly apiVersion: string;
  readonly managers: Managers;
  readonly writer: Writer;
  readonly typeOf: TypeOf;
  readonly reset: FieldSet;
  readonly isForced: boolean;
}

export interface Applied {
  readonly object: JsonObject;
  readonly entries: readonly ManagedFields[];
}

/** The object as it is after the application; 409 when it would change what others own and is not forced. */
export const applyFields = (given: Application): Applied => {
  const application = withFirstManagers(given);
  const result = attempt(application);
  const conflicts = given.writer.manager === 'kubectl' ? withoutLastApplied(application, result.conflicts) : result.conflicts;
  if (conflicts.size > 0 && !given.isForced) throw refused(conflicts, application.managers);
  const { object, managers } = result;
  const annotated = given.writer.manager === 'kubectl' ? withLastApplied(object, given.config) : object;
  return { object: annotated, entries: toEntries(managers) };
};

/** Who wrote the object before anybody applied, where that is not known. */
const withFirstManagers = (application: Application): Application => {
  if (application.managers.size > 0) return application;
  const { nothing, live, apiVersion, writer, typeOf, managers, reset } = application;
  const first = { ...writer, manager: 'before-first-apply' };
  return { ...application, managers: updated({ live: nothing, next: live, apiVersion, managers, writer: first, typeOf, reset }) };
};

interface Attempt {
  readonly object: JsonObject;
  readonly managers: Managers;
  readonly conflicts: ReadonlyMap<string, FieldSet>;
}

const attempt = ({ live, config, apiVersion, managers, writer, typeOf, reset }: Application): Attempt => {
  const type = typeOf(apiVersion) ?? DEDUCED;
  const own = { manager: writer.manager, operation: 'Apply', apiVersion, subresource: writer.subresource ?? '' } as const;
  const self = idOf(own);
  const last = managers.get(self);
  const applied: Manager = { ...own, time: last?.time, set: fieldsOf(config, type).without(reset) };
  const claimed = new Map(managers).set(self, applied);
  const merged = toObject(merge(live, config, type));
  const next = last === undefined || last.set.isEmpty ? merged : prune(merged, { last, managers: claimed, typeOf });
  const touched = touch({ live, next, apiVersion, managers: claimed, self, typeOf, reset });
  const isUnchanged = isEqual(live, next);
  const set = stripped(applied.set);
  if (set.isEmpty) touched.managers.delete(self);
  else touched.managers.set(self, { ...applied, set, time: isUnchanged ? last?.time : writer.time });
  return { object: isUnchanged ? live : next, managers: touched.managers, conflicts: touched.conflicts };
};

const toObject = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

interface Pruning {
  readonly last: Manager;
  readonly managers: Managers;
  readonly typeOf: TypeOf;
}

/** Takes away what the applier applied the last time, not this time, and nobody else owns. */
const prune = (merged: JsonObject, { last, managers, typeOf }: Pruning): JsonObject => {
  const type = typeOf(last.apiVersion);
  if (type === undefined) return merged;
  const without = toObject(withoutFields(merged, last.set.withParts(type), type));
  const owned = withOwned(merged, without, { last, managers, typeOf });
  const left = fieldsOf(merged, type).withParts(type).difference(fieldsOf(owned, type).withParts(type));
  return toObject(withoutFields(merged, left.intersection(last.set.withParts(type)), type));
};

/** Puts back what somebody owns of the things taken away, version by version, that of the applier first. */
const withOwned = (merged: JsonObject, without: JsonObject, { last, managers, typeOf }: Pruning): JsonObject => {
  const owned = new Map<string, FieldSet>();
  for (const { apiVersion, set } of managers.values()) owned.set(apiVersion, owned.get(apiVersion)?.union(set) ?? set);
  const versions = [last.apiVersion, ...[...owned.keys()].filter((version) => version !== last.apiVersion)];
  return versions.reduce((pruned, version) => {
    const [type, set] = [typeOf(version), owned.get(version)];
    return type === undefined || set === undefined ? pruned : addBack(merged, pruned, set, type);
  }, without);
};

const addBack = (merged: JsonObject, pruned: JsonObject, owned: FieldSet, type: Atom): JsonObject => {
  const kept = fieldsOf(pruned, type).withParts(type).union(owned.withParts(type));
  return toObject(withoutFields(merged, fieldsOf(merged, type).withParts(type).difference(kept), type));
};

const describe = ({ manager, operation, apiVersion, subresource }: Manager): string => {
  const below = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(manager)}${below}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
};

/** 409 with every field and its owner. */
const refused = (conflicts: ReadonlyMap<string, FieldSet>, managers: Managers): StatusError => {
  const found = [...conflicts].flatMap(([id, set]) => {
    const manager = managers.get(id);
    return manager === undefined ? [] : [{ who: describe(manager), paths: [...set.paths()].map(printPath) }];
  });
  const causes = found.flatMap(({ who, paths }) =>
    paths.map((field): StatusCause => ({ reason: 'FieldManagerConflict', message: `conflict with ${who}`, field })),
  );
  return new StatusError(409, 'Conflict', conflictText(found, causes), { details: { causes } });
};

const conflictText = (found: readonly { who: string; paths: readonly string[] }[], causes: readonly StatusCause[]): string => {
  const [only] = causes;
  if (causes.length === 1 && only !== undefined) return `Apply failed with 1 conflict: ${only.message}: ${only.field}`;
  const sorted = found.toSorted((left, right) => (left.who < right.who ? -1 : 1));
  const texts = sorted.flatMap(({ who, paths }) => [`conflicts with ${who}:`, ...paths.map((path) => `- ${path}`)]);
  return `Apply failed with ${causes.length} conflicts: ${texts.join('\n')}`;
};

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** kubectl takes over from itself: what it applied on the client's side and nobody changed since is no conflict. */
const withoutLastApplied = (
  { live, apiVersion, typeOf }: Application,
  conflicts: ReadonlyMap<string, FieldSet>,
): ReadonlyMap<string, FieldSet> => {
  const last = readLastApplied(live);
  const type = typeOf(apiVersion);
  if (conflicts.size === 0 || last === undefined || type === undefined || textAt(last, 'apiVersion') !== apiVersion) return conflicts;
  const { added, modified, removed } = compare(last, live, type);
  const own = fieldsOf(last, type).difference(modified).difference(added).difference(removed);
  const rest = [...conflicts].map(([id, set]): [string, FieldSet] => [id, set.difference(own)]);
  return new Map(rest.filter(([, set]) => !set.isEmpty));
};

const readLastApplied = (live: JsonObject): JsonObject | undefined => {
  try {
    const value = parseJson(textAt(live, 'metadata', 'annotations', LAST_APPLIED));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

/** The annotation of kubectl's older way follows along where it is. */
const withLastApplied = (object: JsonObject, config: JsonObject): JsonObject => {
  if (textAt(object, 'metadata', 'annotations', LAST_APPLIED) === '') return object;
  const { annotations, ...metadata } = toObject(config['metadata']);
  const { [LAST_APPLIED]: _old, ...rest } = toObject(annotations);
  const bare: JsonObject = { ...config, metadata: { ...metadata, ...(annotations === undefined ? {} : { annotations: rest }) } };
  const own = toObject(object['metadata']);
  const text = `${JSON.stringify(sorted(bare))}\n`;
  return { ...object, metadata: { ...own, annotations: { ...toObject(own['annotations']), [LAST_APPLIED]: text } } };
};

const sorted = (value: Json | undefined): Json => {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value ?? null;
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(entries.sort(([left], [right]) => (left < right ? -1 : 1)).map(([key, item]) => [key, sorted(item)]));
};
