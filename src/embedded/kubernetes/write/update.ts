// PUT and PATCH: an object, its status, or its scale.
import { mediaTypeOf, readValue, toTypedObject } from '../body.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { at, isObject, type Json, type JsonObject, numberAt, objectAt, parseJson, textAt } from '../json.ts';
import { toLabelSelector } from '../label-selector.ts';
import type { KubernetesObject } from '../object.ts';
import { findObject } from '../read.ts';
import { respond } from '../respond.ts';
import { schemaOf } from '../schema.ts';
import { badRequest, conflict, invalid, StatusError } from '../status.ts';
import { validateObject } from '../validate.ts';
import { toView } from '../views.ts';
import { answerObject, commit, refuseStale } from './commit.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patches.ts';
import { toStatusUpdated, toUpdated } from './prepare.ts';

const refuseOther = ({ info, resource }: ResourceContext, given: KubernetesObject, previous: KubernetesObject): void => {
  const { name, namespace, uid } = given.metadata;
  if (name !== info.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  if (resource.namespaced && namespace !== undefined && namespace !== '' && namespace !== info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (uid === undefined || uid === '' || uid === previous.metadata.uid) return;
  if (given.metadata.resourceVersion === undefined) {
    const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
    throw invalid(resource.group, resource.kind, info.name, [{ reason: 'FieldValueInvalid', message, field: 'metadata.uid' }]);
  }
  throw conflict(resource, info.name, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous.metadata.uid}`);
};

/** Stores the given state over the previous one, as a whole or only its status. */
const store = (context: ResourceContext, given: KubernetesObject, previous: KubernetesObject): KubernetesObject => {
  const { resource, info } = context;
  refuseOther(context, given, previous);
  refuseStale(context, given, previous);
  const withNamespace = { ...given, metadata: { ...given.metadata, ...(resource.namespaced ? { namespace: info.namespace } : {}) } };
  if (info.subresource === 'status') return commit(context, toStatusUpdated(withNamespace, previous), { previous, subresource: 'status' });
  const updated = toUpdated(resource, withNamespace, previous);
  validateObject(resource, updated);
  return commit(context, updated, { previous });
};

/** PUT of an object or its status. */
export const updateObject: ResourceHandler = async (context) => {
  const previous = findObject(context);
  const { object } = toTypedObject(context, await readValue(context.request, context.resource.kind));
  return answerObject(context, store(context, object, previous));
};

const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const STRATEGIC = 'application/strategic-merge-patch+json';
const APPLY = ['application/apply-patch+yaml', 'application/apply-patch+cbor'];

const parsePatch = (text: string, mediaType: string): Json => {
  let patch: Json;
  try {
    patch = parseJson(text);
  } catch {
    throw badRequest(
      mediaType === JSON_PATCH
        ? `error decoding patch: invalid character '${text.charAt(0)}' looking for beginning of value`
        : 'invalid JSON patch',
    );
  }
  if (mediaType !== JSON_PATCH && !isObject(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}');
  return patch;
};

const applyPatch = ({ resource }: ResourceContext, target: JsonObject, patch: Json, mediaType: string): Json => {
  if (mediaType === MERGE) return mergePatch(target, patch);
  if (mediaType === JSON_PATCH) return jsonPatch(target, patch);
  return strategicMergePatch(target, patch, schemaOf(resource) ?? {});
};

/** The patch formats of a resource: custom kinds have no strategic merge. */
const refuseFormat = ({ resource }: ResourceContext, mediaType: string): void => {
  if (APPLY.includes(mediaType)) {
    throw new StatusError(415, 'UnsupportedMediaType', 'the embedded Kubernetes does not offer server-side apply');
  }
  const known = resource.custom === undefined ? [MERGE, JSON_PATCH, STRATEGIC] : [MERGE, JSON_PATCH];
  if (known.includes(mediaType)) return;
  if (mediaType !== STRATEGIC) throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', { details: {} });
  const accepted = [JSON_PATCH, MERGE, ...APPLY].join(', ');
  throw new StatusError(
    415,
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted}`,
  );
};

/** PATCH of an object or its status. */
export const patchObject: ResourceHandler = async (context) => {
  const { request, resource } = context;
  const mediaType = mediaTypeOf(request);
  refuseFormat(context, mediaType);
  const patch = parsePatch(await request.text(), mediaType);
  const previous = findObject(context);
  const { managedFields: _fields, ...metadata } = previous.metadata;
  const target = toView({ ...previous, metadata }, resource);
  const { object } = toTypedObject(context, applyPatch(context, target, patch, mediaType));
  return answerObject(context, store(context, toStored(object, previous), previous));
};

/** A patched view goes back into the stored version. */
const toStored = (object: KubernetesObject, previous: KubernetesObject): KubernetesObject => ({
  ...object,
  apiVersion: previous.apiVersion,
});

const selectorText = (object: KubernetesObject): string => {
  const selector = at(object, 'spec', 'selector');
  if (object.kind === 'ReplicationController')
    return Object.entries(objectAt(selector))
      .map(([key, value]) => `${key}=${String(value)}`)
      .sort()
      .join(',');
  return toLabelSelector(selector).toString();
};

const pathOf = ({ resource }: ResourceContext, key: string, fallback: string): string[] => {
  const declared = textAt(objectAt(resource.custom?.version, 'subresources', 'scale'), key);
  return (declared || fallback).replace(/^\./, '').split('.');
};

/** The scale of a workload, as autoscaling/v1 shows it. */
const toScale = (context: ResourceContext, object: KubernetesObject): JsonObject => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = numberAt(object, ...pathOf(context, 'specReplicasPath', '.spec.replicas'));
  const selector = selectorText(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      uid: uid ?? '',
      resourceVersion: resourceVersion ?? '',
      creationTimestamp: creationTimestamp ?? '',
    },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: numberAt(object, ...pathOf(context, 'statusReplicasPath', '.status.replicas')),
      ...(selector === '' ? {} : { selector }),
    },
  };
};

