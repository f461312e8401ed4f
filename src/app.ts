// The only file that knows every room: builds them and joins them.

import { randomBytes } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { InMemoryServerEventBus } from '@modelcontextprotocol/server';
import type { z } from 'zod';
import { type ConfigKey, listKeys, loadConfig } from './config/load.ts';
import { isLoopback, parseAddress, serverConfig } from './config/server.ts';
import catalogueFile from './generated/catalogue.json' with { type: 'json' };
import { type ServiceCatalogue, toCatalogue } from './kit/catalogue.ts';
import type { Caller, Effect, Logger } from './kit/context.ts';
import type { ClusterStatus, Directory } from './kit/directory.ts';
import { AppError } from './kit/errors.ts';
import { nearestNames } from './kit/nearest.ts';
import { createSealer } from './kit/seal.ts';
import type { Notify, ServiceDefinition, ServiceDeps } from './kit/service.ts';
import { createLogger } from './logging/logger.ts';
import { type CallEngine, createCallEngine } from './manager/call.ts';
import { createChanges } from './manager/changes.ts';
import { createManager, type Manager, type ServiceEntry } from './manager/manager.ts';
import { type Selection, selectTools } from './manager/profiles.ts';
import { createConfirmations } from './mcp/confirm.ts';
import { createServerFactory, type McpDeps, type Surface } from './mcp/server.ts';
import { createTasks } from './mcp/tasks.ts';
import { createWireTables } from './mcp/wire.ts';
import { LOOPBACK_NAMES } from './middleware/security/index.ts';
import { createRedactor } from './secrets/redactor.ts';
import { type HttpDoor, openHttp } from './server/http.ts';
import { createRoutes } from './server/routes.ts';
import { openStdio, type StdioDoor } from './server/stdio.ts';
import { type ServiceSlot, services } from './services/index.ts';
import { NAME, TITLE, VERSION } from './version.ts';

const builtIn: Readonly<Record<string, ServiceSlot>> = services;
const serviceShape = Object.fromEntries(Object.entries(builtIn).map(([name, slot]) => [name, slot.config.prefault({})]));
const configShape = { ...serverConfig, ...serviceShape };

type ServerConfig = z.infer<z.ZodObject<typeof serverConfig>>;
export type Config = ServerConfig & Readonly<Record<string, unknown>>;

