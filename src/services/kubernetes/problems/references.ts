// References of pods to things that are not there: ConfigMaps, Secrets, keys, claims, ServiceAccounts. The kubelet and the controllers name them.

import { conditionOf, fieldsAt, type KubeObject, metadataOf, nameOf } from '../../../upstream/kubernetes/objects.ts';
import { fieldNaming, parseMissing } from './naming.ts';
import { type Place, placeIn, placeInTemplate } from './place.ts';
import { activePods, containersOf, lookAt, podRef, severityOf, shareOf, waitingMessage, waitingReason } from './pods.ts';
import { type Check, earliestOf, groupBy, type Problem, type Ref, refKey } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

/** Older mount failures were overcome, or the pod would not have started. */
const RECENT_MS = 600_000;

interface Missing {
  readonly pod: KubeObject;
  readonly reason: string;
  readonly message: string;
}

/** `configmap "payment-config" not found`, without the volume and the pod's name around it. */
const shorten = (message: string): string => {
  const [found] = /(?:configmap|secret|persistentvolumeclaim|serviceaccount|couldn't find key)[^:;]*(?:not found|$)/i.exec(message) ?? [];
  return found?.trim() ?? message;
};

const fromContainers = (pod: KubeObject): readonly Missing[] =>
  containersOf(pod).flatMap((container) =>
    waitingReason(container) === 'CreateContainerConfigError'
      ? [{ pod, reason: 'CreateContainerConfigError', message: shorten(waitingMessage(container) ?? '') }]
      : [],
  );

/** A pod that waits for its volumes has no message of its own: the events have. */
const fromMounts = (cluster: Snapshot, pod: KubeObject, now: number): readonly Missing[] => {
  const isWaiting = containersOf(pod).some((container) =>
    ['ContainerCreating', 'PodInitializing'].includes(waitingReason(container) ?? ''),
  );
  if (!isWaiting || conditionOf(pod, 'PodScheduled')?.status !== 'True') return [];
  const [newest] = cluster
    .eventsAbout(podRef(pod))
    .filter(
      ({ reason, message, at }) =>
        reason === 'FailedMount' && /not found|couldn't find key|non-existent/i.test(message) && now - at < RECENT_MS,
    )
    .toSorted((a, b) => b.at - a.at);
  return newest === undefined ? [] : [{ pod, reason: 'FailedMount', message: shorten(newest.message) }];
};

/** The field that names what is not there; of other refusals the state that says so. */
const toPlace = (cluster: Snapshot, ref: Ref, { pod, message }: Missing): Place => {
  const named = parseMissing(message);
  const field = named === undefined ? undefined : fieldNaming(fieldsAt(pod, 'spec'), named);
  return field === undefined ? placeIn(pod, 'status.containerStatuses[*].state.waiting.reason') : placeInTemplate(cluster, ref, pod, field);
};

const toProblem = (missing: readonly Missing[], cluster: Snapshot): Problem => {
  const [first] = missing;
  if (first === undefined) throw new RangeError('A group has at least one member.');
  const ref = cluster.ownerOf(first.pod);
  const pods = [...new Map(missing.map(({ pod }) => [nameOf(pod), pod])).values()];
  return {
    severity: severityOf(cluster, ref),
    ref,
    reason: first.reason,
    since: earliestOf(pods.map((pod) => metadataOf(pod).createdAt)),
    detail: `${[...new Set(missing.map(({ message }) => message))].slice(0, 3).join('; ')} (${shareOf(cluster, ref, pods.length)})`,
    at: toPlace(cluster, ref, first),
    involves: pods.map(podRef),
    next: lookAt(podRef(first.pod), 'describe'),
  };
};

export const checkReferences: Check = (cluster, now) => {
  const missing = activePods(cluster).flatMap((pod) => [...fromContainers(pod), ...fromMounts(cluster, pod, now)]);
  return [...groupBy(missing, ({ pod }) => refKey(cluster.ownerOf(pod))).values()].map((group) => toProblem(group, cluster));
};
