// Paths that are no resources: discovery, version, health.
import type { RequestContext } from './context.ts';
import { aggregatedContentType, findApiGroup, findApiResourceList, toAggregated, toApiGroupList, toApiVersions } from './discovery.ts';
import type { JsonObject } from './json.ts';
import { serveOpenApi } from './openapi.ts';
import { pageNotFound, respond, respondPlain } from './respond.ts';
import { methodNotAllowed, notServed } from './status.ts';
import { VERSION } from './version.ts';

const CHECKS = [
  'ping',
  'log',
  'etcd',
  'poststarthook/start-apiserver-admission-initializer',
  'poststarthook/generic-apiserver-start-informers',
  'poststarthook/priority-and-fairness-config-consumer',
  'poststarthook/priority-and-fairness-filter',
  'poststarthook/storage-object-count-tracker-hook',
  'poststarthook/start-apiextensions-informers',
  'poststarthook/start-apiextensions-controllers',
  'poststarthook/crd-informer-synced',
  'poststarthook/start-system-namespaces-controller',
  'poststarthook/start-cluster-authentication-info-controller',
  'poststarthook/start-kube-apiserver-identity-lease-controller',
  'poststarthook/start-kube-apiserver-identity-lease-garbage-collector',
  'poststarthook/start-legacy-token-tracking-controller',
  'poststarthook/start-service-ip-repair-controllers',
  'poststarthook/rbac/bootstrap-roles',
  'poststarthook/scheduling/bootstrap-system-priority-classes',
  'poststarthook/priority-and-fairness-config-producer',
  'poststarthook/bootstrap-controller',
  'poststarthook/start-kubernetes-service-cidr-controller',
  'poststarthook/aggregator-reload-proxy-client-cert',
  'poststarthook/start-kube-aggregator-informers',
  'poststarthook/apiservice-status-local-available-controller',
  'poststarthook/apiservice-status-remote-available-controller',
  'poststarthook/apiservice-registration-controller',
  'poststarthook/apiservice-discovery-controller',
  'poststarthook/kube-apiserver-autoregistration',
  'autoregister-completion',
  'poststarthook/apiservice-openapi-controller',
  'poststarthook/apiservice-openapiv3-controller',
];

const ENDPOINT_CHECKS: Readonly<Record<string, readonly string[]>> = {
  healthz: CHECKS,
  livez: CHECKS,
  readyz: [...CHECKS, 'etcd-readiness', 'informer-sync', 'shutdown'],
};

const health = (endpoint: string, check: string, query: URLSearchParams): Response => {
  const checks = ENDPOINT_CHECKS[endpoint] ?? [];
  if (check !== '') return checks.includes(check) ? respondPlain('ok') : pageNotFound();
  if (!query.has('verbose')) return respondPlain('ok');
  const excluded = new Set(query.getAll('exclude'));
  const lines = checks.map((name) => (excluded.has(name) ? `[+]${name} excluded: ok` : `[+]${name} ok`));
  return respondPlain(`${lines.join('\n')}\n${endpoint} check passed\n`);
};

const paths = ({ server }: RequestContext): string[] => {
  const groups = server.registry.groups().filter(({ name }) => name !== '');
  const apis = groups.flatMap(({ name, versions }) => [`/apis/${name}`, ...versions.map((version) => `/apis/${name}/${version}`)]);
  const checks = Object.entries(ENDPOINT_CHECKS).flatMap(([endpoint, names]) => [
    `/${endpoint}`,
    ...names.map((name) => `/${endpoint}/${name}`),
  ]);
  return [
    '/api',
    '/api/v1',
    '/apis',
    '/apis/',
    ...apis,
    ...checks,
    '/metrics',
    '/openapi/v2',
    '/openapi/v3',
    '/openapi/v3/',
    '/version',
  ].sort();
};

const discoveryRoot = (context: RequestContext, isCore: boolean): Promise<Response> => {
  const { request, server, representation } = context;
  const { discovery } = representation;
  if (discovery !== undefined) {
    const body = toAggregated(server.registry, isCore, discovery);
    return respond(request, body, {
      representation,
      contentType: aggregatedContentType(discovery),
      headers: { 'cache-control': 'public', vary: 'Accept' },
    });
  }
  const body = isCore ? toApiVersions(new URL(request.url).host) : toApiGroupList(server.registry);
  return respond(request, body, { representation, headers: { vary: 'Accept' } });
};

const apiDocument = ({ server, info }: RequestContext): JsonObject | undefined => {
  const [, root = '', group = '', version = ''] = info.path.replace(/\/$/, '').split('/');
  if (root === 'api') return findApiResourceList(server.registry, '', group);
  return version === '' ? findApiGroup(server.registry, group) : findApiResourceList(server.registry, group, version);
};

/** Answers a path that is no resource; undefined when this file does not know it. */
export const serveNonResource = async (context: RequestContext): Promise<Response> => {
  const { request, info, representation } = context;
  const { path, method, query } = info;
  const [, root = '', ...rest] = path.split('/');
  if (root in ENDPOINT_CHECKS) return health(root, rest.join('/'), query);
  if (path === '/') return respond(request, { paths: paths(context) }, { representation });
  if (path === '/version' || path === '/version/') return readOnly(method, () => respond(request, { ...VERSION }, { representation }));
  if (path === '/api' || path === '/api/') return readOnly(method, () => discoveryRoot(context, true));
  if (path === '/apis' || path === '/apis/') return readOnly(method, () => discoveryRoot(context, false));
  if (root === 'openapi') return readOnly(method, () => serveOpenApi(context));
  const document = root === 'api' || root === 'apis' ? apiDocument(context) : undefined;
  if (document === undefined && isUnderBuiltInGroup(context)) throw notServed();
  return document === undefined ? pageNotFound() : readOnly(method, () => respond(request, document, { representation }));
};

const readOnly = (method: string, answer: () => Promise<Response>): Promise<Response> => {
  if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed();
  return answer();
};

/** True when a group and version are served. */
export const isServedVersion = ({ server, info }: RequestContext): boolean => server.registry.hasVersion(info.group, info.version);

/** Below the core and the built-in groups unknown paths are refused with a Status, elsewhere in plain text. */
export const isUnderBuiltInGroup = ({ server, info }: RequestContext): boolean => {
  const [, root = '', group = ''] = info.path.split('/');
  if (root === 'api') return true;
  return (
    root === 'apis' &&
    server.registry.all().some((resource) => resource.group === group && resource.custom === undefined && group !== 'metrics.k8s.io')
  );
};
