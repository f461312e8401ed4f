// One request to the API server: its path, the namespaces that may be reached, and the warnings that come back.
import { AppError } from '../../kit/errors.ts';
import { requirePermit, type Target } from '../../kit/permit.ts';
import type { HeaderValues, Query, ResponseHeaders, Upstream, UpstreamRequest, UpstreamStream } from '../http.ts';
import { createToKubeError } from '../kube.ts';
import { type ResourceRef, resourceName } from './resources.ts';

/** What every method takes. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Absent = the target's (`kubernetes.timeoutSec`). */
  readonly timeoutMs?: number | undefined;
}

export interface ObjectAddress {
  readonly name: string;
  /** Absent for a kind with namespaces = the target's default namespace. Ignored for kinds without. */
  readonly namespace?: string | undefined;
  readonly subresource?: string | undefined;
  /** For `exec`: what would run, for the policy. */
  readonly command?: readonly string[] | undefined;
}

export interface ApiRequest extends CallOptions {
  readonly method?: UpstreamRequest['method'];
  readonly path: readonly string[] | string;
  /** Bounded, for metrics: `list pods`. */
  readonly api: string;
  readonly query?: Query | undefined;
  readonly accept?: string | undefined;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
  readonly maxBytes?: number | undefined;
  readonly idleMs?: number | undefined;
  readonly idempotent?: boolean | undefined;
  readonly headers?: HeaderValues | undefined;
  readonly expect?: readonly number[] | undefined;
  /** Names the object in refusals: `pods/web`. */
  readonly subject?: string | undefined;
}

export interface ApiAnswer<T> {
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly body: T;
  /** `Warning:` headers: deprecations, unknown fields. */
  readonly warnings: readonly string[];
}

/** Makes paths, and asks for leave to reach them: no request goes where the policy does not let the caller go. */
export interface Paths {
  /** Path of one object or its subresource. */
  objectPath(resource: ResourceRef, address: ObjectAddress): readonly string[];
  /** Path of all objects of a kind, in one namespace or (absent) in all. */
  collectionPath(resource: ResourceRef, namespace: string | undefined): readonly string[];
}

/** The room that all parts of the client share. */
export interface Api extends Paths {
  readonly defaultNamespace: string;
  /** Namespaces that the operator allows; empty = all. */
  readonly allowedNamespaces: readonly string[];
  json(request: ApiRequest): Promise<ApiAnswer<unknown>>;
  text(request: ApiRequest): Promise<ApiAnswer<string>>;
  stream(request: ApiRequest): Promise<UpstreamStream>;
  /** The first `maxBytes` of whatever comes. */
  start: Upstream['start'];
  socket: Upstream['socket'];
  /** Paths of requests that alter something, dry runs too. */
  readonly forChanges: Paths;
  /** Paths of requests that delete, dry runs too. */
  readonly forDeletions: Paths;
}

type Effect = Pick<Target, 'change' | 'deletes'>;

export interface ApiOptions {
  readonly upstream: Upstream;
  /** Name of the cluster, for the policy. */
  readonly cluster: string;
  readonly defaultNamespace: string;
  readonly allowedNamespaces?: readonly string[];
}

