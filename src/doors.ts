// Joins the rooms of HTTP: routes over the factories, the pipeline, the listener. Loaded only when a door is opened.

import type { ServerEventBus } from '@modelcontextprotocol/server';
import type { AuditLog } from './audit/index.ts';
import { isLoopback, parseAddress } from './config/server.ts';
import { checkExposure, toTls, warnOfClearText } from './exposure.ts';
import type { Caller, Logger } from './kit/context.ts';
import { AppError } from './kit/errors.ts';
import { toErrorResponse } from './kit/http.ts';
import type { Manager } from './manager/manager.ts';
import { createServerFactory, type McpDeps } from './mcp/server.ts';
import type { Surfaces } from './mcp/surfaces.ts';
import { createAuthentication } from './middleware/auth/create.ts';
import { createMetadata } from './middleware/auth/metadata.ts';
import { createStepUp } from './middleware/auth/step-up.ts';
import { rateLimit } from './middleware/rate-limit/index.ts';
import { LOOPBACK_NAMES } from './middleware/security/index.ts';
import type { Observability } from './observability/index.ts';
import type { Secrets } from './secrets/create.ts';
import { adminRoutes } from './server/admin-routes.ts';
import { createAuditHandlers } from './server/audit-routes.ts';
import { createForwarding } from './server/forwarded.ts';
import { type HttpDoor, type HttpOptions, openHttp } from './server/http.ts';
import { countConnections, metricsRoute, noteRefusedConnections } from './server/metrics-route.ts';
import { createRoutes, type Routes } from './server/routes.ts';
import { createStreamBudget } from './server/streams.ts';
import type { Config, ServerConfig } from './settings.ts';
import type { Store } from './store/store.ts';
import { NAME, TITLE } from './version.ts';

export interface HttpDoorDeps {
  readonly config: Config;
  readonly port: number | undefined;
  readonly logger: Logger;
  readonly manager: Manager;
  readonly bus: ServerEventBus;
  readonly surfaces: Surfaces;
  readonly mcpDeps: McpDeps;
  readonly serviceNames: readonly string[];
  readonly local: Caller;
  readonly isReady: () => boolean;
  readonly report: (error: unknown, where: string) => void;
  readonly secrets: Secrets;
  readonly now: () => number;
  readonly observability: Observability;
  readonly store: Store;
  /** Absent when the audit log is off. */
  readonly audit: AuditLog | undefined;
}

/** Who may call, behind which proxies, and what OAuth clients are told. */
const createAccess = async ({ config, secrets, now, logger, serviceNames, manager, observability }: HttpDoorDeps) => {
  const { auth, server } = config;
  const publicUrl = server.publicUrl?.replace(/\/+$/, '');
  const forwarding = createForwarding(server.trustedProxies, publicUrl);
  if (!auth.enabled) return { forwarding };
  const authentication = await createAuthentication({
    config: auth,
    secrets,
    now,
    logger,
    realm: NAME,
    services: serviceNames,
    publicUrl,
    baseUrl: forwarding.toBaseUrl,
    hasClientCa: server.tls.clientCAFile !== undefined && server.tls.certFile !== undefined,
    onRefused: (refused) => {
      observability.metrics.families.mcp_auth_failures_total.labels(refused.reason).inc();
      logger.info({ ...refused }, 'request refused');
    },
  });
  const oauth =
    authentication.issuer === undefined ? undefined : createMetadata({ authentication, baseUrl: forwarding.toBaseUrl, title: TITLE });
  const authorize =
    authentication.issuer === undefined
      ? undefined
      : createStepUp(authentication, (tool) => {
          const service = manager.ownerOf(tool);
          const effect = manager.catalogues.find(({ name }) => name === service)?.tools.find(({ name }) => name === tool)?.effect;
          return service === undefined || effect === undefined ? undefined : { service, effect };
        });
  return { forwarding, authentication, oauth, authorize };
};

