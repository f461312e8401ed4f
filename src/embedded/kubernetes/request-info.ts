// What a request asks for, read from its method and path as the API server does (apiserver, pkg/endpoints/request/requestinfo.go).
import { badRequest } from './status.ts';

export interface RequestInfo {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly verb: string;
  /** False for discovery, health and the like: then only `path` and `verb` count. */
  readonly isResource: boolean;
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly resource: string;
  readonly subresource: string;
  readonly name: string;
  /** Everything after the subresource: the path behind a proxy. */
  readonly rest: string;
}

const VERBS: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** These stand after the name of a namespace without being resources inside it. */
const NAMESPACE_SUBRESOURCES = new Set(['status', 'finalize']);

const isTruthy = (text: string | null): boolean => text !== null && ['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(text);

export const isWatch = (query: URLSearchParams): boolean => query.has('watch') && isTruthy(query.get('watch'));

const decodePath = (pathname: string): string => {
  try {
    return decodeURIComponent(pathname);
  } catch {
    throw badRequest('invalid URL escape');
  }
};

export const toRequestInfo = (request: { readonly method: string }, url: URL): RequestInfo => {
  const path = decodePath(url.pathname);
  const query = url.searchParams;
  const plain = {
    method: request.method,
    path,
    query,
    verb: request.method.toLowerCase(),
    isResource: false,
    group: '',
    version: '',
    namespace: '',
    resource: '',
    subresource: '',
    name: '',
    rest: '',
  };
  const [root, ...parts] = path.split('/').slice(1);
  if (root === 'api' && parts.length >= 2) return readResource({ ...plain, version: parts[0] ?? '' }, parts.slice(1));
  if (root === 'apis' && parts.length >= 3) {
    return readResource({ ...plain, group: parts[0] ?? '', version: parts[1] ?? '' }, parts.slice(2));
  }
  return plain;
};

const readResource = (plain: RequestInfo, given: readonly string[]): RequestInfo => {
  // A slash at the end means nothing.
  let parts = given.at(-1) === '' ? given.slice(0, -1) : [...given];
  let verb = VERBS[plain.method] ?? plain.verb;
  if (parts.length === 0 || parts[0] === '') return plain;
  if (parts[0] === 'watch' && parts.length > 1) {
    parts = parts.slice(1);
    verb = 'watch';
  }
  let namespace = '';
  if (parts[0] === 'namespaces') {
    namespace = parts[1] ?? '';
    if (parts.length > 2 && !NAMESPACE_SUBRESOURCES.has(parts[2] ?? '')) parts = parts.slice(2);
  }
  const [resource = '', name = '', subresource = '', ...rest] = parts;
  const info = { ...plain, isResource: true, verb, namespace, resource, name, subresource, rest: rest.join('/') };
  return withCollectionVerb(info);
};

/** A path without a name means the collection; `metadata.name` in a field selector counts as a name for authorisation. */
const withCollectionVerb = (info: RequestInfo): RequestInfo => {
  if (info.name !== '') return info;
  const verb = { get: isWatch(info.query) ? 'watch' : 'list', delete: 'deletecollection' }[info.verb] ?? info.verb;
  return { ...info, verb };
};

/** The name that a list, watch or deletecollection is narrowed to by its field selector; roles may be granted for it alone. */
export const selectedName = (query: URLSearchParams): string => {
  const found = /(?:^|,)metadata\.name==?([^,!=]+)(?:,|$)/.exec(query.get('fieldSelector') ?? '');
  return found?.[1] ?? '';
};
