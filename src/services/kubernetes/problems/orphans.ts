// What was left behind: volumes that nobody claims any more, ReplicaSets and pods whose Deployment went without them.

import { mapAt, metadataOf, nameOf, numberAt, ownersOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { activePods, agoText, lookAt, podRef } from './pods.ts';
import { type Check, groupBy, type Problem, toRef } from './problem.ts';
import { isDeleted, labelsOf } from './snapshot.ts';

const HASH = 'pod-template-hash';

/** The claim is gone, the volume and what it costs are not. */
const releasedVolumes: Check = (cluster) =>
  cluster
    .list('persistentvolumes')
    .filter((volume) => textAt(volume, 'status', 'phase') === 'Released' && !isDeleted(volume))
    .map((volume): Problem => {
      const ref = toRef(volume);
      const claim = `${textAt(volume, 'spec', 'claimRef', 'namespace')}/${textAt(volume, 'spec', 'claimRef', 'name')}`;
      return {
        severity: 'info',
        ref,
        reason: 'VolumeReleased',
        detail:
          `${mapAt(volume, 'spec', 'capacity')['storage'] ?? ''} kept for claim ${claim}, which is gone (reclaim policy ${textAt(volume, 'spec', 'persistentVolumeReclaimPolicy') ?? '?'}): no claim can bind it`.trim(),
        at: placeIn(volume, 'status.phase'),
        next: lookAt(ref, 'describe'),
      };
    });

/** The label is written by a Deployment alone: one that was deleted without its ReplicaSets, or lost them. */
const lonelySets: Check = (cluster, now) =>
  cluster
    .list('replicasets')
    .filter((set) => labelsOf(set)[HASH] !== undefined && ownersOf(set).length === 0 && !isDeleted(set))
    .filter((set) => (numberAt(set, 'spec', 'replicas') ?? 1) > 0)
    .map((set): Problem => {
      const ref = toRef(set);
      return {
        severity: 'info',
        ref,
        reason: 'Orphaned',
        detail: `made by a Deployment${agoText(metadataOf(set).createdAt, now)} that no longer owns it: its ${numberAt(set, 'spec', 'replicas') ?? 1} pods run on, no rollout changes them`,
        at: placeIn(set, 'metadata.ownerReferences'),
        next: lookAt(ref, 'describe'),
      };
    });

const lonelyPods: Check = (cluster) => {
  const pods = activePods(cluster).filter((pod) => labelsOf(pod)[HASH] !== undefined && ownersOf(pod).length === 0);
  return [...groupBy(pods, (pod) => `${metadataOf(pod).namespace}/${labelsOf(pod)[HASH]}`).values()].flatMap(
    (group): readonly Problem[] => {
      const [first] = group;
      if (first === undefined) return [];
      const ref = podRef(first);
      const others = group.length > 1 ? ` (and ${group.length - 1} like it)` : '';
      return [
        {
          severity: 'info',
          ref,
          reason: 'Orphaned',
          detail: `${nameOf(first)}${others} was made by a ReplicaSet that no longer owns it: nobody replaces it`,
          at: placeIn(first, 'metadata.ownerReferences'),
          involves: group.map(podRef),
          next: lookAt(ref, 'describe'),
        },
      ];
    },
  );
};

export const checkOrphans: Check = (cluster, now) => [
  ...releasedVolumes(cluster, now),
  ...lonelySets(cluster, now),
  ...lonelyPods(cluster, now),
];
