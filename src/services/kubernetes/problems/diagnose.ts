// One object, check by check, and what is behind it when something fails.

import type { CallContext } from '../../../kit/context.ts';
import { toTimestamp } from '../../../kit/duration.ts';
import { toAppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type Fields, isTrue, type KubeObject, kindOf, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import { rolloutStatus } from '../../../upstream/kubernetes/rollout.ts';
import { jobStatus, nodeStatus, phaseStatus, podStatus } from '../../../upstream/kubernetes/status.ts';
import { groupEvents } from '../describe.ts';
import { toConditions } from '../summary.ts';
import { type Found, findProblems } from './find.ts';
import { findMissing } from './named.ts';
import { countOf, type Problem, type Ref, refKey, refText, toRef } from './problem.ts';
import type { Plural } from './snapshot.ts';

export interface CheckResult {
  readonly check: string;
  readonly result: 'ok' | 'fail' | 'unknown';
  readonly detail?: string;
}

export interface Diagnosis {
  readonly status: string | undefined;
  readonly result: CheckResult['result'];
  readonly cause: Fields | undefined;
  readonly checks: readonly CheckResult[];
  readonly events: readonly Fields[];
  readonly problem: Problem | undefined;
  readonly warnings: readonly string[];
}

const MAX_EVENTS = 5;

/** Does the problem show in this object, or in the one it belongs to? */
const touches = (problem: Problem, target: Ref, owner: Ref): boolean => {
  const involves = problem.involves ?? [];
  if ([problem.ref, ...involves].some((ref) => refKey(ref) === refKey(target))) return true;
  // A sick sibling says nothing about a pod; a workload answers for all that it owns.
  return target.kind !== 'pod' && refKey(problem.ref) === refKey(owner);
};

const statusOf = (object: KubeObject, now: number): string | undefined => {
  const kind = kindOf(object);
  if (kind === 'Pod') {
    const { status, ready, containers, restarts } = podStatus(object);
    return `${status}, ${ready}/${containers} ready, ${restarts} restarts`;
  }
  if (kind === 'Job') return jobStatus(object, now).status;
  if (kind === 'Node') return nodeStatus(object).status;
  const rollout = rolloutStatus(object);
  if (rollout.state !== 'unsupported') return rollout.message;
  return phaseStatus(object) || (isTrue(object, 'Ready') ? 'Ready' : undefined);
};

const toFamilyResults = ({ families, reading }: Found, target: Ref, owner: Ref): readonly CheckResult[] =>
  families.map(({ family, problems }): CheckResult => {
    if (problems === undefined) {
      const missing = reading.unread.filter(({ kind }) => family.needs.includes(kind)).map(({ kind, why }) => `${kind} ${why}`);
      return { check: family.name, result: 'unknown', detail: missing.join(', ') };
    }
    const [first] = problems.filter((problem) => touches(problem, target, owner));
    return first === undefined
      ? { check: family.name, result: 'ok' }
      : { check: family.name, result: 'fail', detail: `${first.reason}: ${first.detail}` };
  });

const toConditionResult = (object: KubeObject, now: number): CheckResult => {
  const bad = toConditions(object, now).map(({ type, status, reason, message }) =>
    `${String(type)}=${String(status)} ${String(reason ?? '')} ${String(message ?? '')}`.trim(),
  );
  return bad.length === 0
    ? { check: 'conditions', result: 'ok' }
    : { check: 'conditions', result: 'fail', detail: bad.slice(0, 3).join('; ') };
};

/** What the object names and what is not there: asked by name, so that it is known before anything fails. */
const toReferenceResults = async (client: KubernetesClient, object: KubeObject, ctx: CallContext): Promise<readonly CheckResult[]> => {
  const { asked, missing, unknown } = await findMissing(client, object, ctx);
  if (asked === 0) return [];
  const detail = [
    missing.length > 0 ? `not there: ${missing.join(', ')}` : `${countOf(asked - unknown.length, 'named object')} there`,
    unknown.length > 0 ? `could not look for: ${unknown.join(', ')}` : '',
  ];
  return [
    {
      check: 'named objects',
      result: missing.length > 0 ? 'fail' : unknown.length > 0 ? 'unknown' : 'ok',
      detail: detail.filter((part) => part !== '').join('; '),
    },
  ];
};

const readEvents = async (client: KubernetesClient, object: KubeObject, ctx: CallContext): Promise<readonly Fields[]> => {
  const { uid, namespace, name } = metadataOf(object);
  const about = kindOf(object) === 'Node' ? { kind: 'Node', name } : { uid };
  const { events } = await client.events({ namespace, about, type: 'Warning', limit: 200, signal: ctx.signal }).catch((thrown: unknown) => {
    if (toAppError(thrown).code !== 'FORBIDDEN') throw thrown;
    return { events: [] };
  });
  return groupEvents(events, ctx.now()).slice(0, MAX_EVENTS);
};

const toCause = (problem: Problem, target: Ref): Fields => ({
  ...(refKey(problem.ref) === refKey(target) ? {} : { ref: refText(problem.ref) }),
  severity: problem.severity,
  reason: problem.reason,
  ...(problem.since === undefined ? {} : { since: toTimestamp(problem.since) }),
  detail: problem.detail,
  ...((problem.evidence ?? []).length === 0 ? {} : { evidence: problem.evidence }),
});

export const diagnose = async (
  client: KubernetesClient,
  object: KubeObject,
  plural: Plural | undefined,
  ctx: CallContext,
): Promise<Diagnosis> => {
  const target = toRef(object);
  const now = ctx.now();
  const [found, references, events] = await Promise.all([
    plural === undefined ? undefined : findProblems(client, { namespace: target.namespace, about: [plural] }, ctx),
    toReferenceResults(client, object, ctx),
    readEvents(client, object, ctx),
  ]);
  const owner = found === undefined ? target : found.reading.snapshot.ownerOf(object);
  const problem = found?.joined.find((one) => touches(one, target, owner));
  const families = found === undefined ? [] : toFamilyResults(found, target, owner);
  const checks = [...families, ...references, ...(families.length > 0 ? [] : [toConditionResult(object, now)])];
  const failed = checks.filter(({ result }) => result === 'fail');
  const result =
    failed.length > 0 || problem !== undefined ? 'fail' : checks.some((check) => check.result === 'unknown') ? 'unknown' : 'ok';
  return {
    status: statusOf(object, now),
    result,
    cause:
      problem === undefined
        ? failed[0] === undefined
          ? undefined
          : { reason: failed[0].check, detail: failed[0].detail }
        : toCause(problem, target),
    checks: checks.toSorted((a, b) => Number(b.result === 'fail') - Number(a.result === 'fail')),
    events,
    problem,
    warnings: found?.reading.warnings ?? [],
  };
};
