// What this cluster serves: groups, versions, kinds; and how a word such as `deploy` or `apps/v1/Deployment` finds its kind.
import { AppError } from '../../kit/errors.ts';
import { abandonable } from '../deadline.ts';
import type { Clock } from '../http.ts';
import type { Api, CallOptions } from './api.ts';
import { fetchDiscovery } from './discovery-fetch.ts';
import { createKindIndex, type KindIndex, type ResolvedKind } from './kinds.ts';
import type { ResourceRef } from './resources.ts';

export interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly verbs: readonly string[];
}

export interface ApiResource extends ResourceRef {
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly Subresource[];
}

export interface ApiVersion {
  readonly version: string;
  /** False: the API server could not reach the backend of this version (aggregated APIs); its kinds may be out of date. */
  readonly isFresh: boolean;
  readonly resources: readonly ApiResource[];
}

export interface ApiGroup {
  /** Empty for core. */
  readonly name: string;
  /** The preferred version first. */
  readonly versions: readonly ApiVersion[];
}

export interface Discovery {
  /** In the server's order of preference. */
  readonly groups: readonly ApiGroup[];
  /** Groups whose backend does not answer; the rest is complete. */
  readonly unavailable: readonly { readonly group: string; readonly version: string; readonly reason: string }[];
}

export interface DiscoveryMethods {
  /** Cached 10 min; `fresh` asks again, at most every two seconds. */
  discovery(options: CallOptions & { readonly fresh?: boolean }): Promise<Discovery>;
  /**
   * Kind, plural, singular, short name, `deployments.apps`, `group/version/Kind`, `v1/Pod`, any of them with `/subresource`; upper and lower case
   * alike. Core and built-in groups win; among others an ambiguous word is INVALID_ARGUMENT (reason AMBIGUOUS, `choices`), an unknown one
   * INVALID_ARGUMENT with `nearest`, after one look whether the kind is new.
   */
  resolveKind(text: string, options: CallOptions): Promise<ResolvedKind>;
}

const MAX_AGE_MS = 10 * 60_000;
/** With an API missing, it may be back any moment. */
const MAX_AGE_INCOMPLETE_MS = 30_000;
const REST_MS = 2000;

export const createDiscovery = (api: Api, { now }: { now: Clock }): DiscoveryMethods => {
  let known: { discovery: Discovery; index: KindIndex; at: number } | undefined;
  let running: Promise<NonNullable<typeof known>> | undefined;
  const fetch = async () => {
    try {
      // Shared by all who wait, so no single caller's signal may end it.
      const discovery = await fetchDiscovery(api, { signal: new AbortController().signal });
      known = { discovery, index: createKindIndex(discovery), at: now() };
      return known;
    } finally {
      running = undefined;
    }
  };
  const load = (signal: AbortSignal, { maxAge }: { maxAge: number }) => {
    const limit = known?.discovery.unavailable.length === 0 ? maxAge : Math.min(maxAge, MAX_AGE_INCOMPLETE_MS);
    if (known !== undefined && now() - known.at < limit) return known;
    running ??= fetch();
    return abandonable(running, signal);
  };
  return {
    discovery: async ({ signal, fresh = false }) => (await load(signal, { maxAge: fresh ? REST_MS : MAX_AGE_MS })).discovery,
    resolveKind: async (text, { signal }) => {
      const found = (await load(signal, { maxAge: MAX_AGE_MS })).index.find(text);
      if (found !== undefined) return found;
      const { index, discovery } = await load(signal, { maxAge: REST_MS });
      return index.find(text) ?? throwUnknown(text, { index, discovery });
    },
  };
};

const throwUnknown = (text: string, { index, discovery }: { index: KindIndex; discovery: Discovery }): never => {
  const absent = discovery.unavailable.map(({ group, version }) => `${group}/${version}`);
  const hint = absent.length === 0 ? '' : ` It may belong to an API that does not answer now: ${absent.join(', ')}.`;
  throw new AppError('INVALID_ARGUMENT', `This cluster has no kind "${text.slice(0, 100)}".${hint}`, {
    details: { argument: 'kind', nearest: index.nearest(text), ...(absent.length === 0 ? {} : { unavailable: absent }) },
  });
};
