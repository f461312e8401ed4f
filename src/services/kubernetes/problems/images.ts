// Images that do not come: the runtime's own message says whether name, tag, login or network is wrong.

import { type KubeObject, listAt, metadataOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { placeInTemplate } from './place.ts';
import {
  activePods,
  type Container,
  containersOf,
  lookAt,
  podRef,
  severityOf,
  shareOf,
  specField,
  waitingMessage,
  waitingReason,
} from './pods.ts';
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

/** The kubelet goes on without a pull Secret that it cannot find, and the registry refuses: the Secret is the cause. */
const missingSecret = (cluster: Snapshot, pod: KubeObject): { name: string; field: string } | undefined => {
  const words = cluster.eventsAbout(podRef(pod)).find(({ reason }) => reason === 'FailedToRetrieveImagePullSecret')?.message ?? '';
  const lost = /\(([^)]*)\)/.exec(words)?.[1]?.split(', ') ?? [];
  const name = listAt(pod, 'spec', 'imagePullSecrets')
    .map((secret) => textAt(secret, 'name') ?? '')
    .find((one) => lost.includes(one));
  return name === undefined ? undefined : { name, field: `imagePullSecrets[?name=${name}].name` };
};

const toProblem = (containers: readonly Container[], cluster: Snapshot, now: number): Problem => {
  const [first] = containers;
  if (first === undefined) throw new RangeError('A group has at least one member.');
  const ref = cluster.ownerOf(first.pod);
  const message = pullMessage(cluster, first);
  const revision = describeRevision(cluster, ref, first.name, now);
  const secret = missingSecret(cluster, first.pod);
  return {
    severity: severityOf(cluster, ref),
    ref,
    reason: secret === undefined ? (waitingReason(first) ?? 'ImagePullBackOff') : 'PullSecretMissing',
    since: earliestOf(containers.map(({ pod }) => metadataOf(pod).createdAt)),
    detail: `image ${textAt(first.spec, 'image') ?? '?'} of container ${first.name} cannot be pulled in ${shareOf(cluster, ref, containers.length)}${secret === undefined ? '' : `: there is no pull secret ${secret.name}`}`,
    at: placeInTemplate(cluster, ref, first.pod, secret?.field ?? specField(first, 'image')),
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
