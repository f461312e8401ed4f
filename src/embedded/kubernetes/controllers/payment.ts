// Payment, sick or well: what its settings make of its pods, and when the whole shop is healed.
import { hashOf, type Life, PAYMENT, paymentLives, SECOND, type ShopPod, WORKLOADS } from '../../shop.ts';
import { objectAt, objectsAt, textAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { poolSizeAtStart, poolSizeOf } from '../payment-settings.ts';
import { toPodStatus } from '../pod-status.ts';
import { parseQuantity } from '../quantity.ts';
import { backOffMessage } from '../shop/events.ts';
import { livesState, type PaymentState } from '../shop/payment.ts';
import { type Cluster, isEnding, isReady } from './cluster.ts';

const NAMESPACE = 'shop';

const workload = WORKLOADS.find(({ name }) => name === 'payment');

/** Which of the three pods of T0 a pod is; undefined for all others. */
export const paymentPodPlace = (
  { shop }: Cluster,
  pod: KubernetesObject,
): { readonly pod: ShopPod; readonly ordinal: number } | undefined => {
  if (workload === undefined || pod.metadata.namespace !== NAMESPACE || !pod.metadata.name.startsWith('payment-')) return undefined;
  for (let ordinal = 0; ordinal < workload.replicas; ordinal += 1) {
    const told = shop.pod(workload, ordinal);
    if (told.uid === pod.metadata.uid) return { pod: told, ordinal };
  }
  return undefined;
};

export const isPaymentPod = ({ metadata }: KubernetesObject): boolean =>
  metadata.namespace === NAMESPACE && metadata.labels?.['app.kubernetes.io/name'] === 'payment';

const hasRoom = (pod: KubernetesObject): boolean => {
  const container = objectsAt(pod, 'spec', 'containers').find((candidate) => candidate['name'] === 'payment');
  return parseQuantity(textAt(container, 'resources', 'limits', 'memory') || '1Ti') >= parseQuantity(PAYMENT.good.memoryLimit);
};

const isStartedWell = ({ store }: Cluster, uid: string, run: number): boolean => poolSizeAtStart(store, uid, run) >= PAYMENT.good.poolSize;

/** Seconds of running and waiting of a new pod with the bad settings. */
const RHYTHM: readonly (readonly [number, number])[] = [
  [240, 2],
  [190, 11],
  [180, 21],
  [180, 41],
  [180, 81],
  [180, 161],
  [180, 301],
];

/** The runs of the container in a pod made since T0; a run with good settings does not end. */
const livesOf = (cluster: Cluster, pod: KubernetesObject, startedAt: number): Life[] => {
  const lives: Life[] = [];
  let start = startedAt;
  for (let index = 0; start <= cluster.now; index += 1) {
    const [run, wait] = RHYTHM[Math.min(index, RHYTHM.length - 1)] ?? [180, 301];
    const end = start + (run + (hashOf(`${pod.metadata.uid}/${index}`) % 20)) * SECOND;
    const isWell = isStartedWell(cluster, pod.metadata.uid ?? '', index);
    const isEnded = !isWell && end <= cluster.now;
    lives.push({ startedAt: start, endedAt: isEnded ? end : undefined });
    if (!isEnded) {
      if (!isWell) cluster.wakeAt(end);
      break;
    }
    start = end + wait * SECOND;
    cluster.wakeAt(start);
  }
  return lives;
};

const told = (pod: KubernetesObject): Pick<ShopPod, 'uid' | 'name' | 'namespace'> => ({
  uid: pod.metadata.uid ?? '',
  name: pod.metadata.name,
  namespace: pod.metadata.namespace ?? '',
});

/** The state of the container `payment` in a new pod that has the bad settings; undefined when the pod is well. */
export const brokenState = (cluster: Cluster, pod: KubernetesObject, startedAt: number): PaymentState | undefined => {
  if (!isPaymentPod(pod) || startedAt > cluster.now) return undefined;
  const isWellFromStart = isStartedWell(cluster, pod.metadata.uid ?? '', 0);
  // With room enough, few connections make requests fail, but nothing runs out of memory.
  if (isWellFromStart || hasRoom(pod)) return undefined;
  return livesState(told(pod), livesOf(cluster, pod, startedAt), cluster.now);
};

/** The told runs of a pod of T0, up to the moment that better settings are read at a start. */
const toldLives = (cluster: Cluster, ordinal: number, uid: string): Life[] => {
  const lives: Life[] = [];
  for (const [index, life] of paymentLives(cluster.shop, ordinal, cluster.now).entries()) {
    const isSinceStart = life.startedAt > cluster.shop.startedAt;
    if (isSinceStart && isStartedWell(cluster, uid, index)) return [...lives, { startedAt: life.startedAt, endedAt: undefined }];
    lives.push(life);
  }
  return lives;
};

/** When the told runs change next: an end, a start, or readiness after it. */
const wakeForLives = (cluster: Cluster, ordinal: number): void => {
  const lives = paymentLives(cluster.shop, ordinal, cluster.now + 3_600_000);
  for (const { startedAt, endedAt } of lives)
    for (const time of [startedAt, startedAt + 8 * SECOND, endedAt]) if (time !== undefined) cluster.wakeAt(time);
};

const BACK_OFF_PACE = 15 * SECOND;

const noteBackOff = (cluster: Cluster, pod: KubernetesObject): void => {
  const message = backOffMessage(pod);
  const known = cluster.store
    .all('events', NAMESPACE)
    .find((event) => textAt(event, 'involvedObject', 'uid') === pod.metadata.uid && textAt(event, 'reason') === 'BackOff');
  cluster.wakeAt(cluster.now + BACK_OFF_PACE);
  if (known !== undefined && cluster.now - Date.parse(textAt(known, 'lastTimestamp')) < BACK_OFF_PACE) return;
  cluster.note(pod, {
    type: 'Warning',
    reason: 'BackOff',
    message,
    component: 'kubelet',
    host: textAt(pod, 'spec', 'nodeName'),
    container: 'payment',
  });
};

/** Moves the three pods of T0 along their story. */
export const leadPayment = (cluster: Cluster): void => {
  for (const pod of cluster.store.all('pods', NAMESPACE)) {
    const place = paymentPodPlace(cluster, pod);
    if (place === undefined || isEnding(pod)) continue;
    const { state, readinessChangedAt } = livesState(place.pod, toldLives(cluster, place.ordinal, place.pod.uid), cluster.now);
    wakeForLives(cluster, place.ordinal);
    const before = objectsAt(pod, 'status', 'containerStatuses').find((status) => status['name'] === 'payment');
    const restarts = typeof before?.['restartCount'] === 'number' ? before['restartCount'] : 0;
    const isWaiting = state.state['waiting'] !== undefined;
    const isUnchanged =
      restarts === (state.restarts ?? 0) &&
      before?.['ready'] === state.isReady &&
      isWaiting === (objectAt(before, 'state')['waiting'] !== undefined);
    if (!isUnchanged) moveOn(cluster, pod, place.pod, { state, readinessChangedAt }, restarts);
    if (isWaiting) noteBackOff(cluster, cluster.store.get('pods', NAMESPACE, pod.metadata.name) ?? pod);
  }
};

const moveOn = (
  cluster: Cluster,
  pod: KubernetesObject,
  place: ShopPod,
  { state, readinessChangedAt }: PaymentState,
  restarts: number,
): void => {
  const created = Date.parse(pod.metadata.creationTimestamp ?? '');
  const status = toPodStatus(pod, {
    place: { node: place.node, nodeAddress: textAt(pod, 'status', 'hostIP'), address: place.address },
    times: { scheduledAt: created, initializedAt: created + 2 * SECOND, readyAt: created + 12 * SECOND, readinessChangedAt },
    states: { payment: state },
  });
  const moved = cluster.updateStatus('pods', pod, status, 'kubelet');
  if ((state.restarts ?? 0) <= restarts) return;
  const image = textAt(objectsAt(pod, 'spec', 'containers')[0], 'image');
  const common = { component: 'kubelet', host: place.node, container: 'payment' };
  cluster.note(moved, {
    ...common,
    reason: 'Pulled',
    message: `Container image "${image}" already present on machine and can be accessed by the pod`,
  });
  cluster.note(moved, { ...common, reason: 'Created', message: 'Container created' });
  cluster.note(moved, { ...common, reason: 'Started', message: 'Container started' });
};

/** The shop is well when payment's pods all run with enough connections, and sick again when one does not. */
export const judgePayment = (cluster: Cluster): void => {
  const { shop } = cluster;
  const pods = cluster.store.all('pods', NAMESPACE).filter((pod) => isPaymentPod(pod) && !isEnding(pod));
  const isWell =
    pods.length > 0 &&
    poolSizeOf(cluster.store) >= PAYMENT.good.poolSize &&
    pods.every((pod) => isReady(pod) && isRunningWell(cluster, pod));
  if (isWell && shop.healedAt === undefined) shop.heal(cluster.now);
  if (!isWell && shop.healedAt !== undefined && poolSizeOf(cluster.store) < PAYMENT.good.poolSize) shop.relapse();
};

const restartsOf = (pod: KubernetesObject): number => {
  const status = objectsAt(pod, 'status', 'containerStatuses').find((candidate) => candidate['name'] === 'payment');
  return typeof status?.['restartCount'] === 'number' ? status['restartCount'] : 0;
};

/** A pod of T0 is well only after a restart that read better settings. */
const isRunningWell = (cluster: Cluster, pod: KubernetesObject): boolean => {
  const place = paymentPodPlace(cluster, pod);
  if (place === undefined) return isStartedWell(cluster, pod.metadata.uid ?? '', restartsOf(pod));
  const lives = toldLives(cluster, place.ordinal, place.pod.uid);
  const last = lives.at(-1);
  return last !== undefined && last.startedAt > cluster.shop.startedAt && isStartedWell(cluster, place.pod.uid, lives.length - 1);
};
