// DELETE of one object or a collection.
import { readOptions } from '../body.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { encodeList } from '../encode.ts';
import { at, type JsonObject, listAt, textAt, toTime } from '../json.ts';
import { listPage } from '../list.ts';
import type { KubernetesObject } from '../object.ts';
import { findObject, toEncodeContext } from '../read.ts';
import { respond, respondText } from '../respond.ts';
import { invalid, StatusError } from '../status.ts';
import { answerObject, isDryRun } from './commit.ts';

interface DeleteOptions {
  readonly isDry: boolean;
  readonly propagation: string;
  readonly gracePeriod: number | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
}

const POLICIES = ['', 'Foreground', 'Background', 'Orphan'];

const parseOptions = async ({ request, info }: ResourceContext): Promise<DeleteOptions> => {
  const body = await readOptions(request);
  const { query } = info;
  const given = listAt(body, 'dryRun').filter((value) => typeof value === 'string');
  const propagation = textAt(body, 'propagationPolicy') || (query.get('propagationPolicy') ?? '');
  if (!POLICIES.includes(propagation)) {
    const message = `Unsupported value: "${propagation}": supported values: "Foreground", "Background", "Orphan", "nil"`;
    throw invalid('meta.k8s.io', 'DeleteOptions', '', [{ reason: 'FieldValueNotSupported', message, field: 'propagationPolicy' }]);
  }
  const period = at(body, 'gracePeriodSeconds') ?? (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined);
  return {
    isDry: isDryRun(given.length > 0 ? given : query.getAll('dryRun'), 'DeleteOptions'),
    propagation,
    gracePeriod: typeof period === 'number' ? period : undefined,
    uid: textAt(body, 'preconditions', 'uid'),
    resourceVersion: textAt(body, 'preconditions', 'resourceVersion'),
  };
};

/** 409 in the server's words, which name the kind where other errors name the resource. */
const refuseOther = ({ resource }: ResourceContext, { metadata }: KubernetesObject, { uid, resourceVersion }: DeleteOptions): void => {
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

/** Finalizers keep an object until somebody removes them; the way of propagation adds one of its own for the collector to remove. */
const finalizersOf = ({ metadata }: KubernetesObject, { propagation }: DeleteOptions): string[] => {
  const own = PROPAGATION_FINALIZERS[propagation];
  const present = metadata.finalizers ?? [];
  return own === undefined || present.includes(own) ? [...present] : [...present, own];
};

/** How long a pod on a node has for its end; other kinds end at once. */
const gracePeriodOf = ({ resource }: ResourceContext, object: KubernetesObject, { gracePeriod }: DeleteOptions): number => {
  if (resource.storage !== 'pods' || textAt(object, 'spec', 'nodeName') === '') return 0;
  if (['Succeeded', 'Failed'].includes(textAt(object, 'status', 'phase'))) return 0;
  const own = at(object, 'spec', 'terminationGracePeriodSeconds');
  return gracePeriod ?? (typeof own === 'number' ? own : 30);
};

/** Namespaces empty themselves before they go. */
const isHeld = ({ resource }: ResourceContext, finalizers: readonly string[]): boolean =>
  finalizers.length > 0 || resource.storage === 'namespaces';

interface Deletion {
  readonly object: KubernetesObject;
  readonly isGone: boolean;
}

const deleteOne = (context: ResourceContext, object: KubernetesObject, options: DeleteOptions): Deletion => {
  const { server, resource } = context;
  const { name, namespace = '' } = object.metadata;
  const finalizers = finalizersOf(object, options);
  const period = gracePeriodOf(context, object, options);
  if (!isHeld(context, finalizers) && period === 0) {
    if (options.isDry) return { object, isGone: true };
    const removed = server.store.remove(resource.storage, namespace, name) ?? object;
    // A pod that was ending already is shown as one that has no time left.
    const wasEnding = removed.metadata.deletionGracePeriodSeconds !== undefined;
    return { object: wasEnding ? { ...removed, metadata: { ...removed.metadata, deletionGracePeriodSeconds: 0 } } : removed, isGone: true };
  }
  const deletionTimestamp = object.metadata.deletionTimestamp ?? toTime(server.clock() + period * 1000);
  const metadata = {
    ...object.metadata,
    ...(object.metadata.generation === undefined || object.metadata.deletionTimestamp !== undefined
      ? {}
      : { generation: object.metadata.generation + 1 }),
    deletionTimestamp,
    deletionGracePeriodSeconds: period,
    ...(finalizers.length === 0 ? {} : { finalizers }),
  };
  const marked = { ...object, metadata, ...(resource.storage === 'namespaces' ? { status: { phase: 'Terminating' } } : {}) };
  return { object: options.isDry ? marked : server.store.put(resource.storage, marked), isGone: false };
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
  const deleted = objects.map((object) => deleteOne(context, object, options).object);
  return respondText(request, encodeList(deleted, metadata, toEncodeContext(context)), { representation });
};
