// Current usage from the metrics API, where a cluster has one.
import type { ListOptions, Lists } from './lists.ts';
import { type Fields, listAt, textAt, timeAt } from './objects.ts';
import { parseQuantity } from './quantity.ts';
import type { ResourceRef } from './resources.ts';

export interface Usage {
  /** Cores. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: number;
}

export interface PodUsage extends Usage {
  readonly namespace: string;
  readonly name: string;
  /** End of the window; milliseconds since the epoch. */
  readonly at: number | undefined;
  readonly containers: readonly (Usage & { readonly name: string })[];
}

export interface NodeUsage extends Usage {
  readonly name: string;
  readonly at: number | undefined;
}

export interface Metrics {
  /** UNSUPPORTED (reason API_ABSENT) without a metrics API; SERVICE_UNAVAILABLE when its backend is down. */
  podMetrics(options: ListOptions): Promise<readonly PodUsage[]>;
  nodeMetrics(options: ListOptions): Promise<readonly NodeUsage[]>;
}

const metricsResource = (kind: string, plural: string, namespaced: boolean): ResourceRef => ({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  kind,
  plural,
  namespaced,
});
const POD_METRICS = metricsResource('PodMetrics', 'pods', true);
const NODE_METRICS = metricsResource('NodeMetrics', 'nodes', false);

export const createMetrics = ({ list }: Lists): Metrics => {
  return {
    podMetrics: async (options) => (await list(POD_METRICS, options)).items.map(toPodUsage),
    nodeMetrics: async (options) =>
      (await list(NODE_METRICS, options)).items.map((item) => ({
        name: textAt(item, 'metadata', 'name') ?? '',
        at: timeAt(item, 'timestamp'),
        ...toUsage(item),
      })),
  };
};

const toUsage = (item: Fields): Usage => ({
  cpu: parseQuantity(textAt(item, 'usage', 'cpu')) ?? 0,
  memory: parseQuantity(textAt(item, 'usage', 'memory')) ?? 0,
});

const toPodUsage = (item: Fields): PodUsage => {
  const containers = listAt(item, 'containers').map((container) => ({ name: textAt(container, 'name') ?? '', ...toUsage(container) }));
  return {
    namespace: textAt(item, 'metadata', 'namespace') ?? '',
    name: textAt(item, 'metadata', 'name') ?? '',
    at: timeAt(item, 'timestamp'),
    containers,
    cpu: containers.reduce((sum, { cpu }) => sum + cpu, 0),
    memory: containers.reduce((sum, { memory }) => sum + memory, 0),
  };
};
