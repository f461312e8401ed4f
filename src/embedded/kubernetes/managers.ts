// Who writes: the field manager of a request, and what it owns after an update.
import { isEqual, isObject, type Json, type JsonObject } from './json.ts';
import { differenceOf, type Fields, sortedManagers, toManagedFields, unionOf, writtenFields } from './managed-fields.ts';
import type { KubernetesObject, ManagedFields } from './object.ts';

/** The parameter, else the program's name from the User-Agent. */
export const managerOf = (request: Request, query: URLSearchParams): string => {
  const given = query.get('fieldManager');
  if (given !== null && given !== '') return given;
  return (request.headers.get('user-agent') ?? 'unknown').split('/')[0]?.slice(0, 128) || 'unknown';
};

export interface Writer {
  readonly manager: string;
  readonly time: string;
  readonly subresource: string | undefined;
}

const isSame = (entry: ManagedFields, writer: Writer, apiVersion: string): boolean =>
  entry.manager === writer.manager &&
  entry.operation === 'Update' &&
  entry.apiVersion === apiVersion &&
  (entry.subresource ?? '') === (writer.subresource ?? '');

/** Metadata that the server writes by itself is nobody's. */
const UNOWNED = [
  'managedFields',
  'resourceVersion',
  'generation',
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'name',
  'namespace',
];

const ownable = (object: KubernetesObject): JsonObject => {
  const { kind: _kind, apiVersion: _apiVersion, metadata, ...rest } = object;
  const own = Object.fromEntries(Object.entries(metadata).filter(([key]) => !UNOWNED.includes(key)));
  return { metadata: own, ...rest };
};

const isEmpty = (fields: Fields): boolean => Object.keys(fields).length === 0;

const withEntries = (object: KubernetesObject, entries: readonly ManagedFields[]): KubernetesObject => {
  const { managedFields: _old, ...metadata } = object.metadata;
  const kept = sortedManagers(entries.filter(({ fieldsV1 }) => !isEmpty(fieldsV1)));
  return { ...object, metadata: { ...metadata, name: object.metadata.name, ...(kept.length === 0 ? {} : { managedFields: kept }) } };
};

/** A new object belongs to its writer, as far as he wrote it: not what admission and allocation added. */
export const withCreatedFields = (object: KubernetesObject, written: KubernetesObject, { manager, time }: Writer): KubernetesObject =>
  withEntries(object, [toManagedFields(written, { manager, time, operation: 'Update', apiVersion: written.apiVersion })]);

/** The entries after an update: what changed belongs to the writer now, and to nobody else; what is gone belongs to nobody. */
export const withUpdatedFields = (object: KubernetesObject, previous: KubernetesObject, writer: Writer): KubernetesObject => {
  const { apiVersion } = object;
  const now = ownable(object);
  const changed = writtenFields(now, ownable(previous), apiVersion);
  const present = writtenFields(now, undefined, apiVersion);
  const old = previous.metadata.managedFields ?? [];
  const others = old
    .filter((entry) => !isSame(entry, writer, apiVersion))
    .map((entry) => ({
      ...entry,
      fieldsV1: differenceOf(entry.apiVersion === apiVersion ? within(entry.fieldsV1, present) : entry.fieldsV1, changed),
    }));
  const own = old.find((entry) => isSame(entry, writer, apiVersion));
  const fields = unionOf(within(own?.fieldsV1 ?? {}, present), changed);
  const entry: ManagedFields = {
    manager: writer.manager,
    operation: 'Update',
    apiVersion,
    time: isEmpty(changed) && isEqual(own?.fieldsV1, fields) ? (own?.time ?? writer.time) : writer.time,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(writer.subresource === undefined ? {} : { subresource: writer.subresource }),
  };
  return withEntries(object, [...others, entry]);
};

/** The part of a field set that still exists in the object. */
const within = (fields: JsonObject, present: JsonObject): JsonObject => {
  const kept: JsonObject = {};
  for (const [key, value] of Object.entries(fields)) {
    const here: Json | undefined = present[key];
    // The "." of a part stays as long as the part does, though a struct's own set does not list it.
    if (here === undefined && key !== '.') continue;
    if (!isObject(value) || !isObject(here) || isEmpty(value)) {
      kept[key] = value ?? {};
      continue;
    }
    const rest = within(value, here);
    if (!isEmpty(rest)) kept[key] = rest;
  }
  return kept;
};
