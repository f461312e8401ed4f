// The container `payment` of release r8: what it does at a time, from the runs that the story gives it.
import { type Life, paymentLives, type Shop, type ShopPod } from '../../shop.ts';
import { type JsonObject, toTime } from '../json.ts';
import { backingOff, type ContainerState, containerIdOf, terminated } from '../pod-status.ts';

export interface PaymentState {
  readonly state: ContainerState;
  readonly readinessChangedAt: number;
}

/** The delay before each restart, as the kubelet doubles it. */
const DELAYS = ['10s', '20s', '40s', '1m20s', '2m40s', '5m0s'];

const outOfMemory = (pod: Pick<ShopPod, 'uid'>, life: Life, index: number): JsonObject =>
  terminated({
    reason: 'OOMKilled',
    exitCode: 137,
    startedAt: life.startedAt,
    endedAt: life.endedAt ?? life.startedAt,
    containerId: containerIdOf(pod.uid, 'payment', index),
  });

/** How long after its start the container passes its readiness probe. */
const WARM_UP = 8000;

/** The state of a container that has had these runs; `restarts` counts the ends it has come back from. */
export const livesState = (pod: Pick<ShopPod, 'uid' | 'name' | 'namespace'>, lives: readonly Life[], at: number): PaymentState => {
  const index = lives.length - 1;
  const current = lives[index];
  const before = lives[index - 1];
  if (current === undefined) throw new Error(`the container of ${pod.name} has not begun yet`);
  if (current.endedAt === undefined) {
    const isReady = at >= current.startedAt + WARM_UP;
    return {
      state: {
        state: { running: { startedAt: toTime(current.startedAt) } },
        lastState: before === undefined ? {} : outOfMemory(pod, before, index - 1),
        restarts: index,
        isReady,
        isStarted: true,
      },
      readinessChangedAt: isReady ? current.startedAt + WARM_UP : (before?.endedAt ?? current.startedAt),
    };
  }
  const delay = DELAYS[Math.min(Math.max(index, 1), DELAYS.length) - 1] ?? '10s';
  const waiting = backingOff(
    { kind: 'Pod', apiVersion: 'v1', metadata: { name: pod.name, namespace: pod.namespace, uid: pod.uid } },
    'payment',
    delay,
  );
  return {
    state: { state: waiting, lastState: outOfMemory(pod, current, index), restarts: index, isReady: false, isStarted: false },
    readinessChangedAt: current.endedAt,
  };
};

/** The state of the container in a pod of T0, at a time of the story. */
export const paymentState = (shop: Shop, pod: ShopPod, ordinal: number, at: number): PaymentState =>
  livesState(pod, paymentLives(shop, ordinal, at), at);
