// Pods that may not be created: quotas, limit ranges, admission. The controller says so in a condition or an event.

import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import { conditionOf, type KubeObject, kindOf, listAt, mapAt, numberAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import { keyOf, type Place, placeIn } from './place.ts';
import { agoText, lookAt, severityOf } from './pods.ts';
import { type Check, countOf, type Problem, type Ref, refKey, toRef } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

const KINDS = ['replicasets', 'statefulsets', 'daemonsets', 'jobs'] as const;
/** An older refusal was overcome, or would have been repeated: controllers try again within about 16 minutes. */
const RECENT_MS = 1_200_000;

interface Refusal {
  readonly cluster: Snapshot;
  /** What a person would mend. */
  readonly ref: Ref;
  /** What makes the pods. */
  readonly object: KubeObject;
  readonly message: string;
}

const template = ({ cluster, ref, object }: Refusal, field: string): Place => {
  const workload = cluster.workload(ref) ?? object;
  return placeIn(workload, `${ref.kind === 'cronjob' ? 'spec.jobTemplate.' : ''}spec.template.spec.${field}`);
};

/** `requested: limits.cpu=2,pods=1, used: pods=2, limited: pods=2`: what is exceeded is listed with its limit. */
const quotaPlace = ({ ref, message }: Refusal, part: 'hard' | 'used'): Place | undefined => {
  const [, quota = ''] = /(?:exceeded|failed) quota: ([^,:]+)/.exec(message) ?? [];
  const [, resource, value = 'none'] = /limited: ([^=,]+)=([^,\s]+)/.exec(message) ?? [];
  return resource === undefined
    ? undefined
    : { of: { kind: 'resourcequota', name: quota, namespace: ref.namespace }, field: `status.${part}${keyOf(resource)}`, value };
};

/** `maximum memory usage per Container is 512Mi, but limit is 1Gi`: the first container that says so. */
const limitPlace = (refusal: Refusal): Place | undefined => {
  const [, resource, part, value] =
    /(cpu|memory|ephemeral-storage)[^,]*, but (limit|request) is (\S+?)[\].,]*(?:\s|$)/.exec(refusal.message) ?? [];
  if (resource === undefined || part === undefined) return undefined;
  const found = listAt(refusal.object, 'spec', 'template', 'spec', 'containers').find(
    (container) => mapAt(container, 'resources', `${part}s`)[resource] === value,
  );
  return template(refusal, `containers[?name=${textAt(found, 'name') ?? '*'}].resources.${part}s${keyOf(resource)}`);
};

const podSecurityPlace = ({ ref, message }: Refusal): Place => ({
  of: { kind: 'namespace', name: ref.namespace ?? '' },
  field: 'metadata.labels["pod-security.kubernetes.io/enforce"]',
  value: /violates PodSecurity "([^:"]+)/.exec(message)?.[1] ?? 'none',
});

const webhookOf = ({ cluster }: Refusal, name: string): readonly Ref[] =>
  (['validatingwebhookconfigurations', 'mutatingwebhookconfigurations'] as const)
    .flatMap((plural) => cluster.list(plural))
    .filter((configuration) => listAt(configuration, 'webhooks').some((webhook) => textAt(webhook, 'name') === name))
    .map(toRef);

interface Kind {
  readonly pattern: RegExp;
  readonly reason: string;
  readonly place?: (refusal: Refusal) => Place | undefined;
  /** Its own problem explains this one. */
  readonly because?: (refusal: Refusal) => readonly Ref[];
}

