// What every object of a cluster has: its type and its metadata.
import type { JsonObject } from './json.ts';

export interface OwnerReference extends JsonObject {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFields extends JsonObject {
  manager: string;
  operation: string;
  apiVersion: string;
  time?: string;
  fieldsType: string;
  fieldsV1: JsonObject;
  subresource?: string;
}

export interface ObjectMeta extends JsonObject {
  name: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFields[];
}

/** An object as the API shows it alone, with its type; in lists of built-in kinds the type stands at the list. */
export interface KubernetesObject extends JsonObject {
  kind: string;
  apiVersion: string;
  metadata: ObjectMeta;
}

/** `<namespace>/<name>`, or `<name>` of a cluster-wide object: the order of keys is the order of lists. */
export const toKey = (namespace: string, name: string): string => (namespace === '' ? name : `${namespace}/${name}`);

export const keyOf = ({ metadata }: KubernetesObject): string => toKey(metadata.namespace ?? '', metadata.name);
