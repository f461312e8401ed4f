// One state of an object over another: what PUT, the patches and an application have in common.
import type { ResourceContext } from '../context.ts';
import type { KubernetesObject } from '../object.ts';
import { badRequest, conflict, invalid } from '../status.ts';
import { validateUpdate } from '../validate.ts';
import { refuseStale } from './commit.ts';
import { toStatusUpdated, toUpdated } from './prepare.ts';

/** 400 when the object is not the one of the path, 422 or 409 when it is another one of the same name; `previous` is none for a new object. */
export const refuseForeignPlace = (
  { info, resource }: ResourceContext,
  given: KubernetesObject,
  previous: KubernetesObject | undefined,
): void => {
  const { name, namespace, uid } = given.metadata;
  if (name === '') throw badRequest(`the name of the object (${info.name} based on URL) was undeterminable: name must be provided`);
  if (name !== info.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  if (resource.namespaced && namespace !== undefined && namespace !== '' && namespace !== info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (uid === undefined || uid === '' || uid === previous?.metadata.uid) return;
  if (info.verb === 'patch') {
    const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
    throw invalid(resource.group, resource.kind, info.name, [{ reason: 'FieldValueInvalid', message, field: 'metadata.uid' }]);
  }
  const key = `/registry/${resource.resource}/${resource.namespaced ? `${info.namespace}/` : ''}${info.name}`;
  const failed = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous?.metadata.uid ?? ''}`;
  throw conflict(
    resource,
    info.name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${failed}`,
  );
};

/** Puts the given state over the previous one, as a whole or only its status, checked in full. */
export const replace = (
  context: ResourceContext,
  given: KubernetesObject,
  previous: KubernetesObject,
  store: (object: KubernetesObject) => KubernetesObject,
): KubernetesObject => {
  const { resource, info } = context;
  refuseForeignPlace(context, given, previous);
  refuseStale(context, given, previous);
  const withNamespace = { ...given, metadata: { ...given.metadata, ...(resource.namespaced ? { namespace: info.namespace } : {}) } };
  if (info.subresource === 'status') return store(toStatusUpdated(withNamespace, previous));
  const updated = toUpdated(resource, withNamespace, previous);
  validateUpdate(resource, updated, previous);
  return store(updated);
};
