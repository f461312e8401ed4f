// PATCH with `application/apply-patch+yaml`: server-side apply of an object or its status (apiserver, pkg/endpoints/handlers/patch.go).
import { isMap, LineCounter, parseDocument, visit } from 'yaml';
import { type Attributes, forbidden } from '../authorization.ts';
import { toTypedObject } from '../body.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { type Applied, applyFields } from '../fields/apply.ts';
import { nothingOf, parseManagers, resetBy, type TypeOf, typesOf, withoutManagers } from '../fields/managers.ts';
import { DEDUCED } from '../fields/types.ts';
import { faultsOf } from '../fields/validate.ts';
import { isObject, type Json, type JsonObject, textAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type Resource, splitGroupVersion, toGroupVersion } from '../resources.ts';
import { badRequest, notFound, StatusError } from '../status.ts';
import { answerObject, commit, isDryRun } from './commit.ts';
import { prepareNew } from './create.ts';
import { hasStatus } from './prepare.ts';
import { refuseForeignPlace, replace } from './replace.ts';

export const APPLY = 'application/apply-patch+yaml';

interface Read {
  readonly value: JsonObject;
  /** Keys that a map has twice, each with its line. */
  readonly twice: readonly string[];
}

/** The configuration; JSON is YAML. */
const readYaml = (text: string): Read => {
  const lines = new LineCounter();
  const document = parseDocument(text, { uniqueKeys: false, lineCounter: lines });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line } = lines.linePos(error.pos[0]);
    throw badRequest(
      `error decoding patch: error converting YAML to JSON: yaml: line ${line}: ${error.message.split('\n')[0]?.replace(/ at line .*$/, '')}`,
    );
  }
  const value: Json = document.toJS() ?? {};
  if (!isObject(value)) {
    const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
    throw badRequest(
      `error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${found} into Go value of type map[string]interface {}`,
    );
  }
  const twice: string[] = [];
  visit(document, {
    Map: (_, map) => {
      const seen = new Set<string>();
      for (const { key } of isMap(map) ? map.items : []) {
        const name = String(key);
        const start = typeof key === 'object' && key !== null && 'range' in key && Array.isArray(key.range) ? Number(key.range[0]) : 0;
        if (seen.has(name)) twice.push(`line ${lines.linePos(start).line}: key ${JSON.stringify(name)} already set in map`);
        seen.add(name);
      }
    },
  });
  return { value, twice };
};

/** Only YAML's own faults are looked for here: unknown fields are refused by the type in any case. */
const judgeTwice = ({ info, warnings }: ResourceContext, twice: readonly string[]): void => {
  const mode = info.query.get('fieldValidation') || 'Warn';
  if (twice.length === 0 || mode === 'Ignore') return;
  if (mode === 'Strict') {
    throw badRequest(`error strict decoding patch: error converting YAML to JSON: yaml: unmarshal errors:\n  ${twice.join('\n  ')}`);
  }
  warnings.push(...twice);
};

const describeType = (value: JsonObject): string => {
  const { group, version } = splitGroupVersion(textAt(value, 'apiVersion'));
  return `${group}/${version}, Kind=${textAt(value, 'kind')}`;
};

interface Target {
  readonly apiVersion: string;
  readonly kind: string;
  readonly typeOf: TypeOf;
}

/** The configuration of an object of the kind, or a refusal in the server's words. */
const toConfig = (value: JsonObject, { apiVersion, kind, typeOf }: Target): JsonObject => {
  if (textAt(value, 'apiVersion') !== apiVersion || textAt(value, 'kind') !== kind) {
    throw badRequest(`invalid object type: ${describeType(value)}`);
  }
  const metadata = isObject(value['metadata']) ? value['metadata'] : {};
  if (Array.isArray(metadata['managedFields'])) throw badRequest('metadata.managedFields must be nil');
  const faults = faultsOf(value, typeOf(apiVersion) ?? DEDUCED);
  if (faults.length > 0) {
    const place = `${textAt(metadata, 'namespace')}/${textAt(metadata, 'name')}; ${describeType(value)}`;
    const texts = faults.length === 1 ? faults[0] : ['errors:', ...faults.toSorted().map((fault) => `  ${fault}`)].join('\n');
    throw new StatusError(500, '', `failed to create typed patch object (${place}): ${texts}`);
  }
  return value;
};

