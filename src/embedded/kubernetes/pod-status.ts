// The status that a kubelet reports for a pod, from what its containers do.
import { hexOf } from '../shop.ts';
import { isObject, type JsonObject, objectAt, objectsAt, textAt, toTime } from './json.ts';
import type { KubernetesObject } from './object.ts';

/** What one container does now, and how its last run ended. */
export interface ContainerState {
  readonly state: JsonObject;
  readonly lastState?: JsonObject;
  readonly restarts?: number;
  readonly isReady: boolean;
  /** False while it has not passed its startup, or does not run at all. */
  readonly isStarted: boolean;
}

export interface PodTimes {
  readonly scheduledAt: number;
  readonly initializedAt: number;
  readonly readyAt: number;
  /** When readiness was lost or won last; the ready time unless told otherwise. */
  readonly readinessChangedAt?: number;
}

export interface PodPlace {
  readonly node: string;
  readonly nodeAddress: string;
  readonly address: string;
}

/** The digest of an image, the same in every cluster of the shop. */
export const imageIdOf = (image: string): string => `${image.replace(/:[^/:]+$/, '')}@sha256:${hexOf(`image/${image}`, 64)}`;

export const containerIdOf = (uid: string, container: string, restarts: number): string =>
  `containerd://${hexOf(`container/${uid}/${container}/${restarts}`, 64)}`;

export const running = (startedAt: number, restarts = 0, lastState: JsonObject = {}): ContainerState => ({
  state: { running: { startedAt: toTime(startedAt) } },
  lastState,
  restarts,
  isReady: true,
  isStarted: true,
});

export interface Termination {
  readonly reason: string;
  readonly exitCode: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly containerId: string;
}

export const terminated = ({ reason, exitCode, startedAt, endedAt, containerId }: Termination): JsonObject => ({
  terminated: { exitCode, reason, startedAt: toTime(startedAt), finishedAt: toTime(endedAt), containerID: containerId },
});

/** `waiting` in CrashLoopBackOff, in the kubelet's words. */
export const backingOff = (pod: KubernetesObject, container: string, delay: string): JsonObject => ({
  waiting: {
    reason: 'CrashLoopBackOff',
    message: `back-off ${delay} restarting failed container=${container} pod=${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`,
  },
});

const SANDBOX_USER: JsonObject = { linux: { uid: 1000, gid: 1000, supplementalGroups: [1000] } };

const toContainerStatus = (
  pod: KubernetesObject,
  container: JsonObject,
  { state, lastState = {}, restarts = 0, isReady, isStarted }: ContainerState,
): JsonObject => {
  const name = textAt(container, 'name');
  const image = textAt(container, 'image');
  const hasRun = state['waiting'] === undefined || restarts > 0;
  const resources = objectAt(container, 'resources');
  const mounts = objectsAt(container, 'volumeMounts').map((mount) => ({
    name: textAt(mount, 'name'),
    mountPath: textAt(mount, 'mountPath'),
    ...(mount['readOnly'] === true ? { readOnly: true, recursiveReadOnly: 'Disabled' } : {}),
  }));
  return {
    name,
    state,
    lastState,
    ready: isReady,
    restartCount: restarts,
    image,
    imageID: hasRun ? imageIdOf(image) : '',
    ...(hasRun ? { containerID: containerIdOf(pod.metadata.uid ?? '', name, restarts) } : {}),
    started: isStarted,
    ...(hasRun && Object.keys(resources).length > 0 ? { allocatedResources: objectAt(resources, 'requests'), resources } : {}),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
    ...(hasRun ? { user: SANDBOX_USER } : {}),
  };
};

/** Guaranteed when every container's limits equal its requests, BestEffort when none has either, else Burstable. */
export const qosClassOf = (pod: KubernetesObject): string => {
  const containers = [...objectsAt(pod, 'spec', 'containers'), ...objectsAt(pod, 'spec', 'initContainers')];
  const amounts = containers.map((container) => ({
    requests: objectAt(container, 'resources', 'requests'),
    limits: objectAt(container, 'resources', 'limits'),
  }));
  if (amounts.every(({ requests, limits }) => Object.keys(requests).length === 0 && Object.keys(limits).length === 0)) return 'BestEffort';
  const isGuaranteed = amounts.every(({ requests, limits }) =>
    ['cpu', 'memory'].every((name) => limits[name] !== undefined && requests[name] === limits[name]),
  );
  return isGuaranteed ? 'Guaranteed' : 'Burstable';
};

const condition = (pod: KubernetesObject, type: string, isTrue: boolean, at: number, why: JsonObject = {}): JsonObject => ({
  type,
  observedGeneration: pod.metadata.generation ?? 1,
  status: isTrue ? 'True' : 'False',
  lastProbeTime: null,
  lastTransitionTime: toTime(at),
  ...why,
});

