// What a pod asks of a node, as the scheduler and `kubectl describe node` reckon it (component-helpers/resource: PodRequests).

import { type KubeObject, listAt, mapAt, textAt } from '../../upstream/kubernetes/objects.ts';
import { parseQuantity } from '../../upstream/kubernetes/quantity.ts';

export type Part = 'requests' | 'limits';

const amountOf = (container: unknown, part: Part, resource: string): number =>
  parseQuantity(mapAt(container, 'resources', part)[resource]) ?? 0;

/** An init container that stays. */
export const isSidecar = (container: unknown): boolean => textAt(container, 'restartPolicy') === 'Always';

/**
 * Containers and sidecars run together; an ordinary init container runs beside the sidecars before it, alone. The larger of the two counts,
 * with the overhead of the runtime. Amounts of the pod as a whole take the place of those of its containers.
 */
export const podAmount = (pod: KubeObject, part: Part, resource: string): number => {
  const overhead = parseQuantity(mapAt(pod, 'spec', 'overhead')[resource]) ?? 0;
  const whole = parseQuantity(mapAt(pod, 'spec', 'resources', part)[resource]);
  if (whole !== undefined) return whole + overhead;
  let sidecars = 0;
  let starting = 0;
  for (const container of listAt(pod, 'spec', 'initContainers')) {
    const amount = amountOf(container, part, resource);
    if (isSidecar(container)) sidecars += amount;
    else starting = Math.max(starting, sidecars + amount);
  }
  const running = listAt(pod, 'spec', 'containers').reduce((sum, container) => sum + amountOf(container, part, resource), sidecars);
  return Math.max(running, starting) + overhead;
};
