// Services without a way to a pod: selectors that match nothing, no endpoint that is ready, ports that no container has.

import { formatDuration } from '../../../kit/duration.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import { selects } from '../../../upstream/kubernetes/label-selector.ts';
import {
  type Fields,
  fieldsAt,
  type KubeObject,
  listAt,
  mapAt,
  metadataOf,
  nameOf,
  namespaceOf,
  numberAt,
  textAt,
  valueAt,
} from '../../../upstream/kubernetes/objects.ts';
import { podPeer } from '../network/peer.ts';
import { placeIn } from './place.ts';
import { activePods, lookAt } from './pods.ts';
import { type Check, countOf, groupBy, type Problem, refKey, refText, someOf, toRef } from './problem.ts';
import { isDeleted, labelsOf, type Snapshot } from './snapshot.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';
/** Clouds take minutes to make a load balancer. */
const BALANCER_MS = 600_000;
/** Whoever makes endpoints by hand gets this long. */
const BY_HAND_MS = 600_000;

export const checkNetworkCall = (ref: { kind: string; name: string; namespace?: string | undefined }): Problem['next'] => ({
  tool: 'kubernetes_check_network',
  arguments: { to: `${ref.kind}/${ref.name}`, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) },
});

/** Absent `ready` counts as ready (EndpointConditions of discovery.k8s.io/v1). */
export const isReadyEndpoint = (endpoint: Fields): boolean => fieldsAt(endpoint, 'conditions')['ready'] !== false;

/** What another selector would match: labels of a pod that differ in some keys, or only a little in all. */
export const nearLabels = (selector: Readonly<Record<string, string>>, pods: readonly KubeObject[]): string | undefined => {
  const keys = Object.keys(selector);
  const candidates = pods.map((pod) => {
    const labels = labelsOf(pod);
    const different = keys.filter((key) => labels[key] !== selector[key]);
    const isNear =
      different.length < keys.length || different.every((key) => nearestNames(selector[key] ?? '', [labels[key] ?? '']).length > 0);
    return { isNear, words: different.map((key) => `${key}=${labels[key] ?? '<none>'}`) };
  });
  return candidates
    .filter(({ isNear }) => isNear)
    .toSorted((a, b) => a.words.length - b.words.length)[0]
    ?.words.join(', ');
};

/** One Service with what is behind it. */
interface Facts {
  readonly cluster: Snapshot;
  readonly service: KubeObject;
  readonly slices: readonly KubeObject[];
  /** Active pods of its namespace. */
  readonly own: readonly KubeObject[];
  /** Those that its selector chooses. */
  readonly chosen: readonly KubeObject[];
  readonly now: number;
}

type Judge = (facts: Facts) => Problem | undefined;

const commonOf = ({ service }: Facts): Pick<Problem, 'ref' | 'next'> => ({ ref: toRef(service), next: checkNetworkCall(toRef(service)) });
const selectorOf = (service: KubeObject): Readonly<Record<string, string>> => mapAt(service, 'spec', 'selector');
const endpointsOf = ({ slices }: Facts): readonly Fields[] => slices.flatMap((slice) => listAt(slice, 'endpoints'));

/** The workload that the selector means, when it wants no pods. */
const findIdle = (cluster: Snapshot, service: KubeObject): KubeObject | undefined =>
  (['deployments', 'statefulsets'] as const)
    .flatMap((plural) => cluster.list(plural))
    .find(
      (object) =>
        namespaceOf(object) === namespaceOf(service) &&
        fieldsAt(object, 'spec')['replicas'] === 0 &&
        selects(selectorOf(service), mapAt(object, 'spec', 'template', 'metadata', 'labels')),
    );

const judgeSelector: Judge = (facts) => {
  const { cluster, service, own, chosen } = facts;
  if (!cluster.isRead('pods') || chosen.length > 0) return undefined;
  const idle = findIdle(cluster, service);
  if (idle !== undefined) {
    const detail = `no endpoints: ${refText(toRef(idle))} has 0 replicas`;
    return { ...commonOf(facts), severity: 'info', reason: 'ScaledToZero', detail, at: placeIn(idle, 'spec.replicas') };
  }
  const selector = selectorOf(service);
  const words = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const near = nearLabels(selector, own);
  return {
    ...commonOf(facts),
    severity: 'warning',
    reason: 'SelectorMatchesNothing',
    detail: `selector ${words} matches no pod${near === undefined ? '' : `; near: pods with ${near}`}`,
    at: placeIn(service, 'spec.selector'),
  };
};

const judgeEndpoints: Judge = (facts) => {
  const { cluster, service, slices, chosen } = facts;
  if (!cluster.isRead('endpointslices') || endpointsOf(facts).some(isReadyEndpoint)) return undefined;
  const slice = slices.find((one) => listAt(one, 'endpoints').length > 0);
  return {
    ...commonOf(facts),
    severity: 'critical',
    reason: 'NoReadyEndpoints',
    detail: `no ready endpoint: ${countOf(chosen.length, 'pod')} behind it, none ready`,
    at: slice === undefined ? placeIn(service, 'spec.selector') : placeIn(slice, 'endpoints[0].conditions.ready'),
    isSymptom: true,
    because: chosen.map((pod) => cluster.ownerOf(pod)),
  };
};

