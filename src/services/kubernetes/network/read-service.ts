// Reads what is known of a Service: its slices and pods.

import { type KubeObject, mapAt, nameOf, namespaceOf } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { isTakingPart } from './ends.ts';
import type { ServiceFacts } from './service.ts';
import type { World } from './world.ts';

export const readService = async (world: World, service: KubeObject, port: string | undefined): Promise<ServiceFacts> => {
  const namespace = namespaceOf(service) ?? '';
  const selector = Object.entries(mapAt(service, 'spec', 'selector')).map(([key, value]) => `${key}=${value}`);
  const [slices, pods] = await Promise.all([
    world.client.listAll(RESOURCES.endpointslices, {
      namespace,
      labelSelector: `kubernetes.io/service-name=${nameOf(service)}`,
      signal: world.signal,
    }),
    selector.length === 0 ? [] : world.pods(namespace, selector.join(',')),
  ]);
  const chosen = pods.filter(isTakingPart);
  const others = selector.length > 0 && chosen.length === 0 ? (await world.pods(namespace)).filter(isTakingPart) : [];
  return { service, slices: slices.items, pods: chosen, others, port };
};

/** A Service by name; undefined when it is absent. */
export const findService = (world: World, name: string, namespace: string): Promise<KubeObject | undefined> =>
  world.client.find(RESOURCES.services, { name, namespace, signal: world.signal });

export const serviceNames = async (world: World, namespace: string): Promise<readonly string[]> =>
  (await world.client.listAll(RESOURCES.services, { namespace, signal: world.signal })).items.map(nameOf);
