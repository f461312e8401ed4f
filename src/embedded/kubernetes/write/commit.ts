// The end of every write: conflicts, managed fields, storing (unless it is a dry run), and the answer.
import type { ResourceContext } from '../context.ts';
import { encodeObject } from '../encode.ts';
import { toTime } from '../json.ts';
import { managerOf, type Writer, withCreatedFields, withUpdatedFields } from '../managers.ts';
import type { KubernetesObject } from '../object.ts';
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
  throw conflict(resource, previous.metadata.name, MODIFIED);
};

const writerOf = ({ request, server, info }: ResourceContext, subresource: string | undefined): Writer => ({
  manager: managerOf(request, info.query),
  time: toTime(server.clock()),
  subresource,
});

/** Stores a new object; `written` is what its writer said of it, before the server added its part. */
export const commitCreated = (context: ResourceContext, object: KubernetesObject, written: KubernetesObject): KubernetesObject => {
  const { server, resource, info } = context;
  const owned = withCreatedFields(object, written, writerOf(context, undefined));
  return isDryRun(info.query.getAll('dryRun'), 'CreateOptions') ? owned : server.store.put(resource.storage, owned);
};

/** Stores an object over its previous state in the writer's name, and gives back what is stored. */
export const commitUpdated = (
  context: ResourceContext,
  object: KubernetesObject,
  previous: KubernetesObject,
  subresource?: string,
): KubernetesObject => {
  const { server, resource, info } = context;
  const owned = withUpdatedFields(object, previous, writerOf(context, subresource));
  if (isDryRun(info.query.getAll('dryRun'), 'UpdateOptions')) {
    return { ...owned, metadata: { ...owned.metadata, resourceVersion: previous.metadata.resourceVersion ?? '' } };
  }
  if (isFinished(owned)) return server.store.remove(resource.storage, owned.metadata.namespace ?? '', owned.metadata.name) ?? owned;
  return server.store.put(resource.storage, owned);
};

/** The last finalizer of a deleted object is gone: so is the object. */
const isFinished = ({ metadata }: KubernetesObject): boolean =>
  metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0 && (metadata.deletionGracePeriodSeconds ?? 0) === 0;

/** Answers a stored object. */
export const answerObject = (context: ResourceContext, object: KubernetesObject, status = 200): Promise<Response> => {
  const { request, representation } = context;
  return respondText(request, encodeObject(object, toEncodeContext(context)), { status, representation });
};
