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
import { validateUpdate } from '../validate.ts';
import { toView } from '../views.ts';
import { answerObject, commitUpdated, refuseStale, refuseView } from './commit.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patches.ts';
import { toStatusUpdated, toUpdated } from './prepare.ts';

const refuseOther = ({ info, resource }: ResourceContext, given: KubernetesObject, previous: KubernetesObject): void => {
  const { name, namespace, uid } = given.metadata;
  if (name !== info.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  if (resource.namespaced && namespace !== undefined && namespace !== '' && namespace !== info.namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  }
  if (uid === undefined || uid === '' || uid === previous.metadata.uid) return;
  if (info.verb === 'patch') {
    const message = `Invalid value: ${JSON.stringify(uid)}: field is immutable`;
    throw invalid(resource.group, resource.kind, info.name, [{ reason: 'FieldValueInvalid', message, field: 'metadata.uid' }]);
  }
  const key = `/registry/${resource.resource}/${resource.namespaced ? `${info.namespace}/` : ''}${info.name}`;
  const failed = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${previous.metadata.uid}`;
  throw conflict(
    resource,
    info.name,
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${failed}`,
  );
};

/** Stores the given state over the previous one, as a whole or only its status. */
const store = (context: ResourceContext, given: KubernetesObject, previous: KubernetesObject): KubernetesObject => {
  const { resource, info } = context;
  refuseOther(context, given, previous);
  refuseStale(context, given, previous);
  const withNamespace = { ...given, metadata: { ...given.metadata, ...(resource.namespaced ? { namespace: info.namespace } : {}) } };
  if (info.subresource === 'status') return commitUpdated(context, toStatusUpdated(withNamespace, previous), previous, 'status');
  const updated = toUpdated(resource, withNamespace, previous);
  validateUpdate(resource, updated, previous);
  return commitUpdated(context, updated, previous);
};

/** PUT of an object or its status. */
export const updateObject: ResourceHandler = async (context) => {
  const { resource, request } = context;
  refuseView(resource);
  const previous = findObject(context);
  const { object } = toTypedObject(context, await readValue(request, resource.kind));
  refuseUnversioned(context, object);
  return answerObject(context, store(context, object, previous));
};

/** Custom kinds can only be replaced by who knows which version is replaced. */
const refuseUnversioned = ({ resource, info }: ResourceContext, { metadata }: KubernetesObject): void => {
  if (resource.custom === undefined || (metadata.resourceVersion ?? '') !== '') return;
  const message = 'Invalid value: 0: must be specified for an update';
  throw invalid(resource.group, resource.resource, info.name, [
    { reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' },
  ]);
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
  const accepted = [JSON_PATCH, MERGE, 'application/apply-patch+yaml'].join(', ');
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
  refuseView(resource);
  const patch = parsePatch(await request.text(), mediaType);
  const previous = findObject(context);
  const object = decodePatched(context, applyPatch(context, toView(previous, resource), patch, mediaType));
  return answerObject(context, store(context, toStored(object, previous), previous));
};

/** A patched object that cannot be decoded is called an invalid patch, whole as it is. */
const decodePatched = (context: ResourceContext, patched: Json): KubernetesObject => {
  try {
    return toTypedObject(context, patched).object;
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 400) throw error;
    const why = error.message.replace(/^\S+ in version "[^"]*" cannot be handled as a \S+: /, '');
    const message = `Invalid value: ${JSON.stringify(JSON.stringify(patched))}: ${why}`;
    throw invalid('', '', '', [{ reason: 'FieldValueInvalid', message, field: 'patch' }]);
  }
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
  const stored = commitUpdated(context, toUpdated(resource, scaled, previous), previous, 'scale');
  return respond(request, toScale(context, stored), { representation: context.representation });
};

const patchScale = async (context: ResourceContext, current: JsonObject, mediaType: string): Promise<Json> => {
  refuseFormat(context, mediaType);
  const patch = parsePatch(await context.request.text(), mediaType);
  return mediaType === JSON_PATCH ? jsonPatch(current, patch) : mergePatch(current, patch);
};