export const createApi = ({ upstream, cluster, defaultNamespace, allowedNamespaces = [] }: ApiOptions): Api => {
  const permit = (resource: ResourceRef, namespace: string | undefined) => {
    if (!resource.namespaced || allowedNamespaces.length === 0 || (namespace !== undefined && allowedNamespaces.includes(namespace)))
      return;
    const what = namespace === undefined ? 'All namespaces at once' : `The namespace ${namespace}`;
    throw new AppError('FORBIDDEN', `${what} may not be reached: the configuration allows ${allowedNamespaces.join(', ')}.`, {
      details: { by: 'policy', setting: 'kubernetes.namespaces', allowedNamespaces },
    });
  };
  const toPath = (
    resource: ResourceRef,
    namespace: string | undefined,
    effect: Effect,
    { subresource, command }: Pick<ObjectAddress, 'subresource' | 'command'> = {},
  ): readonly string[] => {
    permit(resource, namespace);
    const kind = namesOf(resource, subresource);
    requirePermit({ cluster, namespace, namespaced: resource.namespaced, kind, ...effect, ...(command === undefined ? {} : { command }) });
    const root = resource.group === '' ? ['api', resource.version] : ['apis', resource.group, resource.version];
    const scope = resource.namespaced && namespace !== undefined ? ['namespaces', toSegment(namespace, 'namespace')] : [];
    return [...root, ...scope, resource.plural];
  };
  const pathsFor = (effect: Effect): Paths => ({
    collectionPath: (resource, namespace) => toPath(resource, namespace, effect),
    objectPath: (resource, { name, namespace = defaultNamespace, subresource, command }) => [
      ...toPath(resource, namespace, effect, { subresource, command }),
      toSegment(name, 'name'),
      ...(subresource === undefined ? [] : subresource.split('/').map((part) => toSegment(part, 'subresource'))),
    ],
  });
  return {
    defaultNamespace,
    allowedNamespaces,
    ...pathsFor({ change: false }),
    forChanges: pathsFor({ change: true }),
    forDeletions: pathsFor({ change: true, deletes: true }),
    json: async ({ subject, ...request }) =>
      withWarnings(
        await upstream.json({ ...request, toError: createToKubeError({ service: 'kubernetes', subject }) }).catch(nameAbsentApi(request)),
      ),
    text: async (request) => withWarnings(await upstream.text(request).catch(nameAbsentApi(request))),
    stream: (request) => upstream.stream(request).catch(nameAbsentApi(request)),
    start: upstream.start,
    socket: upstream.socket,
  };
};

/** The names that rules may use: `pods`, `Pod`, `deployments.apps`, `pods/log`. */
const namesOf = (resource: ResourceRef, subresource: string | undefined): readonly string[] => {
  const names = [resource.plural, resource.kind, resourceName(resource)];
  if (subresource === undefined) return names;
  const [first = ''] = subresource.split('/');
  return names.map((name) => `${name}/${first}`);
};

/** The server decodes a path before it routes: a slash inside a name would address something else (`web/log`). */
const toSegment = (text: string, argument: string): string => {
  if (/^\.{0,2}$|[/%]/.test(text) || text.length > 253) {
    throw new AppError(
      'INVALID_ARGUMENT',
      `The ${argument} cannot be that of a Kubernetes object: it is empty, too long, or has a slash or percent sign.`,
      {
        details: { argument, expected: 'at most 253 characters without "/" and "%"' },
      },
    );
  }
  return text;
};

const withWarnings = <T>(answer: { status: number; headers: ResponseHeaders; body: T }): ApiAnswer<T> => ({
  ...answer,
  warnings: parseWarnings(answer.headers),
});

/** The answer "404 page not found" does not say what is missing; the request knows. */
const nameAbsentApi =
  ({ path, api }: ApiRequest) =>
  (error: unknown): never => {
    if (!(error instanceof AppError) || error.details['reason'] !== 'API_ABSENT') throw error;
    const what = typeof path === 'string' ? path : api.replace(/^\S+ /, '');
    throw new AppError('UNSUPPORTED', `This cluster does not serve ${what}.`, { details: { ...error.details, needs: what }, cause: error });
  };

/** `299 - "text"`, several to a header. */
const parseWarnings = (headers: ResponseHeaders): readonly string[] => {
  const text = [headers['warning'] ?? []].flat().join(', ');
  return [...text.matchAll(/\b299 \S+ "((?:[^"\\]|\\.)*)"/g)].map(([, words = '']) => words.replace(/\\(.)/g, '$1'));
};

/** `list pods`, `get deployments.apps/scale`: for the metric label of a call. */
export const apiLabel = (verb: string, resource: ResourceRef, subresource?: string): string =>
  `${verb} ${resourceName(resource)}${subresource === undefined ? '' : `/${subresource}`}`;

/** `deployments.apps/web`. */
export const subjectOf = (resource: ResourceRef, name: string): string => `${resourceName(resource)}/${name}`;
