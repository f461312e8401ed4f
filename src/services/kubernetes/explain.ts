// Field documentation from the OpenAPI v3 documents of a cluster: one level of a schema at a time.

import { AppError } from '../../kit/errors.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { ApiResource } from '../../upstream/kubernetes/discovery.ts';
import { type Fields, fieldsAt, listAt, textAt, textsAt, toFieldsOf, valueAt } from '../../upstream/kubernetes/objects.ts';

/** The description of a field is cut here; the whole stands in `explain` of the field itself. */
const MAX_FIELD_TEXT = 160;

export interface SchemaView {
  readonly path: string;
  readonly type: string;
  readonly description: string | undefined;
  readonly required: readonly string[];
  readonly enum: readonly unknown[];
  readonly fields: readonly {
    readonly name: string;
    readonly type: string;
    readonly required?: true;
    readonly description?: string;
    readonly enum?: readonly unknown[];
  }[];
}

const refOf = (schema: unknown): string | undefined =>
  textAt(schema, '$ref') ?? listAt(schema, 'allOf').map((item) => textAt(item, '$ref'))[0];

/** Follows references; what stands beside a reference (description, default) wins. */
const resolve = (document: Fields, schema: unknown): Fields => {
  const name = refOf(schema)?.split('/').at(-1);
  const own = toFieldsOf(schema);
  return name === undefined
    ? own
    : {
        ...fieldsAt(document, 'components', 'schemas', name),
        ...Object.fromEntries(Object.entries(own).filter(([key]) => key !== '$ref' && key !== 'allOf' && key !== 'default')),
      };
};

const shortName = (schema: unknown): string | undefined => refOf(schema)?.split('.').at(-1);

const typeOf = (document: Fields, schema: unknown): string => {
  const resolved = resolve(document, schema);
  const type = textAt(resolved, 'type');
  if (type === 'array') return `[]${typeOf(document, resolved['items'])}`;
  if (type === 'object' && resolved['additionalProperties'] !== undefined)
    return `map[string]${typeOf(document, resolved['additionalProperties'])}`;
  const variants = listAt(resolved, 'oneOf').map((item) => textAt(item, 'type'));
  if (variants.length > 0) return variants.join(' or ');
  return shortName(schema) ?? type ?? 'any';
};

/** The schema inside arrays and maps, where fields are. */
const toInner = (document: Fields, schema: unknown): Fields => {
  const resolved = resolve(document, schema);
  if (resolved['items'] !== undefined) return toInner(document, resolved['items']);
  const more = resolved['additionalProperties'];
  return typeof more === 'object' && more !== null ? toInner(document, more) : resolved;
};

const findKind = (document: Fields, { group, version, kind }: ApiResource): Fields | undefined =>
  Object.values(fieldsAt(document, 'components', 'schemas'))
    .map(toFieldsOf)
    .find((schema) =>
      listAt(schema, 'x-kubernetes-group-version-kind').some(
        (item) => (textAt(item, 'group') ?? '') === group && textAt(item, 'version') === version && textAt(item, 'kind') === kind,
      ),
    );

const cutText = (text: string | undefined): string | undefined =>
  text === undefined || text.length <= MAX_FIELD_TEXT ? text : `${text.slice(0, MAX_FIELD_TEXT)}…`;

/** One level of a kind's schema, or of the field that `path` leads to. */
export const explainSchema = (document: Fields, resource: ApiResource, path: readonly string[]): SchemaView => {
  const root = findKind(document, resource);
  if (root === undefined)
    throw new AppError('UNSUPPORTED', `This cluster publishes no schema of ${resource.kind}.`, {
      details: { needs: 'an OpenAPI schema of the kind' },
    });
  let schema: unknown = root;
  const walked: string[] = [resource.kind.toLowerCase()];
  for (const name of path) {
    const properties = fieldsAt(toInner(document, schema), 'properties');
    if (!(name in properties)) {
      const names = Object.keys(properties);
      throw new AppError('INVALID_ARGUMENT', `${walked.join('.')} has no field ${name.slice(0, 80)}.`, {
        details: { argument: 'kind', nearest: nearestNames(name, names), choices: names.slice(0, 60) },
      });
    }
    schema = properties[name];
    walked.push(name);
  }
  const inner = toInner(document, schema);
  const required = textsAt(inner, 'required');
  return {
    path: walked.join('.'),
    type: typeOf(document, schema),
    description: textAt(resolve(document, schema), 'description') ?? textAt(inner, 'description'),
    required,
    enum: Array.isArray(valueAt(inner, 'enum')) ? (valueAt(inner, 'enum') as readonly unknown[]) : [],
    fields: Object.entries(fieldsAt(inner, 'properties')).map(([name, property]) => {
      const resolved = resolve(document, property);
      const description = cutText(textAt(resolved, 'description'));
      return {
        name,
        type: typeOf(document, property),
        ...(required.includes(name) ? { required: true as const } : {}),
        ...(Array.isArray(resolved['enum']) ? { enum: resolved['enum'] as readonly unknown[] } : {}),
        ...(description === undefined ? {} : { description }),
      };
    }),
  };
};
