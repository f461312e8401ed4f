// Single objects: one, many by name, as a table row; and the server's own pages about itself.
import { AppError } from '../../kit/errors.ts';
import { inParallel } from '../../kit/parallel.ts';
import { type Api, apiLabel, type CallOptions, type ObjectAddress } from './api.ts';
import { TABLE, type TableColumn, type TableRow, toTable } from './lists.ts';
import { type Fields, isObject, type KubeObject, textAt } from './objects.ts';
import { apiVersionOf, RESOURCES, type ResourceRef } from './resources.ts';

export interface GetOptions extends CallOptions, ObjectAddress {
  /** `0` allows an answer from the server's cache. */
  readonly resourceVersion?: string | undefined;
}

export interface ManyOptions extends CallOptions {
  readonly names: readonly string[];
  readonly namespace?: string | undefined;
}

export interface Many {
  readonly items: readonly KubeObject[];
  readonly missing: readonly string[];
}

export interface ServerVersion {
  /** `v1.37.2`. */
  readonly gitVersion: string;
  readonly major: number;
  /** Hosted platforms write `28+`: read as 28. */
  readonly minor: number;
  readonly platform: string | undefined;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: readonly { readonly name: string; readonly ok: boolean }[];
}

export interface Reads {
  /** NOT_FOUND when it is absent; its message says so when the namespace itself is. With `subresource` the subresource (`scale`, `status`). */
  get(resource: ResourceRef, options: GetOptions): Promise<KubeObject>;
  /** Like `get`; undefined when it is absent. */
  find(resource: ResourceRef, options: GetOptions): Promise<KubeObject | undefined>;
  /** Several by name, five at a time; absent ones in `missing`, any other failure throws. */
  getMany(resource: ResourceRef, options: ManyOptions): Promise<Many>;
  /** The row that kubectl prints for one object. */
  getTable(
    resource: ResourceRef,
    options: GetOptions,
  ): Promise<{ readonly columns: readonly TableColumn[]; readonly row: TableRow | undefined }>;
  version(options: CallOptions): Promise<ServerVersion>;
  /** `/readyz?verbose`. */
  readyz(options: CallOptions): Promise<Readiness>;
  /** The OpenAPI v3 document of a group and version: large (core is above 1 MB). UNSUPPORTED when it is not served. */
  openapi(groupVersion: { readonly group: string; readonly version: string }, options: CallOptions): Promise<Fields>;
}

const PARALLEL = 5;
const OPENAPI_BYTES = 64 * 1024 * 1024;

export const createReads = (api: Api): Reads => {
  const fetchObject = async (
    resource: ResourceRef,
    options: GetOptions,
    { accept, verb }: { accept: string; verb: string },
  ): Promise<Fields> => {
    const { signal, timeoutMs, resourceVersion, ...address } = options;
    const path = api.objectPath(resource, address);
    const { body } = await api.json({
      path,
      query: { resourceVersion },
      accept,
      signal,
      timeoutMs,
      api: apiLabel(verb, resource, options.subresource),
    });
    if (isObject(body)) return body;
    throw new AppError('DATA_ERROR', `Kubernetes answered something that is not a ${resource.kind}.`, {
      details: { service: 'kubernetes' },
    });
  };
  /** Both absences are 404 of the object: only a second look tells them apart. */
  const explainAbsence = async (
    error: unknown,
    resource: ResourceRef,
    { namespace = api.defaultNamespace, signal }: GetOptions,
  ): Promise<unknown> => {
    if (!isNotFound(error) || !resource.namespaced) return error;
    const isThere = await fetchObject(RESOURCES.namespaces, { name: namespace, signal }, { accept: 'application/json', verb: 'get' }).catch(
      (other: unknown) => !isNotFound(other),
    );
    if (isThere !== false) return error;
    return new AppError('NOT_FOUND', `The namespace ${namespace} does not exist.`, {
      details: { ...error.details, namespace, reason: 'NAMESPACE_ABSENT' },
      cause: error,
    });
  };
  const get = async (resource: ResourceRef, options: GetOptions): Promise<KubeObject> => {
    try {
      const object = await fetchObject(resource, options, { accept: 'application/json', verb: 'get' });
      return textAt(object, 'kind') === undefined ? { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind } : object;
    } catch (error) {
      throw await explainAbsence(error, resource, options);
    }
  };
  const find = (resource: ResourceRef, options: GetOptions): Promise<KubeObject | undefined> =>
    fetchObject(resource, options, { accept: 'application/json', verb: 'get' }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  return {
    get,
    find,
    getMany: async (resource, { names, ...options }) => {
      const unique = [...new Set(names)];
      const found = await inParallel(unique, PARALLEL, (name) => find(resource, { ...options, name }));
      return {
        items: found.filter((object) => object !== undefined),
        missing: unique.filter((_, at) => found[at] === undefined),
      };
    },
    getTable: async (resource, options) => {
      try {
        const { columns, rows } = toTable(await fetchObject(resource, options, { accept: TABLE, verb: 'get-table' }), resource);
        return { columns, row: rows[0] };
      } catch (error) {
        throw await explainAbsence(error, resource, options);
      }
    },
    version: async (options) => {
      const { body } = await api.json({ ...options, path: '/version', api: 'version' });
      const number = (key: string) => Number.parseInt(textAt(body, key) ?? '', 10) || 0;
      return {
        gitVersion: textAt(body, 'gitVersion') ?? '',
        major: number('major'),
        minor: number('minor'),
        platform: textAt(body, 'platform'),
      };
    },
    readyz: async (options) => {
      const { status, body } = await api.text({ ...options, path: '/readyz', query: { verbose: true }, api: 'readyz', expect: [500, 503] });
      const checks = [...body.matchAll(/^\[([+-])\](\S+)/gm)].map(([, sign, name = '']) => ({ name, ok: sign === '+' }));
      return { ready: status === 200, checks };
    },
    openapi: async ({ group, version }, options) => {
      const path = `/openapi/v3/${group === '' ? 'api' : `apis/${group}`}/${version}`;
      const { body } = await api.json({ ...options, path, api: 'openapi v3', maxBytes: OPENAPI_BYTES });
      if (isObject(body)) return body;
      throw new AppError('DATA_ERROR', 'Kubernetes answered an OpenAPI document that is none.', { details: { service: 'kubernetes' } });
    },
  };
};

export const isNotFound = (error: unknown): error is AppError => error instanceof AppError && error.code === 'NOT_FOUND';
