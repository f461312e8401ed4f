// What a write does beyond its own object, that its fields do not show.

import { type KubeObject, kindOf, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import type { Difference } from './difference.ts';

const BY_KIND: Readonly<Record<string, string>> = {
  Role: 'changes who may do what in its namespace',
  RoleBinding: 'changes who may do what in its namespace',
  ClusterRole: 'changes who may do what in the cluster',
  ClusterRoleBinding: 'changes who may do what in the cluster',
  MutatingWebhookConfiguration: 'decides about requests of others to the API server',
  ValidatingWebhookConfiguration: 'decides about requests of others to the API server',
  ValidatingAdmissionPolicyBinding: 'decides about requests of others to the API server',
  APIService: 'takes over a part of the API of this cluster',
};

/** The server deletes what is being deleted as soon as its last finalizer goes: such a patch is a deletion. */
export const completesDeletion = (before: KubeObject, after: KubeObject): boolean =>
  metadataOf(before).deletedAt !== undefined && metadataOf(before).finalizers.length > 0 && metadataOf(after).finalizers.length === 0;

export const consequencesOf = (after: KubeObject, changes: readonly Difference[]): string[] => {
  const kind = kindOf(after);
  const words = BY_KIND[kind];
  const isOwned = changes.some(
    ({ path: [first, second], after: owners }) => first === 'metadata' && second === 'ownerReferences' && owners !== undefined,
  );
  return [
    ...(words === undefined || changes.length === 0 ? [] : [`this ${kind} ${words}`]),
    ...(isOwned ? ['the garbage collector deletes an object whose owners are all gone: look at the ownerReferences'] : []),
  ];
};
