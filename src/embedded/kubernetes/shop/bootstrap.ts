// What every new cluster has before anybody uses it: default roles, bindings, service accounts, flow control, priority classes.

import type { Shop } from '../../shop.ts';
import { readDataFile } from '../data-files.ts';
import { isObject, type Json, type JsonObject, parseJson, textAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { CLUSTER_AGE } from './app.ts';
import { uidOf } from './stamp.ts';

const isKubernetesObject = (value: Json): value is KubernetesObject =>
  isObject(value) && isObject(value['metadata']) && textAt(value, 'kind') !== '';

let cached: readonly KubernetesObject[] | undefined;

const read = (): readonly KubernetesObject[] => {
  if (cached === undefined) {
    const list = parseJson(readDataFile('bootstrap.json.gz'));
    cached = Array.isArray(list) ? list.filter(isKubernetesObject) : [];
  }
  return cached;
};

/** Every time in the data is that of the server they came from; here it is the birth of the cluster. */
const withTimes = (value: Json | undefined, time: string): Json => {
  if (typeof value === 'string') return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(value) ? time : value;
  if (Array.isArray(value)) return value.map((item) => withTimes(item, time));
  if (!isObject(value)) return value ?? null;
  const copy: JsonObject = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) copy[key] = withTimes(item, time);
  return copy;
};

/** The objects of a fresh control plane, as old as the cluster. */
export const bootstrapObjects = (shop: Shop): KubernetesObject[] => {
  const time = toTime(shop.before(CLUSTER_AGE));
  return read().flatMap((object) => {
    const copy = withTimes(object, time);
    if (!isKubernetesObject(copy)) return [];
    const { resourceVersion: _revision, ...metadata } = copy.metadata;
    const { name, namespace } = metadata;
    return [{ ...copy, metadata: { ...metadata, name, uid: uidOf(shop, copy.kind, namespace, name) } }];
  });
};
