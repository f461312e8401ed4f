// An object that is not there: the error names the near ones.

import { AppError, toAppError } from '../../kit/errors.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import type { KubeObject } from '../../upstream/kubernetes/objects.ts';
import type { ResourceRef } from '../../upstream/kubernetes/resources.ts';
import { scanTable } from './scan.ts';

export interface Wanted {
  readonly resource: ResourceRef;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly signal: AbortSignal;
}

/** @throws NOT_FOUND with `nearest` */
export const getOrNear = async (client: KubernetesClient, { resource, name, namespace, signal }: Wanted): Promise<KubeObject> => {
  try {
    return { ...(await client.get(resource, { name, namespace, signal })), kind: resource.kind };
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code !== 'NOT_FOUND') throw thrown;
    const scope = resource.namespaced ? namespace : undefined;
    const scan = await scanTable(client, resource, { namespace: scope, labelSelector: undefined, fieldSelector: undefined, signal }).catch(
      () => undefined,
    );
    const nearest = nearestNames(name, scan?.rows.map((row) => row.name) ?? []);
    throw new AppError('NOT_FOUND', error.message, {
      details: { ...error.details, ...(nearest.length > 0 ? { nearest } : {}) },
      cause: error,
    });
  }
};
