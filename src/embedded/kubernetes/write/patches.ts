// The patch formats: merge patch (RFC 7386), JSON patch (RFC 6902) and Kubernetes' strategic merge patch.
import { isEqual, isObject, type Json, type JsonObject } from '../json.ts';
import { fieldSchema, mergeKeyOf, resolve } from '../schema.ts';
import { badRequest, StatusError } from '../status.ts';

/** RFC 7386: null removes, objects merge, all else replaces. */
export const mergePatch = (target: Json | undefined, patch: Json): Json => {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined) continue;
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
};

/** The server does not say what was wrong with an operation of a JSON patch. */
const refused = (): StatusError =>
  new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', { details: {} });

const toPath = (pointer: Json | undefined): string[] => {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) throw refused();
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
};

const childOf = (value: Json | undefined, key: string): Json | undefined => {
  if (Array.isArray(value)) return /^\d+$/.test(key) ? value[Number(key)] : undefined;
  return isObject(value) ? value[key] : undefined;
};

const read = (document: Json, path: readonly string[]): Json => {
  const found = path.reduce<Json | undefined>(childOf, document);
  if (found === undefined) throw refused();
  return found;
};

type Edit = (container: Json[] | JsonObject, key: string) => void;

/** Applies an edit to the container of a path, in a document that is this patch's own copy. */
const edit = (document: Json, path: readonly string[], change: Edit): void => {
  const key = path.at(-1);
  const container = path.slice(0, -1).reduce<Json | undefined>(childOf, document);
  if (key === undefined || (!isObject(container) && !Array.isArray(container))) throw refused();
  change(container, key);
};

const add =
  (value: Json): Edit =>
  (container, key) => {
    if (!Array.isArray(container)) container[key] = value;
    else if (key === '-') container.push(value);
    else if (/^\d+$/.test(key) && Number(key) <= container.length) container.splice(Number(key), 0, value);
    else throw refused();
  };

const remove: Edit = (container, key) => {
  if (childOf(container, key) === undefined) throw refused();
  if (Array.isArray(container)) container.splice(Number(key), 1);
  else delete container[key];
};

const replace =
  (value: Json): Edit =>
  (container, key) => {
    if (!Array.isArray(container)) {
      // The server's library does not look whether the key is there.
      container[key] = value;
      return;
    }
    if (childOf(container, key) === undefined) throw refused();
    container[Number(key)] = value;
  };

const applyOperation = (document: Json, operation: Json): Json => {
  if (!isObject(operation)) throw refused();
  const { op, value = null } = operation;
  const path = toPath(operation['path']);
  if (op === 'test') {
    const container = path.slice(0, -1).reduce<Json | undefined>(childOf, document);
    if (container === undefined || !isEqual(path.reduce<Json | undefined>(childOf, document) ?? null, value)) throw refused();
    return document;
  }
  if (path.length === 0) return op === 'add' || op === 'replace' ? value : document;
  if (op === 'add') edit(document, path, add(value));
  else if (op === 'remove') edit(document, path, remove);
  else if (op === 'replace') edit(document, path, replace(value));
  else if (op === 'copy') edit(document, path, add(structuredClone(read(document, toPath(operation['from'])))));
  else if (op === 'move') {
    const from = toPath(operation['from']);
    const moved = read(document, from);
    edit(document, from, remove);
    edit(document, path, add(moved));
  } else throw refused();
  return document;
};

