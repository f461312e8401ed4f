// Pods that no node takes: the scheduler's own words, and what in the pod they point at.

import { formatDuration } from '../../../kit/duration.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import {
  booleanAt,
  conditionOf,
  type Fields,
  fieldsAt,
  type KubeObject,
  listAt,
  mapAt,
  metadataOf,
  nameOf,
  namespaceOf,
  textAt,
  textsAt,
} from '../../../upstream/kubernetes/objects.ts';
import { formatBytes, formatCores, parseQuantity } from '../../../upstream/kubernetes/quantity.ts';
import { podAmount } from '../requests.ts';
import { fieldNaming, parseMissing } from './naming.ts';
import { keyOf, type Place, placeIn, placeInTemplate } from './place.ts';
import { activePods, agoText, lookAt, podRef, severityOf, shareOf } from './pods.ts';
import { type Check, countOf, earliestOf, groupBy, type Problem, type Ref, refKey, toRef } from './problem.ts';
import { labelsOf, type Snapshot } from './snapshot.ts';

/** A scheduler answers within milliseconds. */
const UNSEEN_MS = 120_000;
/** Longer waits are worth a word, for as long as they are news. */
const SLOW_MS = 120_000;
const RECENT_MS = 3_600_000;
const TERMS = 'affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms';

interface Wish {
  readonly key: string;
  readonly values: readonly string[];
  /** Below the pod's spec. */
  readonly field: string;
}

/** Labels that a node must have for this pod: nodeSelector, and the In terms of a required affinity with a single alternative. */
const wishesOf = (pod: KubeObject): readonly Wish[] => {
  const terms = listAt(pod, 'spec', 'affinity', 'nodeAffinity', 'requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms');
  const expressions = terms.length === 1 ? listAt(terms[0], 'matchExpressions') : [];
  return [
    ...Object.entries(mapAt(pod, 'spec', 'nodeSelector')).map(([key, value]) => ({
      key,
      values: [value],
      field: `nodeSelector${keyOf(key)}`,
    })),
    ...expressions.flatMap((expression, index) =>
      textAt(expression, 'operator') === 'In'
        ? [
            {
              key: textAt(expression, 'key') ?? '',
              values: textsAt(expression, 'values'),
              field: `${TERMS}[0].matchExpressions[${index}].values`,
            },
          ]
        : [],
    ),
  ];
};

