// config policy test: may this caller make this call, and which rule says so?

import catalogueFile from '../generated/catalogue.json' with { type: 'json' };
import type { ServiceCatalogue } from '../kit/catalogue.ts';
import type { Caller } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';
import type { Target } from '../kit/permit.ts';
import { loadPlugin } from '../plugins.ts';
import { readPolicyFile } from '../policy/open.ts';
import { createPolicy, type Decision, type Policy, type Use } from '../policy/policy.ts';
import type { Config } from '../settings.ts';
import { type ParsedFlags, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';

const OPTIONS = {
  ...SETTING_OPTIONS,
  as: { type: 'string' },
  group: { type: 'string', multiple: true },
  scope: { type: 'string', multiple: true },
  tool: { type: 'string' },
  cluster: { type: 'string' },
  namespace: { type: 'string' },
  kind: { type: 'string', multiple: true },
  command: { type: 'string' },
  json: { type: 'boolean' },
} as const;

const findUse = async (tool: string, { plugins }: Config): Promise<Use> => {
  const plugged = await Promise.all(plugins.map(loadPlugin));
  const catalogues = [...(catalogueFile as unknown as readonly ServiceCatalogue[]), ...plugged.map(({ catalogue }) => catalogue)];
  const uses = catalogues.flatMap(({ name, tools }) => tools.map((one): Use => ({ tool: one.name, service: name, effect: one.effect })));
  const found = uses.find((use) => use.tool === tool);
  if (found !== undefined) return found;
  const nearest = nearestNames(
    tool,
    uses.map((use) => use.tool),
  );
  throw new AppError('INVALID_ARGUMENT', `There is no tool ${tool}.`, { details: { nearest } });
};

const toPolicy = async ({ security }: Config): Promise<Policy> => {
  if (security.policyFile === undefined) return createPolicy(security.policy);
  if (security.policy === undefined) return (await readPolicyFile(security.policyFile)).policy;
  throw new AppError(
    'INVALID_ARGUMENT',
    'Configuration security.policyFile: a policy stands in security.policy already; keep one of them.',
  );
};

/** The names a kind goes by, as far as they can be told without a cluster: `deployments.apps` is `deployments` too. */
const toKindNames = (kinds: readonly string[]): string[] =>
  kinds.flatMap((kind) => [...new Set([kind, kind.replace(/\..*$/, ''), kind.toLowerCase(), `${kind.toLowerCase()}s`])]);

const toTarget = ({ values, lists }: ParsedFlags, { effect }: Use): Target | undefined => {
  const { cluster, namespace, command } = values;
  const kinds = lists['kind'];
  if (cluster === undefined && namespace === undefined && command === undefined && kinds === undefined) return undefined;
  return {
    change: effect !== 'read',
    ...(typeof cluster === 'string' ? { cluster } : {}),
    ...(typeof namespace === 'string' ? { namespace } : {}),
    ...(typeof command === 'string' ? { command: command.split(/\s+/).filter((word) => word !== '') } : {}),
    ...(kinds === undefined ? {} : { kind: toKindNames(kinds) }),
  };
};

/** The switches stand above everything: what they hide nobody gets. */
const bySwitches = ({ security }: Config, { effect }: Use): Decision | undefined => {
  if (effect !== 'read' && !security.allowWrites) return { allowed: false, rule: 'security.allowWrites is off' };
  if (effect === 'delete' && !security.allowDestructive) return { allowed: false, rule: 'security.allowDestructive is off' };
  return undefined;
};

const decide = (policy: Policy, config: Config, caller: Caller, use: Use, target: Target | undefined): Decision => {
  const first = bySwitches(config, use) ?? policy.mayUse(caller, use);
  return !first.allowed || target === undefined ? first : policy.decide(caller, use, target);
};

/** @returns the exit code: 0 allowed, 1 denied */
export const run = async ([action, ...argv]: readonly string[]): Promise<number> => {
  if (action !== 'test') throw new AppError('INVALID_ARGUMENT', 'It is: config policy test --as ID --tool TOOL. See config --help.');
  const flags = parseFlags(argv, OPTIONS);
  const { as: id, tool, json } = flags.values;
  if (typeof id !== 'string' || typeof tool !== 'string')
    throw new AppError('INVALID_ARGUMENT', 'config policy test needs --as ID (such as apikey:ci) and --tool TOOL.');
  const { config } = await toSettings(flags);
  const use = await findUse(tool, config);
  const policy = await toPolicy(config);
  const caller: Caller = { id, groups: flags.lists['group'] ?? [], scopes: flags.lists['scope'] ?? ['all'] };
  const target = toTarget(flags, use);
  const { allowed, rule } = decide(policy, config, caller, use, target);
  const depends = target === undefined && policy.hasRules && policy.rulesFor(caller).some(hasConditions);
  if (json === true) process.stdout.write(`${JSON.stringify({ allowed, rule, effect: use.effect, dependsOnTarget: depends })}\n`);
  else {
    process.stdout.write(`${allowed ? 'allowed' : 'denied'}: ${id} calling ${tool} (${use.effect}). Decided by: ${rule}\n`);
    if (depends) process.stdout.write('Some rules look at the target: name --cluster, --namespace, --kind or --command to be sure.\n');
  }
  return allowed ? 0 : 1;
};

const hasConditions = (rule: object): boolean => ['cluster', 'namespace', 'kind', 'command'].some((name) => name in rule);
