// Joins the rooms of HTTP: routes over the factories, the pipeline, the listener. Loaded only when a door is opened.

import type { ServerEventBus } from '@modelcontextprotocol/server';
import { isLoopback, parseAddress } from './config/server.ts';
import type { Caller, Logger } from './kit/context.ts';
import { AppError } from './kit/errors.ts';
import { toErrorResponse } from './kit/http.ts';
import type { Manager } from './manager/manager.ts';
import { createServerFactory, type McpDeps, type Surface } from './mcp/server.ts';
import { LOOPBACK_NAMES } from './middleware/security/index.ts';
import type { Observability } from './observability/index.ts';
import { adminRoutes } from './server/admin-routes.ts';
import { type HttpDoor, type HttpOptions, openHttp } from './server/http.ts';
import { countConnections, metricsRoute } from './server/metrics-route.ts';
import { createRoutes, type Routes } from './server/routes.ts';
import type { Config, ServerConfig } from './settings.ts';

export interface HttpDoorDeps {
  readonly config: Config;
  readonly port: number | undefined;
  readonly logger: Logger;
  readonly manager: Manager;
  readonly bus: ServerEventBus;
  readonly surface: (profiles: readonly string[]) => Surface;
  readonly mcpDeps: McpDeps;
  readonly serviceNames: readonly string[];
  readonly local: Caller;
  readonly isReady: () => boolean;
  readonly report: (error: unknown, where: string) => void;
  readonly observability: Observability;
}

/** The listener of `server.admin.addr`: profiles, for this machine alone. */
const openAdmin = async ({ addr, heapSnapshots }: ServerConfig['server']['admin'], shared: HttpOptions): Promise<HttpDoor | undefined> => {
  if (addr === undefined) return undefined;
  const { host, port } = parseAddress(addr);
  if (!isLoopback(host)) {
    throw new AppError(
      'INVALID_ARGUMENT',
      `Refusing to offer profiles on ${addr}: they show what the process does and holds. Use a loopback address.`,
      {
        details: { key: 'server.admin.addr' },
      },
    );
  }
  const table: Routes['table'] = new Map(adminRoutes({ heapSnapshots }));
  const hint = (): Response =>
    toErrorResponse(new AppError('NOT_FOUND', 'There is no such path.', { details: { paths: [...table.keys()] } }));
  const routes: Routes = { table, hint, serviceOf: () => 'server', close: async () => {} };
  return openHttp({ ...shared, host, port, routes, security: { allowedHosts: LOOPBACK_NAMES, allowedOrigins: [] } });
};

export const openHttpDoor = async ({
  config,
  port,
  logger,
  manager,
  bus,
  surface,
  mcpDeps,
  serviceNames,
  local,
  isReady,
  report,
  observability,
}: HttpDoorDeps): Promise<HttpDoor> => {
  const { server } = config;
  const address = parseAddress(server.addr);
  const mode = server.mode === undefined || server.mode === 'stdio' ? 'sse' : server.mode;
  const routes = createRoutes({
    mode,
    legacySessions: server.legacySessions,
    services: [...serviceNames, 'aggregate'],
    factoryFor: (service) => createServerFactory(surface([service === 'aggregate' ? 'all' : service]), mcpDeps),
    profileFactory: (profile) => createServerFactory(surface(profile === null ? config.profiles : profile.split(',')), mcpDeps),
    paths: { sse: server.ssePaths, http: server.httpPaths, streamable: server.streamableHttpPaths },
    bus,
    maxBodyBytes: server.maxBodyBytes,
    maxStreams: Math.ceil(server.max_connections / 2),
    isReady,
    health: async (signal) => ({ status: 'healthy', services: await manager.status(signal) }),
    metrics: config.metrics.addr === undefined ? metricsRoute(observability) : undefined,
    report: (error, where) => logger.debug({ where, reason: error instanceof Error ? error.message : String(error) }, 'refused'),
  });
  await observability.open();
  const options: HttpOptions = {
    host: address.host,
    port: port ?? address.port,
    routes,
    security: {
      allowedHosts: server.allowedHosts.length > 0 ? server.allowedHosts : isLoopback(address.host) ? LOOPBACK_NAMES : [],
      allowedOrigins: server.cors.allowedOrigins,
    },
    observed: { metrics: observability.metrics, tracing: observability.tracing, logger, serviceOf: routes.serviceOf },
    onConnection: countConnections(observability.metrics),
    readTimeoutMs: server.readTimeoutSec * 1000,
    idleTimeoutMs: server.idleTimeoutSec * 1000,
    maxConnections: server.max_connections,
    anonymous: local,
    report,
  };
  const admin = await openAdmin(server.admin, options);
  if (admin !== undefined) logger.info({ admin_url: admin.url }, 'profiles listen');
  const door = await openHttp(options);
  observability.describe({ mode, addr: new URL(door.url).host });
  return {
    ...door,
    async close() {
      await routes.close();
      await admin?.close();
      await door.close();
    },
  };
};
