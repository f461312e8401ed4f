// The API description over HTTP: the whole in version 2, and in version 3 an index with one document per group and version.
import { createHash } from 'node:crypto';
import type { RequestContext } from './context.ts';
import { isObject, type Json, type JsonObject, listAt, objectAt, objectsAt, textAt } from './json.ts';
import { type Resource, toGroupVersion } from './resources.ts';
import { pageNotFound, respond, respondText } from './respond.ts';
import { apiDescription } from './schema.ts';
import { notAcceptable, notServed } from './status.ts';
import { VERSION } from './version.ts';

const SCHEMAS = '#/components/schemas/';

/** Schemas of version 2 as version 3 writes them: other references, and nothing beside a reference. */
const toSchemaV3 = (value: Json | undefined): Json => {
  if (Array.isArray(value)) return value.map(toSchemaV3);
  if (!isObject(value)) return value ?? null;
  const reference = value['$ref'];
  if (typeof reference === 'string') {
    const target = { $ref: reference.replace('#/definitions/', SCHEMAS) };
    const { $ref: _reference, ...others } = value;
    return Object.keys(others).length === 0 ? target : { ...objectAt({ others: toSchemaV3(others) }, 'others'), allOf: [target] };
  }
  if (value['format'] === 'int-or-string') return { ...textOr('integer', value), format: 'int-or-string' };
  if (value['type'] === 'string' && textAt(value, 'description').startsWith('Quantity is')) return textOr('number', value);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toSchemaV3(item)]));
};

/** Version 2 calls them strings; version 3 says what they are. */
const textOr = (type: 'integer' | 'number', { type: _type, ...rest }: JsonObject): JsonObject => ({
  ...rest,
  oneOf: type === 'integer' ? [{ type: 'integer' }, { type: 'string' }] : [{ type: 'string' }, { type: 'number' }],
});

const PARAMETER_KEYS = ['name', 'in', 'description', 'required'];

const toParameterV3 = (parameter: JsonObject): JsonObject => {
  const kept = Object.fromEntries(PARAMETER_KEYS.flatMap((key) => (parameter[key] === undefined ? [] : [[key, parameter[key]]])));
  const schema = Object.fromEntries(
    ['type', 'format', 'uniqueItems'].flatMap((key) => (parameter[key] === undefined ? [] : [[key, parameter[key]]])),
  );
  return { ...kept, schema };
};

/** Parameters are shared by reference in version 2, and written out in version 3. */
const resolveParameter = (parameter: JsonObject): JsonObject => {
  const reference = textAt(parameter, '$ref');
  return reference === '' ? parameter : objectAt(apiDescription(), 'parameters', reference.replace('#/parameters/', ''));
};

const texts = (value: JsonObject, key: string): string[] => listAt(value, key).filter((item) => typeof item === 'string');

const toContent = (mediaTypes: readonly string[], schema: Json): JsonObject =>
  Object.fromEntries(mediaTypes.filter((type) => type !== '*/*').map((type) => [type, { schema: toSchemaV3(schema) }]));

const toOperationV3 = (operation: JsonObject): JsonObject => {
  const { parameters: _parameters, consumes: _consumes, produces: _produces, schemes: _schemes, responses, ...kept } = operation;
  const parameters = objectsAt(operation, 'parameters').map(resolveParameter);
  const body = parameters.find((parameter) => parameter['in'] === 'body');
  const others = parameters.filter((parameter) => parameter !== body).map(toParameterV3);
  const consumed = texts(operation, 'consumes').filter((type) => type !== '*/*');
  return {
    ...kept,
    ...(others.length === 0 ? {} : { parameters: others }),
    ...(body === undefined
      ? {}
      : { requestBody: { content: toContent(consumed.length === 0 ? ['application/json'] : consumed, body['schema'] ?? {}) } }),
    responses: Object.fromEntries(
      Object.entries(objectAt(responses)).map(([code, response]) => {
        const schema = objectAt(response)['schema'];
        const description = textAt(response, 'description');
        return [code, schema === undefined ? { description } : { description, content: toContent(texts(operation, 'produces'), schema) }];
      }),
    ),
  };
};