export interface Settings {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Keys that were set, not defaulted. */
  readonly given: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Every configuration key, for documentation and `doctor`. */
export const configKeys = (): ConfigKey[] => listKeys(configShape);

interface Plugin {
  readonly definition: ServiceDefinition;
  readonly catalogue: ServiceCatalogue;
}

const isDefinition = (value: unknown): value is ServiceDefinition =>
  typeof value === 'object' && value !== null && 'name' in value && 'create' in value;

/** A plugin is a module whose default export (or any export) is a service definition. */
const loadPlugin = async (specifier: string): Promise<Plugin> => {
  const isPath = /^[./]|^[A-Za-z]:[\\/]/.test(specifier);
  let module: Readonly<Record<string, unknown>>;
  try {
    module = (await import(isPath ? pathToFileURL(specifier).href : specifier)) as Readonly<Record<string, unknown>>;
  } catch (cause) {
    throw new AppError('INVALID_ARGUMENT', `The plugin ${specifier} cannot be loaded.`, { details: { key: 'plugins' }, cause });
  }
  const definition = [module['default'], ...Object.values(module)].find(isDefinition);
  if (definition === undefined)
    throw new AppError('INVALID_ARGUMENT', `The plugin ${specifier} exports no service: use defineService().`, {
      details: { key: 'plugins' },
    });
  return { definition, catalogue: toCatalogue(definition) };
};

/** Reads the configuration with the sections of all services, built in and plugged in. */
export const loadSettings = async (options: {
  file?: string;
  env: Settings['env'];
  flags?: Readonly<Record<string, unknown>>;
}): Promise<Settings> => {
  // A plugin's section is checked by the plugin itself when it starts; here it only must not count as unknown.
  const source = { env: options.env, flags: options.flags ?? {}, ...(options.file === undefined ? {} : { file: options.file }) };
  const first = await loadConfig({ shape: configShape, ...source, lenient: true });
  const plugins = await Promise.all((first.config as unknown as ServerConfig).plugins.map(loadPlugin));
  const pluginShape = Object.fromEntries(plugins.map(({ definition }) => [definition.name, definition.config.optional()]));
  const loaded = await loadConfig({ shape: { ...configShape, ...pluginShape }, ...source });
  return { config: loaded.config as unknown as Config, warnings: loaded.warnings, given: loaded.given, env: options.env };
};

export interface App {
  readonly config: Config;
  readonly logger: Logger;
  readonly manager: Manager;
  readonly calls: CallEngine;
  /** Services with routes of their own. */
  readonly serviceNames: readonly string[];
  /** The view of a service route, the aggregate or profiles. */
  surface(profiles: readonly string[]): Surface;
  /** The caller on transports without credentials. */
  readonly local: Caller;
  openHttp(options?: { port?: number }): Promise<HttpDoor>;
  openStdio(): StdioDoor;
  /** Ends calls that outlived the grace time, then closes services and doors. */
  close(): Promise<void>;
}

const toMode = ({ security }: ServerConfig): Effect => (security.allowWrites ? (security.allowDestructive ? 'delete' : 'write') : 'read');

const checkServiceNames = (config: ServerConfig, known: readonly string[]): void => {
  for (const list of ['enabledServices', 'disabledServices'] as const) {
    const unknown = config.enableDisable[list].find((name) => !known.includes(name));
    if (unknown === undefined) continue;
    throw new AppError('INVALID_ARGUMENT', `Configuration enableDisable.${list}: there is no service ${unknown}.`, {
      details: { key: `enableDisable.${list}`, nearest: nearestNames(unknown, known), choices: known },
    });
  }
};

/** Platform is on unless disabled by name; the others follow the two lists. */
const isEnabled = (name: string, { enabledServices, disabledServices }: ServerConfig['enableDisable']): boolean =>
  !disabledServices.includes(name) && (name === 'platform' || enabledServices.length === 0 || enabledServices.includes(name));

const toEntries = async (config: Config, env: Settings['env']): Promise<{ entries: ServiceEntry[]; clusters: number }> => {
  const plugins = await Promise.all(config.plugins.map(loadPlugin));
  checkServiceNames(config, [...Object.keys(builtIn), ...plugins.map(({ definition }) => definition.name)]);
  let clusters = 1;
  const own = Object.entries(builtIn).map(([name, slot]): ServiceEntry => {
    const catalogue = (catalogueFile as unknown as readonly ServiceCatalogue[]).find((item) => item.name === name);
    if (catalogue === undefined) throw new AppError('INTERNAL', `The catalogue lacks ${name}: run npm run generate.`);
    const found = slot.find(config[name] as never, env);
    clusters = Math.max(clusters, found.clusters ?? 1);
    return { catalogue, load: slot.load, config: config[name], configured: found.configured && isEnabled(name, config.enableDisable) };
  });
  const plugged = plugins.map(
    ({ definition, catalogue }): ServiceEntry => ({
      catalogue,
      load: async () => definition,
      config: config[definition.name] ?? {},
      configured: isEnabled(definition.name, config.enableDisable),
    }),
  );
  return { entries: [...own, ...plugged], clusters };
};

/** Waits for the work, but not longer. */
const within = async (ms: number, work: Promise<unknown>): Promise<void> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
};

