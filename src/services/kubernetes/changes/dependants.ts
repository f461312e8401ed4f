// What goes with an object, and what holds it: dependants by owner reference, finalizers, volumes, Services without endpoints.

import type { CallContext } from '../../../kit/context.ts';
import { toAppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type KubeObject, kindOf, metadataOf, nameOf, ownersOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES, type ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import { servicesOf } from './impact.ts';
import type { Work } from './update.ts';

/** What the built-in controllers make for an owner. */
const MADE_BY: Readonly<Record<string, readonly ResourceRef[]>> = {
  Deployment: [RESOURCES.replicasets, RESOURCES.pods],
  ReplicaSet: [RESOURCES.pods],
  ReplicationController: [RESOURCES.pods],
  StatefulSet: [RESOURCES.pods, RESOURCES.controllerrevisions],
  DaemonSet: [RESOURCES.pods, RESOURCES.controllerrevisions],
  CronJob: [RESOURCES.jobs, RESOURCES.pods],
  Job: [RESOURCES.pods],
  Service: [RESOURCES.endpointslices],
};

export interface Dependants {
  /** `{ ReplicaSet: 2, Pod: 6 }` */
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
}

/** Everything below an object, level by level, of the kinds that its controllers make. */
export const readDependants = async (
  client: KubernetesClient,
  object: KubeObject,
  resource: ResourceRef,
  { signal }: CallContext,
): Promise<Dependants> => {
  const levels = MADE_BY[resource.kind] ?? [];
  const owners = new Set([metadataOf(object).uid]);
  const counts: Record<string, number> = {};
  for (const level of levels) {
    try {
      const { items } = await client.listAll(level, { namespace: metadataOf(object).namespace, signal });
      const owned = items.filter((item) => ownersOf(item).some(({ uid }) => owners.has(uid)));
      for (const item of owned) owners.add(metadataOf(item).uid);
      if (owned.length > 0) counts[level.kind] = owned.length;
    } catch (thrown) {
      const { code, message } = toAppError(thrown);
      if (code !== 'FORBIDDEN') throw thrown;
      return { counts, warnings: [`what ${resource.kind} ${nameOf(object)} owns could not be read: ${message}`] };
    }
  }
  return { counts, warnings: [] };
};

/** What waits before it lets an object go, with who takes it away where that is known. */
const FINALIZERS: Readonly<Record<string, string>> = {
  'kubernetes.io/pvc-protection': 'goes when no pod uses the claim',
  'kubernetes.io/pv-protection': 'goes when no claim uses the volume',
  foregroundDeletion: 'goes when the dependants are gone',
  orphan: 'goes when the dependants are let loose',
};

const readVolume = async ({ client, ctx }: Work, claim: KubeObject): Promise<string[]> => {
  const name = textAt(claim, 'spec', 'volumeName');
  if (name === undefined) return [];
  const volume = await client.find(RESOURCES.persistentvolumes, { name, signal: ctx.signal }).catch((thrown: unknown) => {
    if (toAppError(thrown).code === 'FORBIDDEN') return undefined;
    throw thrown;
  });
  const policy = textAt(volume, 'spec', 'persistentVolumeReclaimPolicy');
  if (policy === 'Delete') return [`data loss: the volume ${name} and its data go too (reclaim policy Delete)`];
  return [policy === undefined ? `its volume ${name} could not be read` : `the volume ${name} stays (reclaim policy ${policy})`];
};

/** What a reader should know before an object goes. */
export const readDangers = async (work: Work, object: KubeObject): Promise<string[]> => {
  const kind = kindOf(object);
  const title = `${kind} ${nameOf(object)}`;
  const warnings: string[] = metadataOf(object).finalizers.map(
    (name) => `${title} has the finalizer ${name}: it ${FINALIZERS[name] ?? 'stays until its controller has taken that away'}`,
  );
  if (metadataOf(object).deletedAt !== undefined) warnings.push(`${title} is being deleted already`);
  if (kind === 'PersistentVolumeClaim') warnings.push(...(await readVolume(work, object)));
  if (kind === 'Namespace') warnings.push(`everything in the namespace ${nameOf(object)} goes with it`);
  if (kind === 'CustomResourceDefinition') warnings.push('all objects of this kind go with it');
  if (['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].includes(kind)) {
    const services = await servicesOf(work, object, warnings);
    if (services.length > 0) warnings.push(`outage: the Services ${services.join(', ')} may lose their endpoints`);
  }
  return warnings;
};
