// The scale of a workload, built-in or custom: only the wanted number of it can be written.
import { mediaTypeOf, readValue } from '../body.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { applyFields } from '../fields/apply.ts';
import { idOf, type Manager, type Managers, parseManagers, toEntries, updated, type Writer } from '../fields/managers.ts';
import { FieldSet, type Path } from '../fields/set.ts';
import { builtInType, emptyObject } from '../fields/types.ts';
import { at, type Json, type JsonObject, numberAt, objectAt, textAt, toTime } from '../json.ts';
import { toLabelSelector } from '../label-selector.ts';
import { managerOf } from '../managers.ts';
import type { KubernetesObject, ManagedFields } from '../object.ts';
import { findObject } from '../read.ts';
import { respond } from '../respond.ts';
import { findSchema, prune } from '../schema.ts';
import { badRequest, invalid } from '../status.ts';
import { APPLY, isForced, readConfig } from './apply.ts';
import { commit, refuseStale } from './commit.ts';
import { applyPatch, parsePatch, refuseFormat, refusePatched } from './patch.ts';
import { checkPatchOptions } from './patch-options.ts';
import { toUpdated } from './prepare.ts';

const VERSION = 'autoscaling/v1';
const REPLICAS: Path = ['f:spec', 'f:replicas'];

const selectorText = (object: KubernetesObject, context: ResourceContext): string => {
  const { custom } = context.resource;
  if (custom !== undefined) {
    const path = textAt(objectAt(custom.version, 'subresources', 'scale'), 'labelSelectorPath');
    return path === '' ? '' : textAt(object, ...path.replace(/^\./, '').split('.'));
  }
  const selector = at(object, 'spec', 'selector');
  if (object.kind !== 'ReplicationController') return toLabelSelector(selector).toString();
  const pairs = Object.entries(objectAt(selector)).map(([key, value]) => `${key}=${String(value)}`);
  return pairs.sort().join(',');
};

const pathOf = ({ resource }: ResourceContext, key: string, fallback: string): string[] => {
  const declared = textAt(objectAt(resource.custom?.version, 'subresources', 'scale'), key);
  return (declared || fallback).replace(/^\./, '').split('.');
};

const replicasPath = (context: ResourceContext): string[] => pathOf(context, 'specReplicasPath', '.spec.replicas');

