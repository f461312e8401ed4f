// POST: a new object.
import { readValue, toTypedObject, validateName } from '../body.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { isObject, objectAt, objectsAt, textAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { quotaFault } from '../quota.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../resources.ts';
import { REVIEWS } from '../reviews.ts';
import { alreadyExists, badRequest, methodNotAllowed, notFound, refusedByAdmission, StatusError } from '../status.ts';
import { validateObject } from '../validate.ts';
import { toCoreEvent } from '../views.ts';
import { answerObject, commitCreated, refuseView } from './commit.ts';
import { type Created, toCreated } from './prepare.ts';

const NAMESPACES = { group: '', resource: 'namespaces' };

/** New objects need a namespace that is there and stays. */
const demandNamespace = ({ server, resource, info }: ResourceContext, name: string): void => {
  if (!resource.namespaced) return;
  const namespace = server.store.get('namespaces', '', info.namespace);
  if (namespace === undefined) throw notFound(NAMESPACES, info.namespace);
  if (namespace.metadata.deletionTimestamp === undefined) return;
  const message = `unable to create new content in namespace ${info.namespace} because it is being terminated`;
  const qualified = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
  throw new StatusError(403, 'Forbidden', `${qualified} "${name}" is forbidden: ${message}`, {
    details: {
      name,
      group: resource.group,
      kind: resource.resource,
      causes: [{ reason: 'NamespaceTerminating', message: `namespace ${info.namespace} is being terminated`, field: 'metadata.namespace' }],
    },
  });
};

/** A free address of the range 10.96.0.0/16, as the allocator finds one. */
const freeAddress = ({ server }: ResourceContext): string => {
  const used = new Set(server.store.all('services').map((service) => textAt(service, 'spec', 'clusterIP')));
  for (let number = 0x8000; number < 0xffff; number += 1) {
    const address = `10.96.${number >> 8}.${number & 0xff}`;
    if (!used.has(address)) return address;
  }
  throw new StatusError(500, 'InternalError', 'Internal error occurred: failed to allocate a serviceIP: range is full', { details: {} });
};

const withServiceAddress = (context: ResourceContext, object: KubernetesObject): KubernetesObject => {
  const spec = objectAt(object, 'spec');
  if (context.resource.storage !== 'services' || textAt(spec, 'clusterIP') !== '' || spec['type'] === 'ExternalName') return object;
  const clusterIP = freeAddress(context);
  return { ...object, spec: { ...spec, clusterIP, clusterIPs: [clusterIP] } };
};

/** A definition is served at once: its names are accepted and it is established. */
const withEstablishment = (context: ResourceContext, object: KubernetesObject): KubernetesObject => {
  if (context.resource.storage !== CUSTOM_RESOURCE_DEFINITIONS) return object;
  const time = toTime(context.server.clock());
  const spec = objectAt(object, 'spec');
  const given = objectAt(spec, 'names');
  const kind = textAt(given, 'kind');
  const names = {
    ...given,
    singular: textAt(given, 'singular') || kind.toLowerCase(),
    listKind: textAt(given, 'listKind') || `${kind}List`,
  };
  const stored = objectsAt(spec, 'versions').find((version) => version['storage'] === true);
  const status = {
    conditions: [
      { type: 'NamesAccepted', status: 'True', lastTransitionTime: time, reason: 'NoConflicts', message: 'no conflicts found' },
      {
        type: 'Established',
        status: 'True',
        lastTransitionTime: time,
        reason: 'InitialNamesAccepted',
        message: 'the initial names have been accepted',
      },
    ],
    acceptedNames: names,
    storedVersions: [textAt(stored, 'name')],
  };
  return {
    ...object,
    spec: { ...spec, names, conversion: isObject(spec['conversion']) ? spec['conversion'] : { strategy: 'None' } },
    status,
  };
};

const refuseForeign = ({ resource, info }: ResourceContext, { metadata }: KubernetesObject): void => {
  const { namespace, resourceVersion } = metadata;
  if (resource.namespaced && namespace !== undefined && namespace !== '' && namespace !== info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (resourceVersion !== undefined && resourceVersion !== '')
    throw new StatusError(500, '', 'resourceVersion should not be set on objects to be created');
};

/** POST of a new object, or of a question. */
export const createObject: ResourceHandler = async (context) => {
  const { resource, request, server, info } = context;
  const qualified = resource.group === '' ? resource.resource : `${resource.resource}.${resource.group}`;
  const review = REVIEWS[qualified];
  if (review !== undefined) return review(context);
  if (info.name !== '' || (resource.namespaced && info.namespace === '')) throw methodNotAllowed();
  refuseView(resource);
  const { object: given } = toTypedObject(context, await readValue(request, resource.kind));
  refuseForeign(context, given);
  const isForeignEvent = qualified === 'events.events.k8s.io';
  const { object, written } = prepareNew(context, isForeignEvent ? toCoreEvent(given) : given);
  refuseTwice(resource, server.store.get(resource.storage, object.metadata.namespace ?? '', object.metadata.name));
  const result = commitCreated(context, object, isForeignEvent ? given : written, { given: given.metadata['managedFields'] });
  return answerObject(context, result, 201);
};

/** A new object as it would be stored, checked in full, save whether there is one of its name. */
export const prepareNew = (context: ResourceContext, given: KubernetesObject): Created => {
  const { resource } = context;
  demandNamespace(context, given.metadata.name);
  const { object, written } = toCreated(context, given);
  const created = withEstablishment(context, withServiceAddress(context, object));
  validateName(resource.group, resource.kind, created.metadata.name);
  validateObject(resource, created);
  refuseExcess(context, created);
  return { object: created, written };
};

const refuseExcess = ({ server, resource }: ResourceContext, object: KubernetesObject): void => {
  const fault = quotaFault(server.store, resource.storage, object);
  if (fault !== undefined) throw refusedByAdmission(resource, object.metadata.name, fault);
};

const refuseTwice = (resource: ResourceContext['resource'], existing: KubernetesObject | undefined): void => {
  if (existing === undefined) return;
  const error = alreadyExists(resource, existing.metadata.name);
  if (existing.metadata.deletionTimestamp === undefined) throw error;
  throw new StatusError(
    error.code,
    error.reason,
    `object is being deleted: ${error.message}`,
    error.details === undefined ? {} : { details: error.details },
  );
};
