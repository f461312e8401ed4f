// The life of pods made since T0: scheduled, started, ready, ended; and of those of payment, healthy or not by their settings.
import { hashOf, SECOND } from '../../shop.ts';
import { isObject, type JsonObject, objectAt, objectsAt, textAt, timeAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type ContainerState, toPodStatus, toSucceededStatus } from '../pod-status.ts';
import { type Cluster, controllerOf, isEnded, isEnding } from './cluster.ts';
import { brokenState, isPaymentPod, paymentPodPlace } from './payment.ts';
import { schedule } from './scheduler.ts';

/** From its place on a node to running containers, and on to readiness. */
const START_AFTER = 2 * SECOND;
const READY_AFTER = 5 * SECOND;
/** How long programs need to end when they are asked to. */
const END_AFTER = 2 * SECOND;
/** How long the pods of jobs work. */
const JOB_RUNS = 20 * SECOND;

const scheduledAt = (pod: KubernetesObject): number | undefined => {
  const condition = objectsAt(pod, 'status', 'conditions').find((entry) => entry['type'] === 'PodScheduled' && entry['status'] === 'True');
  return (
    timeAt(condition, 'lastTransitionTime') ??
    (textAt(pod, 'spec', 'nodeName') === '' ? undefined : timeAt(pod, 'metadata', 'creationTimestamp'))
  );
};

/** An address of the node's network that no other pod has. */
const freeAddress = (cluster: Cluster, pod: KubernetesObject, node: KubernetesObject | undefined): string => {
  const address = objectsAt(node, 'status', 'addresses').find((entry) => entry['type'] === 'InternalIP');
  if (objectAt(pod, 'spec')['hostNetwork'] === true) return textAt(address, 'address');
  const network = textAt(node, 'spec', 'podCIDR').replace(/\.\d+\/\d+$/, '') || '10.244.9';
  const used = new Set(cluster.store.all('pods').map((other) => textAt(other, 'status', 'podIP')));
  for (let offset = 0; offset < 244; offset += 1) {
    const candidate = `${network}.${10 + ((hashOf(pod.metadata.uid ?? '') + offset) % 244)}`;
    if (!used.has(candidate)) return candidate;
  }
  return `${network}.254`;
};

const placeOf = (cluster: Cluster, pod: KubernetesObject): { node: string; nodeAddress: string; address: string } => {
  const name = textAt(pod, 'spec', 'nodeName');
  const node = cluster.store.get('nodes', '', name);
  const nodeAddress = textAt(
    objectsAt(node, 'status', 'addresses').find((entry) => entry['type'] === 'InternalIP'),
    'address',
  );
  return { node: name, nodeAddress, address: textAt(pod, 'status', 'podIP') || freeAddress(cluster, pod, node) };
};

/** Containers that are being made. */
const creating = (pod: KubernetesObject, at: number): JsonObject => {
  const waiting: ContainerState = { state: { waiting: { reason: 'ContainerCreating' } }, isReady: false, isStarted: false };
  const names = objectsAt(pod, 'spec', 'containers').map((container) => textAt(container, 'name'));
  const status = toPodStatus(pod, {
    place: { node: textAt(pod, 'spec', 'nodeName'), nodeAddress: '', address: '' },
    times: { scheduledAt: at, initializedAt: at, readyAt: at },
    states: Object.fromEntries(names.map((name) => [name, waiting])),
  });
  return { ...status, phase: 'Pending' };
};

const isJobPod = (pod: KubernetesObject): boolean => controllerOf(pod.metadata)?.kind === 'Job';