/** The scale as autoscaling/v1 shows it. */
const toScale = (context: ResourceContext, object: KubernetesObject): JsonObject => {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = numberAt(object, ...replicasPath(context));
  const selector = selectorText(object, context);
  return {
    kind: 'Scale',
    apiVersion: VERSION,
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

interface Wanted {
  readonly scale: JsonObject;
  /** Who owns the number, as managers of a Scale. */
  readonly managers: Managers;
}

const typeOf = (version: string) => (version === VERSION ? builtInType(VERSION, 'Scale') : undefined);

/** The managers of the number, as the scale shows them. */
const toScaleManagers = (parents: Managers, path: Path): Managers => {
  const owners = [...parents.values()].filter(({ set }) => set.has(path));
  const shown = owners.map((manager): Manager => ({ ...manager, apiVersion: VERSION, set: FieldSet.of(REPLICAS) }));
  return new Map(shown.map((manager) => [idOf(manager), manager]));
};

/** The managers of the object, when those of its scale are the given ones. The server forgets their times (apimachinery, scalehandler.go). */
const toParentEntries = (parents: Managers, scale: Managers, path: Path, apiVersion: string): ManagedFields[] => {
  const owners = new Map([...scale].filter(([, { set }]) => set.has(REPLICAS)));
  const result: Managers = new Map();
  for (const [id, manager] of parents) {
    const shown = idOf({ ...manager, apiVersion: VERSION });
    const isOwner = manager.set.has(path) && owners.delete(shown);
    const set = isOwner ? manager.set : manager.set.difference(FieldSet.of(path));
    if (!set.isEmpty) result.set(id, { ...manager, set });
  }
  for (const owner of owners.values()) {
    const manager = { ...owner, apiVersion, time: undefined, set: FieldSet.of(path) };
    result.set(idOf(manager), manager);
  }
  return toEntries(result);
};

const writerOf = ({ request, info, server }: ResourceContext): Writer => ({
  manager: managerOf(request, info.query),
  time: toTime(server.clock()),
  subresource: 'scale',
});

const applyScale = async (context: ResourceContext, current: JsonObject, managers: Managers): Promise<Wanted> => {
  const { config, judge } = await readConfig(context, { apiVersion: VERSION, kind: 'Scale', typeOf });
  const { object, entries } = applyFields({
    live: current,
    nothing: emptyObject(VERSION, 'Scale'),
    config,
    apiVersion: VERSION,
    managers,
    writer: writerOf(context),
    typeOf,
    reset: FieldSet.empty(),
    isForced: isForced(context),
  });
  judge();
  return { scale: object, managers: parseManagers(entries) ?? managers };
};

/** The scale that a PUT or a patch wants; it is decoded as strictly as any other object. */
const readScale = async (context: ResourceContext, current: JsonObject): Promise<Json> => {
  if (context.info.verb === 'update') return readValue(context.request, 'Scale');
  const mediaType = mediaTypeOf(context.request);
  // A scale is built in, even that of a custom kind, but those take no strategic merge all the same.
  refuseFormat(context, mediaType);
  const schema = findSchema(VERSION, 'Scale') ?? {};
  return applyPatch(current, parsePatch(await context.request.text(), mediaType), mediaType, schema);
};

const judgeScale = (context: ResourceContext, wanted: Json): void => {
  const { info, warnings } = context;
  const isPatch = info.verb === 'patch';
  if (!['number', 'undefined'].includes(typeof at(wanted, 'spec', 'replicas'))) {
    const why = 'json: cannot unmarshal string into Go struct field ScaleSpec.spec.replicas of type int32';
    throw isPatch ? refusePatched(wanted, why) : badRequest(`Scale in version "v1" cannot be handled as a Scale: ${why}`);
  }
  const { unknown } = prune(objectAt(wanted), findSchema(VERSION, 'Scale') ?? {});
  const texts = unknown.map((field) => `unknown field "${field}"`);
  const mode = info.query.get('fieldValidation') || 'Warn';
  if (texts.length === 0 || mode === 'Ignore') return;
  if (mode === 'Warn') {
    warnings.push(...texts);
    return;
  }
  const why = `strict decoding error: ${texts.join(', ')}`;
  throw isPatch ? refusePatched(wanted, why) : badRequest(`Scale in version "v1" cannot be handled as a Scale: ${why}`);
};

const writeScale = async (context: ResourceContext, current: JsonObject, managers: Managers): Promise<Wanted> => {
  const wanted = await readScale(context, current);
  judgeScale(context, wanted);
  const replicas = numberAt(wanted, 'spec', 'replicas');
  const scale = { ...objectAt(wanted), spec: replicas === 0 ? {} : { replicas } };
  // Nobody is known to own the number: the server does not begin to look.
  if (managers.size === 0) return { scale, managers };
  const next = { ...current, spec: scale.spec };
  return { scale, managers: updated({ live: current, next, apiVersion: VERSION, managers, writer: writerOf(context), typeOf }) };
};

const refuseWrong = ({ info }: ResourceContext, scale: JsonObject): void => {
  const name = textAt(scale, 'metadata', 'name');
  if (name === '') throw badRequest(`the name of the object (${info.name} based on URL) was undeterminable: name must be provided`);
  if (name !== info.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${info.name})`);
  const replicas = numberAt(scale, 'spec', 'replicas');
  if (replicas >= 0) return;
  const message = `Invalid value: ${replicas}: must be greater than or equal to 0`;
  throw invalid('autoscaling', 'Scale', info.name, [{ reason: 'FieldValueInvalid', message, field: 'spec.replicas' }]);
};

/** PUT, PATCH and application of a scale. */
export const updateScale: ResourceHandler = async (context) => {
  const { request, info, resource } = context;
  const mediaType = mediaTypeOf(request);
  if (info.verb === 'patch') checkPatchOptions(context, mediaType);
  const previous = findObject(context);
  const current = toScale(context, previous);
  const parents = parseManagers(previous.metadata.managedFields) ?? new Map();
  const path = replicasPath(context).map((key) => `f:${key}`);
  const managers = toScaleManagers(parents, path);
  const isApply = info.verb === 'patch' && mediaType === APPLY;
  const wanted = await (isApply ? applyScale : writeScale)(context, current, managers);
  refuseWrong(context, wanted.scale);
  const version = textAt(wanted.scale, 'metadata', 'resourceVersion');
  const given = setAt(previous, replicasPath(context), numberAt(wanted.scale, 'spec', 'replicas'));
  const { kind, apiVersion, metadata } = previous;
  const scaled: KubernetesObject = {
    ...given,
    kind,
    apiVersion,
    metadata: { ...metadata, ...(version === '' ? {} : { resourceVersion: version }) },
  };
  refuseStale(context, scaled, previous);
  const entries =
    managers.size === 0 && wanted.managers.size === 0
      ? metadata.managedFields
      : toParentEntries(parents, wanted.managers, path, apiVersion);
  const stored = commit(context, toUpdated(resource, scaled, previous), previous, entries);
  return respond(request, toScale(context, stored), { representation: context.representation });
};
