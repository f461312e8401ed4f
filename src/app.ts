// The only file that knows every room: builds them and joins them.

import { InMemoryServerEventBus } from '@modelcontextprotocol/server';
import { type AuditLog, openAudit } from './audit/index.ts';
import { warmUp } from './cache/warm-up.ts';
import { createCaching } from './caching.ts';
import catalogueFile from './generated/catalogue.json' with { type: 'json' };
import type { ServiceCatalogue } from './kit/catalogue.ts';
import type { Caller, Effect } from './kit/context.ts';
import type { ClusterStatus, Directory } from './kit/directory.ts';
import { EncoderPool } from './kit/encoder.ts';
import { AppError } from './kit/errors.ts';
import type { Notify, ServiceDeps } from './kit/service.ts';
import { within } from './kit/within.ts';
import { createLogger, type Logs } from './logging/logger.ts';
import { type CallEngine, type CallLimits, createCallEngine } from './manager/call.ts';
import { createChanges } from './manager/changes.ts';
import { createInverse } from './manager/inverse.ts';
import { createManager, type Manager, type ServiceEntry } from './manager/manager.ts';
import type { Selection } from './manager/profiles.ts';
import { createConfirmations } from './mcp/confirm.ts';
import { createServerFactory, type McpDeps } from './mcp/server.ts';
import { createSurfaces, type Surface } from './mcp/surfaces.ts';
import { createTasks } from './mcp/tasks.ts';
import { createObservability } from './observability/index.ts';
import { builtIn, loadPlugin } from './plugins.ts';
import { openPolicy } from './policy/open.ts';
import type { Policy } from './policy/policy.ts';
import { createSecrets } from './secrets/create.ts';
import { createRedactor } from './secrets/redactor.ts';
import type { HttpDoor } from './server/http.ts';
import type { StdioDoor } from './server/stdio.ts';
import { checkServiceNames } from './service-names.ts';
import type { Config, ServerConfig, Settings } from './settings.ts';
import { openSealer } from './start.ts';
import { openStore } from './store/open.ts';
import { postWebhook } from './upstream/webhook.ts';
import { NAME, TITLE, VERSION } from './version.ts';

export { loadSettings } from './load-settings.ts';
export type { Config, Settings } from './settings.ts';

export interface App {
  /** Absent when switched off. */
  readonly audit: AuditLog | undefined;
  readonly config: Config;
  readonly logger: Logs;
  readonly manager: Manager;
  readonly calls: CallEngine;
  /** Services with routes of their own. */
  readonly serviceNames: readonly string[];
  /** The view of a service route, the aggregate or profiles. */
  surface(profiles: readonly string[], caller?: Caller): Surface;
  /** The caller on transports without credentials. */
  readonly local: Caller;
  openHttp(options?: { port?: number }): Promise<HttpDoor>;
  openStdio(): Promise<StdioDoor>;
  /** Checks what a changed configuration asks of this application; the function it gives puts that into force. */
  prepare(next: Config): () => void;
  /** Ends calls that outlived the grace time, then closes services and doors. */
  close(): Promise<void>;
}

const toMode = ({ security }: ServerConfig): Effect => (security.allowWrites ? (security.allowDestructive ? 'delete' : 'write') : 'read');

/** Platform is on unless disabled by name; the others follow the two lists. */
const isEnabled = (name: string, { enabledServices, disabledServices }: ServerConfig['enableDisable']): boolean =>
  !disabledServices.includes(name) && (name === 'platform' || enabledServices.length === 0 || enabledServices.includes(name));

