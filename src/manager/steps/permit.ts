// May this caller use this tool, and may the call touch what it is about to touch? The list a caller sees follows the same policy.

import { withAmbient } from '../../kit/ambient.ts';
import type { Step } from '../../kit/compose.ts';
import type { Caller } from '../../kit/context.ts';
import { AppError } from '../../kit/errors.ts';
import type { Target } from '../../kit/permit.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Decision, Policy, Use } from '../../policy/policy.ts';
import type { Call } from '../call.ts';

/** A refusal by the policy, in words. */
export const refuse = ({ rule, missing }: Decision, tool: string, what = ''): AppError =>
  new AppError('FORBIDDEN', `The policy refuses ${tool}${what}: ${rule}.`, { details: { by: 'policy', rule, missing: missing ?? tool } });

const toWords = ({ kind, namespace, namespaced, cluster, change, deletes }: Target): string =>
  [
    deletes === true ? ' to delete' : change ? ' to change' : ' to read',
    kind?.[0] ?? 'this',
    ...(namespaced === false ? [] : [namespace === undefined ? 'in all namespaces' : `in namespace ${namespace}`]),
    ...(cluster === undefined ? [] : [`on ${cluster}`]),
  ].join(' ');

/** The check that services make where they know what a request touches. */
export const toPermit =
  (policy: Policy, caller: Caller, use: Use) =>
  (target: Target): void => {
    const decision = policy.decide(caller, use, target);
    if (!decision.allowed) throw refuse(decision, use.tool, toWords(target));
  };

/** Refuses before the service is reached what no target could allow; the service asks about each target where it knows it. */
export const permit =
  (policy: () => Policy): Step<Call, FinalAnswer> =>
  async (call, next) => {
    const { tool, service, request } = call;
    const use = { tool: tool.name, service, effect: tool.effect };
    const current = policy();
    const first = current.mayUse(request.caller, use);
    if (!first.allowed) throw refuse(first, tool.name);
    return withAmbient({ permit: toPermit(current, request.caller, use) }, () => next(call));
  };
