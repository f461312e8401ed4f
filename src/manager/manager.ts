// Start, health, degrade, stop. Services are loaded on first use; a sick one answers SERVICE_UNAVAILABLE and the others never notice.

import type { ServiceCatalogue } from '../kit/catalogue.ts';
import type { Logger } from '../kit/context.ts';
import type { Health, ServiceStatus } from '../kit/directory.ts';
import { AppError, toAppError } from '../kit/errors.ts';
import type { Service, ServiceDefinition, ServiceDeps } from '../kit/service.ts';

const HEALTH_TIMEOUT_MS = 2000;
/** Asked again within this time, a service is not bothered again: probes, scrapes and tools share one answer. */
const HEALTH_FRESH_MS = 1000;
const RETRY_INITIALIZE_MS = 5000;
const SHUTDOWN_TIMEOUT_MS = 3000;

/** One service as configured. */
export interface ServiceEntry {
  readonly catalogue: ServiceCatalogue;
  readonly load: () => Promise<ServiceDefinition>;
  readonly config: unknown;
  /** False: nothing to talk to was configured. Its tools are not listed. */
  readonly configured: boolean;
}

export interface ManagerOptions {
  readonly services: readonly ServiceEntry[];
  readonly deps: ServiceDeps;
  readonly logger: Logger;
}

export interface Manager {
  /** Catalogues of configured services. */
  readonly catalogues: readonly ServiceCatalogue[];
  /** The service that owns a tool; undefined for unknown names. */
  ownerOf(tool: string): string | undefined;
  /** The live service, loaded and initialised on first use. */
  service(name: string): Promise<Service>;
  status(signal: AbortSignal, only?: string): Promise<readonly ServiceStatus[]>;
  shutdown(): Promise<void>;
}

interface Slot {
  readonly entry: ServiceEntry;
  service?: Promise<Service>;
  failedAt?: number;
  health?: { readonly answer: Promise<ServiceStatus>; readonly at: number };
  /** State that the last check found, and since when; the last failure stays known after it has passed. */
  seen?: { readonly state: string; readonly since: string };
  lastError?: { readonly reason: string; readonly at: string };
}

const toOwners = (slots: Iterable<Slot>): Map<string, string> => {
  const owners = new Map<string, string>();
  for (const { entry } of slots) {
    for (const { name } of entry.catalogue.tools) {
      const other = owners.get(name);
      if (other !== undefined) throw new AppError('CONFLICT', `The tool ${name} is defined by ${other} and by ${entry.catalogue.name}.`);
      owners.set(name, entry.catalogue.name);
    }
  }
  return owners;
};

const withTimeout = async <T>(work: Promise<T>, ms: number, onTimeout: () => T): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([work, new Promise<T>((resolve) => (timer = setTimeout(() => resolve(onTimeout()), ms)))]);
  } finally {
    clearTimeout(timer);
  }
};

/** Notes what a check found, for `since` and `lastError`. */
const note = (slot: Slot, health: Health, at: string): void => {
  if (slot.seen?.state !== health.state) slot.seen = { state: health.state, since: at };
  if (health.state !== 'up' && health.reason !== undefined) slot.lastError = { reason: health.reason, at };
};

const toStatus = (slot: Slot, health: Health | undefined, latencyMs: number): ServiceStatus => ({
  service: slot.entry.catalogue.name,
  title: slot.entry.catalogue.title,
  state: health?.state ?? 'not_configured',
  ...(health?.version === undefined ? {} : { version: health.version }),
  ...(health?.flavour === undefined ? {} : { flavour: health.flavour }),
  ...(health === undefined ? {} : { latencyMs }),
  ...(health?.reason === undefined ? {} : { reason: health.reason }),
  ...(health?.state === 'down' ? { retryAfter: '30s' } : {}),
  ...(slot.seen === undefined ? {} : { since: slot.seen.since }),
  ...(slot.lastError === undefined ? {} : { lastError: slot.lastError }),
  ...(health?.details === undefined ? {} : { details: health.details }),
});