const METHODS = new Set(['get', 'put', 'post', 'delete', 'options', 'head', 'patch']);

const toPathV3 = (path: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(path).map(([key, value]) => {
      if (METHODS.has(key)) return [key, toOperationV3(objectAt(value))];
      return [
        key,
        key === 'parameters' ? objectsAt(path, 'parameters').map((parameter) => toParameterV3(resolveParameter(parameter))) : value,
      ];
    }),
  );

/** Names of all schemas that a text refers to. */
const referencesIn = (value: Json, found: Set<string>): void => {
  if (Array.isArray(value)) {
    for (const item of value) referencesIn(item, found);
    return;
  }
  if (!isObject(value)) return;
  const reference = value['$ref'];
  if (typeof reference === 'string' && reference.startsWith('#/definitions/')) found.add(reference.replace('#/definitions/', ''));
  else if (typeof reference === 'string') referencesIn(resolveParameter(value), found);
  for (const item of Object.values(value)) if (item !== undefined) referencesIn(item, found);
};

/** The definitions that a document needs, with all that they refer to themselves. */
const closureOf = (roots: ReadonlySet<string>): Set<string> => {
  const definitions = objectAt(apiDescription(), 'definitions');
  const closed = new Set<string>();
  const open = [...roots];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (closed.has(name)) continue;
    closed.add(name);
    const found = new Set<string>();
    referencesIn(definitions[name] ?? null, found);
    open.push(...found);
  }
  return closed;
};

/** `apis/apps/v1` of `/apis/apps/v1/namespaces/{namespace}/deployments`. */
const documentOf = (path: string): string => {
  const parts = path.split('/').filter((part) => part !== '');
  if (parts[0] === 'api') return parts.slice(0, 2).join('/');
  if (parts[0] === 'apis') return parts.slice(0, 3).join('/');
  return parts[0] ?? '';
};

const builtInDocuments = (): ReadonlyMap<string, readonly string[]> => {
  const documents = new Map<string, string[]>();
  for (const path of Object.keys(objectAt(apiDescription(), 'paths'))) {
    const name = documentOf(path);
    documents.set(name, [...(documents.get(name) ?? []), path]);
  }
  return documents;
};

const isOfGroup = (definition: Json | undefined, group: string, version: string): boolean =>
  objectsAt(definition, 'x-kubernetes-group-version-kind').some(
    (type) => textAt(type, 'group') === group && textAt(type, 'version') === version,
  );

const buildBuiltIn = (name: string, paths: readonly string[]): JsonObject => {
  const source = objectAt(apiDescription(), 'paths');
  const [root = '', first = '', second = ''] = name.split('/');
  const [group, version] = root === 'api' ? ['', first] : [first, second];
  const roots = new Set<string>();
  for (const path of paths) referencesIn(source[path] ?? null, roots);
  const definitions = objectAt(apiDescription(), 'definitions');
  if (version !== '')
    for (const [key, definition] of Object.entries(definitions)) if (isOfGroup(definition, group, version)) roots.add(key);
  const schemas = [...closureOf(roots)].sort().map((key) => [key, toSchemaV3(definitions[key])]);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: `v${VERSION.major}.${VERSION.minor}` },
    paths: Object.fromEntries(paths.map((path) => [path, toPathV3(objectAt(source, path))])),
    components: { schemas: Object.fromEntries(schemas) },
  };
};

const reversed = (group: string): string => group.split('.').reverse().join('.');

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';

