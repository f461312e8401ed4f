// Usage now, from the metrics API or, without one, from the kubelets' summaries reduced to five numbers a row.

import { AppError, toAppError } from '../../kit/errors.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import type { PodUsage } from '../../upstream/kubernetes/metrics.ts';
import {
  fieldsAt,
  type KubeObject,
  listAt,
  mapAt,
  metadataOf,
  nameOf,
  namespaceOf,
  numberAt,
  textAt,
} from '../../upstream/kubernetes/objects.ts';
import { parseQuantity } from '../../upstream/kubernetes/quantity.ts';
import { RESOURCES } from '../../upstream/kubernetes/resources.ts';
import { isSidecar, podAmount } from './requests.ts';

/** Nodes asked for their summary in one call. */
const MAX_NODES = 20;
const PARALLEL = 5;
const MAX_PODS = 20_000;

export interface Amount {
  readonly used: number | undefined;
  readonly request: number;
  readonly limit: number;
}

/** Usage, requests and limits of one container, pod, workload, namespace or node. CPU in cores, memory in bytes. */
export interface UsageRow {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly cpu: Amount;
  readonly memory: Amount;
  readonly restarts: number;
  readonly pods: number;
}

export interface UsageReading {
  readonly rows: readonly UsageRow[];
  readonly source: 'metrics-api' | 'kubelet';
  readonly warnings: readonly string[];
}

interface Measured {
  /** Used CPU and memory by `namespace/pod/container`. */
  readonly containers: ReadonlyMap<string, { readonly cpu: number; readonly memory: number }>;
  readonly nodes: ReadonlyMap<string, { readonly cpu: number; readonly memory: number }>;
  readonly source: UsageReading['source'];
  readonly warnings: readonly string[];
}

interface Scope {
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
}

const toKey = (namespace: string, pod: string, container: string): string => `${namespace}/${pod}/${container}`;

const fromMetrics = async (client: KubernetesClient, { namespace, signal }: Scope, wantsNodes: boolean): Promise<Measured> => {
  const [pods, nodes] = await Promise.all([
    wantsNodes ? Promise.resolve<readonly PodUsage[]>([]) : client.podMetrics({ namespace, signal }),
    wantsNodes ? client.nodeMetrics({ signal }) : Promise.resolve([]),
  ]);
  return {
    containers: new Map(
      pods.flatMap((pod) =>
        pod.containers.map(({ name, cpu, memory }) => [toKey(pod.namespace, pod.name, name), { cpu, memory }] as const),
      ),
    ),
    nodes: new Map(nodes.map(({ name, cpu, memory }) => [name, { cpu, memory }])),
    source: 'metrics-api',
    warnings: [],
  };
};

const toUse = (part: unknown): { cpu: number; memory: number } => ({
  cpu: (numberAt(part, 'cpu', 'usageNanoCores') ?? 0) / 1e9,
  memory: numberAt(part, 'memory', 'workingSetBytes') ?? 0,
});

const fromKubelets = async (client: KubernetesClient, nodes: readonly KubeObject[], { signal }: Scope): Promise<Measured> => {
  const asked = nodes.slice(0, MAX_NODES).map(nameOf);
  const warnings = nodes.length > MAX_NODES ? [`Without the metrics API only ${MAX_NODES} of ${nodes.length} nodes were asked.`] : [];
  const containers = new Map<string, { cpu: number; memory: number }>();
  const used = new Map<string, { cpu: number; memory: number }>();
  const ask = async (node: string): Promise<void> => {
    const summary = await client.nodeSummary({ node, signal, timeoutMs: 10_000 }).catch((thrown: unknown) => {
      const error = toAppError(thrown);
      if (error.code === 'CANCELLED' || error.code === 'INTERNAL') throw thrown;
      warnings.push(`${node}: ${error.message}`);
      return undefined;
    });
    if (summary === undefined) return;
    used.set(node, toUse(fieldsAt(summary, 'node')));
    for (const pod of listAt(summary, 'pods')) {
      for (const container of listAt(pod, 'containers')) {
        containers.set(
          toKey(textAt(pod, 'podRef', 'namespace') ?? '', textAt(pod, 'podRef', 'name') ?? '', textAt(container, 'name') ?? ''),
          toUse(container),
        );
      }
    }
  };
  await inParallel(asked, PARALLEL, ask);
  if (used.size === 0) {
    throw new AppError('UNSUPPORTED', 'This cluster has no metrics API, and no kubelet gave its summary.', {
      details: { needs: 'metrics-server, or get on nodes/proxy', reasons: warnings.slice(0, 3) },
    });
  }
  return { containers, nodes: used, source: 'kubelet', warnings: ['No metrics API here: read from the kubelets.', ...warnings] };
};

