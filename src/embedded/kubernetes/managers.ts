// Who writes: the field manager of a request, and what it owns after an update.
import { isEqual, isObject, type Json, type JsonObject } from './json.ts';
import { differenceOf, type Fields, toManagedFields, unionOf, writtenFields } from './managed-fields.ts';
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

/** The entries after an update: what changed belongs to the writer now, and to nobody else; what is gone belongs to nobody. */
export const withUpdatedFields = (object: KubernetesObject, previous: KubernetesObject | undefined, writer: Writer): KubernetesObject => {
  const { apiVersion } = object;
  if (previous === undefined) {
    const { manager, time } = writer;
    const entry = toManagedFields(object, { manager, time, operation: 'Update', apiVersion, ...toSubresource(writer) });
    const isBare = isEmpty(entry.fieldsV1);
    return { ...object, metadata: { ...object.metadata, managedFields: isBare ? [] : [entry] } };
  }
  const now = ownable(object);
  const changed = writtenFields(now, ownable(previous));
  const present = writtenFields(now, undefined);
  const old = previous.metadata.managedFields ?? [];
  const others = old
    .filter((entry) => !isSame(entry, writer, apiVersion))
    .map((entry) => ({ ...entry, fieldsV1: differenceOf(within(entry.fieldsV1, present), changed) }));
  const own = old.find((entry) => isSame(entry, writer, apiVersion));
  const fields = unionOf(within(own?.fieldsV1 ?? {}, present), changed);
  const hasChanged = !isEmpty(changed) || own === undefined || !isEqual(own.fieldsV1, fields);
  const entry: ManagedFields = {
    manager: writer.manager,
    operation: 'Update',
    apiVersion,
    time: hasChanged && !isEmpty(changed) ? writer.time : (own?.time ?? writer.time),
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...toSubresource(writer),
  };
  const kept = others.filter(({ fieldsV1 }) => !isEmpty(fieldsV1));
  return { ...object, metadata: { ...object.metadata, managedFields: isEmpty(fields) ? kept : [...kept, entry] } };
};

const toSubresource = ({ subresource }: Writer): { subresource?: string } => (subresource === undefined ? {} : { subresource });

/** The part of a field set that still exists in the object. */
const within = (fields: JsonObject, present: JsonObject): JsonObject => {
  const kept: JsonObject = {};
  for (const [key, value] of Object.entries(fields)) {
    const here: Json | undefined = present[key];
    if (here === undefined) continue;
    kept[key] = isObject(value) && isObject(here) && Object.keys(value).length > 0 ? within(value, here) : (value ?? {});
  }
  return kept;
};