const customSchemas = ({ group, version, kind, listKind, custom }: Resource): JsonObject => {
  const name = `${reversed(group)}.${version}.${kind}`;
  const schema = objectAt(custom?.version, 'schema', 'openAPIV3Schema');
  const type = [{ group, kind, version }];
  const metadata = { description: 'Standard object metadata.', allOf: [{ $ref: `${SCHEMAS}${META}.ObjectMeta` }] };
  const listType = [{ group, kind: listKind, version }];
  return {
    [name]: { ...schema, properties: { ...objectAt(schema, 'properties'), metadata }, 'x-kubernetes-group-version-kind': type },
    [`${reversed(group)}.${version}.${listKind}`]: {
      description: `${listKind} is a list of ${kind}`,
      type: 'object',
      required: ['items'],
      properties: {
        apiVersion: { type: 'string' },
        items: { type: 'array', items: { allOf: [{ $ref: `${SCHEMAS}${name}` }] } },
        kind: { type: 'string' },
        metadata: { allOf: [{ $ref: `${SCHEMAS}${META}.ListMeta` }] },
      },
      'x-kubernetes-group-version-kind': listType,
    },
  };
};

const query = (name: string, type = 'string'): JsonObject => ({ name, in: 'query', schema: { type, uniqueItems: true } });

const WRITE_PARAMETERS = [query('dryRun'), query('fieldManager'), query('fieldValidation')];
const LIST_PARAMETERS = [
  query('limit', 'integer'),
  query('continue'),
  query('labelSelector'),
  query('fieldSelector'),
  query('resourceVersion'),
  query('watch', 'boolean'),
];

/** Paths of a custom kind: enough for clients that ask which parameters an operation takes. */
const customPaths = ({ group, version, kind, resource, namespaced, subresources }: Resource): JsonObject => {
  const schema = { $ref: `${SCHEMAS}${reversed(group)}.${version}.${kind}` };
  const content = { 'application/json': { schema }, 'application/yaml': { schema } };
  const operation = (action: string, extra: JsonObject = {}): JsonObject => ({
    operationId: `${action}${kind}`,
    ...extra,
    responses: { 200: { description: 'OK', content }, 401: { description: 'Unauthorized' } },
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
  });
  const write = (action: string, types: readonly string[]): JsonObject =>
    operation(action, {
      parameters: WRITE_PARAMETERS,
      requestBody: { content: Object.fromEntries(types.map((type) => [type, { schema }])) },
    });
  const base = `/apis/${group}/${version}${namespaced ? '/namespaces/{namespace}' : ''}/${resource}`;
  const patchTypes = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json'];
  const bodyTypes = ['application/json', 'application/yaml'];
  const item = { get: operation('get'), put: write('put', bodyTypes), patch: write('patch', patchTypes) };
  return {
    [base]: {
      get: operation('list', { parameters: LIST_PARAMETERS }),
      post: write('post', bodyTypes),
      delete: operation('deletecollection'),
    },
    [`${base}/{name}`]: { ...item, delete: operation('delete') },
    ...Object.fromEntries(subresources.map(({ name }) => [`${base}/{name}/${name}`, item])),
  };
};

const buildCustom = (resources: readonly Resource[]): JsonObject => {
  const definitions = objectAt(apiDescription(), 'definitions');
  const meta = [...closureOf(new Set([`${META}.ObjectMeta`, `${META}.ListMeta`, `${META}.Status`, `${META}.DeleteOptions`]))];
  const shared = meta.map((name) => [name, toSchemaV3(definitions[name])]);
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes CRD Swagger', version: 'v0.1.0' },
    paths: Object.assign({}, ...resources.map(customPaths)),
    components: { schemas: { ...Object.fromEntries(shared), ...Object.assign({}, ...resources.map(customSchemas)) } },
  };
};

const customDocuments = ({ server }: RequestContext): Map<string, Resource[]> => {
  const documents = new Map<string, Resource[]>();
  for (const resource of server.registry.all().filter(({ custom }) => custom !== undefined)) {
    const name = `apis/${toGroupVersion(resource.group, resource.version)}`;
    documents.set(name, [...(documents.get(name) ?? []), resource]);
  }
  return documents;
};

