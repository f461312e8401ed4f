// The checks of an object's content that clients meet most: counts, selectors, required fields; and the schemas of custom kinds.
import { at, isEqual, isObject, type Json, type JsonObject, listAt, objectAt, textAt, textsAt } from './json.ts';
import { toLabelSelector } from './label-selector.ts';
import type { KubernetesObject } from './object.ts';
import type { Resource } from './resources.ts';
import { schemaOf } from './schema.ts';
import { type FieldError, invalid } from './status.ts';
import { containerFaults } from './validate-containers.ts';
import { finalizerFaults, metadataFaults } from './validate-metadata.ts';

const required = (field: string, why = ''): FieldError => ({
  reason: 'FieldValueRequired',
  message: why === '' ? 'Required value' : `Required value: ${why}`,
  field,
});

const bad = (field: string, value: Json | undefined, why: string): FieldError => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value ?? null)}: ${why}`,
  field,
});

const notNegative = (object: KubernetesObject, ...path: readonly string[]): FieldError[] => {
  const value = at(object, ...path);
  return typeof value === 'number' && value < 0 ? [bad(path.join('.'), value, 'must be greater than or equal to 0')] : [];
};

/** A workload must select the pods that it makes. */
const workloadFaults = (object: KubernetesObject): FieldError[] => {
  const selector = at(object, 'spec', 'selector');
  const labels = textsAt(object, 'spec', 'template', 'metadata', 'labels');
  const mismatch = !toLabelSelector(selector).matches(labels);
  const shown = Object.keys(labels).length === 0 ? null : { ...labels };
  return [
    ...(selector === undefined ? [required('spec.selector')] : []),
    ...(mismatch ? [bad('spec.template.metadata.labels', shown, '`selector` does not match template `labels`')] : []),
    ...notNegative(object, 'spec', 'replicas'),
    ...containerFaults(objectAt(object, 'spec', 'template', 'spec'), 'spec.template.spec', object.kind === 'StatefulSet'),
  ];
};

const CONFIG_KEY = /^[-._a-zA-Z0-9]+$/;
const CONFIG_KEY_HELP =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

const keyFaults = (object: KubernetesObject): FieldError[] =>
  ['data', 'binaryData'].flatMap((part) =>
    Object.keys(objectAt(object, part))
      .filter((key) => !CONFIG_KEY.test(key))
      .map((key) => bad(`${part}[${key}]`, key, CONFIG_KEY_HELP)),
  );

type Check = (object: KubernetesObject) => FieldError[];

const CHECKS: Readonly<Record<string, Check>> = {
  configmaps: keyFaults,
  secrets: keyFaults,
  pods: (pod) => containerFaults(objectAt(pod, 'spec'), 'spec'),
  'deployments.apps': workloadFaults,
  'replicasets.apps': workloadFaults,
  'statefulsets.apps': workloadFaults,
  'daemonsets.apps': workloadFaults,
  'jobs.batch': (job) => containerFaults(objectAt(job, 'spec', 'template', 'spec'), 'spec.template.spec'),
  services: (service) => {
    const isNamed = textAt(service, 'spec', 'type') === 'ExternalName' || textAt(service, 'spec', 'clusterIP') === 'None';
    return listAt(service, 'spec', 'ports').length === 0 && !isNamed ? [required('spec.ports')] : [];
  },
};

const TYPES: Readonly<Record<string, (value: Json) => boolean>> = {
  string: (value) => typeof value === 'string',
  boolean: (value) => typeof value === 'boolean',
  integer: (value) => Number.isInteger(value),
  number: (value) => typeof value === 'number',
  array: Array.isArray,
  object: isObject,
};

const typeFault = (value: Json, schema: JsonObject, field: string): FieldError | undefined => {
  const wanted = textAt(schema, 'type');
  if (wanted === '' || TYPES[wanted]?.(value) !== false) return undefined;
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  return {
    reason: 'FieldValueTypeInvalid',
    message: `Invalid value: ${JSON.stringify(found)}: ${field} in body must be of type ${wanted}: ${JSON.stringify(found)}`,
    field,
  };
};

const limitFaults = (value: Json, schema: JsonObject, field: string): FieldError[] => {
  const faults: FieldError[] = [];
  const { minimum, maximum, enum: allowed, pattern } = schema;
  if (typeof value === 'number' && typeof minimum === 'number' && value < minimum) {
    faults.push(bad(field, value, `${field} in body should be greater than or equal to ${minimum}`));
  }
  if (typeof value === 'number' && typeof maximum === 'number' && value > maximum) {
    faults.push(bad(field, value, `${field} in body should be less than or equal to ${maximum}`));
  }
  if (Array.isArray(allowed) && !allowed.includes(value)) {
    const supported = allowed.map((item) => JSON.stringify(item)).join(', ');
    faults.push({
      reason: 'FieldValueNotSupported',
      message: `Unsupported value: ${JSON.stringify(value)}: supported values: ${supported}`,
      field,
    });
  }
  if (typeof value === 'string' && typeof pattern === 'string' && !new RegExp(pattern).test(value)) {
    faults.push(bad(field, value, `${field} in body should match '${pattern}'`));
  }
  return faults;
};

const schemaFaults = (value: Json, schema: JsonObject, field: string): FieldError[] => {
  const wrongType = typeFault(value, schema, field);
  if (wrongType !== undefined) return [wrongType];
  const own = limitFaults(value, schema, field);
  if (Array.isArray(value)) {
    const items = objectAt(schema, 'items');
    return [...own, ...value.flatMap((item, index) => schemaFaults(item, items, `${field}[${index}]`))];
  }
  if (!isObject(value)) return own;
  const missing = listAt(schema, 'required').filter((name) => typeof name === 'string' && value[name] === undefined);
  const absent = missing.map((name) => required(field === '' ? String(name) : `${field}.${String(name)}`));
  const properties = objectAt(schema, 'properties');
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  const nested = entries.flatMap(([name, item]) => {
    const known = properties[name];
    return isObject(known) && item !== undefined && name !== 'metadata'
      ? schemaFaults(item, known, field === '' ? name : `${field}.${name}`)
      : [];
  });
  return [...own, ...nested, ...absent];
};

/** Sets the defaults that the schema of a custom kind declares. */
export const withSchemaDefaults = (value: Json, schema: JsonObject): Json => {
  if (Array.isArray(value)) return value.map((item) => withSchemaDefaults(item, objectAt(schema, 'items')));
  if (!isObject(value)) return value;
  const copy: JsonObject = { ...value };
  for (const [name, property] of Object.entries(objectAt(schema, 'properties'))) {
    if (!isObject(property)) continue;
    if (copy[name] === undefined && property['default'] !== undefined) copy[name] = structuredClone(property['default']);
    const item = copy[name];
    if (item !== undefined) copy[name] = withSchemaDefaults(item, property);
  }
  return copy;
};

const faultsOf = (resource: Resource, object: KubernetesObject): FieldError[] => {
  const schema = resource.custom === undefined ? undefined : schemaOf(resource);
  const own = schema === undefined ? (CHECKS[resource.storage]?.(object) ?? []) : schemaFaults(object, schema, '');
  return [...metadataFaults(object), ...own];
};

/** 422 with every fault found. */
export const validateObject = (resource: Resource, object: KubernetesObject): void => {
  const faults = faultsOf(resource, object);
  if (faults.length > 0) throw invalid(resource.group, resource.kind, object.metadata.name, faults);
};

const SELECTING = new Set(['deployments.apps', 'replicasets.apps', 'daemonsets.apps', 'statefulsets.apps']);

/** As validateObject, and for what an update may not change. */
export const validateUpdate = (resource: Resource, object: KubernetesObject, previous: KubernetesObject): void => {
  const faults = [...finalizerFaults(object, previous), ...faultsOf(resource, object)];
  const selector = at(object, 'spec', 'selector');
  const isMoved = SELECTING.has(resource.storage) && !isEqual(selector, at(previous, 'spec', 'selector'));
  const all = isMoved ? [...faults, bad('spec.selector', selector, 'field is immutable')] : faults;
  if (all.length > 0) throw invalid(resource.group, resource.kind, object.metadata.name, all);
};
