// Probes: containers that run and are not ready, and probes that the kubelet reports as failing.

import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import {
  booleanAt,
  conditionOf,
  fieldsAt,
  type KubeObject,
  listAt,
  nameOf,
  numberAt,
  timeAt,
  valueAt,
} from '../../../upstream/kubernetes/objects.ts';
import { type Place, placeIn, placeInTemplate } from './place.ts';
import {
  activePods,
  agoText,
  type Container,
  containersOf,
  isPodReady,
  lookAt,
  podRef,
  severityOf,
  shareOf,
  specField,
  statusField,
} from './pods.ts';
import { type Check, countOf, earliestOf, groupBy, type Problem, type Ref, refKey } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

/** A container gets this long to become ready before it counts. */
const GRACE_MS = 60_000;
/** Failures of a pod that is ready again count while they are this fresh and this many. */
const FLAPPING_MS = 600_000;
const FLAPPING_COUNT = 10;

/** Names of containers that run and are not ready. */
const unreadyContainers = (pod: KubeObject, now: number): readonly string[] =>
  containersOf(pod)
    .filter(
      ({ status }) =>
        valueAt(status, 'state', 'running') !== undefined &&
        !booleanAt(status, 'ready') &&
        now - (timeAt(status, 'state', 'running', 'startedAt') ?? now) > GRACE_MS,
    )
    .map(({ name }) => name);

export const probeEvents = (cluster: Snapshot, pod: KubeObject): readonly KubeEvent[] =>
  cluster
    .eventsAbout(podRef(pod))
    .filter(({ reason }) => reason === 'Unhealthy' || reason === 'ProbeWarning')
    .toSorted((a, b) => b.at - a.at);

interface Sick {
  readonly pod: KubeObject;
  readonly containers: readonly string[];
  readonly event: KubeEvent | undefined;
}

const judge = (cluster: Snapshot, pod: KubeObject, now: number): readonly Sick[] => {
  const containers = unreadyContainers(pod, now);
  const [event] = probeEvents(cluster, pod);
  const isFlapping = event !== undefined && now - event.at < FLAPPING_MS && event.count >= FLAPPING_COUNT;
  const isGated = !isPodReady(pod) && conditionOf(pod, 'Ready')?.reason === 'ReadinessGatesNotReady';
  return containers.length > 0 || isFlapping || isGated ? [{ pod, containers, event }] : [];
};

const reasonOf = (event: KubeEvent | undefined): string => {
  const [, kind] = /^(Readiness|Liveness|Startup) probe/.exec(event?.message ?? '') ?? [];
  return kind === undefined ? 'NotReady' : `${kind}ProbeFailed`;
};

const PROBES: Readonly<Record<string, string>> = { Readiness: 'readinessProbe', Liveness: 'livenessProbe', Startup: 'startupProbe' };

/** What a probe asks, as a field of the container; of a command only the program, its arguments may hold secrets. */
const probeField = (spec: unknown, probe: string): string | undefined => {
  const found = fieldsAt(spec, probe);
  for (const how of ['httpGet', 'tcpSocket', 'grpc']) if (valueAt(found, how) !== undefined) return `${probe}.${how}.port`;
  return valueAt(found, 'exec') === undefined ? undefined : `${probe}.exec.command[0]`;
};

/** The probe that fails, where its owner would mend it. */
export const probePlace = (cluster: Snapshot, ref: Ref, container: Container, event: KubeEvent | undefined): Place | undefined => {
  const [, word = 'Readiness'] = /^(Readiness|Liveness|Startup) probe/.exec(event?.message ?? '') ?? [];
  const field = probeField(container.spec, PROBES[word] ?? 'readinessProbe');
  return field === undefined ? undefined : placeInTemplate(cluster, ref, container.pod, specField(container, field));
};

const toPlace = (cluster: Snapshot, ref: Ref, { pod, containers, event }: Sick): Place => {
  const name = /\{(.+)\}/.exec(event?.regarding.fieldPath ?? '')?.[1] ?? containers[0];
  const all = containersOf(pod);
  const container = all.find((one) => one.name === name) ?? (all.length === 1 ? all[0] : undefined);
  const gate = listAt(pod, 'spec', 'readinessGates').length > 0 && containers.length === 0 && event === undefined;
  if (gate) return placeIn(pod, 'spec.readinessGates[0].conditionType');
  if (container === undefined) return placeIn(pod, 'status.conditions[?type=Ready].status');
  return probePlace(cluster, ref, container, event) ?? placeIn(pod, statusField(container, 'ready'));
};

/** A probe that asks a port which the container does not declare, though it declares others. */
const describePort = ({ field, value }: Place, pod: KubeObject): readonly string[] => {
  const [, name] = /ontainers\[\?name=([^\]]+)\]\..*Probe\..*port$/.exec(field) ?? [];
  const container = [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')].find(
    (one) => nameOf({ metadata: one }) === name,
  );
  const ports = listAt(container, 'ports');
  const isKnown = ports.some((port) => String(numberAt(port, 'containerPort')) === value || port['name'] === value);
  if (name === undefined || ports.length === 0 || isKnown) return [];
  return [
    `the probe asks port ${value}; container ${name} declares ${ports.map((port) => String(numberAt(port, 'containerPort'))).join(', ')}`,
  ];
};

const toProblem = (sick: readonly Sick[], cluster: Snapshot, now: number): Problem => {
  const [first] = sick.toSorted((a, b) => b.containers.length - a.containers.length || (b.event?.count ?? 0) - (a.event?.count ?? 0));
  if (first === undefined) throw new RangeError('A group has at least one member.');
  const ref = cluster.ownerOf(first.pod);
  const { event } = first;
  const isUnready = sick.some(({ pod }) => !isPodReady(pod));
  const condition = conditionOf(first.pod, 'Ready');
  const at = toPlace(cluster, ref, first);
  return {
    severity: isUnready ? severityOf(cluster, ref) : 'info',
    ref,
    reason: reasonOf(event),
    since: earliestOf(sick.map(({ pod, event: seen }) => (isPodReady(pod) ? seen?.firstAt : conditionOf(pod, 'Ready')?.changedAt))),
    detail: isUnready
      ? `${shareOf(cluster, ref, sick.length)} not ready${first.containers.length > 0 ? ` (container ${first.containers.join(', ')} runs)` : `: ${condition?.message ?? condition?.reason ?? ''}`}`
      : `probes fail now and then in ${shareOf(cluster, ref, sick.length)}`,
    at,
    evidence: [
      ...describePort(at, first.pod),
      ...(event === undefined
        ? []
        : [`${nameOf(first.pod)}: ${event.message} (${countOf(event.count, 'time')}, last${agoText(event.at, now)})`]),
    ],
    involves: sick.map(({ pod }) => podRef(pod)),
    isSymptom: true,
    next: lookAt(podRef(first.pod), 'describe'),
  };
};

export const checkProbes: Check = (cluster, now) => {
  const sick = activePods(cluster).flatMap((pod) => judge(cluster, pod, now));
  return [...groupBy(sick, ({ pod }) => refKey(cluster.ownerOf(pod))).values()].map((group) => toProblem(group, cluster, now));
};