/** The metrics API when it is there and answers, the kubelets otherwise. */
const measure = async (
  client: KubernetesClient,
  nodes: () => Promise<readonly KubeObject[]>,
  scope: Scope,
  wantsNodes: boolean,
): Promise<Measured> => {
  try {
    return await fromMetrics(client, scope, wantsNodes);
  } catch (thrown) {
    const { code } = toAppError(thrown);
    if (code !== 'UNSUPPORTED' && code !== 'SERVICE_UNAVAILABLE') throw thrown;
    return fromKubelets(client, await nodes(), scope);
  }
};

const quantityOf = (container: unknown, part: 'requests' | 'limits', name: string): number =>
  parseQuantity(mapAt(container, 'resources', part)[name]) ?? 0;

const toContainerRows = (pod: KubeObject, { containers }: Measured): UsageRow[] => {
  const namespace = namespaceOf(pod) ?? '';
  const statuses = new Map(
    [...listAt(pod, 'status', 'containerStatuses'), ...listAt(pod, 'status', 'initContainerStatuses')].map((status) => [
      textAt(status, 'name'),
      numberAt(status, 'restartCount') ?? 0,
    ]),
  );
  const sidecars = listAt(pod, 'spec', 'initContainers').filter(isSidecar);
  return [...listAt(pod, 'spec', 'containers'), ...sidecars].map((container) => {
    const name = textAt(container, 'name') ?? '';
    const used = containers.get(toKey(namespace, nameOf(pod), name));
    return {
      name: `${nameOf(pod)}/${name}`,
      namespace,
      cpu: { used: used?.cpu, request: quantityOf(container, 'requests', 'cpu'), limit: quantityOf(container, 'limits', 'cpu') },
      memory: {
        used: used?.memory,
        request: quantityOf(container, 'requests', 'memory'),
        limit: quantityOf(container, 'limits', 'memory'),
      },
      restarts: statuses.get(name) ?? 0,
      pods: 1,
    };
  });
};

const add = (a: Amount, b: Amount): Amount => ({
  used: a.used === undefined && b.used === undefined ? undefined : (a.used ?? 0) + (b.used ?? 0),
  request: a.request + b.request,
  limit: a.limit + b.limit,
});

const NOTHING: Amount = { used: undefined, request: 0, limit: 0 };

const sumRows = (name: string, namespace: string | undefined, rows: readonly UsageRow[], pods: number): UsageRow => ({
  name,
  namespace,
  cpu: rows.reduce((sum, row) => add(sum, row.cpu), NOTHING),
  memory: rows.reduce((sum, row) => add(sum, row.memory), NOTHING),
  restarts: rows.reduce((sum, row) => sum + row.restarts, 0),
  pods,
});

/** `deployment/web` of a pod, by its owner; a ReplicaSet is named after its Deployment and a hash. */
export const workloadOf = (pod: KubeObject): string => {
  const owner = metadataOf(pod).owners.find(({ controller }) => controller);
  if (owner === undefined) return `pod/${nameOf(pod)}`;
  const hash = mapAt(pod, 'metadata', 'labels')['pod-template-hash'];
  return owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)
    ? `deployment/${owner.name.slice(0, -hash.length - 1)}`
    : `${owner.kind.toLowerCase()}/${owner.name}`;
};

