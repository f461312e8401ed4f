// Pods that no node takes: the scheduler's own words, and what in the pod they point at.

import { nearestNames } from '../../../kit/nearest.ts';
import { conditionOf, type KubeObject, listAt, mapAt, nameOf, namespaceOf, textAt, textsAt } from '../../../upstream/kubernetes/objects.ts';
import { formatBytes, formatCores, parseQuantity } from '../../../upstream/kubernetes/quantity.ts';
import { activePods, lookAt, podRef, severityOf, shareOf } from './pods.ts';
import { type Check, countOf, earliestOf, groupBy, type Problem, type Ref, refKey } from './problem.ts';
import { labelsOf, type Snapshot } from './snapshot.ts';

interface Wish {
  readonly key: string;
  readonly values: readonly string[];
}

/** Labels that a node must have for this pod: nodeSelector, and the In terms of a required affinity with a single alternative. */
const wishesOf = (pod: KubeObject): readonly Wish[] => {
  const terms = listAt(pod, 'spec', 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms');
  const expressions = terms.length === 1 ? listAt(terms[0], 'matchExpressions') : [];
  return [
    ...Object.entries(mapAt(pod, 'spec', 'nodeSelector')).map(([key, value]) => ({ key, values: [value] })),
    ...expressions.flatMap((expression) =>
      textAt(expression, 'operator') === 'In' ? [{ key: textAt(expression, 'key') ?? '', values: textsAt(expression, 'values') }] : [],
    ),
  ];
};

/** `no node has disk=sdd; near: disk=ssd (4 nodes)`. */
const explainWish = ({ key, values }: Wish, nodes: readonly KubeObject[]): string | undefined => {
  const owned = nodes.map((node) => labelsOf(node)[key]).filter((value) => value !== undefined);
  if (owned.some((value) => values.includes(value))) return undefined;
  const wanted = `no node has ${key}=${values.join('|')}`;
  if (owned.length === 0) {
    const [near] = nearestNames(
      key,
      nodes.flatMap((node) => Object.keys(labelsOf(node))),
    );
    return `${wanted}${near === undefined ? `: no node has the label ${key}` : `; near: the label ${near}`}`;
  }
  const near = values.flatMap((value) => nearValues(value, owned));
  if (near.length === 0) return `${wanted}; ${key} is ${[...new Set(owned)].slice(0, 5).join(', ')}`;
  const counted = near.map((value) => `${key}=${value} (${countOf(owned.filter((other) => other === value).length, 'node')})`);
  return `${wanted}; near: ${counted.join(', ')}`;
};

/** Of values that differ equally, those that begin alike come first: who mistypes seldom mistypes the first letter. */
const nearValues = (value: string, owned: readonly string[]): readonly string[] =>
  nearestNames(value, owned, 4)
    .toSorted((a, b) => Number(b[0] === value[0]) - Number(a[0] === value[0]))
    .slice(0, 2);

/** A request that is larger than any node gives, whatever runs there. */
const explainSize = (pod: KubeObject, nodes: readonly KubeObject[]): readonly string[] =>
  (['cpu', 'memory'] as const).flatMap((name) => {
    const asked = listAt(pod, 'spec', 'containers').reduce(
      (sum, container) => sum + (parseQuantity(mapAt(container, 'resources', 'requests')[name]) ?? 0),
      0,
    );
    const most = Math.max(0, ...nodes.map((node) => parseQuantity(mapAt(node, 'status', 'allocatable')[name]) ?? 0));
    const format = name === 'cpu' ? formatCores : formatBytes;
    return most > 0 && asked > most ? [`it requests ${format(asked)} ${name}, the largest node has ${format(most)}`] : [];
  });

/** Claims of the pod that are not bound: then the volume is the cause. */
const openClaims = (cluster: Snapshot, pod: KubeObject): readonly Ref[] =>
  listAt(pod, 'spec', 'volumes').flatMap((volume) => {
    const name = textAt(volume, 'persistentVolumeClaim', 'claimName');
    const claim = name === undefined ? undefined : cluster.find('persistentvolumeclaims', name, namespaceOf(pod));
    return claim === undefined || textAt(claim, 'status', 'phase') === 'Bound'
      ? []
      : [{ kind: 'persistentvolumeclaim', name: nameOf(claim), namespace: namespaceOf(pod) }];
  });

const toProblem = (pods: readonly KubeObject[], cluster: Snapshot): Problem => {
  const [pod] = pods;
  if (pod === undefined) throw new RangeError('A group has at least one member.');
  const ref = cluster.ownerOf(pod);
  const condition = conditionOf(pod, 'PodScheduled');
  const nodes = cluster.list('nodes');
  const reasons =
    nodes.length === 0 ? [] : [...wishesOf(pod).flatMap((wish) => explainWish(wish, nodes) ?? []), ...explainSize(pod, nodes)];
  const isGated = condition?.reason === 'SchedulingGated';
  const gates = listAt(pod, 'spec', 'schedulingGates').map((gate) => textAt(gate, 'name'));
  const why = isGated ? [`scheduling gates: ${gates.join(', ')}`] : reasons;
  const message = isGated ? undefined : condition?.message;
  return {
    severity: severityOf(cluster, ref),
    ref,
    reason: condition?.reason ?? 'Unschedulable',
    since: earliestOf(pods.map((one) => conditionOf(one, 'PodScheduled')?.changedAt)),
    detail: `${shareOf(cluster, ref, pods.length)} Pending: ${why.length > 0 ? why.join('; ') : (message ?? 'not scheduled')}`,
    evidence: why.length > 0 && message !== undefined ? [`scheduler: ${message}`] : [],
    involves: pods.map(podRef),
    because: pods.flatMap((one) => openClaims(cluster, one)),
    next: lookAt(ref.kind === 'deployment' ? ref : podRef(pod), ref.kind === 'deployment' ? 'rollout' : 'describe'),
  };
};

export const checkScheduling: Check = (cluster) => {
  const pending = activePods(cluster).filter((pod) => conditionOf(pod, 'PodScheduled')?.status === 'False');
  return [...groupBy(pending, (pod) => refKey(cluster.ownerOf(pod))).values()].map((pods) => toProblem(pods, cluster));
};
