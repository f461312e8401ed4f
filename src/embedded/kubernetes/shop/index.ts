// The objects of the cluster `demo` at T0, complete as a server stores them.
import { Shop } from '../../shop.ts';
import { toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { accessObjects } from './access.ts';
import { PLATFORM_APPS } from './apps-platform.ts';
import { SHOP_APPS } from './apps-shop.ts';
import { bootstrapObjects } from './bootstrap.ts';
import { appObjects } from './workloads.ts';

/** The seed objects: T0 is the time that the clock shows now. */
export const shopObjects = (clock: () => number, shop: Shop = new Shop({ clock })): KubernetesObject[] => {
  const apps = [...SHOP_APPS, ...PLATFORM_APPS];
  const namespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease', 'shop', 'data', 'observability', 'ingress'].map(
    (name): KubernetesObject => ({
      kind: 'Namespace',
      apiVersion: 'v1',
      metadata: { name, creationTimestamp: toTime(shop.startedAt) },
      spec: {},
      status: { phase: 'Active' },
    }),
  );
  return [...bootstrapObjects(shop), ...accessObjects(shop), ...namespaces.slice(4), ...apps.flatMap((app) => appObjects(shop, app))];
};