/** Changes when the document does: built-in ones with the release, custom ones with their definitions. */
const hashOf = (name: string, resources: readonly Resource[]): string => {
  const revisions = resources.map(({ custom }) => custom?.definition.metadata.resourceVersion ?? '').join(',');
  return createHash('sha512').update(`${VERSION.gitVersion}/${name}/${revisions}`).digest('hex').toUpperCase();
};

const built = new Map<string, string>();

/** The text of a document, made once and kept: the built-in ones never change, and of the others the newest is kept. */
const textOf = (name: string, hash: string, build: () => JsonObject): string => {
  const known = built.get(`${name}?${hash}`);
  if (known !== undefined) return known;
  for (const key of built.keys()) if (key.startsWith(`${name}?`)) built.delete(key);
  const text = JSON.stringify(build());
  built.set(`${name}?${hash}`, text);
  return text;
};

const relativeUrl = (name: string, hash: string): string => `/openapi/v3/${name}?hash=${hash}`;

const serveIndex = (context: RequestContext): Promise<Response> => {
  const custom = customDocuments(context);
  const names = [...builtInDocuments().keys(), ...custom.keys()].filter((name) => name !== '').sort();
  const paths = Object.fromEntries(
    names.map((name) => [name, { serverRelativeURL: relativeUrl(name, hashOf(name, custom.get(name) ?? [])) }]),
  );
  return respond(context.request, { paths }, { representation: context.representation });
};

const serveDocument = (context: RequestContext, name: string): Promise<Response> => {
  const resources = customDocuments(context).get(name);
  const paths = builtInDocuments().get(name);
  if (resources === undefined && paths === undefined) return Promise.resolve(new Response(null, { status: 404 }));
  const hash = hashOf(name, resources ?? []);
  const given = context.info.query.get('hash');
  if (given !== null && given !== hash) {
    return Promise.resolve(new Response(null, { status: 301, headers: { location: relativeUrl(name, hash), etag: `"${hash}"` } }));
  }
  const text = textOf(name, hash, () => (resources === undefined ? buildBuiltIn(name, paths ?? []) : buildCustom(resources)));
  const caching = given === null ? {} : { 'cache-control': 'public, max-age=31536000, immutable' };
  return respondText(context.request, text, { headers: { etag: `"${hash}"`, vary: 'Accept', ...caching } });
};

/** The older document has the custom kinds too, in its own way of writing. */
const serveV2 = (context: RequestContext): Promise<Response> => {
  const custom = [...customDocuments(context).values()].flat();
  const hash = hashOf('v2', custom);
  const text = textOf('v2', hash, () => {
    const definitions = custom.map((resource) => JSON.parse(JSON.stringify(customSchemas(resource)).replaceAll(SCHEMAS, '#/definitions/')));
    return {
      ...apiDescription(),
      info: { title: 'Kubernetes', version: VERSION.gitVersion },
      definitions: Object.assign({}, objectAt(apiDescription(), 'definitions'), ...definitions),
    };
  });
  return respondText(context.request, text, { headers: { etag: `"${hash}"`, vary: 'Accept' } });
};

const acceptsJson = ({ request }: RequestContext): boolean => {
  const accept = request.headers.get('accept');
  return accept === null || /application\/json|\*\/\*|application\/\*|openapi.*json/.test(accept);
};

/** GET below /openapi */
export const serveOpenApi = (context: RequestContext): Promise<Response> => {
  const [, , version = '', ...rest] = context.info.path.split('/');
  if (!acceptsJson(context)) throw notAcceptable(['application/json']);
  if (version === 'v2') return rest.length === 0 ? serveV2(context) : Promise.resolve(pageNotFound());
  if (version !== 'v3') throw notServed();
  const name = rest.join('/').replace(/\/$/, '');
  return name === '' ? serveIndex(context) : serveDocument(context, name);
};
