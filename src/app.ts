// The only file that knows every room: builds them and joins them.

import { randomBytes } from 'node:crypto';
import { InMemoryServerEventBus } from '@modelcontextprotocol/server';
import { type AuditLog, openAudit } from './audit/index.ts';
import { isLoopback, parseAddress } from './config/server.ts';
import catalogueFile from './generated/catalogue.json' with { type: 'json' };
import type { ServiceCatalogue } from './kit/catalogue.ts';
import type { Caller, Effect, Logger } from './kit/context.ts';
import type { ClusterStatus, Directory } from './kit/directory.ts';
import { AppError } from './kit/errors.ts';
import { nearestNames } from './kit/nearest.ts';
import { createSealer } from './kit/seal.ts';
import type { Notify, ServiceDeps } from './kit/service.ts';
import { createLogger } from './logging/logger.ts';
import { type CallEngine, createCallEngine } from './manager/call.ts';
import { createChanges } from './manager/changes.ts';
import { createManager, type Manager, type ServiceEntry } from './manager/manager.ts';
import { type Selection, selectTools } from './manager/profiles.ts';
import { createConfirmations } from './mcp/confirm.ts';
import { createServerFactory, type McpDeps, type Surface } from './mcp/server.ts';
import { createTasks } from './mcp/tasks.ts';
import { createWireTables } from './mcp/wire.ts';
import { createRedactor } from './secrets/redactor.ts';
import type { HttpDoor } from './server/http.ts';
import type { StdioDoor } from './server/stdio.ts';
import { builtIn, type Config, loadPlugin, type ServerConfig, type Settings } from './settings.ts';
import { NAME, TITLE, VERSION } from './version.ts';

export { type Config, configKeys, loadSettings, type Settings } from './settings.ts';

export interface App {
  /** Absent when switched off. */
  readonly audit: AuditLog | undefined;
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
  openStdio(): Promise<StdioDoor>;
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
  const audit = config.audit.enabled
    ? await openAudit(config.audit, {
        logger,
        now,
        mask: redactor.mask,
        learnSecret: redactor.learn,
        offersChanges: mode !== 'read',
      })
    : undefined;
  const changes =
    mode === 'read'
      ? undefined
      : createChanges({
          sealer,
          now,
          keepMs: config.changes.keepHours * 3_600_000,
          approval: config.security.approval,
          onRecord: ({ targets }) => {
            for (const { ref } of targets) notify.resourceUpdated(ref);
          },
        });
  const calls = createCallEngine({
    manager,
    logger,
    now,
    sealer,
    limits,
    stopping: stopping.signal,
    mask: redactor.mask,
    directory: ({ selection }) => createDirectory(manager, selection, config),
    ...(changes === undefined ? {} : { changes }),
    ...(audit === undefined ? {} : { audit: { audit, findChange: (changeId) => changes?.find(changeId) } }),
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
    ...(audit === undefined ? {} : { audit }),
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

  const openHttp: App['openHttp'] = async ({ port } = {}) => {
    checkExposure(config);
    // Over stdio nothing of HTTP is loaded.
    const { openHttpDoor } = await import('./doors.ts');
    const door = await openHttpDoor({
      config,
      port,
      logger,
      manager,
      bus,
      surface,
      mcpDeps,
      serviceNames,
      local,
      isReady: () => isReady,
      report,
      audit: config.audit.query.enabled ? audit : undefined,
    });
    isReady = true;
    doors.push(door);
    httpDoors.push(door);
    return {
      url: door.url,
      close: door.close,
      async drain() {
        isReady = false;
        await within(config.server.shutdownGraceSec * 1000, door.drain());
      },
    };
  };

  return {
    config,
    audit,
    logger,
    manager,
    calls,
    serviceNames,
    surface,
    local,
    openHttp,
    async openStdio() {
      const { openStdio } = await import('./server/stdio.ts');
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
      await audit?.close();
    },
  };
};
