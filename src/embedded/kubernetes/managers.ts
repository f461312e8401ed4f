// Who writes: the field manager of a request, and what managers own after a write.
import {
  isReset,
  type Managers,
  nothingOf,
  parseManagers,
  toEntries,
  typesOf,
  updated,
  type Writer,
  withEntries,
  withoutManagers,
} from './fields/managers.ts';
import { isEqual, type Json } from './json.ts';
import type { KubernetesObject, ManagedFields } from './object.ts';
import type { Resource } from './resources.ts';

export type { Writer } from './fields/managers.ts';

/** The parameter, else the program's name from the User-Agent. */
export const managerOf = (request: Request, query: URLSearchParams): string => {
  const given = query.get('fieldManager');
  if (given !== null && given !== '') return given;
  return (request.headers.get('user-agent') ?? 'unknown').split('/')[0]?.slice(0, 128) || 'unknown';
};

interface Origin {
  /** What the server serves the kind as; without it, built-in kinds alone are known. */
  readonly resource?: Resource | undefined;
  /** `metadata.managedFields` of the request: clients may set them. */
  readonly given?: Json | undefined;
}

/** A new object belongs to its writer, as far as he wrote it: not what admission and allocation added. */
export const withCreatedFields = (
  object: KubernetesObject,
  written: KubernetesObject,
  writer: Writer,
  { resource, given }: Origin = {},
): KubernetesObject => {
  const managers = updated({
    live: nothingOf(written, resource),
    next: withoutManagers(written),
    apiVersion: written.apiVersion,
    managers: parseManagers(given) ?? new Map(),
    writer,
    typeOf: typesOf(written.kind, resource),
  });
  return withEntries(object, toEntries(managers));
};

/** The managers to start from: those of the request, when it says something of them, else those of the object. */
const managersBefore = (previous: KubernetesObject, given: Json | undefined, subresource: string | undefined): Managers => {
  const own = parseManagers(previous.metadata.managedFields) ?? new Map();
  if (subresource !== undefined) return own;
  if (isReset(given)) return new Map();
  const sent = parseManagers(given);
  return sent === undefined || sent.size === 0 ? own : sent;
};

/** The entries after an update: what changed belongs to the writer now, and to nobody else; what is gone belongs to nobody. */
export const withUpdatedFields = (
  object: KubernetesObject,
  previous: KubernetesObject,
  writer: Writer,
  { resource, given }: Origin = {},
): KubernetesObject => {
  const before = managersBefore(previous, given, writer.subresource);
  // Nobody is known to own anything: the server does not begin to look at an update.
  if (before.size === 0) return withEntries(object, undefined);
  const after = updated({
    live: withoutManagers(previous),
    next: withoutManagers(object),
    apiVersion: object.apiVersion,
    managers: before,
    writer,
    typeOf: typesOf(object.kind, resource),
  });
  return settled(withEntries(object, toEntries(after)), previous);
};

const timeless = (entries: readonly ManagedFields[] | undefined): Json => (entries ?? []).map(({ time: _time, ...entry }) => entry);

/** A write that changes nothing but times of managers leaves those as they were, so that it changes nothing at all. */
export const settled = (object: KubernetesObject, previous: KubernetesObject): KubernetesObject => {
  const isSame = isEqual(timeless(object.metadata.managedFields), timeless(previous.metadata.managedFields));
  return isSame && isEqual(withoutRevision(object), withoutRevision(previous))
    ? withEntries(object, previous.metadata.managedFields)
    : object;
};

const withoutRevision = (object: KubernetesObject): KubernetesObject => {
  const { resourceVersion: _revision, ...metadata } = withoutManagers(object).metadata;
  return { ...object, metadata: { ...metadata, name: object.metadata.name } };
};
