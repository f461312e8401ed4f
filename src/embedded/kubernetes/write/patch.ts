// A patch as it comes: its format, its text, what it makes of a target.
import type { ResourceContext } from '../context.ts';
import { isObject, type Json, type JsonObject, parseJson } from '../json.ts';
import { badRequest, invalid, StatusError } from '../status.ts';
import { jsonPatch, mergePatch, strategicMergePatch } from './patches.ts';

const MERGE = 'application/merge-patch+json';
const JSON_PATCH = 'application/json-patch+json';
const STRATEGIC = 'application/strategic-merge-patch+json';

/** The patch of a body, or a refusal in the decoder's words. */
export const parsePatch = (text: string, mediaType: string): Json => {
  let patch: Json;
  try {
    patch = parseJson(text);
  } catch {
    throw badRequest('invalid JSON patch');
  }
  if (mediaType !== JSON_PATCH && !isObject(patch)) {
    const found = Array.isArray(patch) ? 'array' : typeof patch === 'boolean' ? 'bool' : typeof patch;
    const why = `json: cannot unmarshal ${found} into Go value of type map[string]interface {}`;
    throw badRequest(mediaType === STRATEGIC ? why : `error decoding patch: ${why}`);
  }
  return patch;
};

/** The target as the patch makes it; the schema tells how lists merge. */
export const applyPatch = (target: JsonObject, patch: Json, mediaType: string, schema: JsonObject): Json => {
  if (mediaType === MERGE) return mergePatch(target, patch);
  if (mediaType === JSON_PATCH) return jsonPatch(target, patch);
  return strategicMergePatch(target, patch, schema);
};

/** The patch formats of a resource: custom kinds have no strategic merge. */
export const refuseFormat = ({ resource }: ResourceContext, mediaType: string): void => {
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

/** 422 for what a patch made, when it cannot be decoded: the whole is called invalid. */
export const refusePatched = (patched: Json, why: string): StatusError => {
  const entries = Object.entries(isObject(patched) ? patched : {}).sort(([left], [right]) => (left < right ? -1 : 1));
  const text = JSON.stringify(isObject(patched) ? Object.fromEntries(entries) : patched);
  const message = `Invalid value: ${JSON.stringify(text)}: ${why}`;
  return invalid('', '', '', [{ reason: 'FieldValueInvalid', message, field: 'patch' }]);
};
