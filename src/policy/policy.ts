// Who may do what: rules compiled once, asked twice - may this caller use this tool at all, and may the call touch this target.

import type { Caller, Effect } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import { matchesGlob } from '../kit/match.ts';
import { nearestNames } from '../kit/nearest.ts';
import type { Target } from '../kit/permit.ts';
import type { PolicySource, RuleSource } from './config.ts';

/** The tool of a call, as rules see it. */
export interface Use {
  readonly tool: string;
  readonly service: string;
  readonly effect: Effect;
}

export interface Decision {
  readonly allowed: boolean;
  /** The rule that decided, or the default in words. */
  readonly rule: string;
  /** The scope that is missing, when that is why. */
  readonly missing?: string;
}

export interface Policy {
  /** True when rules were given; otherwise only the switches and a few standing refusals decide. */
  readonly hasRules: boolean;
  /** Could some call of this tool be allowed to this caller? Decides what is listed. */
  mayUse(caller: Caller, use: Use): Decision;
  /** May this caller's call touch this target? */
  decide(caller: Caller, use: Use, target: Target): Decision;
  /** Whether any rule allows commands in containers. */
  readonly allowsCommands: boolean;
  /** Rules that can apply to this caller, in order, as they are written. */
  rulesFor(caller: Caller): readonly RuleSource[];
}

/** `maybe`: it depends on the target, which is not known yet. */
type Match = 'yes' | 'no' | 'maybe';

interface Rule {
  readonly source: RuleSource;
  readonly name: string;
  readonly allows: boolean;
  readonly isFor: (caller: Caller) => boolean;
  readonly matches: (use: Use, effect: Effect, target: Target | undefined) => Match;
}

const toList = (words: string | readonly string[] | undefined): readonly string[] | undefined =>
  words === undefined ? undefined : typeof words === 'string' ? [words] : words;

const anyMatches = (patterns: readonly string[], values: readonly string[]): boolean =>
  patterns.some((pattern) => values.some((value) => matchesGlob(pattern, value)));

/** Word by word, so that no pattern reaches across arguments; a last `**` takes any number of further words. */
export const matchesCommand = (pattern: string, command: readonly string[]): boolean => {
  const words = pattern.split(' ').filter((word) => word !== '');
  const isOpen = words.at(-1) === '**';
  const fixed = isOpen ? words.slice(0, -1) : words;
  if (isOpen ? command.length < fixed.length : command.length !== fixed.length) return false;
  return fixed.every((word, index) => matchesGlob(word, command[index] ?? ''));
};

/** A subresource belongs to its kind: `pods` covers `pods/log`, `pods/log` only itself. */
const toKindTest = (patterns: readonly string[] | undefined): ((kind: readonly string[]) => boolean) => {
  const lower = patterns?.map((pattern) => pattern.toLowerCase()) ?? [];
  return (kind) =>
    anyMatches(
      lower,
      kind.flatMap((name) => [name.toLowerCase(), name.toLowerCase().replace(/\/.*$/, '')]),
    );
};

const toTargetTest = (source: RuleSource, allows: boolean): ((target: Target) => boolean) => {
  const clusters = toList(source.cluster);
  const namespaces = toList(source.namespace);
  const commands = toList(source.command);
  const isKind = toKindTest(toList(source.kind));
  return (target) => {
    if (clusters !== undefined && (target.cluster === undefined || !anyMatches(clusters, [target.cluster]))) return false;
    if (source.kind !== undefined && (target.kind === undefined || !isKind(target.kind))) return false;
    if (commands !== undefined && (target.command === undefined || !commands.some((one) => matchesCommand(one, target.command ?? [])))) {
      return false;
    }
    if (namespaces === undefined) return true;
    if (target.namespaced === false) return false;
    // All namespaces at once: wider than any rule allows by name, and touching every one that a rule denies.
    return target.namespace === undefined ? !allows || namespaces.includes('*') : anyMatches(namespaces, [target.namespace]);
  };
};

const toRule = (source: RuleSource, name: string): Rule => {
  const allows = source.action === 'allow';
  const [principals, groups] = [toList(source.principal), toList(source.group)];
  const [services, tools, effects] = [toList(source.service), toList(source.tool), toList(source.effect)];
  const isOnTarget = toTargetTest(source, allows);
  const hasTarget = (['cluster', 'namespace', 'kind', 'command'] as const).some((key) => source[key] !== undefined);
  return {
    source,
    name,
    allows,
    isFor: ({ id, groups: own }) =>
      (principals === undefined && groups === undefined) ||
      (principals !== undefined && anyMatches(principals, [id])) ||
      (groups !== undefined && anyMatches(groups, own)),
    matches: ({ service, tool }, effect, target) => {
      if (services !== undefined && !anyMatches(services, [service])) return 'no';
      if (tools !== undefined && !anyMatches(tools, [tool])) return 'no';
      if (effects !== undefined && !effects.includes(effect)) return 'no';
      if (!hasTarget) return 'yes';
      if (target === undefined) return 'maybe';
      return isOnTarget(target) ? 'yes' : 'no';
    },
  };
};