const toEntries = async (
  config: Config,
  env: Settings['env'],
): Promise<{ entries: ServiceEntry[]; clusters: number; capabilities: ReadonlySet<string> }> => {
  const plugins = await Promise.all(config.plugins.map(loadPlugin));
  checkServiceNames(config, [...Object.keys(builtIn), ...plugins.map(({ definition }) => definition.name)]);
  let clusters = 1;
  const capabilities = new Set<string>();
  const own = Object.entries(builtIn).map(([name, slot]): ServiceEntry => {
    const catalogue = (catalogueFile as unknown as readonly ServiceCatalogue[]).find((item) => item.name === name);
    if (catalogue === undefined) throw new AppError('INTERNAL', `The catalogue lacks ${name}: run npm run generate.`);
    const found = slot.find(config[name] as never, env, config);
    clusters = Math.max(clusters, found.clusters ?? 1);
    for (const capability of found.capabilities ?? []) capabilities.add(capability);
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
  return { entries: [...own, ...plugged], clusters, capabilities };
};

/** Getters, since these keys change while the server runs. */
const toLimits = (config: Config): CallLimits => ({
  get callMs() {
    return config.timeouts.callSec * 1000;
  },
  get maxCallMs() {
    return config.timeouts.maxCallSec * 1000;
  },
  get maxTokens() {
    return config.output.maxTokens;
  },
  get maxTokensCeiling() {
    return config.output.maxTokensCeiling;
  },
  get concurrentCalls() {
    return config.limits.concurrentCalls;
  },
  maxResponseBytes: config.performance.max_response_size,
  cutsLarge: config.performance.truncate_large_responses,
});

interface DirectoryFor {
  readonly selection: Selection;
  readonly caller: Caller;
}

const createDirectory = (manager: Manager, { selection, caller }: DirectoryFor, config: Config, policy: Policy): Directory => ({
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
  hidden: () => [...selection.hidden].map(([tool, { why }]) => ({ tool, why })),
  rules: () => (policy.hasRules ? policy.rulesFor(caller) : []),
  serviceNames: () => manager.catalogues.map(({ name }) => name),
});

/** After the grace time, what was cancelled may still say so. */
const LAST_WORDS_MS = 1000;

/** Builds the application. Nothing is loaded or connected yet. */
export const createApp = async (settings: Settings, overrides: { now?: () => number; log?: (line: string) => void } = {}): Promise<App> => {
  const { config, env } = settings;
  const now = overrides.now ?? Date.now;
  const redactor = createRedactor({
    fields: config.security.redaction.fields,
    onFull: () => logger.warn({}, 'more secret values than can be remembered: the oldest are forgotten and masked no longer'),
  });
  const logger = createLogger({
    ...config.logging,
    mask: redactor.mask,
    ...(overrides.log === undefined ? {} : { write: overrides.log }),
    now,
  });
  const observability = await createObservability({ config, given: settings.given, env, logger, mask: redactor.mask, version: VERSION });
  const { metrics, tracing } = observability;
  const secrets = createSecrets(config.secrets, {
    now,
    logger,
    learn: (value) => redactor.learn(value, { own: true }),
    // Only a reference into the cluster loads the client library.
    kubernetes: async (reference, signal) =>
      (await import('./start.ts')).readKubernetesSecret(settings, reference, { now, logger, signal }),
  });
  const sealer = await openSealer(config, { secrets, now });
  const store = await openStore(config.store, secrets, logger, now);
  const bus = new InMemoryServerEventBus();
  const notify: Notify = {
    listChanged: (list) => bus.publish({ kind: `${list}_list_changed` }),
    resourceUpdated: (uri) => bus.publish({ kind: 'resource_updated', uri }),
  };
  const policy = await openPolicy({ ...config.security, logger, onChange: () => notify.listChanged('tools') });
  const deps: ServiceDeps = {
    logger,
    now,
    env,
    fingerprint: sealer.fingerprint,
    learnSecret: redactor.learn,
    maskLines: redactor.maskLines,
    notify,
    section: (name) => config[name as keyof Config],
    secret: secrets.define,
    onUpstreamCall: metrics.upstream,
    onCircuit: metrics.circuit,
    tracing,
  };
  const { entries, clusters, capabilities } = await toEntries(config, env);
  const manager = createManager({ services: entries, deps, logger });
  observability.watch({ status: (signal) => manager.status(signal), dropped: logger.dropped, secrets: secrets.status });
  const stopping = new AbortController();
  const limits = toLimits(config);
  const mode = toMode(config);
  const audit = config.audit.enabled
    ? await openAudit(config.audit, {
        logger,
        now,
        mask: redactor.mask,
        learnSecret: redactor.learn,
        post: postWebhook,
        offersChanges: mode !== 'read',
        encoders: new EncoderPool(config.performance.json_pool_size, config.performance.json_buffer_size),
        count: (event) => {
          if (event === 'dropped') metrics.families.mcp_audit_dropped_total.labels().inc();
        },
      })
    : undefined;
  const changes =
    mode === 'read'
      ? undefined
      : createChanges({
          sealer,
          store,
          inverse: createInverse(manager, policy.current),
          now,
          mask: redactor.mask,
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
    metrics,
    tracing,
    policy: policy.current,
    cache: createCaching({ config, redactor, metrics, store, policy: policy.current, now, clock: overrides.now }),
    directory: (request) => createDirectory(manager, request, config, policy.current()),
    ...(changes === undefined ? {} : { changes }),
    ...(audit === undefined ? {} : { audit: { audit, findChange: (changeId) => changes?.recent(changeId) } }),
  });
  const report: McpDeps['report'] = (error, where) => logger.error({ where, fault: error }, 'internal fault');
  const tasks = createTasks(now);
  const local: Caller = { id: 'local', groups: [], scopes: ['all'] };
  const mcpDeps: McpDeps = {
    calls,
    manager,
    tasks,
    bus,
    confirmations: createConfirmations(sealer, now),
    serverInfo: { name: NAME, title: TITLE, version: VERSION },
    toCaller: (authInfo) => (authInfo?.extra?.['caller'] as Caller | undefined) ?? local,
    get isPrivate() {
      return policy.current().hasRules || config.security.policyFile !== undefined || config.auth.enabled;
    },
    mask: redactor.mask,
    report,
    metrics,
    ...(audit === undefined ? {} : { audit }),
  };
  const surfaces = createSurfaces({
    catalogues: manager.catalogues,
    mode,
    enabledTools: config.enableDisable.enabledTools,
    disabledTools: config.enableDisable.disabledTools,
    capabilities: () => (policy.current().allowsCommands ? capabilities.union(new Set(['exec'])) : capabilities),
    form: config.definitions.form,
    manyClusters: clusters > 1,
    policy: policy.current,
  });
  // An unknown profile stops the start.
  surfaces(config.profiles, local);
  const serviceNames = manager.catalogues.map(({ name }) => name);
  const doors: { close(): Promise<void> }[] = [];
  const httpDoors: HttpDoor[] = [];
  let isReady = false;

  const openHttp: App['openHttp'] = async ({ port } = {}) => {
    // Over stdio nothing of HTTP is loaded.
    const { openHttpDoor } = await import('./doors.ts');
    const door = await openHttpDoor({
      config,
      port,
      logger,
      manager,
      bus,
      surfaces,
      mcpDeps,
      serviceNames,
      local,
      isReady: () => isReady,
      report,
      secrets,
      now,
      observability,
      audit,
      store,
    });
    isReady = true;
    const call = (tool: string, args: unknown) =>
      calls.call({ tool, args, caller: local, selection: surfaces(['all'], local).selection, signal: stopping.signal });
    void warmUp(config.cache.enabled ? config.cache.warm_up : [], call, logger);
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
    surface: (profiles, caller = local) => surfaces(profiles, caller),
    local,
    openHttp,
    async openStdio() {
      await observability.open();
      observability.describe({ mode: 'stdio', addr: 'stdio' });
      const { openStdio } = await import('./server/stdio.ts');
      const door = openStdio(
        createServerFactory((caller) => surfaces(config.profiles, caller), mcpDeps),
        report,
      );
      doors.push(door);
      return door;
    },
    prepare(next) {
      const usePolicy = policy.prepare(next.security.policy);
      return () => {
        logger.setLevels(next.logging);
        if (JSON.stringify(next.security.policy) !== JSON.stringify(config.security.policy)) usePolicy();
        config.security.policy = next.security.policy;
      };
    },
    async close() {
      isReady = false;
      stopping.abort(new AppError('CANCELLED', 'The server stops.'));
      tasks.close();
      await within(LAST_WORDS_MS, Promise.allSettled(httpDoors.map((door) => door.drain())));
      await Promise.allSettled(doors.map((door) => door.close()));
      policy.close();
      await manager.shutdown();
      await secrets.close();
      await store.close();
      await audit?.close();
      await observability.close();
      await logger.close();
    },
  };
};
