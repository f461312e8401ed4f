// What pods and nodes use now, put together from their containers: the source of metrics and of the kubelet's figures.
import { containerUsage, PAYMENT, type Shop, type Usage } from '../shop.ts';
import { isObject, numberAt, objectsAt, textAt, timeAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import { poolSizeOfRun } from './payment-settings.ts';
import { roleOf } from './pod-source.ts';
import type { ObjectStore } from './store.ts';

export interface ContainerUse extends Usage {
  readonly name: string;
  readonly startedAt: number;
}

/** What a node uses beside its pods. */
const SYSTEM: Usage = { cpu: 0.11, memory: 640 * 2 ** 20 };

/** The containers of a pod that run, with what they use; ended and waiting ones use nothing. */
export const podUse = (shop: Shop, store: ObjectStore, pod: KubernetesObject, at: number): ContainerUse[] => {
  const { workload, ordinal } = roleOf(shop, pod);
  const statuses = [...objectsAt(pod, 'status', 'initContainerStatuses'), ...objectsAt(pod, 'status', 'containerStatuses')];
  return statuses.flatMap((status) => {
    const running = status['state'];
    const startedAt = isObject(running) ? timeAt(running, 'running', 'startedAt') : undefined;
    if (startedAt === undefined) return [];
    const name = textAt(status, 'name');
    const run = { startedAt, index: numberAt(status, 'restartCount') };
    const isSick = workload === 'payment' && poolSizeOfRun(shop, store, pod, run) < PAYMENT.good.poolSize;
    const use = containerUsage(shop, { uid: pod.metadata.uid ?? '', workload }, name, at, isSick ? ordinal : undefined);
    return use === undefined ? [] : [{ name, startedAt, ...use }];
  });
};

export const sumOf = (uses: readonly Usage[]): Usage =>
  uses.reduce((total, { cpu, memory }) => ({ cpu: total.cpu + cpu, memory: total.memory + memory }), { cpu: 0, memory: 0 });

export const podsOn = (store: ObjectStore, node: string): KubernetesObject[] =>
  store.all('pods').filter((pod) => textAt(pod, 'spec', 'nodeName') === node);

export const nodeUse = (shop: Shop, store: ObjectStore, node: string, at: number): Usage =>
  sumOf([SYSTEM, ...podsOn(store, node).flatMap((pod) => podUse(shop, store, pod, at))]);
