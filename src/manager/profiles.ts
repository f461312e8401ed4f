// Which tools a list shows: by route or profile, by mode, by the operator's lists. Pure data in, pure data out.

import type { ServiceCatalogue } from '../kit/catalogue.ts';
import type { Effect } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';
import type { ToolInfo } from '../kit/tool.ts';
import type { Decision } from '../policy/policy.ts';

/** The tools an incident needs first (tools.md section 1). */
const CORE = [
  'platform_status',
  'platform_investigate',
  'platform_timeline',
  'platform_search',
  'platform_undo_change',
  'kubernetes_list_resources',
  'kubernetes_get_resource',
  'kubernetes_get_logs',
  'kubernetes_list_events',
  'kubernetes_find_problems',
  'kubernetes_wait_for_resource',
  'kubernetes_get_usage',
  'kubernetes_check_network',
  'kubernetes_apply_manifest',
  'kubernetes_manage_resource',
  'helm_list_releases',
  'helm_get_release',
  'helm_rollback_release',
  'prometheus_query',
  'prometheus_list_metrics',
  'alertmanager_list_alerts',
  'alertmanager_create_silence',
  'elasticsearch_search_documents',
  'jaeger_search_traces',
  'jaeger_get_trace',
];

/** Named unions of services. */
const UNIONS: Readonly<Record<string, readonly string[]>> = {
  observability: ['platform', 'prometheus', 'alertmanager', 'grafana', 'jaeger', 'elasticsearch', 'kibana', 'opentelemetry'],
  delivery: ['platform', 'kubernetes', 'helm'],
};

/** In every profile of one service. */
const SHARED = ['platform_status', 'platform_undo_change'];

const EFFECT_RANK: Readonly<Record<Effect, number>> = { read: 0, write: 1, delete: 2 };

const SWITCH: Readonly<Record<Effect, string>> = {
  read: '',
  write: 'security.allowWrites',
  delete: 'security.allowWrites and security.allowDestructive',
};

/** What opens a tool that needs something. */
const NEEDS: Readonly<Record<string, string>> = {
  exec: 'a rule of security.policy that allows commands',
};

export interface SelectionOptions {
  /** Profile names, united: `core`, `all`, a union or a service. */
  readonly profiles: readonly string[];
  readonly mode: Effect;
  /** Added to whatever the profiles give. */
  readonly enabledTools: readonly string[];
  /** Names or `prefix*`; wins. */
  readonly disabledTools: readonly string[];
  /** Capabilities that are there, for tools with `needs`. */
  readonly capabilities: ReadonlySet<string>;
}

export interface Hidden {
  readonly by: 'mode' | 'policy';
  readonly why: string;
  /** The scope that would be needed; absent = something else. */
  readonly missing?: string;
}

export interface Selection {
  readonly profile: string;
  readonly mode: Effect;
  /** Sorted by name, byte order. */
  readonly tools: readonly ToolInfo[];
  /** Tools of the profile that are not offered, with the words for FORBIDDEN. */
  readonly hidden: ReadonlyMap<string, Hidden>;
}

/** Names that `profiles` may hold. */
export const profileNames = (catalogues: readonly ServiceCatalogue[]): string[] => [
  'core',
  'all',
  ...Object.keys(UNIONS),
  ...catalogues.map(({ name }) => name),
];

const toTest = (profiles: readonly string[], known: readonly string[]): ((service: string, tool: string) => boolean) => {
  for (const profile of profiles) {
    if (known.includes(profile)) continue;
    throw new AppError('INVALID_ARGUMENT', `Unknown profile ${profile}.`, {
      details: { argument: 'profile', nearest: nearestNames(profile, known), choices: known },
    });
  }
  const isIn = (profile: string, service: string, tool: string): boolean => {
    if (profile === 'all') return true;
    if (profile === 'core') return CORE.includes(tool);
    const union = UNIONS[profile];
    return union === undefined ? service === profile || SHARED.includes(tool) : union.includes(service);
  };
  return (service, tool) => profiles.some((profile) => isIn(profile, service, tool));
};

const matches = (patterns: readonly string[], name: string): boolean =>
  patterns.some((pattern) => (pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name));

/** Selects the tools of one list. Unknown profiles and tool names are refused. */
export const selectTools = (catalogues: readonly ServiceCatalogue[], options: SelectionOptions): Selection => {
  const isInProfile = toTest(options.profiles, profileNames(catalogues));
  const tools: ToolInfo[] = [];
  const hidden = new Map<string, Hidden>();
  for (const catalogue of catalogues) {
    for (const tool of catalogue.tools) {
      if (!isInProfile(catalogue.name, tool.name) && !options.enabledTools.includes(tool.name)) continue;
      if (matches(options.disabledTools, tool.name)) continue;
      if (EFFECT_RANK[tool.effect] > EFFECT_RANK[options.mode]) {
        const why = `This server runs in mode ${options.mode}; ${tool.effect} tools need ${SWITCH[tool.effect]}.`;
        hidden.set(tool.name, { by: 'mode', why });
      } else if (tool.needs !== undefined && !options.capabilities.has(tool.needs)) {
        hidden.set(tool.name, { by: 'mode', why: `It needs ${NEEDS[tool.needs] ?? tool.needs}.` });
      } else tools.push(tool);
    }
  }
  tools.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { profile: options.profiles.join('+'), mode: options.mode, tools, hidden };
};

/** The selection without what a policy never allows to one caller. */
export const restrict = (selection: Selection, ask: (tool: ToolInfo) => Decision): Selection => {
  const hidden = new Map(selection.hidden);
  const tools = selection.tools.filter((tool) => {
    const { allowed, rule, missing } = ask(tool);
    if (!allowed) hidden.set(tool.name, { by: 'policy', why: `Denied: ${rule}.`, ...(missing === undefined ? {} : { missing }) });
    return allowed;
  });
  return { ...selection, tools, hidden };
};