const isActive = (pod: KubeObject): boolean => !['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? '');

export type UsageScope = 'node' | 'namespace' | 'workload' | 'pod' | 'container';

const readPods = async (client: KubernetesClient, scope: Scope): Promise<readonly KubeObject[]> =>
  (await client.listAll(RESOURCES.pods, { ...scope, maxItems: MAX_PODS })).items.filter(isActive);
const readNodes = async (client: KubernetesClient, { signal }: Scope): Promise<readonly KubeObject[]> =>
  (await client.listAll(RESOURCES.nodes, { signal })).items;

const requestedOf = (pods: readonly KubeObject[], resource: string): number =>
  pods.reduce((sum, pod) => sum + podAmount(pod, 'requests', resource), 0);

const toNodeRows = (nodes: readonly KubeObject[], pods: readonly KubeObject[], measured: Measured): UsageRow[] =>
  nodes.map((node) => {
    const own = pods.filter((pod) => textAt(pod, 'spec', 'nodeName') === nameOf(node));
    const requested = sumRows(
      nameOf(node),
      undefined,
      own.flatMap((pod) => toContainerRows(pod, measured)),
      own.length,
    );
    const allocatable = mapAt(node, 'status', 'allocatable');
    const used = measured.nodes.get(nameOf(node));
    // A node's limit is what it can give.
    return {
      ...requested,
      cpu: { used: used?.cpu, request: requestedOf(own, 'cpu'), limit: parseQuantity(allocatable['cpu']) ?? 0 },
      memory: { used: used?.memory, request: requestedOf(own, 'memory'), limit: parseQuantity(allocatable['memory']) ?? 0 },
      restarts: 0,
    };
  });

/** Rows of a scope with what they use, ask for and may use. */
export const readUsage = async (client: KubernetesClient, kind: UsageScope, scope: Scope): Promise<UsageReading> => {
  const isNode = kind === 'node';
  const nodes = readNodes.bind(undefined, client, scope);
  const [measured, pods, nodeList] = await Promise.all([
    measure(client, nodes, scope, isNode),
    readPods(client, isNode ? { ...scope, namespace: undefined } : scope),
    isNode ? nodes() : Promise.resolve([]),
  ]);
  const { source, warnings } = measured;
  if (isNode) return { rows: toNodeRows(nodeList, pods, measured), source, warnings };
  const byPod = pods.map((pod) => ({ pod, rows: toContainerRows(pod, measured) }));
  if (kind === 'container') return { rows: byPod.flatMap(({ rows }) => rows), source, warnings };
  const groups = new Map<string, { name: string; namespace: string | undefined; rows: UsageRow[]; pods: number }>();
  for (const { pod, rows } of byPod) {
    const namespace = namespaceOf(pod);
    const name = kind === 'pod' ? nameOf(pod) : kind === 'workload' ? workloadOf(pod) : (namespace ?? '');
    const key = `${namespace}/${name}`;
    const group = groups.get(key) ?? { name, namespace: kind === 'namespace' ? undefined : namespace, rows: [], pods: 0 };
    group.rows.push(...rows);
    group.pods += 1;
    groups.set(key, group);
  }
  return { rows: [...groups.values()].map((group) => sumRows(group.name, group.namespace, group.rows, group.pods)), source, warnings };
};

export interface CapacityRow {
  readonly node: string;
  readonly cpu: { readonly allocatable: number; readonly requested: number; readonly free: number };
  readonly memory: { readonly allocatable: number; readonly requested: number; readonly free: number };
  readonly pods: { readonly allocatable: number; readonly running: number };
  /** Why nothing can be scheduled there now. */
  readonly closed: string | undefined;
}

/** Allocatable against requested, per node. */
export const readCapacity = async (client: KubernetesClient, scope: Scope): Promise<readonly CapacityRow[]> => {
  const [nodes, pods] = await Promise.all([readNodes(client, scope), readPods(client, { ...scope, namespace: undefined })]);
  return nodes.map((node) => {
    const own = pods.filter((pod) => textAt(pod, 'spec', 'nodeName') === nameOf(node));
    const allocatable = mapAt(node, 'status', 'allocatable');
    const toPart = (name: string) => {
      const total = parseQuantity(allocatable[name]) ?? 0;
      const requested = requestedOf(own, name);
      return { allocatable: total, requested, free: Math.max(0, total - requested) };
    };
    const isReady = listAt(node, 'status', 'conditions').some(
      (condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
    );
    const taint = listAt(node, 'spec', 'taints').find((item) => /NoSchedule|NoExecute/.test(textAt(item, 'effect') ?? ''));
    const closed =
      fieldsAt(node, 'spec')['unschedulable'] === true
        ? 'cordoned'
        : !isReady
          ? 'not ready'
          : taint === undefined
            ? undefined
            : `taint ${textAt(taint, 'key')}`;
    return {
      node: nameOf(node),
      cpu: toPart('cpu'),
      memory: toPart('memory'),
      pods: { allocatable: parseQuantity(allocatable['pods']) ?? 0, running: own.length },
      closed,
    };
  });
};

export interface QuotaRow {
  readonly namespace: string;
  readonly quota: string;
  readonly resource: string;
  readonly used: string;
  readonly hard: string;
  readonly percent: number;
}

/** Used against hard, per quota; the fullest first. */
export const readQuotas = async (client: KubernetesClient, scope: Scope): Promise<readonly QuotaRow[]> => {
  const { items } = await client.listAll(RESOURCES.resourcequotas, scope);
  return items
    .flatMap((quota) => {
      const used = mapAt(quota, 'status', 'used');
      return Object.entries(mapAt(quota, 'status', 'hard')).map(([resource, hard]): QuotaRow => {
        const most = parseQuantity(hard) ?? 0;
        const percent = most === 0 ? 100 : Math.round(((parseQuantity(used[resource]) ?? 0) / most) * 1000) / 10;
        return { namespace: namespaceOf(quota) ?? '', quota: nameOf(quota), resource, used: used[resource] ?? '0', hard, percent };
      });
    })
    .sort((a, b) => b.percent - a.percent);
};