const addresses = ({ node, nodeAddress, address }: PodPlace): JsonObject =>
  node === ''
    ? {}
    : { hostIP: nodeAddress, hostIPs: [{ ip: nodeAddress }], ...(address === '' ? {} : { podIP: address, podIPs: [{ ip: address }] }) };

export interface PodStatusOptions {
  readonly place: PodPlace;
  readonly times: PodTimes;
  readonly states: Readonly<Record<string, ContainerState>>;
}

/** The status of a pod on a node whose containers are in the given states. */
export const toPodStatus = (pod: KubernetesObject, { place, times, states }: PodStatusOptions): JsonObject => {
  const containers = objectsAt(pod, 'spec', 'containers');
  const initContainers = objectsAt(pod, 'spec', 'initContainers');
  const known = (container: JsonObject): ContainerState => states[textAt(container, 'name')] ?? running(times.readyAt);
  const unready = containers.filter((container) => !known(container).isReady).map((container) => textAt(container, 'name'));
  const isReady = unready.length === 0;
  const why: JsonObject = isReady
    ? {}
    : { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` };
  const changedAt = times.readinessChangedAt ?? times.readyAt;
  return {
    observedGeneration: pod.metadata.generation ?? 1,
    phase: 'Running',
    conditions: [
      condition(pod, 'PodReadyToStartContainers', true, times.initializedAt),
      condition(pod, 'Initialized', true, times.initializedAt),
      condition(pod, 'Ready', isReady, changedAt, why),
      condition(pod, 'ContainersReady', isReady, changedAt, why),
      condition(pod, 'PodScheduled', true, times.scheduledAt),
    ],
    ...addresses(place),
    startTime: toTime(times.scheduledAt),
    ...(initContainers.length === 0
      ? {}
      : {
          initContainerStatuses: initContainers.map((container) =>
            toContainerStatus(pod, container, states[textAt(container, 'name')] ?? initState(pod, container, times)),
          ),
        }),
    containerStatuses: containers.map((container) => toContainerStatus(pod, container, known(container))),
    qosClass: qosClassOf(pod),
  };
};

/** Sidecars among the init containers run on; the others have done their work. */
const initState = (pod: KubernetesObject, container: JsonObject, { scheduledAt, initializedAt }: PodTimes): ContainerState => {
  if (container['restartPolicy'] === 'Always') return running(initializedAt);
  const containerId = containerIdOf(pod.metadata.uid ?? '', textAt(container, 'name'), 0);
  const ended = { reason: 'Completed', exitCode: 0, startedAt: scheduledAt + 1000, endedAt: initializedAt, containerId };
  return { state: terminated(ended), isReady: true, isStarted: false };
};

/** A pod whose containers all ended well. */
export const toSucceededStatus = (pod: KubernetesObject, place: PodPlace, startedAt: number, endedAt: number): JsonObject => {
  const done: JsonObject = { reason: 'PodCompleted' };
  const containers = objectsAt(pod, 'spec', 'containers');
  const ended = (container: JsonObject): ContainerState => ({
    state: terminated({
      reason: 'Completed',
      exitCode: 0,
      startedAt: startedAt + 2000,
      endedAt,
      containerId: containerIdOf(pod.metadata.uid ?? '', textAt(container, 'name'), 0),
    }),
    isReady: false,
    isStarted: false,
  });
  return {
    observedGeneration: pod.metadata.generation ?? 1,
    phase: 'Succeeded',
    conditions: [
      condition(pod, 'PodReadyToStartContainers', false, endedAt),
      condition(pod, 'Initialized', true, startedAt, done),
      condition(pod, 'Ready', false, endedAt, done),
      condition(pod, 'ContainersReady', false, endedAt, done),
      condition(pod, 'PodScheduled', true, startedAt),
    ],
    ...addresses(place),
    startTime: toTime(startedAt),
    containerStatuses: containers.map((container) => toContainerStatus(pod, container, ended(container))),
    qosClass: qosClassOf(pod),
  };
};

/** A pod that no node takes, with the scheduler's reason. */
export const toPendingStatus = (pod: KubernetesObject, at: number, message: string): JsonObject => ({
  observedGeneration: pod.metadata.generation ?? 1,
  phase: 'Pending',
  conditions: [condition(pod, 'PodScheduled', false, at, { reason: 'Unschedulable', message })],
  qosClass: qosClassOf(pod),
});

/** A copy of a pod with another status. */
export const withStatus = (pod: KubernetesObject, status: JsonObject): KubernetesObject =>
  isObject(pod['spec']) ? { ...pod, status } : pod;
