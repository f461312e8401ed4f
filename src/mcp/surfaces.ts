// The views of the server: one per route or profile, narrowed to what the policy lets a caller use. Built once, kept within a bound.

import { LRUCache } from 'lru-cache';
import type { ServiceCatalogue } from '../kit/catalogue.ts';
import type { Caller } from '../kit/context.ts';
import type { ToolInfo } from '../kit/tool.ts';
import { restrict, type Selection, type SelectionOptions, selectTools } from '../manager/profiles.ts';
import type { Decision, Policy } from '../policy/policy.ts';
import { createWireTables, type WireOptions, type WireTables } from './wire.ts';

/** One view of the server: a route, or stdio. */
export interface Surface {
  readonly selection: Selection;
  readonly tables: WireTables;
}

export interface SurfacesOptions extends Omit<SelectionOptions, 'profiles' | 'capabilities'>, WireOptions {
  /** Capabilities that are there now; asked again when the policy is another one. */
  readonly capabilities: () => ReadonlySet<string>;
  readonly catalogues: readonly ServiceCatalogue[];
  /** The policy as it is now: another object after a reload. */
  readonly policy: () => Policy;
}

/** What this caller sees of the given profiles. Throws INVALID_ARGUMENT for unknown ones. */
export type Surfaces = (profiles: readonly string[], caller: Caller) => Surface;

const MAX_SURFACES = 64;
const MAX_CALLERS = 1000;

/** What is kept for the key, else made and kept. */
const remember = <Value extends object>(kept: LRUCache<string, Value>, key: string, make: () => Value): Value => {
  const value = kept.get(key) ?? make();
  kept.set(key, value);
  return value;
};

/** Makes the views. Callers with the same rights share one. */
export const createSurfaces = (options: SurfacesOptions): Surfaces => {
  const { catalogues, policy } = options;
  const bases = new LRUCache<string, Surface>({ max: MAX_SURFACES });
  const narrowed = new LRUCache<string, Surface>({ max: MAX_SURFACES });
  const byCaller = new LRUCache<string, Surface>({ max: MAX_CALLERS });
  let seen = policy();
  const owners = new Map(catalogues.flatMap(({ name, tools }) => tools.map((tool): [string, string] => [tool.name, name])));
  const build = (selection: Selection): Surface => ({ selection, tables: createWireTables(catalogues, selection, options) });
  const narrow = (base: Surface, profiles: string, caller: Caller): Surface => {
    const ask = (tool: ToolInfo): Decision =>
      seen.mayUse(caller, { tool: tool.name, service: owners.get(tool.name) ?? '', effect: tool.effect });
    const selection = restrict(base.selection, ask);
    if (selection.tools.length === base.selection.tools.length) return base;
    const refused = [...selection.hidden].map(([tool, { why }]) => `${tool} ${why}`);
    return remember(narrowed, [profiles, ...refused].join('\n'), () => build(selection));
  };
  return (profiles, caller) => {
    const key = profiles.join(',');
    if (seen !== policy()) {
      seen = policy();
      byCaller.clear();
      bases.clear();
      narrowed.clear();
    }
    const base = remember(bases, key, () => build(selectTools(catalogues, { ...options, capabilities: options.capabilities(), profiles })));
    if (!seen.hasRules && caller.scopes.includes('all')) return base;
    const who = JSON.stringify([key, caller.id, caller.scopes, caller.groups]);
    return remember(byCaller, who, () => narrow(base, key, caller));
  };
};
