// Images that do not come: the runtime's own message says whether name, tag, login or network is wrong.

import { metadataOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { activePods, type Container, containersOf, lookAt, podRef, severityOf, shareOf, waitingMessage, waitingReason } from './pods.ts';
import { type Check, earliestOf, groupBy, type Problem, refKey } from './problem.ts';
import { describeRevision } from './revision.ts';
import type { Snapshot } from './snapshot.ts';

const REASONS = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError',
  'RegistryUnavailable',
  'SignatureValidationFailed',
]);

/** In back-off the waiting message only says so; the event of the pull says why. */
const pullMessage = (cluster: Snapshot, container: Container): string | undefined => {
  const failed = cluster
    .eventsAbout(podRef(container.pod))
    .filter(({ reason, message }) => reason === 'Failed' && /pull image/i.test(message))
    .toSorted((a, b) => b.at - a.at);
  return failed[0]?.message ?? waitingMessage(container);
};

const toProblem = (containers: readonly Container[], cluster: Snapshot, now: number): Problem => {
  const [first] = containers;
  if (first === undefined) throw new RangeError('A group has at least one member.');
  const ref = cluster.ownerOf(first.pod);
  const message = pullMessage(cluster, first);
  const revision = describeRevision(cluster, ref, first.name, now);
  return {
    severity: severityOf(cluster, ref),
    ref,
    reason: waitingReason(first) ?? 'ImagePullBackOff',
    since: earliestOf(containers.map(({ pod }) => metadataOf(pod).createdAt)),
    detail: `image ${textAt(first.spec, 'image') ?? '?'} of container ${first.name} cannot be pulled in ${shareOf(cluster, ref, containers.length)}`,
    evidence: [...(message === undefined ? [] : [message]), ...(revision === undefined ? [] : [revision])],
    involves: containers.map(({ pod }) => podRef(pod)),
    next: lookAt(ref, ref.kind === 'deployment' ? 'rollout' : 'describe'),
  };
};

export const checkImages: Check = (cluster, now) => {
  const waiting = activePods(cluster)
    .flatMap(containersOf)
    .filter((container) => REASONS.has(waitingReason(container) ?? ''));
  const groups = groupBy(waiting, ({ pod, name, spec }) => `${refKey(cluster.ownerOf(pod))}/${name}/${textAt(spec, 'image')}`);
  return [...groups.values()].map((group) => toProblem(group, cluster, now));
};
