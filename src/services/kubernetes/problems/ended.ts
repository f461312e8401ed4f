// Pods that ended and were not meant to: those without an owner, and those that a node threw out.

import { type KubeObject, metadataOf, nameOf, ownersOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { agoText, containersOf, lastEnd, logsOf, lookAt, podRef, statusField } from './pods.ts';
import { type Check, countOf, groupBy, latestOf, type Problem, refKey } from './problem.ts';
import { isDeleted, type Snapshot } from './snapshot.ts';

/** Longer ago it is history; clusters keep ended pods for a long time. */
const RECENT_MS = 24 * 3_600_000;

const endedAt = (pod: KubeObject): number | undefined =>
  latestOf(containersOf(pod).map((container) => lastEnd(container)?.at)) ?? metadataOf(pod).createdAt;

/** Nobody starts it again. */
const toLonely = (pod: KubeObject, now: number): Problem => {
  const ref = podRef(pod);
  const failed = containersOf(pod).find((container) => (lastEnd(container)?.exitCode ?? 0) !== 0);
  const end = failed === undefined ? undefined : lastEnd(failed);
  const why =
    end === undefined
      ? (textAt(pod, 'status', 'message') ?? textAt(pod, 'status', 'reason') ?? 'no reason given')
      : `container ${failed?.name} ended: ${end.reason} (exit ${end.exitCode})${agoText(end.at, now)}`;
  return {
    severity: 'warning',
    ref,
    reason: textAt(pod, 'status', 'reason') ?? 'PodFailed',
    since: endedAt(pod),
    detail: `the pod has failed, and no controller starts it again: ${why}`,
    at: placeIn(pod, failed === undefined ? 'status.reason' : statusField(failed, 'state.terminated.exitCode')),
    next: failed === undefined ? lookAt(ref, 'describe') : logsOf(pod, failed.name, false),
  };
};

/** Evicted, NodeShutdown, UnexpectedAdmissionError ...: the controller has made new pods, the reason may last. */
const toThrownOut = (pods: readonly KubeObject[], cluster: Snapshot): readonly Problem[] => {
  const [first] = pods.toSorted((a, b) => (endedAt(b) ?? 0) - (endedAt(a) ?? 0));
  if (first === undefined) return [];
  const ref = cluster.ownerOf(first);
  const reason = textAt(first, 'status', 'reason') ?? 'Failed';
  const message = textAt(first, 'status', 'message');
  return [
    {
      severity: 'info',
      ref,
      reason,
      since: endedAt(first),
      detail: `${countOf(pods.length, 'pod')} ended as ${reason}, last ${nameOf(first)} on ${textAt(first, 'spec', 'nodeName') ?? 'no node'}${message === undefined ? '' : `: ${message}`}`,
      at: placeIn(first, 'status.reason'),
      involves: pods.map(podRef),
      isSymptom: true,
      next: lookAt(podRef(first), 'describe'),
    },
  ];
};

export const checkEndedPods: Check = (cluster, now) => {
  const failed = cluster
    .list('pods')
    .filter((pod) => textAt(pod, 'status', 'phase') === 'Failed' && !isDeleted(pod) && now - (endedAt(pod) ?? 0) < RECENT_MS);
  const thrownOut = failed.filter((pod) => ownersOf(pod).length > 0 && textAt(pod, 'status', 'reason') !== undefined);
  const groups = groupBy(thrownOut, (pod) => `${refKey(cluster.ownerOf(pod))}/${textAt(pod, 'status', 'reason')}`);
  return [
    ...failed.filter((pod) => ownersOf(pod).length === 0).map((pod) => toLonely(pod, now)),
    ...[...groups.values()].flatMap((pods) => toThrownOut(pods, cluster)),
  ];
};