/** Reads the configuration of a request. */
export const readConfig = async (context: ResourceContext, target: Target) => {
  const { value, twice } = readYaml(await context.request.text());
  return { config: toConfig(value, target), judge: () => judgeTwice(context, twice) };
};

/** What a null of a configuration becomes: nothing, but an empty text in a map of texts. */
const withoutNulls = (value: Json, config: Json | undefined, isMapOfTexts = false): Json => {
  if (!isObject(value) || !isObject(config)) return value;
  const kept: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (item === undefined) continue;
    const isMap = ['data', 'labels', 'annotations', 'stringData'].includes(key);
    if (item !== null || config[key] !== null) kept[key] = withoutNulls(item, config[key], isMap);
    else if (isMapOfTexts) kept[key] = '';
  }
  return kept;
};

const refuseCreation = ({ server, user, info }: ResourceContext): void => {
  const { group, resource, subresource, namespace, name, path } = info;
  const attributes: Attributes = { user, verb: 'create', isResource: true, group, resource, subresource, namespace, name, path };
  const { isAllowed, reason } = server.authorizer.decide(attributes);
  if (!isAllowed) throw forbidden(attributes, reason);
};

export const isForced = ({ info }: ResourceContext): boolean =>
  ['1', 't', 'T', 'true', 'TRUE', 'True'].includes(info.query.get('force') ?? '');

const apply = (context: ResourceContext, config: JsonObject, previous: KubernetesObject | undefined): Applied => {
  const { resource, info, server } = context;
  const subresource = info.subresource === '' ? undefined : info.subresource;
  const { apiVersion, kind, typeOf } = targetOf(resource);
  const nothing = nothingOf({ apiVersion, kind }, resource);
  return applyFields({
    live: previous === undefined ? nothing : withoutManagers(previous),
    nothing,
    config,
    apiVersion,
    managers: parseManagers(previous?.metadata.managedFields) ?? new Map(),
    writer: { manager: info.query.get('fieldManager') ?? '', time: toTime(server.clock()), subresource },
    typeOf,
    reset: resetBy(subresource, hasStatus(resource)),
    isForced: isForced(context),
  });
};

const targetOf = (resource: Resource): Target => ({
  apiVersion: toGroupVersion(resource.group, resource.version),
  kind: resource.kind,
  typeOf: typesOf(resource.kind, resource),
});

/** Creates or updates as the configuration wants it. */
export const applyObject: ResourceHandler = async (context) => {
  const { resource, server, info } = context;
  const { config, judge } = await readConfig(context, targetOf(resource));
  const previous = server.store.get(resource.storage, resource.namespaced ? info.namespace : '', info.name);
  // A subresource can only be applied to what is there.
  if (previous === undefined && info.subresource !== '') throw notFound(resource, info.name);
  const { object, entries } = apply(context, config, previous);
  judge();
  const isBuiltIn = resource.custom === undefined;
  const { object: given } = toTypedObject(context, isBuiltIn ? withoutNulls(object, config) : object);
  if (previous !== undefined) {
    return answerObject(
      context,
      replace(context, given, previous, (made) => commit(context, made, previous, entries)),
    );
  }
  refuseForeignPlace(context, given, undefined);
  refuseCreation(context);
  const { resourceVersion: _revision, ...metadata } = given.metadata;
  const { object: made } = prepareNew(context, { ...given, metadata: { ...metadata, name: given.metadata.name } });
  isDryRun(info.query.getAll('dryRun'), 'PatchOptions');
  return answerObject(context, commit(context, made, undefined, entries), 201);
};
