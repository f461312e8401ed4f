// The objects of the cluster `demo` at T0, complete as a server stores them.
import { Shop } from '../../shop.ts';
import { type KubernetesObject, keyOf } from '../object.ts';
import { accessObjects } from './access.ts';
import { PLATFORM_APPS } from './apps-platform.ts';
import { SHOP_APPS } from './apps-shop.ts';
import { bootstrapObjects } from './bootstrap.ts';
import { customObjects } from './custom.ts';
import { eventObjects } from './events.ts';
import { helmObjects } from './helm.ts';
import { jobObjects } from './jobs.ts';
import { apiServerObjects, ingressObjects, policyObjects, serviceObjects, withAddresses } from './network.ts';
import { namespaceObjects, nodeObjects } from './nodes.ts';
import { policyObjectsFor, withBudgetStatus } from './policies.ts';
import { storageObjects } from './storage.ts';
import { appObjects } from './workloads.ts';

const isKind =
  (kind: string) =>
  (object: KubernetesObject): boolean =>
    object.kind === kind;

/** The seed objects; T0 is the beginning of the given shop, or the time that the clock shows now. */
export const shopObjects = (clock: () => number, shop: Shop = new Shop({ clock })): KubernetesObject[] => {
  const workloads = [...[...SHOP_APPS, ...PLATFORM_APPS].flatMap((app) => appObjects(shop, app)), ...jobObjects(shop)];
  // In key order, as controllers see them.
  const pods = workloads.filter(isKind('Pod')).toSorted((left, right) => (keyOf(left) < keyOf(right) ? -1 : 1));
  const services = withAddresses(workloads.filter(isKind('Service')));
  const budgets = workloads.filter(isKind('PodDisruptionBudget')).map((budget) => withBudgetStatus(shop, budget, pods));
  const others = workloads.filter(({ kind }) => kind !== 'Service' && kind !== 'PodDisruptionBudget');
  const objects = [...others, ...services, ...budgets, ...policyObjectsFor(shop, pods)];
  return [
    ...bootstrapObjects(shop),
    ...accessObjects(shop),
    ...namespaceObjects(shop),
    ...nodeObjects(shop),
    ...customObjects(shop),
    ...objects,
    ...storageObjects(shop, others),
    ...apiServerObjects(shop),
    ...serviceObjects(shop, services, pods),
    ...ingressObjects(shop),
    ...policyObjects(shop),
    ...helmObjects(shop),
    ...eventObjects(shop, objects),
  ];
};