/** The listener of `server.admin.addr`: profiles, on this machine alone unless callers are known. */
const openAdmin = async ({ addr, heapSnapshots }: ServerConfig['server']['admin'], shared: HttpOptions): Promise<HttpDoor | undefined> => {
  if (addr === undefined) return undefined;
  const { host, port } = parseAddress(addr);
  if (!isLoopback(host) && shared.authentication === undefined) {
    throw new AppError(
      'INVALID_ARGUMENT',
      `Refusing to offer profiles on ${addr} without authentication: they show what the process does and holds. Use a loopback address, or set auth.enabled.`,
      { details: { key: 'server.admin.addr' } },
    );
  }
  const table: Routes['table'] = new Map(adminRoutes({ heapSnapshots }).map(([path, route]) => [path, { protection: 'admin', route }]));
  const hint = (): Response =>
    toErrorResponse(new AppError('NOT_FOUND', 'There is no such path.', { details: { paths: [...table.keys()] } }));
  const routes: Routes = { table, hint, serviceOf: () => 'server', close: async () => {} };
  return openHttp({ ...shared, host, port, routes });
};

export const openHttpDoor = async (deps: HttpDoorDeps): Promise<HttpDoor> => {
  const { config, port, logger, manager, bus, surfaces, mcpDeps, serviceNames, local, isReady, report, store, observability, audit, now } =
    deps;
  const { server } = config;
  checkExposure(config);
  warnOfClearText(config, logger);
  const address = parseAddress(server.addr);
  const mode = server.mode === undefined || server.mode === 'stdio' ? 'sse' : server.mode;
  const { forwarding, authentication, oauth, authorize } = await createAccess(deps);
  const routes = createRoutes({
    mode,
    legacySessions: server.legacySessions,
    services: [...serviceNames, 'aggregate'],
    factoryFor: (service) => createServerFactory((caller) => surfaces([service === 'aggregate' ? 'all' : service], caller), mcpDeps),
    profileFactory: (profile) => {
      const profiles = profile === null ? config.profiles : profile.split(',');
      // An unknown profile is refused with the request that names it.
      surfaces(profiles, local);
      return createServerFactory((caller) => surfaces(profiles, caller), mcpDeps);
    },
    paths: { sse: server.ssePaths, http: server.httpPaths, streamable: server.streamableHttpPaths },
    bus,
    maxBodyBytes: server.maxBodyBytes,
    bounds: config.limits,
    streams: createStreamBudget(Math.ceil(server.max_connections / 2)),
    isReady,
    oauth,
    authorize,
    ...(audit === undefined || !config.audit.query.enabled ? {} : { audit: createAuditHandlers(audit, now) }),
    health: async (signal) => ({ status: 'healthy', services: await manager.status(signal) }),
    metrics: config.metrics.addr === undefined ? metricsRoute(observability) : undefined,
    report: (error, where) => logger.debug({ where, reason: error instanceof Error ? error.message : String(error) }, 'refused'),
  });
  await observability.open();
  const limited = observability.metrics.families.mcp_ratelimited_total;
  const options: HttpOptions = {
    host: address.host,
    port: port ?? address.port,
    routes,
    security: {
      allowedHosts: server.allowedHosts.length > 0 ? server.allowedHosts : isLoopback(address.host) ? LOOPBACK_NAMES : [],
      allowedOrigins: server.cors.allowedOrigins,
      cors: server.cors,
      isSecure: server.tls.certFile !== undefined || server.publicUrl?.startsWith('https:') === true,
    },
    authentication,
    rateLimit: config.ratelimit.enabled
      ? rateLimit(config.ratelimit, { store, now, anonymous: local.id, onRefused: (by) => limited.labels(by).inc() })
      : undefined,
    compressionLevel: config.performance.compression_enabled ? config.performance.compression_level : undefined,
    forwarding,
    tls: toTls(config, logger),
    audit,
    observed: { metrics: observability.metrics, tracing: observability.tracing, logger, serviceOf: routes.serviceOf },
    onConnection: countConnections(observability.metrics),
    onRefusedConnection: noteRefusedConnections(observability.metrics, audit, now),
    readTimeoutMs: server.readTimeoutSec * 1000,
    writeTimeoutMs: server.writeTimeoutSec * 1000,
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
