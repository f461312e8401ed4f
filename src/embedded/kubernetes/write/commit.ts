// The end of every write: conflicts, managed fields, storing (unless it is a dry run), and the answer.
import type { ResourceContext } from '../context.ts';
import { encodeObject } from '../encode.ts';
import { toTime } from '../json.ts';
import { managerOf, withUpdatedFields } from '../managers.ts';
import type { KubernetesObject } from '../object.ts';
import { toEncodeContext } from '../read.ts';
import { respondText } from '../respond.ts';
import { conflict, invalid } from '../status.ts';

export const isDryRun = (values: readonly string[], kind: string): boolean => {
  if (values.length === 0) return false;
  if (values.every((value) => value === 'All')) return true;
  const message = `Unsupported value: ${JSON.stringify(values)}: supported values: "All"`;
  throw invalid('meta.k8s.io', kind, '', [{ reason: 'FieldValueNotSupported', message, field: 'dryRun' }]);
};

const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again';

/** 409 when the writer has seen another version than the present one. */
export const refuseStale = ({ resource }: ResourceContext, given: KubernetesObject, previous: KubernetesObject): void => {
  const { resourceVersion } = given.metadata;
  if (resourceVersion === undefined || resourceVersion === '' || resourceVersion === previous.metadata.resourceVersion) return;
  throw conflict(resource, previous.metadata.name, MODIFIED);
};

export interface CommitOptions {
  readonly previous: KubernetesObject | undefined;
  readonly subresource?: string;
}

/** Stores the object in the writer's name and gives back what is stored. */
export const commit = (context: ResourceContext, object: KubernetesObject, { previous, subresource }: CommitOptions): KubernetesObject => {
  const { server, request, resource, info } = context;
  const writer = { manager: managerOf(request, info.query), time: toTime(server.clock()), subresource };
  const owned = withUpdatedFields(object, previous, writer);
  const dry = isDryRun(info.query.getAll('dryRun'), previous === undefined ? 'CreateOptions' : 'UpdateOptions');
  if (dry)
    return previous === undefined
      ? owned
      : { ...owned, metadata: { ...owned.metadata, resourceVersion: previous.metadata.resourceVersion ?? '' } };
  if (previous !== undefined && isFinished(owned))
    return server.store.remove(resource.storage, owned.metadata.namespace ?? '', owned.metadata.name) ?? owned;
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
