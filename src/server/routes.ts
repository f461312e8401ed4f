// The route table: every path and what answers it. The service name is a parameter; enabling a service adds its routes.

import type { Mode } from '../config/server.ts';
import { AppError } from '../kit/errors.ts';
import { type Protection, toErrorResponse } from '../kit/http.ts';
import type { ServerFactory } from '../mcp/server.ts';
import type { AuditHandlers } from './audit-routes.ts';
import {
  type Family,
  type FamilyOptions,
  type Handle,
  legacySse,
  plainHttp,
  type Route,
  sessionHttp,
  streamableHttp,
} from './mcp-routes.ts';

export interface RoutesOptions extends Omit<FamilyOptions, 'factory'> {
  readonly mode: Exclude<Mode, 'stdio'>;
  readonly legacySessions: boolean;
  /** Services with routes of their own, and `aggregate`. */
  readonly services: readonly string[];
  readonly factoryFor: (service: string) => ServerFactory;
  /** The factory of `/mcp`, by the `profile` query parameter. Throws for unknown names. */
  readonly profileFactory: (profile: string | null) => ServerFactory;
  readonly paths: {
    readonly sse: Readonly<Record<string, string>>;
    readonly http: Readonly<Record<string, string>>;
    readonly streamable: Readonly<Record<string, string>>;
  };
  readonly isReady: () => boolean;
  readonly health: (signal: AbortSignal) => Promise<object>;
  /** Documents for OAuth clients; absent = no issuer is configured. */
  readonly oauth?: { readonly resource: (path: string) => Handle; readonly authorizationServer: Handle } | undefined;
  /** `/metrics`; absent when it has a listener of its own. */
  readonly metrics: Handle | undefined;
  /** Absent when records are not served. */
  readonly audit?: AuditHandlers;
}

export interface RouteEntry {
  readonly protection: Protection;
  readonly route: Route;
}

export interface Routes {
  readonly table: ReadonlyMap<string, RouteEntry>;
  /** The service, or `aggregate`, that a path belongs to; `server` for the server's own. */
  readonly serviceOf: (path: string) => string;
  /** What a path without a route is told. */
  readonly hint: (path: string) => Response;
  close(): Promise<void>;
}

const MAX_PROFILE_FAMILIES = 32;

/** `/mcp`: one family per profile asked for, made on first use. */
const profileRoute = (options: RoutesOptions, make: (factory: ServerFactory) => Family): Family => {
  const families = new Map<string, Family>();
  const familyFor = (profile: string | null): Family => {
    const key = profile ?? '';
    const known = families.get(key);
    if (known !== undefined) return known;
    if (families.size >= MAX_PROFILE_FAMILIES)
      throw new AppError('RATE_LIMITED', 'Too many different profiles are in use.', { details: { retry_after: '60s' } });
    const made = make(options.profileFactory(profile));
    families.set(key, made);
    return made;
  };
  const pass =
    (method: string): Route[string] =>
    async (exchange) => {
      const unknown = [...exchange.url.searchParams.keys()].find((name) => name !== 'profile');
      if (unknown !== undefined)
        throw new AppError('INVALID_ARGUMENT', `Unknown query parameter ${unknown.slice(0, 60)}.`, {
          details: { argument: unknown.slice(0, 60), nearest: ['profile'] },
        });
      const { route } = familyFor(exchange.url.searchParams.get('profile'));
      return (route[method] ?? route['GET'] ?? (async () => new Response(null, { status: 405 })))(exchange);
    };
  return {
    route: { POST: pass('POST'), GET: pass('GET'), DELETE: pass('DELETE') },
    close: async () => void (await Promise.allSettled([...families.values()].map((family) => family.close()))),
  };
};