const start = (cluster: Cluster, pod: KubernetesObject, placed: number): void => {
  const startedAt = placed + START_AFTER;
  if (cluster.now < startedAt) {
    cluster.wakeAt(startedAt);
    if (objectsAt(pod, 'status', 'containerStatuses').length === 0) cluster.updateStatus('pods', pod, creating(pod, placed), 'kubelet');
    return;
  }
  const readyAt = placed + READY_AFTER;
  const isWarm = cluster.now >= readyAt;
  if (!isWarm) cluster.wakeAt(readyAt);
  const states: Record<string, ContainerState> = {};
  for (const container of objectsAt(pod, 'spec', 'containers')) {
    states[textAt(container, 'name')] = { state: { running: { startedAt: toTime(startedAt) } }, isReady: isWarm, isStarted: true };
  }
  const times = { scheduledAt: placed, initializedAt: placed + SECOND, readyAt: startedAt, readinessChangedAt: isWarm ? readyAt : placed };
  const broken = brokenState(cluster, pod, startedAt);
  if (broken !== undefined) states['payment'] = broken.state;
  const status = toPodStatus(pod, {
    place: placeOf(cluster, pod),
    times: broken === undefined ? times : { ...times, readinessChangedAt: broken.readinessChangedAt },
    states,
  });
  const wasPending = textAt(pod, 'status', 'phase') === 'Pending';
  const running = cluster.updateStatus('pods', pod, status, 'kubelet');
  if (wasPending) noteStart(cluster, running);
};

const noteStart = (cluster: Cluster, pod: KubernetesObject): void => {
  for (const container of objectsAt(pod, 'spec', 'containers')) {
    const common = { component: 'kubelet', host: textAt(pod, 'spec', 'nodeName'), container: textAt(container, 'name') };
    const image = textAt(container, 'image');
    cluster.note(pod, {
      ...common,
      reason: 'Pulled',
      message: `Container image "${image}" already present on machine and can be accessed by the pod`,
    });
    cluster.note(pod, { ...common, reason: 'Created', message: 'Container created' });
    cluster.note(pod, { ...common, reason: 'Started', message: 'Container started' });
  }
};

const end = (cluster: Cluster, pod: KubernetesObject): void => {
  const period = (pod.metadata.deletionGracePeriodSeconds ?? 30) * SECOND;
  const askedAt = (timeAt(pod, 'metadata', 'deletionTimestamp') ?? cluster.now) - period;
  const goneAt = askedAt + Math.min(period, END_AFTER);
  if (cluster.now < goneAt) {
    cluster.wakeAt(goneAt);
    return;
  }
  if ((pod.metadata.finalizers ?? []).length === 0) cluster.remove('pods', pod);
};

const finishJob = (cluster: Cluster, pod: KubernetesObject, placed: number): void => {
  const endedAt = placed + JOB_RUNS;
  if (cluster.now < endedAt) {
    cluster.wakeAt(endedAt);
    return;
  }
  cluster.updateStatus('pods', pod, toSucceededStatus(pod, placeOf(cluster, pod), placed, endedAt), 'kubelet');
};

/** Pods whose state the story or a test has set stay as they are: only those that begin here are led on. */
const isBegun = (pod: KubernetesObject): boolean => {
  const phase = textAt(pod, 'status', 'phase');
  const begun = objectsAt(pod, 'status', 'containerStatuses').every((status) => {
    const reason = textAt(status, 'state', 'waiting', 'reason');
    return reason === '' || reason === 'ContainerCreating';
  });
  return phase === 'Pending' && begun;
};

const needsReadiness = (pod: KubernetesObject): boolean =>
  textAt(pod, 'status', 'phase') === 'Running' &&
  objectsAt(pod, 'status', 'containerStatuses').some(
    (status) => status['ready'] === false && status['started'] === true && isObject(objectAt(status, 'state')['running']),
  );

/** Pods that nothing but a write changes any more. */
const settled = new WeakSet<KubernetesObject>();

/** Leads one pod to where it should be now. */
export const leadPod = (cluster: Cluster, pod: KubernetesObject): void => {
  if (settled.has(pod)) return;
  if (isEnding(pod)) {
    end(cluster, pod);
    return;
  }
  if (isEnded(pod) || paymentPodPlace(cluster, pod) !== undefined) return;
  const placed = scheduledAt(pod);
  if (isBegun(pod) && placed === undefined) {
    schedule(cluster, pod);
    return;
  }
  if (placed === undefined) return;
  const isBroken = brokenState(cluster, pod, placed + START_AFTER) !== undefined;
  if (isBegun(pod) || needsReadiness(pod) || isBroken) start(cluster, pod, placed);
  else if (isJobPod(pod)) finishJob(cluster, pod, placed);
  else if (!isPaymentPod(pod)) settled.add(pod);
};
