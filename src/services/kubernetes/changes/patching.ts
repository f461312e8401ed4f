// Updates by patch. The version that was seen goes along, so that the server refuses when there is another by now.

import type { KubeObject } from '../../../upstream/kubernetes/objects.ts';
import type { ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import type { PatchOptions } from '../../../upstream/kubernetes/writes.ts';
import { type PlannedUpdate, planUpdate, type Work } from './update.ts';

export type Patch = Pick<PatchOptions, 'patch' | 'patchType'>;

export interface PatchTarget {
  readonly resource: ResourceRef;
  readonly subresource?: string | undefined;
  readonly namespace: string | undefined;
  readonly name: string;
  /** The object, or its subresource, as it is now. */
  readonly before: KubeObject;
}

/** A json patch adds: replacing what it may have removed would fail. */
const withVersion = ({ patch, patchType }: Patch, resourceVersion: string): Patch => {
  if (patchType === 'json')
    return { patchType, patch: [...(patch as unknown[]), { op: 'add', path: '/metadata/resourceVersion', value: resourceVersion }] };
  const { metadata, ...rest } = patch as { metadata?: object };
  return { patchType, patch: { ...rest, metadata: { ...metadata, resourceVersion } } };
};

export const planPatch = (work: Work, target: PatchTarget, patch: Patch): Promise<PlannedUpdate> => {
  const { resource, subresource, namespace, name } = target;
  return planUpdate(work, {
    ...target,
    write: ({ dryRun, resourceVersion, signal }) =>
      work.client.patch(resource, { name, namespace, subresource, dryRun, signal, ...withVersion(patch, resourceVersion) }),
  });
};