const statusRoutes = ({ isReady, health, metrics, audit }: RoutesOptions): [string, Route, Protection][] => {
  const healthy = async (): Promise<Response> => Response.json({ status: 'healthy' });
  const ready = async (): Promise<Response> =>
    Response.json({ status: isReady() ? 'ready' : 'not ready' }, { status: isReady() ? 200 : 503 });
  return [
    ['/health', { GET: healthy, HEAD: healthy }, 'open'],
    ['/ready', { GET: ready, HEAD: ready }, 'open'],
    ['/health/detailed', { GET: async ({ request }) => Response.json(await health(request.signal)) }, 'auth'],
    ...(metrics === undefined ? [] : [['/metrics', { GET: metrics, HEAD: metrics }, 'auth'] as [string, Route, Protection]]),
    ...(audit === undefined
      ? []
      : ([
          ['/api/audit/logs', { GET: audit.logs }, 'admin'],
          ['/api/audit/stats', { GET: audit.stats }, 'admin'],
        ] satisfies [string, Route, Protection][])),
  ];
};

const AUTHORIZATION_SERVER_PATH = '/.well-known/oauth-authorization-server';
const RESOURCE_PATH = '/.well-known/oauth-protected-resource';

/** RFC 9728: one document for the whole server, and one per address that speaks MCP. */
const oauthRoutes = ({ oauth }: RoutesOptions, paths: readonly string[]): [string, Route, Protection][] =>
  oauth === undefined
    ? []
    : [
        [AUTHORIZATION_SERVER_PATH, { GET: oauth.authorizationServer }, 'open'],
        ...['', ...paths].map((path): [string, Route, Protection] => [`${RESOURCE_PATH}${path}`, { GET: oauth.resource(path) }, 'open']),
      ];

/** Builds the table of one mode. Two equal paths stop the start. */
export const createRoutes = (options: RoutesOptions): Routes => {
  const table = new Map<string, RouteEntry>();
  const owners = new Map<string, string>();
  const closers: (() => Promise<void>)[] = [];
  const add = (path: string, route: Route, owner = 'server', protection: Protection = 'auth'): void => {
    if (table.has(path))
      throw new AppError('INVALID_ARGUMENT', `Two routes have the path ${path}.`, { details: { key: 'server.*Paths', path } });
    table.set(path, { protection, route });
    owners.set(path, owner);
  };
  const mount = (path: string, family: Family, owner: string): void => {
    add(path, family.route, owner);
    closers.push(() => family.close());
  };
  const streams = (factory: ServerFactory): Family => (options.legacySessions ? sessionHttp : streamableHttp)({ ...options, factory });
  for (const [path, route, protection] of statusRoutes(options)) add(path, route, 'server', protection);
  for (const service of options.services) {
    const factory = options.factoryFor(service);
    mount(options.paths.http[service] ?? `/api/${service}/http`, plainHttp({ ...options, factory }), service);
    if (options.mode === 'http') continue;
    mount(options.paths.streamable[service] ?? `/api/${service}/streamable-http`, streams(factory), service);
    if (options.mode !== 'sse') continue;
    const path = options.paths.sse[service] ?? `/api/${service}/sse`;
    const sse = legacySse({ ...options, factory }, `${path}/message`);
    add(path, sse.stream, service);
    add(`${path}/message`, sse.message, service);
    closers.push(() => sse.close());
  }
  if (options.mode !== 'http') mount('/mcp', profileRoute(options, streams), 'aggregate');
  const spoken = [...owners].filter(([, owner]) => owner !== 'server').map(([path]) => path);
  for (const [path, route, protection] of oauthRoutes(options, spoken)) add(path, route, 'server', protection);
  return {
    table,
    serviceOf: (path) => owners.get(path) ?? 'server',
    hint: (path) =>
      toErrorResponse(
        new AppError('NOT_FOUND', 'There is no such path.', {
          details: path.startsWith('/api/') ? { services: options.services } : { paths: ['/mcp', '/health', '/ready'] },
        }),
      ),
    close: async () => void (await Promise.allSettled(closers.map((close) => close()))),
  };
};
