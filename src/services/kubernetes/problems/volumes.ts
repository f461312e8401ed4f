// Volumes: claims that wait or have lost their volume, volumes that cannot be attached or mounted.

import { type KubeObject, listAt, mapAt, metadataOf, nameOf, textAt, valueAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { activePods, agoText, containersOf, lookAt, podRef, toStuckProblems, waitingReason } from './pods.ts';
import { type Check, type Problem, toRef } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

/** Provisioning takes its time. */
const GRACE_MS = 60_000;
const RECENT_MS = 600_000;
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';

/** Why a claim waits, from what it names: no event is needed for these. */
const explainClaim = (cluster: Snapshot, claim: KubeObject): string | undefined => {
  if (!cluster.isRead('storageclasses')) return undefined;
  const classes = cluster.list('storageclasses');
  const name = textAt(claim, 'spec', 'storageClassName');
  const names = classes.map(nameOf).join(', ') || 'none';
  if (name === undefined && valueAt(claim, 'spec', 'storageClassName') !== '') {
    const hasDefault = classes.some((one) => mapAt(one, 'metadata', 'annotations')[DEFAULT_CLASS] === 'true');
    return hasDefault ? undefined : `it names no storage class, and none is the default (there are: ${names})`;
  }
  if (name === undefined || textAt(claim, 'spec', 'volumeName') !== undefined) return undefined;
  return classes.some((one) => nameOf(one) === name) ? undefined : `there is no storage class ${name} (there are: ${names})`;
};

/** A claim of a class that waits for its first pod is in order. */
const waitsForPod = (cluster: Snapshot, claim: KubeObject): boolean => {
  const name = textAt(claim, 'spec', 'storageClassName');
  const found = name === undefined ? undefined : cluster.find('storageclasses', name);
  if (textAt(found, 'volumeBindingMode') !== 'WaitForFirstConsumer') return false;
  const { namespace } = metadataOf(claim);
  return !activePods(cluster).some(
    (pod) =>
      metadataOf(pod).namespace === namespace &&
      listAt(pod, 'spec', 'volumes').some((volume) => textAt(volume, 'persistentVolumeClaim', 'claimName') === nameOf(claim)),
  );
};

/** Which volume it wants, by name or by class. */
const claimField = (claim: KubeObject): string =>
  textAt(claim, 'spec', 'volumeName') === undefined ? 'spec.storageClassName' : 'spec.volumeName';

const judgeClaim = (cluster: Snapshot, claim: KubeObject, now: number): readonly Problem[] => {
  const phase = textAt(claim, 'status', 'phase');
  const ref = toRef(claim);
  const { createdAt = now, deletedAt } = metadataOf(claim);
  const common = { ref, next: lookAt(ref, 'describe') };
  if (phase === 'Lost')
    return [
      {
        ...common,
        severity: 'critical',
        reason: 'ClaimLost',
        detail: `its volume ${textAt(claim, 'spec', 'volumeName') ?? ''} no longer exists`,
        at: placeIn(claim, 'spec.volumeName'),
      },
    ];
  if (phase !== 'Pending' || deletedAt !== undefined || now - createdAt < GRACE_MS || waitsForPod(cluster, claim)) return [];
  const [event] = cluster.eventsAbout(ref).toSorted((a, b) => b.at - a.at);
  const known = explainClaim(cluster, claim);
  const why = known ?? event?.message ?? 'no volume was bound yet';
  return [
    {
      ...common,
      severity: 'warning',
      reason: known === undefined ? (event?.reason ?? 'ClaimPending') : 'StorageClassMissing',
      since: createdAt,
      detail: `claim Pending: ${why}`,
      at: placeIn(claim, claimField(claim)),
    },
  ];
};

const ATTACH = /FailedAttachVolume|FailedMount|FailedMapVolume|VolumeFailed/;

/** Mount failures that are not about a missing object: those are references. */
const judgePods = (cluster: Snapshot, now: number): readonly Problem[] => {
  const stuck = activePods(cluster).flatMap((pod) => {
    const isWaiting = containersOf(pod).some((container) =>
      ['ContainerCreating', 'PodInitializing'].includes(waitingReason(container) ?? ''),
    );
    const [event] = isWaiting
      ? cluster
          .eventsAbout(podRef(pod))
          .filter(
            ({ reason, message, at }) =>
              ATTACH.test(reason) && now - at < RECENT_MS && !/not found|couldn't find key|non-existent/i.test(message),
          )
          .toSorted((a, b) => b.at - a.at)
      : [];
    return event === undefined ? [] : [{ pod, event }];
  });
  return toStuckProblems(cluster, stuck, ({ event }, share) => ({
    detail: `volumes of ${share} cannot be mounted (last${agoText(event.at, now)}): ${event.message}`,
    field: 'status.containerStatuses[*].state.waiting.reason',
  }));
};

export const checkVolumes: Check = (cluster, now) => [
  ...cluster.list('persistentvolumeclaims').flatMap((claim) => judgeClaim(cluster, claim, now)),
  ...judgePods(cluster, now),
  ...cluster
    .list('persistentvolumes')
    .filter((volume) => textAt(volume, 'status', 'phase') === 'Failed')
    .map((volume): Problem => {
      const ref = toRef(volume);
      return {
        severity: 'warning',
        ref,
        reason: 'VolumeFailed',
        detail: textAt(volume, 'status', 'message') ?? 'its reclamation failed',
        at: placeIn(volume, 'status.phase'),
        next: lookAt(ref, 'describe'),
      };
    }),
];
