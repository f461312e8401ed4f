// DELETE of one object or a collection.
import { readOptions } from '../body.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { encodeList } from '../encode.ts';
import { at, type JsonObject, listAt, textAt, toTime } from '../json.ts';
import { listPage } from '../list.ts';
import type { KubernetesObject } from '../object.ts';
import { findObject, toEncodeContext } from '../read.ts';
import { respond, respondText } from '../respond.ts';
import { badRequest, invalid, StatusError } from '../status.ts';
import { answerObject, isDryRun } from './commit.ts';

export interface DeleteOptions {
  readonly isDry: boolean;
  readonly propagation: string;
  readonly gracePeriod: number | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
}

const POLICIES = ['', 'Foreground', 'Background', 'Orphan'];

const fault = (field: string, reason: string, message: string): Error =>
  invalid('meta.k8s.io', 'DeleteOptions', '', [{ reason, message, field }]);

/** The options of the query, as a body would have them. */
const ofQuery = (query: URLSearchParams): JsonObject => {
  const period = query.get('gracePeriodSeconds');
  const isOrphaning = query.get('orphanDependents');
  return {
    dryRun: query.getAll('dryRun'),
    propagationPolicy: query.get('propagationPolicy') ?? '',
    ...(period === null ? {} : { gracePeriodSeconds: Number(period) }),
    ...(isOrphaning === null ? {} : { orphanDependents: isOrphaning !== 'false' && isOrphaning !== '0' }),
  };
};

/** A body must be of the one kind that a deletion takes. */
const refuseOtherKind = (body: JsonObject): void => {
  const [kind, apiVersion] = [textAt(body, 'kind'), textAt(body, 'apiVersion')];
  if (kind === '' || kind === 'DeleteOptions') return;
  throw badRequest(
    `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in scheme "pkg/runtime/scheme.go:111"`,
  );
};

/** The old way to say Orphan or Background. */
const policyOf = (options: JsonObject): string => {
  const propagation = textAt(options, 'propagationPolicy');
  const isOrphaning = options['orphanDependents'];
  if (isOrphaning !== undefined && propagation !== '') {
    const message = `Invalid value: ${JSON.stringify(propagation)}: orphanDependents and deletionPropagation cannot be both set`;
    throw fault('propagationPolicy', 'FieldValueInvalid', message);
  }
  if (!POLICIES.includes(propagation)) {
    const message = `Unsupported value: "${propagation}": supported values: "Foreground", "Background", "Orphan", "nil"`;
    throw fault('propagationPolicy', 'FieldValueNotSupported', message);
  }
  if (typeof isOrphaning !== 'boolean') return propagation;
  return isOrphaning ? 'Orphan' : 'Background';
};

/** The options of a body; those of the query count only when there is none. */
const parseOptions = async ({ request, info }: ResourceContext): Promise<DeleteOptions> => {
  const body = await readOptions(request);
  if (body !== undefined) refuseOtherKind(body);
  return toDeleteOptions(body ?? ofQuery(info.query));
};

export const toDeleteOptions = (options: JsonObject): DeleteOptions => {
  const given = listAt(options, 'dryRun').filter((value) => typeof value === 'string');
  const period = at(options, 'gracePeriodSeconds');
  return {
    propagation: policyOf(options),
    isDry: isDryRun(given, 'DeleteOptions'),
    // As little as there is.
    gracePeriod: typeof period === 'number' ? (period < 0 ? 1 : period) : undefined,
    uid: textAt(options, 'preconditions', 'uid'),
    resourceVersion: textAt(options, 'preconditions', 'resourceVersion'),
  };
};

/** 409 in the server's words, which name the kind where other errors name the resource. */
export const refuseOther = (
  { resource }: ResourceContext,
  { metadata }: KubernetesObject,
  { uid, resourceVersion }: DeleteOptions,
): void => {
  const fail = (what: string, wanted: string, found: string | undefined): StatusError =>
    new StatusError(
      409,
      'Conflict',
      `Operation cannot be fulfilled on ${resource.kind}${resource.group === '' ? '' : `.${resource.group}`} "${metadata.name}": the ${what} in the precondition (${wanted}) does not match the ${what} in record (${found}). The object might have been ${what === 'UID' ? 'deleted and then recreated' : 'modified'}`,
      { details: { name: metadata.name, group: resource.group, kind: resource.kind } },
    );
  if (uid !== '' && uid !== metadata.uid) throw fail('UID', uid, metadata.uid);
  if (resourceVersion !== '' && resourceVersion !== metadata.resourceVersion)
    throw fail('ResourceVersion', resourceVersion, metadata.resourceVersion);
};

const PROPAGATION_FINALIZERS: Readonly<Record<string, string>> = { Foreground: 'foregroundDeletion', Orphan: 'orphan' };