/** Makes the manager; nothing is loaded yet. A tool name that two services claim stops the start. */
export const createManager = ({ services, deps, logger }: ManagerOptions): Manager => {
  const slots = new Map<string, Slot>();
  for (const entry of services) {
    const { name } = entry.catalogue;
    if (slots.has(name)) throw new AppError('CONFLICT', `Two services are called ${name}.`);
    slots.set(name, { entry });
  }
  const configured = [...slots.values()].filter(({ entry }) => entry.configured);
  const owners = toOwners(configured);

  const open = async (slot: Slot): Promise<Service> => {
    const { catalogue, load, config } = slot.entry;
    try {
      const service = (await load()).create(deps);
      await service.initialize(config);
      logger.debug({ service: catalogue.name }, 'service started');
      return service;
    } catch (thrown) {
      slot.failedAt = deps.now();
      const error = toAppError(thrown);
      logger.error({ service: catalogue.name, error_code: error.code, reason: error.message }, 'service could not start');
      throw new AppError('SERVICE_UNAVAILABLE', `${catalogue.title} could not start: ${error.message}`, {
        details: { service: catalogue.name, retry_after: '5s' },
        cause: thrown,
      });
    }
  };

  const serviceOf = (slot: Slot): Promise<Service> => {
    if (slot.failedAt !== undefined && deps.now() - slot.failedAt >= RETRY_INITIALIZE_MS) {
      delete slot.service;
      delete slot.failedAt;
    }
    slot.service ??= open(slot);
    return slot.service;
  };

  const check = async (slot: Slot): Promise<ServiceStatus> => {
    const started = performance.now();
    // Shared by all who ask meanwhile, so nobody's leaving ends it.
    const bounded = AbortSignal.timeout(HEALTH_TIMEOUT_MS);
    const ask = async (): Promise<Health> => {
      try {
        return await (await serviceOf(slot)).healthCheck(bounded);
      } catch (thrown) {
        return { state: 'down', reason: toAppError(thrown).message };
      }
    };
    const late = (): Health => ({ state: 'down', reason: `No answer within ${HEALTH_TIMEOUT_MS / 1000}s.` });
    const health = await withTimeout(ask(), HEALTH_TIMEOUT_MS + 100, late);
    note(slot, health, new Date(deps.now()).toISOString());
    return toStatus(slot, health, Math.round(performance.now() - started));
  };

  const healthOf = async (slot: Slot): Promise<ServiceStatus> => {
    if (!slot.entry.configured) return toStatus(slot, undefined, 0);
    const age = slot.health === undefined ? Number.POSITIVE_INFINITY : deps.now() - slot.health.at;
    if (slot.health === undefined || age < 0 || age >= HEALTH_FRESH_MS) slot.health = { answer: check(slot), at: deps.now() };
    return slot.health.answer;
  };

  return {
    catalogues: configured.map(({ entry }) => entry.catalogue),
    ownerOf: (tool) => owners.get(tool),
    service: async (name) => {
      const slot = slots.get(name);
      if (slot === undefined) throw new AppError('NOT_FOUND', `No service is called ${name}.`);
      return serviceOf(slot);
    },
    async status(signal, only) {
      signal.throwIfAborted();
      return Promise.all([...slots.values()].filter(({ entry }) => only === undefined || entry.catalogue.name === only).map(healthOf));
    },
    async shutdown() {
      const close = async (slot: Slot): Promise<void> => {
        const service = await slot.service?.catch(() => undefined);
        await service?.shutdown();
      };
      const stopped = [...slots.values()].map((slot) =>
        withTimeout(close(slot), SHUTDOWN_TIMEOUT_MS, () =>
          logger.warn({ service: slot.entry.catalogue.name }, 'service did not stop in time'),
        ),
      );
      await Promise.allSettled(stopped);
    },
  };
};
