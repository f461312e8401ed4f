// The settings that payment's containers read when they start: a run keeps what it read, whatever is written later.
import { PAYMENT, type Shop } from '../shop.ts';
import { objectAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import type { ObjectStore } from './store.ts';

/** The number of connections that payment's settings allow now. */
export const poolSizeOf = (store: ObjectStore): number =>
  Number(objectAt(store.get('configmaps', 'shop', 'payment-config'), 'data')['DB_POOL_SIZE'] ?? PAYMENT.good.poolSize);

const read = new WeakMap<ObjectStore, Map<string, number>>();

/** The number of connections that a run of a pod's container since T0 has read; runs are counted from 0. */
export const poolSizeAtStart = (store: ObjectStore, uid: string, run: number): number => {
  const known = read.get(store) ?? new Map<string, number>();
  read.set(store, known);
  const key = `${uid}/${run}`;
  const size = known.get(key) ?? poolSizeOf(store);
  known.set(key, size);
  return size;
};

interface Run {
  readonly startedAt: number;
  readonly index: number;
}

/** The number of connections that a run of payment works with; those from before T0 all have the bad settings. */
export const poolSizeOfRun = (shop: Shop, store: ObjectStore, pod: KubernetesObject, { startedAt, index }: Run): number =>
  startedAt <= shop.startedAt ? PAYMENT.bad.poolSize : poolSizeAtStart(store, pod.metadata.uid ?? '', index);
