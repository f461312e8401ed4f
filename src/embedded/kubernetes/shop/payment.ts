// The container `payment` of release r8: what it does at a time, from the runs that the story gives it.
import { type Life, paymentLives, type Shop, type ShopPod } from '../../shop.ts';
import type { JsonObject } from '../json.ts';
import { backingOff, type ContainerState, containerIdOf, terminated } from '../pod-status.ts';

export interface PaymentState {
  readonly state: ContainerState;
  readonly readinessChangedAt: number;
}

/** The delay before each restart, as the kubelet doubles it. */
const DELAYS = ['10s', '20s', '40s', '1m20s', '2m40s', '5m0s'];

const outOfMemory = (pod: ShopPod, life: Life, index: number): JsonObject =>
  terminated({
    reason: 'OOMKilled',
    exitCode: 137,
    startedAt: life.startedAt,
    endedAt: life.endedAt ?? life.startedAt,
    containerId: containerIdOf(pod.uid, 'payment', index),
  });

/** How long after its start the container passes its readiness probe. */
const WARM_UP = 8000;

/** The state of the container at a time; `restarts` counts the ends it has come back from. */
export const paymentState = (shop: Shop, pod: ShopPod, ordinal: number, at: number): PaymentState => {
  const lives = paymentLives(shop, ordinal, at);
  const index = lives.length - 1;
  const current = lives[index];
  const before = lives[index - 1];
  if (current === undefined) throw new Error(`payment pod ${ordinal} has not begun yet`);
  if (current.endedAt === undefined) {
    const isReady = at >= current.startedAt + WARM_UP;
    return {
      state: {
        state: { running: { startedAt: `${new Date(current.startedAt).toISOString().slice(0, 19)}Z` } },
        lastState: before === undefined ? {} : outOfMemory(pod, before, index - 1),
        restarts: index,
        isReady,
        isStarted: true,
      },
      readinessChangedAt: isReady ? current.startedAt + WARM_UP : (before?.endedAt ?? current.startedAt),
    };
  }
  const delay = DELAYS[Math.min(index, DELAYS.length) - 1] ?? '10s';
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