export const getScale: ResourceHandler = async (context) =>
  respond(context.request, toScale(context, findObject(context)), { representation: context.representation });

const setAt = (value: JsonObject, [key, ...rest]: readonly string[], item: Json): JsonObject => {
  if (key === undefined) return value;
  return { ...value, [key]: rest.length === 0 ? item : setAt(objectAt(value, key), rest, item) };
};

/** PUT and PATCH of a scale: only the wanted number counts. */
export const updateScale: ResourceHandler = async (context) => {
  const { request, info, resource } = context;
  const previous = findObject(context);
  const current = toScale(context, previous);
  const mediaType = mediaTypeOf(request);
  const wanted = info.verb === 'update' ? await readValue(request, 'Scale') : await patchScale(context, current, mediaType);
  const replicas = at(wanted, 'spec', 'replicas') ?? 0;
  if (typeof replicas !== 'number')
    throw badRequest(
      'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32',
    );
  if (replicas < 0) {
    const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
    throw invalid('autoscaling', 'Scale', info.name, [{ reason: 'FieldValueInvalid', message, field: 'spec.replicas' }]);
  }
  const version = textAt(wanted, 'metadata', 'resourceVersion');
  const given = setAt(previous, pathOf(context, 'specReplicasPath', '.spec.replicas'), replicas);
  const scaled: KubernetesObject = {
    ...given,
    kind: previous.kind,
    apiVersion: previous.apiVersion,
    metadata: { ...previous.metadata, ...(version === '' ? {} : { resourceVersion: version }) },
  };
  refuseStale(context, scaled, previous);
  const stored = commit(context, toUpdated(resource, scaled, previous), { previous, subresource: 'scale' });
  return respond(request, toScale(context, stored), { representation: context.representation });
};

const patchScale = async (context: ResourceContext, current: JsonObject, mediaType: string): Promise<Json> => {
  refuseFormat(context, mediaType);
  const patch = parsePatch(await context.request.text(), mediaType);
  return mediaType === JSON_PATCH ? jsonPatch(current, patch) : mergePatch(current, patch);
};