/** RFC 6902; 422 without further words when an operation cannot be done. */
export const jsonPatch = (target: Json, patch: Json): Json => {
  if (!Array.isArray(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp');
  return patch.reduce<Json>(applyOperation, structuredClone(target));
};

const isDirective = (key: string): boolean =>
  key === '$patch' || key === '$retainKeys' || key.startsWith('$setElementOrder/') || key.startsWith('$deleteFromPrimitiveList/');

const mergeObjects = (target: JsonObject, patch: JsonObject, schema: JsonObject, isRoot: boolean): JsonObject => {
  if (patch['$patch'] === 'replace') return withoutDirectives(patch);
  if (patch['$patch'] === 'delete') return {};
  const retained = patch['$retainKeys'];
  const result: JsonObject = Array.isArray(retained)
    ? Object.fromEntries(Object.entries(target).filter(([key]) => retained.includes(key)))
    : { ...target };
  for (const [key, list] of Object.entries(patch)) {
    const field = key.split('/')[1];
    if (field === undefined || !key.startsWith('$deleteFromPrimitiveList/') || !Array.isArray(list)) continue;
    const current = result[field];
    if (Array.isArray(current)) result[field] = current.filter((item) => !list.includes(item));
  }
  for (const [key, value] of Object.entries(patch)) {
    if (value === undefined || isDirective(key)) continue;
    if (value === null) delete result[key];
    else result[key] = mergeField(result[key], value, schema, key, isRoot, patch[`$setElementOrder/${key}`]);
  }
  return result;
};

const withoutDirectives = (value: JsonObject): JsonObject => Object.fromEntries(Object.entries(value).filter(([key]) => !isDirective(key)));

const mergeField = (
  target: Json | undefined,
  patch: Json,
  schema: JsonObject,
  name: string,
  isRoot: boolean,
  order: Json | undefined,
): Json => {
  const field = fieldSchema(schema, name, isRoot) ?? {};
  if (isObject(patch)) return mergeObjects(isObject(target) ? target : {}, patch, field, false);
  if (!Array.isArray(patch)) return patch;
  const { key, isMerged } = mergeKeyOf(schema, name);
  const current = Array.isArray(target) ? target : [];
  if (!isMerged) return patch;
  refuseOrder(patch, order, key);
  if (key === '') {
    const merged = [...current, ...patch.filter((item) => !current.some((known) => isEqual(known, item)))];
    return order === undefined ? merged : ordered(merged, patch, current, order, key);
  }
  const items = field['items'];
  return ordered(mergeList(current, patch, isObject(items) ? resolve(items) : {}, key), patch, current, order, key);
};

const mergeList = (target: readonly Json[], patch: readonly Json[], schema: JsonObject, key: string): Json[] => {
  if (patch.some((item) => isObject(item) && item['$patch'] === 'replace')) {
    return patch.filter((item) => !isObject(item) || item['$patch'] !== 'replace');
  }
  let result = [...target];
  for (const item of patch) {
    if (!isObject(item)) continue;
    const name = item[key];
    if (name === undefined) throw new StatusError(500, '', `map: ${toGoMap(item)} does not contain declared merge key: ${key}`);
    const index = result.findIndex((known) => isObject(known) && isEqual(known[key], name));
    const known = result[index];
    if (item['$patch'] === 'delete') result = result.filter((_, place) => place !== index);
    else if (isObject(known)) result[index] = mergeObjects(known, item, schema, false);
    else result.push(withoutDirectives(item));
  }
  return result;
};

/** 500 when the items of a patch do not stand in the order that it sends along. */
const refuseOrder = (patch: readonly Json[], order: Json | undefined, key: string): void => {
  if (!Array.isArray(order)) return;
  const told = order.map((item) => JSON.stringify(isObject(item) ? item[key] : item));
  const kept = patch.filter((item) => !isObject(item) || item['$patch'] === undefined);
  let place = -1;
  for (const item of kept) {
    place = told.indexOf(JSON.stringify(isObject(item) ? item[key] : item), place + 1);
    if (place !== -1) continue;
    const print = (list: readonly Json[]): string =>
      `[${list.map((entry) => (isObject(entry) ? toGoMap(entry) : String(entry))).join(' ')}]`;
    throw new StatusError(500, '', `The order in patch list:\n${print(kept)}\n doesn't match $setElementOrder list:\n${print(order)}\n`);
  }
};

/** A map as Go prints it. */
const toGoMap = (value: JsonObject): string =>
  `map[${Object.keys(value)
    .sort()
    .map((key) => `${key}:${isObject(value[key]) ? toGoMap(objectOf(value[key])) : String(value[key])}`)
    .join(' ')}]`;

const objectOf = (value: Json | undefined): JsonObject => (isObject(value) ? value : {});

/** Items of the patch stand in its order (or in the one that it sends along), the others keep their places between them. */
const ordered = (list: readonly Json[], patch: readonly Json[], current: readonly Json[], order: Json | undefined, key: string): Json[] => {
  const wanted = Array.isArray(order) ? order : patch;
  const placeIn = (places: readonly Json[], item: Json): number =>
    places.findIndex((entry) => (isObject(entry) && isObject(item) ? isEqual(entry[key], item[key]) : isEqual(entry, item)));
  const patched = list
    .filter((item) => placeIn(wanted, item) !== -1)
    .toSorted((left, right) => placeIn(wanted, left) - placeIn(wanted, right));
  const others = list.filter((item) => placeIn(wanted, item) === -1);
  const merged: Json[] = [];
  while (patched.length > 0 && others.length > 0) {
    const [other, next] = [others[0] ?? null, patched[0] ?? null];
    const known = placeIn(current, next);
    const isBefore = known !== -1 && placeIn(current, other) < known;
    merged.push((isBefore ? others.shift() : patched.shift()) ?? null);
  }
  return [...merged, ...patched, ...others];
};

/** Merges by the keys that the kind's description declares for its lists. */
export const strategicMergePatch = (target: JsonObject, patch: Json, schema: JsonObject): JsonObject => {
  if (!isObject(patch))
    throw badRequest('error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}');
  return mergeObjects(target, patch, schema, true);
};