const toRules = ({ rules, roles, bindings }: PolicySource): Rule[] => [
  ...rules.map((source, index) => toRule(source, source.name ?? `rules[${index}]`)),
  ...bindings.flatMap(({ role, principal, group }, index) => {
    const own = Object.hasOwn(roles, role) ? roles[role] : undefined;
    if (own === undefined) {
      throw new AppError('INVALID_ARGUMENT', `Configuration security.policy.bindings[${index}].role: there is no role ${role}.`, {
        details: { key: `security.policy.bindings[${index}].role`, nearest: nearestNames(role, Object.keys(roles)) },
      });
    }
    if (principal === undefined && group === undefined) {
      throw new AppError('INVALID_ARGUMENT', `Configuration security.policy.bindings[${index}]: name a principal or a group.`, {
        details: { key: `security.policy.bindings[${index}]` },
      });
    }
    return own.map((source, at) => toRule({ ...source, principal, group }, source.name ?? `${role}[${at}]`));
  }),
];

/** Too much hangs on these: no switch opens them, and no rule that does not name them. */
const GUARDED_KINDS = ['namespaces', 'customresourcedefinitions.apiextensions.k8s.io', 'persistentvolumes', 'nodes'];
/** Ways into containers that are no command yet: only the rule that names the command opens them. */
const COMMANDS = ['pods/exec', 'pods/attach'];
/** Parts of objects that give more than the object: another program in a pod, an identity, a way past the API server. */
const GUARDED_PARTS: Readonly<Record<string, string>> = {
  'pods/ephemeralcontainers': 'containers in running pods',
  'certificatesigningrequests/approval': 'approved identities',
  'serviceaccounts/token': 'tokens',
  'pods/portforward': 'connections to pods',
  'pods/proxy': 'changes through the proxy',
  'services/proxy': 'changes through the proxy',
  'nodes/proxy': 'changes through the proxy',
};

interface Guard {
  /** Why a target stays off unless a rule names it. */
  readonly rule: string;
  /** Whether a rule that allows speaks of this. */
  readonly isNamedBy: (source: RuleSource) => boolean;
}

/** A kind covers its parts, but not those that are guarded: they are named in full. */
const namesPart = ({ kind }: RuleSource): boolean => toList(kind)?.some((name) => name.includes('/')) === true;
const namesKind = ({ kind }: RuleSource): boolean => kind !== undefined && !toList(kind)?.includes('*');
const namesCommand = ({ command }: RuleSource): boolean => command !== undefined;

const guardOf = ({ command, deletes, change, kind = [] }: Target): Guard | undefined => {
  if (command !== undefined || kind.some((name) => COMMANDS.includes(name)))
    return { rule: 'commands in containers need a rule that allows them', isNamedBy: command === undefined ? namesPart : namesCommand };
  const part = change ? kind.find((name) => Object.hasOwn(GUARDED_PARTS, name)) : undefined;
  if (part !== undefined) return { rule: `${GUARDED_PARTS[part]} need a rule that names ${part}`, isNamedBy: namesPart };
  return deletes === true && kind.some((name) => GUARDED_KINDS.includes(name))
    ? { rule: 'namespaces, definitions of kinds, volumes and nodes need a rule of their own to be deleted', isNamedBy: namesKind }
    : undefined;
};

const SCOPE = { read: 'read', write: 'write', delete: 'destructive' } as const;

/** Scopes stand above all rules: `read`, `write`, `destructive`, each optionally for one service. */
export const hasScope = ({ scopes }: Caller, wanted: string, service: string): boolean =>
  scopes.some((scope) => scope === 'all' || scope === wanted || scope === `${wanted}:${service}`);

const ALLOWED_READ: Decision = { allowed: true, rule: 'reads are allowed unless a rule denies them' };
const ALLOWED_SWITCH: Decision = { allowed: true, rule: 'the switches of the server allow it' };
const DENIED: Decision = { allowed: false, rule: 'no rule allows it; changes are denied unless one does' };

/** Compiles a policy; `undefined` = none was given. Throws INVALID_ARGUMENT for bindings to roles that do not exist. */
export const createPolicy = (source: PolicySource | undefined): Policy => {
  const hasRules = source !== undefined;
  const rules = hasRules ? toRules(source) : [];
  const byDefault = (effect: Effect): Decision => {
    if (!hasRules) return ALLOWED_SWITCH;
    return effect === 'read' ? ALLOWED_READ : DENIED;
  };
  const refuseScope = (caller: Caller, { service, effect }: Use): Decision | undefined =>
    hasScope(caller, SCOPE[effect], service)
      ? undefined
      : { allowed: false, rule: `the scope ${SCOPE[effect]} for ${service} is missing`, missing: SCOPE[effect] };
  return {
    hasRules,
    allowsCommands: rules.some(({ allows, source: own }) => allows && own.command !== undefined),
    mayUse(caller, use) {
      const refused = refuseScope(caller, use);
      if (refused !== undefined) return refused;
      for (const rule of rules) {
        if (!rule.isFor(caller)) continue;
        const match = rule.matches(use, use.effect, undefined);
        // What may be allowed on some target is offered; what may be denied on some is decided there.
        if (match === 'yes' || (match === 'maybe' && rule.allows)) return { allowed: rule.allows, rule: rule.name };
      }
      return byDefault(use.effect);
    },
    decide(caller, use, target) {
      const effect = target.change ? use.effect : 'read';
      const guard = guardOf(target);
      const rule = rules.find(
        (one) =>
          one.isFor(caller) &&
          one.matches(use, effect, target) === 'yes' &&
          (guard === undefined || !one.allows || guard.isNamedBy(one.source)),
      );
      if (rule !== undefined) return { allowed: rule.allows, rule: rule.name };
      return guard === undefined ? byDefault(effect) : { allowed: false, rule: guard.rule };
    },
    rulesFor: (caller) => rules.filter((rule) => rule.isFor(caller)).map(({ source: own, name }) => ({ name, ...own })),
  };
};
