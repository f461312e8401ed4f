// Pods that may not be created: quotas, limit ranges, admission. The controller says so in a condition or an event.

import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import { conditionOf, type KubeObject } from '../../../upstream/kubernetes/objects.ts';
import { agoText, lookAt, severityOf } from './pods.ts';
import { type Check, countOf, type Problem, type Ref, refKey, toRef } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

const KINDS = ['replicasets', 'statefulsets', 'daemonsets', 'jobs'] as const;
/** An older refusal was overcome, or would have been repeated: controllers try again within about 16 minutes. */
const RECENT_MS = 1_200_000;

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/exceeded quota/i, 'QuotaExceeded'],
  [/(maximum|minimum) .* (usage|limit)|must be (less|greater)|limit range/i, 'LimitRange'],
  [/violates PodSecurity/i, 'PodSecurity'],
  [/serviceaccount|service account/i, 'ServiceAccountMissing'],
  [/admission webhook/i, 'AdmissionDenied'],
];

const reasonOf = (message: string): string => REASONS.find(([pattern]) => pattern.test(message))?.[1] ?? 'FailedCreate';

/** `Error creating: pods "web-abc" is forbidden: exceeded quota: ...` without its head. */
const shorten = (message: string): string => message.replace(/^Error creating: /, '').replace(/^pods "[^"]*" is forbidden: /, '');

const toProblem = (cluster: Snapshot, ref: Ref, message: string, more: Partial<Problem>): Problem => ({
  severity: severityOf(cluster, ref),
  ref,
  reason: reasonOf(message),
  detail: `pods cannot be created: ${shorten(message)}`,
  next: /exceeded quota/i.test(message)
    ? { tool: 'kubernetes_get_usage', arguments: { view: 'quota', namespace: ref.namespace } }
    : lookAt(ref, 'describe'),
  ...more,
});

const judge = (cluster: Snapshot, object: KubeObject, now: number): readonly Problem[] => {
  const ref = cluster.ownerOf(object);
  const failure = conditionOf(object, 'ReplicaFailure');
  if (failure?.status === 'True') return [toProblem(cluster, ref, failure.message ?? failure.reason ?? '', { since: failure.changedAt })];
  const [event] = cluster
    .eventsAbout(toRef(object))
    .filter(({ reason, at }) => reason === 'FailedCreate' && now - at < RECENT_MS)
    .toSorted((a: KubeEvent, b: KubeEvent) => b.at - a.at);
  if (event === undefined) return [];
  return [
    toProblem(cluster, ref, event.message, {
      since: event.firstAt,
      evidence: [`refused ${countOf(event.count, 'time')}, last${agoText(event.at, now)}`],
    }),
  ];
};

export const checkQuotas: Check = (cluster, now) => {
  const found = KINDS.flatMap((plural) => cluster.list(plural)).flatMap((object) => judge(cluster, object, now));
  return [...new Map(found.map((problem) => [refKey(problem.ref), problem])).values()];
};