const REFUSALS: readonly Kind[] = [
  { pattern: /exceeded quota/i, reason: 'QuotaExceeded', place: (refusal) => quotaPlace(refusal, 'hard') },
  { pattern: /failed quota/i, reason: 'QuotaNeedsLimits', place: (refusal) => template(refusal, 'containers[0].resources') },
  { pattern: /(maximum|minimum) .* (usage|limit)|must be (less|greater)|limit range/i, reason: 'LimitRange', place: limitPlace },
  { pattern: /violates PodSecurity/i, reason: 'PodSecurity', place: podSecurityPlace },
  { pattern: /no PriorityClass with name/i, reason: 'PriorityClassMissing', place: (refusal) => template(refusal, 'priorityClassName') },
  { pattern: /RuntimeClass "[^"]*" not found/i, reason: 'RuntimeClassMissing', place: (refusal) => template(refusal, 'runtimeClassName') },
  {
    pattern: /failed calling webhook/i,
    reason: 'WebhookFails',
    because: (refusal) => webhookOf(refusal, /failed calling webhook "([^"]+)"/.exec(refusal.message)?.[1] ?? ''),
  },
  { pattern: /admission webhook/i, reason: 'AdmissionDenied' },
  {
    pattern: /serviceaccount|service account/i,
    reason: 'ServiceAccountMissing',
    place: (refusal) => template(refusal, 'serviceAccountName'),
  },
];

/** `Error creating: pods "web-abc" is forbidden: exceeded quota: ...` without its head. */
const shorten = (message: string): string =>
  message
    .replace(/^(?:Error creating|create Pod \S+ in \S+ \S+ failed error): /, '')
    .replace(/^pods "[^"]*" is forbidden: /, '')
    .replace(/^Internal error occurred: /, '');

interface Told {
  readonly since: number | undefined;
  readonly evidence?: readonly string[];
  /** Where it is told, when no field of the workload is to blame. */
  readonly place: Place;
}

const toProblem = (refusal: Refusal, { since, evidence, place }: Told): Problem => {
  const { cluster, ref, message } = refusal;
  const kind = REFUSALS.find(({ pattern }) => pattern.test(message));
  return {
    severity: severityOf(cluster, ref),
    ref,
    reason: kind?.reason ?? 'FailedCreate',
    since,
    detail: `pods cannot be created: ${shorten(message)}`,
    at: kind?.place?.(refusal) ?? place,
    evidence,
    because: kind?.because?.(refusal),
    next: /(exceeded|failed) quota/i.test(message)
      ? { tool: 'kubernetes_get_usage', arguments: { view: 'quota', namespace: ref.namespace } }
      : lookAt(ref, 'describe'),
  };
};

const judge = (cluster: Snapshot, object: KubeObject, now: number): readonly Problem[] => {
  const ref = cluster.ownerOf(object);
  const failure = conditionOf(object, 'ReplicaFailure');
  if (failure?.status === 'True') {
    const message = failure.message ?? failure.reason ?? '';
    const place = placeIn(object, 'status.conditions[?type=ReplicaFailure].reason');
    return [toProblem({ cluster, ref, object, message }, { since: failure.changedAt, place })];
  }
  const [event] = cluster
    .eventsAbout(toRef(object))
    .filter(({ reason, at }) => reason === 'FailedCreate' && now - at < RECENT_MS)
    .toSorted((a: KubeEvent, b: KubeEvent) => b.at - a.at);
  if (event === undefined || isOvercome(object)) return [];
  const place = placeIn(object, COUNTS[kindOf(object)] ?? 'status.replicas');
  const evidence = [`refused ${countOf(event.count, 'time')}, last${agoText(event.at, now)}`];
  return [toProblem({ cluster, ref, object, message: event.message }, { since: event.firstAt, evidence, place })];
};

/** It has all the pods that it wants: the refusal is history. */
const isOvercome = (object: KubeObject): boolean => {
  const wanted = numberAt(object, 'spec', 'replicas');
  return wanted !== undefined && wanted === numberAt(object, 'status', 'replicas');
};

const COUNTS: Readonly<Record<string, string>> = { DaemonSet: 'status.currentNumberScheduled', Job: 'status.active' };

export const checkQuotas: Check = (cluster, now) => {
  const found = KINDS.flatMap((plural) => cluster.list(plural)).flatMap((object) => judge(cluster, object, now));
  return [...new Map(found.map((problem) => [refKey(problem.ref), problem])).values()];
};
