// Resource quotas: what a namespace uses of them, and whether a new object still fits (admission plugin ResourceQuota).
import { type JsonObject, objectAt, objectsAt, textAt, textsAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import { parseQuantity, toQuantity } from './quantity.ts';
import type { ObjectStore } from './store.ts';

const AMOUNT = /^(requests|limits)\.(cpu|memory)$/;

const amountOf = (container: JsonObject, name: string): number => {
  const [, kind = '', amount = ''] = AMOUNT.exec(name) ?? [];
  return parseQuantity(textAt(container, 'resources', kind, amount) || '0') || 0;
};

const isSidecar = (container: JsonObject): boolean => container['restartPolicy'] === 'Always';

/** What a pod takes: its containers and sidecars together, or more while a greater one prepares it. */
const podAmount = (pod: KubernetesObject, name: string): number => {
  const inits = objectsAt(pod, 'spec', 'initContainers');
  const lasting = [...objectsAt(pod, 'spec', 'containers'), ...inits.filter(isSidecar)];
  const together = lasting.reduce((sum, container) => sum + amountOf(container, name), 0);
  return Math.max(together, ...inits.map((container) => amountOf(container, name)));
};

const hasEnded = (pod: KubernetesObject): boolean => ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'));

const toText = (name: string, value: number): string =>
  AMOUNT.test(name) ? toQuantity(value, name.endsWith('cpu') ? 'decimal' : 'binary') : String(value);

/** What an object of a resource adds to an entry of a quota; undefined when the entry is about something else. */
const shareOf = (resource: string, object: KubernetesObject, name: string): number | undefined => {
  if (resource === 'pods' && (name === 'pods' || AMOUNT.test(name))) return name === 'pods' ? 1 : podAmount(object, name);
  return name.replace(/^count\//, '') === resource ? 1 : undefined;
};

const usedAmount = (store: ObjectStore, namespace: string, name: string): number => {
  const resource = name === 'pods' || AMOUNT.test(name) ? 'pods' : name.replace(/^count\//, '');
  const objects = store.all(resource, namespace).filter((object) => name.startsWith('count/') || resource !== 'pods' || !hasEnded(object));
  return objects.reduce((sum, object) => sum + (shareOf(resource, object, name) ?? 0), 0);
};

/** What is used of each entry of a quota. */
export const usedOf = (store: ObjectStore, quota: KubernetesObject): JsonObject => {
  const names = Object.keys(objectAt(quota, 'spec', 'hard'));
  return Object.fromEntries(names.map((name) => [name, toText(name, usedAmount(store, quota.metadata.namespace ?? '', name))]));
};

/** Containers must name the amounts that are limited. */
const missingOf = (quota: KubernetesObject, pod: KubernetesObject): string => {
  const containers = [...objectsAt(pod, 'spec', 'containers'), ...objectsAt(pod, 'spec', 'initContainers')];
  const missing = Object.keys(objectAt(quota, 'spec', 'hard'))
    .filter((name) => AMOUNT.test(name))
    .toSorted()
    .flatMap((name) => {
      const [, kind = '', amount = ''] = AMOUNT.exec(name) ?? [];
      const without = containers.filter((container) => textAt(container, 'resources', kind, amount) === '');
      const names = [...new Set(without.map((container) => textAt(container, 'name')))].toSorted();
      return names.length === 0 ? [] : [`${name} for: ${names.join(',')}`];
    });
  return missing.length === 0 ? '' : `must specify ${missing.join('; ')}`;
};

interface Excess {
  readonly name: string;
  readonly requested: string;
  readonly used: string;
  readonly limited: string;
}

const listOf = (excesses: readonly Excess[], key: 'requested' | 'used' | 'limited'): string =>
  excesses.map((excess) => `${excess.name}=${excess[key]}`).join(',');

/** Why a new object does not fit into the quotas of its namespace; undefined when it does. */
export const quotaFault = (store: ObjectStore, resource: string, object: KubernetesObject): string | undefined => {
  const namespace = object.metadata.namespace ?? '';
  if (namespace === '') return undefined;
  for (const quota of store.all('resourcequotas', namespace)) {
    const missing = resource === 'pods' ? missingOf(quota, object) : '';
    if (missing !== '') return `failed quota: ${quota.metadata.name}: ${missing}`;
    const excesses = Object.entries(textsAt(quota, 'spec', 'hard'))
      .toSorted(([left], [right]) => (left < right ? -1 : 1))
      .flatMap(([name, limited]): Excess[] => {
        const share = shareOf(resource, object, name);
        if (share === undefined) return [];
        const used = usedAmount(store, namespace, name);
        if (used + share <= parseQuantity(limited)) return [];
        return [{ name, requested: toText(name, share), used: toText(name, used), limited }];
      });
    if (excesses.length === 0) continue;
    const [requested, used, limited] = [listOf(excesses, 'requested'), listOf(excesses, 'used'), listOf(excesses, 'limited')];
    return `exceeded quota: ${quota.metadata.name}, requested: ${requested}, used: ${used}, limited: ${limited}`;
  }
  return undefined;
};
