// PUT and PATCH: an object, its status, or its scale.
import { mediaTypeOf, readValue, toTypedObject } from '../body.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import type { Json } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { findObject } from '../read.ts';
import { schemaOf } from '../schema.ts';
import { invalid, StatusError } from '../status.ts';
import { toView } from '../views.ts';
import { APPLY, applyObject } from './apply.ts';
import { answerObject, commitUpdated, refuseView } from './commit.ts';
import { applyPatch, parsePatch, refuseFormat, refusePatched } from './patch.ts';
import { checkPatchOptions } from './patch-options.ts';
import { replace } from './replace.ts';

/** Puts the given state over the previous one in the writer's name. */
const update = (context: ResourceContext, given: KubernetesObject, previous: KubernetesObject): KubernetesObject => {
  const subresource = context.info.subresource === '' ? undefined : context.info.subresource;
  const options = { subresource, given: given.metadata['managedFields'] };
  return replace(context, given, previous, (object) => commitUpdated(context, object, previous, options));
};

/** PUT of an object or its status. */
export const updateObject: ResourceHandler = async (context) => {
  const { resource, request } = context;
  refuseView(resource);
  const previous = findObject(context);
  const { object } = toTypedObject(context, await readValue(request, resource.kind));
  refuseUnversioned(context, object);
  return answerObject(context, update(context, object, previous));
};

/** Custom kinds can only be replaced by who knows which version is replaced. */
const refuseUnversioned = ({ resource, info }: ResourceContext, { metadata }: KubernetesObject): void => {
  if (resource.custom === undefined || (metadata.resourceVersion ?? '') !== '') return;
  const message = 'Invalid value: 0: must be specified for an update';
  throw invalid(resource.group, resource.resource, info.name, [
    { reason: 'FieldValueInvalid', message, field: 'metadata.resourceVersion' },
  ]);
};

/** PATCH of an object or its status. */
export const patchObject: ResourceHandler = async (context) => {
  const { request, resource } = context;
  const mediaType = mediaTypeOf(request);
  checkPatchOptions(context, mediaType);
  refuseView(resource);
  if (mediaType === APPLY) return applyObject(context);
  refuseFormat(context, mediaType);
  const patch = parsePatch(await request.text(), mediaType);
  const previous = findObject(context);
  const object = decodePatched(context, applyPatch(toView(previous, resource), patch, mediaType, schemaOf(resource) ?? {}));
  return answerObject(context, update(context, toStored(object, previous), previous));
};

/** A patched object that cannot be decoded is called an invalid patch, whole as it is. */
const decodePatched = (context: ResourceContext, patched: Json): KubernetesObject => {
  try {
    return toTypedObject(context, patched).object;
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 400) throw error;
    throw refusePatched(patched, error.message.replace(/^\S+ in version "[^"]*" cannot be handled as a \S+: /, ''));
  }
};

/** A patched view goes back into the stored version. */
const toStored = (object: KubernetesObject, previous: KubernetesObject): KubernetesObject => ({
  ...object,
  apiVersion: previous.apiVersion,
});
