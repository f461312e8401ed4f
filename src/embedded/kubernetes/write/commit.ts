// The end of every write: conflicts, managed fields, storing (unless it is a dry run), and the answer.
import type { ResourceContext } from '../context.ts';
import { encodeObject } from '../encode.ts';
import { withEntries } from '../fields/managers.ts';
import { type Json, toTime } from '../json.ts';
import { managerOf, settled, type Writer, withCreatedFields, withUpdatedFields } from '../managers.ts';
import type { KubernetesObject, ManagedFields } from '../object.ts';
import { toEncodeContext } from '../read.ts';
import type { Resource } from '../resources.ts';
import { respondText } from '../respond.ts';
import { conflict, invalid, StatusError } from '../status.ts';

export const isDryRun = (values: readonly string[], kind: string): boolean => {
  if (values.length === 0) return false;
  if (values.every((value) => value === 'All')) return true;
  const message = `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`;
  throw invalid('meta.k8s.io', kind, '', [{ reason: 'FieldValueNotSupported', message, field: 'dryRun' }]);
};

const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

/** The older autoscaling API is read only here: its writes would need a conversion. */
export const refuseView = ({ group, version }: Resource): void => {
  if (group === 'autoscaling' && version === 'v1') {
    throw new StatusError(
      501,
      'NotImplemented',
      'the embedded Kubernetes does not offer writes through autoscaling/v1: use autoscaling/v2',
      { details: {} },
    );
  }
};

/** 409 when the writer has seen another version than the present one. */
export const refuseStale = ({ resource }: ResourceContext, given: KubernetesObject, previous: KubernetesObject): void => {
  const { resourceVersion } = given.metadata;
  if (resourceVersion === undefined || resourceVersion === '' || resourceVersion === previous.metadata.resourceVersion) return;
  if (!/^\d+$/.test(resourceVersion)) {
    throw new StatusError(500, '', `strconv.ParseUint: parsing ${JSON.stringify(resourceVersion)}: invalid syntax`);
  }
  throw conflict(resource, previous.metadata.name, MODIFIED);
};

const writerOf = ({ request, server, info }: ResourceContext, subresource: string | undefined): Writer => ({
  manager: managerOf(request, info.query),
  // The server loses the time of who scales (apimachinery, pkg/util/managedfields/scalehandler.go).
  time: subresource === 'scale' ? undefined : toTime(server.clock()),
  subresource,
});

/** Stores an object with its managers, new or over its previous state, unless it is a dry run; gives back what is stored. */
export const commit = (
  context: ResourceContext,
  object: KubernetesObject,
  previous: KubernetesObject | undefined,
  entries: readonly ManagedFields[] | undefined,
): KubernetesObject => {
  const { server, resource, info } = context;
  const isDry = isDryRun(info.query.getAll('dryRun'), OPTIONS[info.verb] ?? 'UpdateOptions');
  if (previous === undefined) {
    const made = withEntries(object, entries);
    return isDry ? made : server.store.put(resource.storage, made);
  }
  const owned = settled(withEntries(object, entries), previous);
  if (isDry) return { ...owned, metadata: { ...owned.metadata, resourceVersion: previous.metadata.resourceVersion ?? '' } };
  if (isFinished(owned)) {
    server.store.remove(resource.storage, owned.metadata.namespace ?? '', owned.metadata.name);
    return { ...owned, metadata: { ...owned.metadata, resourceVersion: previous.metadata.resourceVersion ?? '' } };
  }
  return server.store.put(resource.storage, owned);
};

const OPTIONS: Readonly<Record<string, string>> = { create: 'CreateOptions', update: 'UpdateOptions', patch: 'PatchOptions' };

/** What the client says of managers: objects may be written together with them. */
interface Given {
  readonly given?: Json | undefined;
  readonly subresource?: string | undefined;
}

/** Stores a new object; `written` is what its writer said of it, before the server added its part. */
export const commitCreated = (
  context: ResourceContext,
  object: KubernetesObject,
  written: KubernetesObject,
  { given }: Given = {},
): KubernetesObject => {
  const { resource } = context;
  const owned = withCreatedFields(object, written, writerOf(context, undefined), { resource, given });
  return commit(context, owned, undefined, owned.metadata.managedFields);
};

/** Stores an object over its previous state in the writer's name, and gives back what is stored. */
export const commitUpdated = (
  context: ResourceContext,
  object: KubernetesObject,
  previous: KubernetesObject,
  { given, subresource }: Given = {},
): KubernetesObject => {
  const { resource } = context;
  const owned = withUpdatedFields(object, previous, writerOf(context, subresource), { resource, given });
  return commit(context, owned, previous, owned.metadata.managedFields);
};

/** The last finalizer of a deleted object is gone: so is the object. */
const isFinished = ({ metadata }: KubernetesObject): boolean =>
  metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0 && (metadata.deletionGracePeriodSeconds ?? 0) === 0;

/** Answers a stored object. */
export const answerObject = (context: ResourceContext, object: KubernetesObject, status = 200): Promise<Response> => {
  const { request, representation } = context;
  return respondText(request, encodeObject(object, toEncodeContext(context)), { status, representation });
};