/** A port name must be one of the containers'; a number that none declares works only if a process listens there. */
const judgePorts: Judge = (facts) => {
  const { service, chosen } = facts;
  const declared = chosen.flatMap((pod) => podPeer(pod, {}).ports);
  const known = [...new Set(declared.map(({ name, number }) => (name === undefined ? String(number) : `${name} (${number})`)))];
  const index = listAt(service, 'spec', 'ports').findIndex((port) => {
    const target = valueAt(port, 'targetPort') ?? numberAt(port, 'port');
    const protocol = textAt(port, 'protocol') ?? 'TCP';
    const isThere = declared.some((one) => one.protocol === protocol && (one.name === target || one.number === target));
    return !isThere && (typeof target === 'string' || declared.some((one) => one.protocol === protocol));
  });
  const port = listAt(service, 'spec', 'ports')[index];
  if (port === undefined || chosen.length === 0) return undefined;
  const target = valueAt(port, 'targetPort') ?? numberAt(port, 'port');
  const isName = typeof target === 'string';
  const [near] = isName
    ? nearestNames(
        target,
        declared.flatMap(({ name }) => name ?? []),
        1,
      )
    : [];
  return {
    ...commonOf(facts),
    severity: isName ? 'critical' : 'info',
    reason: isName ? 'TargetPortMissing' : 'TargetPortUndeclared',
    detail:
      `port ${textAt(port, 'name') ?? numberAt(port, 'port')} leads to ${isName ? 'the container port' : ''} ${String(target)}, which no container declares; they declare ${someOf(known) || 'none'}${near === undefined ? '' : `; near: ${near}`}`.replace(
        '  ',
        ' ',
      ),
    at: placeIn(service, valueAt(port, 'targetPort') === undefined ? `spec.ports[${index}].port` : `spec.ports[${index}].targetPort`),
  };
};

const judgeBalancer: Judge = (facts) => {
  const { service, now } = facts;
  const { createdAt = now } = metadataOf(service);
  const isWaiting = textAt(service, 'spec', 'type') === 'LoadBalancer' && listAt(service, 'status', 'loadBalancer', 'ingress').length === 0;
  if (!isWaiting || now - createdAt < BALANCER_MS) return undefined;
  const ref = toRef(service);
  const [event] = facts.cluster.eventsAbout(ref).toSorted((a, b) => b.at - a.at);
  return {
    ref,
    severity: 'warning',
    reason: event?.reason ?? 'LoadBalancerPending',
    since: createdAt,
    detail: `no load balancer after ${formatDuration(Math.floor((now - createdAt) / 60_000) * 60_000)}: ${event?.message ?? 'no controller has given it an address'}`,
    at: placeIn(service, 'status.loadBalancer.ingress'),
    next: lookAt(ref, 'describe'),
  };
};

/** Without a selector somebody else makes the endpoints; where nobody has, connections are refused. */
const judgeByHand: Judge = (facts) => {
  const { cluster, service, slices, now } = facts;
  const isYoung = now - (metadataOf(service).createdAt ?? now) < BY_HAND_MS;
  const hasEndpoints = endpointsOf(facts).length > 0;
  // What other controllers own, or a name without an address, is theirs to fill.
  const isForeign = metadataOf(service).owners.length > 0 || textAt(service, 'spec', 'clusterIP') === 'None';
  if (!cluster.isRead('endpointslices') || isYoung || hasEndpoints || isForeign) return undefined;
  const detail = `no selector and no endpoint: connections are refused${slices.length > 0 ? ' (its EndpointSlices are empty)' : ''}`;
  return { ...commonOf(facts), severity: 'warning', reason: 'NoSelectorNoEndpoints', detail, at: placeIn(service, 'spec.selector') };
};

const judge = (facts: Facts): readonly Problem[] => {
  const { service } = facts;
  if (textAt(service, 'spec', 'type') === 'ExternalName' || isDeleted(service)) return [];
  const judges = Object.keys(selectorOf(service)).length === 0 ? [judgeByHand] : [judgeSelector, judgePorts, judgeEndpoints];
  const first = judges.map((one) => one(facts)).find((problem) => problem !== undefined);
  return [first, judgeBalancer(facts)].filter((problem) => problem !== undefined);
};

export const checkServices: Check = (cluster, now) => {
  const slices = groupBy(cluster.list('endpointslices'), (slice) =>
    refKey({ kind: 'service', name: labelsOf(slice)[SERVICE_NAME] ?? '', namespace: namespaceOf(slice) }),
  );
  const pods = groupBy(cluster.isRead('pods') ? activePods(cluster) : [], (pod) => namespaceOf(pod) ?? '');
  return cluster.list('services').flatMap((service) => {
    const own = pods.get(namespaceOf(service) ?? '') ?? [];
    const chosen = own.filter((pod) => selects(selectorOf(service), labelsOf(pod)));
    // Endpoints of the API server itself are written by it, not by a selector.
    if (nameOf(service) === 'kubernetes' && namespaceOf(service) === 'default') return [];
    return judge({ cluster, service, own, chosen, now, slices: slices.get(refKey(toRef(service))) ?? [] });
  });
};
