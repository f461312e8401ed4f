// Puts the marks of a lived life on an object: identity, times, and who wrote which fields.
import { type Shop, uuidOf } from '../../shop.ts';
import { withDefaults } from '../defaults.ts';
import { type JsonObject, toTime } from '../json.ts';
import { sortedManagers, toManagedFields } from '../managed-fields.ts';
import type { KubernetesObject, ManagedFields, ObjectMeta, OwnerReference } from '../object.ts';

export interface Stamp {
  readonly createdAt: number;
  /** Times the specification was written; absent for kinds without a generation. */
  readonly generation?: number;
  readonly manager: string;
  readonly writtenAt?: number;
  readonly owner?: KubernetesObject;
  readonly generateName?: string;
  readonly status?: JsonObject;
  readonly statusManager?: string;
  readonly statusAt?: number;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
  readonly hasDefaults?: boolean;
  /** What its writer wrote, where the server added more; the object itself when absent. */
  readonly written?: KubernetesObject;
}

export const uidOf = (shop: Shop, kind: string, namespace: string | undefined, name: string): string =>
  uuidOf(`${shop.seed}/${kind}/${namespace ?? ''}/${name}`);

export const ownedBy = ({ apiVersion, kind, metadata }: KubernetesObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

const toMetadata = (shop: Shop, object: KubernetesObject, stamp: Stamp): ObjectMeta => {
  const { name, namespace, labels, annotations } = object.metadata;
  const notes = { ...annotations, ...stamp.annotations };
  return {
    name,
    ...(stamp.generateName === undefined ? {} : { generateName: stamp.generateName }),
    ...(namespace === undefined ? {} : { namespace }),
    uid: stamp.uid ?? uidOf(shop, object.kind, namespace, name),
    ...(stamp.generation === undefined ? {} : { generation: stamp.generation }),
    creationTimestamp: toTime(stamp.createdAt),
    ...(labels === undefined ? {} : { labels }),
    ...(Object.keys(notes).length === 0 ? {} : { annotations: notes }),
    ...(stamp.owner === undefined ? {} : { ownerReferences: [ownedBy(stamp.owner)] }),
    ...(object.metadata.finalizers === undefined ? {} : { finalizers: object.metadata.finalizers }),
  };
};

/** The object as a server stores it: with defaults, status, uid, times and managed fields. */
export const stamped = (shop: Shop, object: KubernetesObject, stamp: Stamp): KubernetesObject => {
  const complete = stamp.hasDefaults === false ? object : withDefaults(object);
  const metadata = toMetadata(shop, complete, stamp);
  const status = stamp.status === undefined ? {} : { status: stamp.status };
  const { apiVersion, kind } = object;
  const { status: _status, ...written } = stamp.written ?? complete;
  const fields: ManagedFields[] = [
    toManagedFields(
      { ...written, metadata },
      { manager: stamp.manager, operation: 'Update', time: toTime(stamp.writtenAt ?? stamp.createdAt), apiVersion, kind },
    ),
  ];
  if (stamp.status !== undefined && stamp.statusManager !== undefined) {
    const time = toTime(stamp.statusAt ?? stamp.createdAt);
    fields.push(
      toManagedFields(status, { manager: stamp.statusManager, operation: 'Update', time, apiVersion, kind, subresource: 'status' }),
    );
  }
  return { ...complete, metadata: { ...metadata, managedFields: sortedManagers(fields) }, ...status };
};

/** The same object with fields of another manager, in the order of time. */
export const withManager = (object: KubernetesObject, ...fields: readonly ManagedFields[]): KubernetesObject => ({
  ...object,
  metadata: { ...object.metadata, managedFields: sortedManagers([...(object.metadata.managedFields ?? []), ...fields]) },
});