/** Finalizers keep an object until somebody removes them. The way of propagation adds one for the collector, in place of that of another way. */
const finalizersOf = ({ metadata }: KubernetesObject, { propagation }: DeleteOptions): string[] => {
  const present = metadata.finalizers ?? [];
  if (propagation === '') return [...present];
  const own = PROPAGATION_FINALIZERS[propagation];
  const others = present.filter((name) => !Object.values(PROPAGATION_FINALIZERS).includes(name));
  return own === undefined ? others : [...others, own];
};

/** How long a pod on a node has for its end; other kinds end at once. A shorter time than before counts, a longer one does not. */
const gracePeriodOf = ({ resource }: ResourceContext, { metadata, ...pod }: KubernetesObject, { gracePeriod }: DeleteOptions): number => {
  if (resource.storage !== 'pods' || textAt(pod, 'spec', 'nodeName') === '') return 0;
  if (['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'))) return 0;
  const before = metadata.deletionGracePeriodSeconds;
  if (before !== undefined) return Math.min(before, gracePeriod ?? before);
  const own = at(pod, 'spec', 'terminationGracePeriodSeconds');
  return gracePeriod ?? (typeof own === 'number' ? own : 30);
};

/** Namespaces empty themselves before they go. */
const isHeld = ({ resource }: ResourceContext, finalizers: readonly string[]): boolean =>
  finalizers.length > 0 || resource.storage === 'namespaces';

interface Deletion {
  readonly object: KubernetesObject;
  readonly isGone: boolean;
}

/** The object with the marks of its end. */
const marked = (context: ResourceContext, object: KubernetesObject, period: number, finalizers: readonly string[]): KubernetesObject => {
  const { server, resource } = context;
  const { finalizers: _finalizers, ...before } = object.metadata;
  const isNew = before.deletionTimestamp === undefined;
  const isSame = !isNew && before.deletionGracePeriodSeconds === period;
  const metadata = {
    ...before,
    name: object.metadata.name,
    ...(before.generation === undefined || !isNew ? {} : { generation: before.generation + 1 }),
    ...(isSame ? {} : { deletionTimestamp: toTime(server.clock() + period * 1000), deletionGracePeriodSeconds: period }),
    ...(finalizers.length === 0 ? {} : { finalizers: [...finalizers] }),
  };
  return { ...object, metadata, ...(resource.storage === 'namespaces' ? { status: { phase: 'Terminating' } } : {}) };
};

export const deleteOne = (context: ResourceContext, object: KubernetesObject, options: DeleteOptions): Deletion => {
  const { server, resource } = context;
  const finalizers = finalizersOf(object, options);
  const period = gracePeriodOf(context, object, options);
  const ending = marked(context, object, period, finalizers);
  if (isHeld(context, finalizers) || period > 0) {
    return { object: options.isDry ? ending : server.store.put(resource.storage, ending), isGone: false };
  }
  const { name, namespace = '' } = object.metadata;
  const removed = options.isDry ? undefined : server.store.remove(resource.storage, namespace, name);
  // Only pods are shown as they end; all else is shown as it was.
  const shown = resource.storage === 'pods' ? ending : object;
  const resourceVersion = removed?.metadata.resourceVersion ?? object.metadata.resourceVersion ?? '';
  return { object: { ...shown, metadata: { ...shown.metadata, resourceVersion } }, isGone: true };
};

/** Kinds that answer the deleted object itself, where others answer a Status. */
const ANSWERS_OBJECT = new Set([
  'pods',
  'services',
  'namespaces',
  'persistentvolumes',
  'persistentvolumeclaims',
  'serviceaccounts',
  'resourcequotas',
  'podtemplates',
]);

const success = ({ resource, info }: ResourceContext, { metadata }: KubernetesObject): JsonObject => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: {
    name: info.name,
    ...(resource.group === '' ? {} : { group: resource.group }),
    kind: resource.resource,
    uid: metadata.uid ?? '',
  },
});

export const deleteObject: ResourceHandler = async (context) => {
  const { request, representation, resource } = context;
  const options = await parseOptions(context);
  const object = findObject(context);
  refuseOther(context, object, options);
  const { object: result, isGone } = deleteOne(context, object, options);
  if (!isGone || ANSWERS_OBJECT.has(resource.storage)) return answerObject(context, result);
  return respond(request, success(context, object), { representation });
};

/** DELETE of a collection, narrowed by selectors. */
export const deleteCollection: ResourceHandler = async (context) => {
  const { request, representation, server, resource, info } = context;
  const options = await parseOptions(context);
  const { objects, metadata } = listPage({
    store: server.store,
    resource,
    namespace: resource.namespaced ? info.namespace : '',
    query: info.query,
  });
  for (const object of objects) deleteOne(context, object, options);
  // The answer shows them as they were.
  return respondText(request, encodeList(objects, metadata, toEncodeContext(context)), { representation });
};
