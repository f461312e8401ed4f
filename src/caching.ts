// Part of app.ts: the cache of answers as the configuration asks for it, and who may share what is in it.

import { openCache } from './cache/open.ts';
import { createSharedCache } from './cache/shared.ts';
import type { Caller } from './kit/context.ts';
import { onFirstUse } from './kit/once.ts';
import type { CacheDeps, Kept } from './manager/steps/cache.ts';
import type { Metrics } from './observability/metrics.ts';
import type { Policy } from './policy/policy.ts';
import type { Redactor } from './secrets/redactor.ts';
import type { Config } from './settings.ts';
import type { Store } from './store/store.ts';

export interface CachingOptions {
  readonly config: Config;
  readonly redactor: Redactor;
  readonly policy: () => Policy;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly now: () => number;
  /** A clock of its own for tests. */
  readonly clock?: (() => number) | undefined;
}

const isFields = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null;

/** Some backend sees the caller itself, not this server. */
const isDelegated = (config: Config): boolean =>
  Object.values(config).some((section) => isFields(section) && section['identity'] === 'impersonate');

/** `cache_ttl` of a service's section, ms. */
const toTtl = (section: unknown): number | undefined =>
  isFields(section) && typeof section['cache_ttl'] === 'number' ? section['cache_ttl'] * 1000 : undefined;

/** Undefined = switched off. */
export const createCaching = ({ config, redactor, policy, metrics, store, now, clock }: CachingOptions): CacheDeps | undefined => {
  if (!config.cache.enabled) return undefined;
  const delegated = isDelegated(config);
  const eras = new WeakMap<Policy, number>();
  let era = 0;
  const eraOf = (current: Policy): number => {
    const known = eras.get(current) ?? era++;
    eras.set(current, known);
    return known;
  };
  // Callers share answers only when nothing about them can make a difference.
  const rightsOf = ({ id, groups, scopes, namespaces }: Caller): string => {
    const current = policy();
    return JSON.stringify(current.hasRules || delegated ? [eraOf(current), id, groups, scopes, namespaces] : [scopes, namespaces]);
  };
  const cache = onFirstUse(() => openCache<Kept>(config.cache, clock));
  metrics.onCollect(() => metrics.families.mcp_cache_bytes.labels().set(cache().stats().bytes));
  return {
    cache,
    shared: config.store.type === 'memory' ? undefined : createSharedCache(store),
    observe: (service, result) => metrics.cache[result](service, config.cache.type),
    now,
    mask: redactor.mask,
    learned: redactor.learned,
    rightsOf,
    ttlOf: (service) => toTtl(config[service]),
  };
};