/** `no node has disk=sdd; near: disk=ssd (4 nodes)`. */
const explainWish = ({ key, values }: Omit<Wish, 'field'>, nodes: readonly KubeObject[]): string | undefined => {
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

/** Why a pod is not taken, and which field of its spec, or of which node, says so. */
interface Why {
  readonly words: string;
  readonly place: Place;
}

/** The container that asks for most: its request is the one to look at. */
const greediest = (pod: KubeObject, resource: string): string => {
  const asked = (container: unknown): number => parseQuantity(mapAt(container, 'resources', 'requests')[resource]) ?? 0;
  const [first] = listAt(pod, 'spec', 'containers').toSorted((a, b) => asked(b) - asked(a));
  return `containers[?name=${textAt(first, 'name')}].resources.requests${keyOf(resource)}`;
};

/** A request that is larger than any node gives, whatever runs there. */
const explainSize = (pod: KubeObject, nodes: readonly KubeObject[], toPlace: (field: string) => Place): readonly Why[] =>
  (['cpu', 'memory'] as const).flatMap((name) => {
    const asked = podAmount(pod, 'requests', name);
    const most = Math.max(0, ...nodes.map((node) => parseQuantity(mapAt(node, 'status', 'allocatable')[name]) ?? 0));
    const format = name === 'cpu' ? formatCores : formatBytes;
    return most > 0 && asked > most
      ? [{ words: `it requests ${format(asked)} ${name}, the largest node has ${format(most)}`, place: toPlace(greediest(pod, name)) }]
      : [];
  });

/** Does a toleration of the pod bear the taint? As the scheduler's TaintToleration plugin decides. */
const isTolerated = (pod: KubeObject, taint: Fields): boolean =>
  listAt(pod, 'spec', 'tolerations').some((toleration) => {
    const key = textAt(toleration, 'key');
    const effect = textAt(toleration, 'effect');
    if ((effect !== undefined && effect !== textAt(taint, 'effect')) || (key !== undefined && key !== textAt(taint, 'key'))) return false;
    return textAt(toleration, 'operator') === 'Exists' || (textAt(toleration, 'value') ?? '') === (textAt(taint, 'value') ?? '');
  });

/** Taints that keep the pod away, where nothing else does. Those of cordons and conditions are told as what they are. */
const explainTaints = (pod: KubeObject, nodes: readonly KubeObject[]): readonly Why[] => {
  const found = nodes.flatMap((node) =>
    listAt(node, 'spec', 'taints')
      .filter((taint) => textAt(taint, 'effect') !== 'PreferNoSchedule' && !isTolerated(pod, taint))
      .filter((taint) => !(textAt(taint, 'key') ?? '').startsWith('node.kubernetes.io/'))
      .map((taint) => ({ node, key: textAt(taint, 'key') ?? '', text: taintText(taint) })),
  );
  return [...groupBy(found, ({ text }) => text).entries()].slice(0, 2).flatMap(([text, [first, ...rest]]) => {
    if (first === undefined) return [];
    const words = `it does not tolerate the taint ${text} of ${countOf(rest.length + 1, 'node')}`;
    return [{ words, place: placeIn(first.node, `spec.taints[?key=${first.key}].effect`) }];
  });
};

const taintText = (taint: Fields): string =>
  `${textAt(taint, 'key')}${textAt(taint, 'value') === undefined ? '' : `=${textAt(taint, 'value')}`}:${textAt(taint, 'effect')}`;

const ANTI = 'affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey';
const NEAR = 'affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey';

/** The scheduler's words, and the field that they are about. */
const HINTS: readonly (readonly [RegExp, (pod: KubeObject) => string])[] = [
  [/topology spread constraints/, () => 'topologySpreadConstraints[0].topologyKey'],
  [/anti-affinity rules/, () => ANTI],
  [/match pod affinity rules/, () => NEAR],
  [/Insufficient cpu/, (pod) => greediest(pod, 'cpu')],
  [/Insufficient memory/, (pod) => greediest(pod, 'memory')],
  [/free ports/, () => 'containers[*].ports[*].hostPort'],
];

/** Claims of the pod that are not bound: then the volume is the cause. */
const openClaims = (cluster: Snapshot, pod: KubeObject): readonly Ref[] =>
  listAt(pod, 'spec', 'volumes').flatMap((volume) => {
    const name = textAt(volume, 'persistentVolumeClaim', 'claimName');
    const claim = name === undefined ? undefined : cluster.find('persistentvolumeclaims', name, namespaceOf(pod));
    return claim === undefined || textAt(claim, 'status', 'phase') === 'Bound'
      ? []
      : [{ kind: 'persistentvolumeclaim', name: nameOf(claim), namespace: namespaceOf(pod) }];
  });

/** A claim that is not there at all: the scheduler names it. */
const missingClaim = (pod: KubeObject, message: string): string | undefined => {
  const named = parseMissing(message);
  return named === undefined ? undefined : fieldNaming(fieldsAt(pod, 'spec'), named);
};

/** Every node is closed by hand: the nodes are the cause. */
const cordonedNodes = (nodes: readonly KubeObject[], message: string): readonly Ref[] => {
  const [, all, closed] = /^\d+\/(\d+) nodes are available: (\d+) node\(s\) were unschedulable/.exec(message) ?? [];
  return all !== undefined && all === closed ? nodes.filter((node) => booleanAt(node, 'spec', 'unschedulable')).map(toRef) : [];
};

const toProblem = (pods: readonly KubeObject[], cluster: Snapshot): Problem => {
  const [pod] = pods;
  if (pod === undefined) throw new RangeError('A group has at least one member.');
  const ref = cluster.ownerOf(pod);
  const condition = conditionOf(pod, 'PodScheduled');
  const message = condition?.message ?? '';
  const nodes = cluster.list('nodes');
  const toPlace = (field: string): Place => placeInTemplate(cluster, ref, pod, field);
  const isGated = condition?.reason === 'SchedulingGated';
  const wishes = wishesOf(pod).flatMap((wish): readonly Why[] => {
    const words = explainWish(wish, nodes);
    return words === undefined ? [] : [{ words, place: toPlace(wish.field) }];
  });
  const found = nodes.length === 0 || isGated ? [] : [...wishes, ...explainSize(pod, nodes, toPlace)];
  const why = found.length > 0 || !/taint/.test(message) ? found : explainTaints(pod, nodes);
  const gates = listAt(pod, 'spec', 'schedulingGates').map((gate) => textAt(gate, 'name'));
  const words = isGated ? [`scheduling gates: ${gates.join(', ')}`] : why.map((one) => one.words);
  const hint = isGated
    ? 'schedulingGates[0].name'
    : (missingClaim(pod, message) ?? HINTS.find(([pattern]) => pattern.test(message))?.[1](pod));
  const told = hint === undefined ? placeIn(pod, 'status.conditions[?type=PodScheduled].reason') : toPlace(hint);
  return {
    severity: severityOf(cluster, ref),
    ref,
    reason: condition?.reason ?? 'Unschedulable',
    since: earliestOf(pods.map((one) => conditionOf(one, 'PodScheduled')?.changedAt)),
    detail: `${shareOf(cluster, ref, pods.length)} Pending: ${words.length > 0 ? words.join('; ') : message || 'not scheduled'}`,
    at: why[0]?.place ?? told,
    evidence: words.length > 0 && message !== '' && !isGated ? [`scheduler: ${message}`] : [],
    involves: pods.map(podRef),
    because: [...pods.flatMap((one) => openClaims(cluster, one)), ...cordonedNodes(nodes, message)],
    next: lookAt(ref.kind === 'deployment' ? ref : podRef(pod), ref.kind === 'deployment' ? 'rollout' : 'describe'),
  };
};

/** No scheduler has said a word: it is not there, or its name is wrong. */
const toUnseen = (pods: readonly KubeObject[], cluster: Snapshot): readonly Problem[] => {
  const [pod] = pods;
  if (pod === undefined) return [];
  const ref = cluster.ownerOf(pod);
  return [
    {
      severity: severityOf(cluster, ref),
      ref,
      reason: 'NotPickedUp',
      since: earliestOf(pods.map((one) => metadataOf(one).createdAt)),
      detail: `${shareOf(cluster, ref, pods.length)} Pending: no scheduler has looked at it; it asks for scheduler ${textAt(pod, 'spec', 'schedulerName') ?? 'default-scheduler'}`,
      at: placeInTemplate(cluster, ref, pod, 'schedulerName'),
      involves: pods.map(podRef),
      next: lookAt(podRef(pod), 'describe'),
    },
  ];
};

/** Pods that were taken, but late: the cluster is short of room now and then. */
const toSlow = (pods: readonly KubeObject[], cluster: Snapshot, now: number): readonly Problem[] => {
  const [pod] = pods.toSorted((a, b) => waitOf(b) - waitOf(a));
  if (pod === undefined) return [];
  const ref = cluster.ownerOf(pod);
  return [
    {
      severity: 'info',
      ref,
      reason: 'SlowToSchedule',
      since: metadataOf(pod).createdAt,
      detail: `${shareOf(cluster, ref, pods.length)} waited up to ${formatDuration(Math.round(waitOf(pod) / 1000) * 1000)} for a node${agoText(conditionOf(pod, 'PodScheduled')?.changedAt, now)}`,
      at: placeIn(pod, 'status.conditions[?type=PodScheduled].lastTransitionTime'),
      involves: pods.map(podRef),
      isSymptom: true,
      next: { tool: 'kubernetes_get_usage', arguments: { view: 'capacity' } },
    },
  ];
};

const waitOf = (pod: KubeObject): number => (conditionOf(pod, 'PodScheduled')?.changedAt ?? 0) - (metadataOf(pod).createdAt ?? 0);

const isUnseen = (pod: KubeObject, now: number): boolean =>
  conditionOf(pod, 'PodScheduled') === undefined &&
  textAt(pod, 'spec', 'nodeName') === undefined &&
  now - (metadataOf(pod).createdAt ?? now) > UNSEEN_MS;

const isSlow = (pod: KubeObject, now: number): boolean =>
  conditionOf(pod, 'PodScheduled')?.status === 'True' && waitOf(pod) > SLOW_MS && now - (metadataOf(pod).createdAt ?? 0) < RECENT_MS;

export const checkScheduling: Check = (cluster, now) => {
  const pods = activePods(cluster);
  const byOwner = (chosen: readonly KubeObject[]) => [...groupBy(chosen, (pod) => refKey(cluster.ownerOf(pod))).values()];
  return [
    ...byOwner(pods.filter((pod) => conditionOf(pod, 'PodScheduled')?.status === 'False')).map((group) => toProblem(group, cluster)),
    ...byOwner(pods.filter((pod) => isUnseen(pod, now))).flatMap((group) => toUnseen(group, cluster)),
    ...byOwner(pods.filter((pod) => isSlow(pod, now))).flatMap((group) => toSlow(group, cluster, now)),
  ];
};