const createDirectory = (manager: Manager, selection: Selection, config: Config): Directory => ({
  profile: selection.profile,
  mode: selection.mode,
  limits: {
    maxTokens: config.output.maxTokens,
    maxTokensCeiling: config.output.maxTokensCeiling,
    callSec: config.timeouts.callSec,
    maxCallSec: config.timeouts.maxCallSec,
  },
  status: (signal, service) => manager.status(signal, service),
  async clusters(signal) {
    const owners = manager.catalogues.map(({ name }) => name);
    const lists = await Promise.all(
      owners.map(async (name) => (await manager.service(name).catch(() => undefined))?.parts.clusters?.(signal) ?? []),
    );
    return lists.flat() satisfies ClusterStatus[];
  },
  hidden: () => [...selection.hidden].map(([tool, why]) => ({ tool, why })),
  serviceNames: () => manager.catalogues.map(({ name }) => name),
});

const MAX_SURFACES = 64;
/** After the grace time, what was cancelled may still say so. */
const LAST_WORDS_MS = 1000;

const checkExposure = (config: Config): void => {
  const { host } = parseAddress(config.server.addr);
  if (isLoopback(host) || config.security.allowUnauthenticated) return;
  throw new AppError(
    'INVALID_ARGUMENT',
    `Refusing to listen on ${config.server.addr} without authentication: everyone who reaches this address could use your clusters. Listen on 127.0.0.1, or set security.allowUnauthenticated to accept that.`,
    { details: { key: 'server.addr' } },
  );
};

