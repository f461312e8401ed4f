// Joins the rooms of HTTP: routes over the factories, the pipeline, the listener. Loaded only when a door is opened.

import type { ServerEventBus } from '@modelcontextprotocol/server';
import type { AuditLog } from './audit/index.ts';
import { isLoopback, parseAddress } from './config/server.ts';
import type { Caller, Logger } from './kit/context.ts';
import type { Manager } from './manager/manager.ts';
import { createServerFactory, type McpDeps, type Surface } from './mcp/server.ts';
import { LOOPBACK_NAMES } from './middleware/security/index.ts';
import { createAuditHandlers } from './server/audit-routes.ts';
import { type HttpDoor, openHttp } from './server/http.ts';
import { createRoutes } from './server/routes.ts';
import type { Config } from './settings.ts';

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
  /** Whose records are served; undefined when off. */
  readonly audit: AuditLog | undefined;
}

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
  audit,
}: HttpDoorDeps): Promise<HttpDoor> => {
  const { server } = config;
  const address = parseAddress(server.addr);
  const routes = createRoutes({
    mode: server.mode === undefined || server.mode === 'stdio' ? 'sse' : server.mode,
    legacySessions: server.legacySessions,
    services: [...serviceNames, 'aggregate'],
    factoryFor: (service) => createServerFactory(surface([service === 'aggregate' ? 'all' : service]), mcpDeps),
    profileFactory: (profile) => createServerFactory(surface(profile === null ? config.profiles : profile.split(',')), mcpDeps),
    paths: { sse: server.ssePaths, http: server.httpPaths, streamable: server.streamableHttpPaths },
    bus,
    maxBodyBytes: server.maxBodyBytes,
    maxStreams: Math.ceil(server.max_connections / 2),
    isReady,
    ...(audit === undefined ? {} : { audit: createAuditHandlers(audit, Date.now) }),
    health: async (signal) => ({ status: 'healthy', services: await manager.status(signal) }),
    report: (error, where) => logger.debug({ where, reason: error instanceof Error ? error.message : String(error) }, 'refused'),
  });
  const door = await openHttp({
    host: address.host,
    port: port ?? address.port,
    routes,
    security: {
      allowedHosts: server.allowedHosts.length > 0 ? server.allowedHosts : isLoopback(address.host) ? LOOPBACK_NAMES : [],
      allowedOrigins: server.cors.allowedOrigins,
    },
    readTimeoutMs: server.readTimeoutSec * 1000,
    idleTimeoutMs: server.idleTimeoutSec * 1000,
    maxConnections: server.max_connections,
    anonymous: local,
    report,
  });
  return {
    ...door,
    async close() {
      await routes.close();
      await door.close();
    },
  };
};