/** Builds the application. Nothing is loaded or connected yet. */
export const createApp = async (settings: Settings, overrides: { now?: () => number; log?: (line: string) => void } = {}): Promise<App> => {
  const { config, env } = settings;
  const now = overrides.now ?? Date.now;
  const redactor = createRedactor();
  const level = config.logging.level === 'fatal' ? 'error' : config.logging.level;
  const logger = createLogger({
    level,
    json: config.logging.json,
    mask: redactor.mask,
    ...(overrides.log === undefined ? {} : { write: overrides.log }),
    now,
  });
  const sealer = createSealer(config.security.signingKey ?? randomBytes(32));
  if (config.security.signingKey !== undefined) redactor.learn(config.security.signingKey);
  const bus = new InMemoryServerEventBus();
  const notify: Notify = {
    listChanged: (list) => bus.publish({ kind: `${list}_list_changed` }),
    resourceUpdated: (uri) => bus.publish({ kind: 'resource_updated', uri }),
  };
  const deps: ServiceDeps = { logger, now, env, fingerprint: sealer.fingerprint, learnSecret: redactor.learn, notify };
  const { entries, clusters } = await toEntries(config, env);
  const manager = createManager({ services: entries, deps, logger });
  const stopping = new AbortController();
  const limits = {
    callMs: config.timeouts.callSec * 1000,
    maxCallMs: config.timeouts.maxCallSec * 1000,
    maxTokens: config.output.maxTokens,
    maxTokensCeiling: config.output.maxTokensCeiling,
  };
  const mode = toMode(config);
  const calls = createCallEngine({
    manager,
    logger,
    now,
    sealer,
    limits,
    stopping: stopping.signal,
    mask: redactor.mask,
    directory: ({ selection }) => createDirectory(manager, selection, config),
    ...(mode === 'read'
      ? {}
      : {
          changes: createChanges({
            sealer,
            now,
            keepMs: config.changes.keepHours * 3_600_000,
            approval: config.security.approval,
            onRecord: ({ targets }) => {
              for (const { ref } of targets) notify.resourceUpdated(ref);
            },
          }),
        }),
  });
  const report: McpDeps['report'] = (error, where) =>
    logger.error({ where, fault: error instanceof Error ? error.stack : String(error) }, 'internal fault');
  const tasks = createTasks(now);
  const local: Caller = { id: 'local', groups: [], scopes: ['all'] };
  const mcpDeps: McpDeps = {
    calls,
    manager,
    tasks,
    bus,
    confirmations: createConfirmations(sealer, now),
    serverInfo: { name: NAME, title: TITLE, version: VERSION },
    toCaller: (c) => (c?.http?.authInfo?.extra?.['caller'] as Caller | undefined) ?? local,
    report,
  };
  const surfaces = new Map<string, Surface>();
  const buildSurface = (profiles: readonly string[]): Surface => {
    const selection = selectTools(manager.catalogues, {
      profiles,
      mode,
      enabledTools: config.enableDisable.enabledTools,
      disabledTools: config.enableDisable.disabledTools,
      capabilities: new Set(),
    });
    return {
      selection,
      tables: createWireTables(manager.catalogues, selection, { form: config.definitions.form, manyClusters: clusters > 1 }),
    };
  };
  const surface = (profiles: readonly string[]): Surface => {
    const key = profiles.join(',');
    const known = surfaces.get(key) ?? buildSurface(profiles);
    // Profiles come from requests too: only those that exist get here, but their combinations must not pile up.
    if (surfaces.size < MAX_SURFACES) surfaces.set(key, known);
    return known;
  };
  // An unknown profile stops the start.
  surface(config.profiles);
  const serviceNames = manager.catalogues.map(({ name }) => name);
  const doors: { close(): Promise<void> }[] = [];
  const httpDoors: HttpDoor[] = [];
  let isReady = false;

  const openHttpDoor = async ({ port }: { port?: number } = {}): Promise<HttpDoor> => {
    checkExposure(config);
    const address = parseAddress(config.server.addr);
    const debugReport = (error: unknown, where: string): void =>
      logger.debug({ where, reason: error instanceof Error ? error.message : String(error) }, 'refused');
    const routes = createRoutes({
      mode: config.server.mode === undefined || config.server.mode === 'stdio' ? 'sse' : config.server.mode,
      legacySessions: config.server.legacySessions,
      services: [...serviceNames, 'aggregate'],
      factoryFor: (service) => createServerFactory(surface([service === 'aggregate' ? 'all' : service]), mcpDeps),
      profileFactory: (profile) => createServerFactory(surface(profile === null ? config.profiles : profile.split(',')), mcpDeps),
      paths: { sse: config.server.ssePaths, http: config.server.httpPaths, streamable: config.server.streamableHttpPaths },
      bus,
      maxBodyBytes: config.server.maxBodyBytes,
      maxStreams: Math.ceil(config.server.max_connections / 2),
      isReady: () => isReady,
      health: async (signal) => ({ status: 'healthy', services: await manager.status(signal) }),
      report: debugReport,
    });
    const door = await openHttp({
      host: address.host,
      port: port ?? address.port,
      routes,
      security: {
        allowedHosts: config.server.allowedHosts.length > 0 ? config.server.allowedHosts : isLoopback(address.host) ? LOOPBACK_NAMES : [],
        allowedOrigins: config.server.cors.allowedOrigins,
      },
      readTimeoutMs: config.server.readTimeoutSec * 1000,
      idleTimeoutMs: config.server.idleTimeoutSec * 1000,
      maxConnections: config.server.max_connections,
      anonymous: local,
      report,
    });
    isReady = true;
    doors.push(routes, door);
    httpDoors.push(door);
    const grace = config.server.shutdownGraceSec * 1000;
    return {
      url: door.url,
      close: door.close,
      async drain() {
        isReady = false;
        await within(grace, door.drain());
      },
    };
  };

  return {
    config,
    logger,
    manager,
    calls,
    serviceNames,
    surface,
    local,
    openHttp: openHttpDoor,
    openStdio() {
      const door = openStdio(createServerFactory(surface(config.profiles), mcpDeps), report);
      doors.push(door);
      return door;
    },
    async close() {
      isReady = false;
      stopping.abort(new AppError('CANCELLED', 'The server stops.'));
      tasks.close();
      await within(LAST_WORDS_MS, Promise.allSettled(httpDoors.map((door) => door.drain())));
      await Promise.allSettled(doors.map((door) => door.close()));
      await manager.shutdown();
    },
  };
};
