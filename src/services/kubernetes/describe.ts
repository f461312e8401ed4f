// What stands around an object: its events, its owners, what it owns, and what selects or limits it.

import type { CallContext } from '../../kit/context.ts';
import { toAppError } from '../../kit/errors.ts';
import type { Section } from '../../kit/result.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import { ageSince } from '../../upstream/kubernetes/duration.ts';
import type { KubeEvent } from '../../upstream/kubernetes/events.ts';
import type { Kubernetes } from '../../upstream/kubernetes/kubernetes.ts';
import { selects } from '../../upstream/kubernetes/label-selector.ts';
import {
  type Fields,
  fieldsAt,
  type KubeObject,
  kindOf,
  listAt,
  mapAt,
  metadataOf,
  nameOf,
  numberAt,
  ownersOf,
  podLabelsOf,
  textAt,
} from '../../upstream/kubernetes/objects.ts';
import { formatBytes, formatCores, parseQuantity } from '../../upstream/kubernetes/quantity.ts';
import { RESOURCES, type ResourceRef } from '../../upstream/kubernetes/resources.ts';
import { formatRestarts, podStatus } from '../../upstream/kubernetes/status.ts';
import { toConditions, toContainers } from './summary.ts';

const MAX_PODS = 15;
const MAX_EVENTS = 12;
const MAX_OWNERS = 5;

interface Around {
  readonly client: KubernetesClient;
  readonly object: KubeObject;
  readonly service: Kubernetes;
  readonly ctx: CallContext;
}

interface Part {
  readonly key: string;
  readonly read: (around: Around) => Promise<unknown>;
}

/** Repeats of one reason and message, newest first. */
export const groupEvents = (events: readonly KubeEvent[], now: number): Fields[] => {
  const groups = new Map<string, { event: KubeEvent; count: number; firstAt: number }>();
  for (const event of events.toSorted((a, b) => b.at - a.at)) {
    const key = `${event.type}/${event.reason}/${event.message}`;
    const known = groups.get(key);
    groups.set(key, {
      event: known?.event ?? event,
      count: (known?.count ?? 0) + event.count,
      firstAt: Math.min(known?.firstAt ?? event.firstAt, event.firstAt),
    });
  }
  return [...groups.values()].slice(0, MAX_EVENTS).map(({ event, count }) => ({
    last: `${ageSince(event.at, now)} ago`,
    type: event.type,
    reason: event.reason,
    ...(count > 1 ? { count } : {}),
    message: event.message,
  }));
};

const readEvents: Part = {
  key: 'events',
  read: async ({ client, object, service, ctx }) => {
    const { uid, namespace, name } = metadataOf(object);
    // Cluster-scoped objects have their events in the default namespace, and a node's events carry its name as uid.
    const about = kindOf(object) === 'Node' ? { kind: 'Node', name } : { uid };
    const { events } = await client.events({ namespace, about, limit: 500, signal: ctx.signal });
    return groupEvents(events, service.now());
  },
};

const KIND_RESOURCES: Readonly<Record<string, ResourceRef>> = {
  ReplicaSet: RESOURCES.replicasets,
  Deployment: RESOURCES.deployments,
  StatefulSet: RESOURCES.statefulsets,
  DaemonSet: RESOURCES.daemonsets,
  Job: RESOURCES.jobs,
  CronJob: RESOURCES.cronjobs,
};

const readOwners: Part = {
  key: 'ownerChain',
  read: async ({ client, object, ctx }) => {
    const chain: string[] = [];
    let current: KubeObject | undefined = object;
    while (current !== undefined && chain.length < MAX_OWNERS) {
      const [owner] = ownersOf(current);
      if (owner === undefined) break;
      chain.push(`${owner.kind}/${owner.name}`);
      const resource = KIND_RESOURCES[owner.kind];
      current =
        resource === undefined
          ? undefined
          : await client.find(resource, { name: owner.name, namespace: metadataOf(object).namespace, signal: ctx.signal });
    }
    return chain;
  },
};

const toPodRow = (pod: KubeObject, now: number): Fields => {
  const status = podStatus(pod);
  return {
    pod: nameOf(pod),
    ready: `${status.ready}/${status.containers}`,
    status: status.status,
    restarts: formatRestarts(status, now),
    age: ageSince(metadataOf(pod).createdAt, now),
    node: textAt(pod, 'spec', 'nodeName') ?? '<none>',
  };
};

const selectorOf = (object: KubeObject): string | undefined => {
  const labels = kindOf(object) === 'Service' ? mapAt(object, 'spec', 'selector') : mapAt(object, 'spec', 'selector', 'matchLabels');
  const entries = Object.entries(labels);
  return entries.length === 0 ? undefined : entries.map(([key, value]) => `${key}=${value}`).join(',');
};

const readPods: Part = {
  key: 'pods',
  read: async ({ client, object, service, ctx }) => {
    const isNode = kindOf(object) === 'Node';
    const labelSelector = isNode ? undefined : selectorOf(object);
    if (!isNode && labelSelector === undefined) return [];
    const scope = isNode
      ? { fieldSelector: `spec.nodeName=${nameOf(object)}` }
      : { labelSelector, namespace: metadataOf(object).namespace };
    const { items } = await client.listAll(RESOURCES.pods, { ...scope, signal: ctx.signal });
    const now = service.now();
    const isFine = (pod: KubeObject): boolean => ['Running', 'Completed'].includes(podStatus(pod).status) && podStatus(pod).restarts === 0;
    const rows = items.toSorted((a, b) => Number(isFine(a)) - Number(isFine(b))).map((pod) => toPodRow(pod, now));
    return rows.length > MAX_PODS ? [...rows.slice(0, MAX_PODS), { pod: `+${rows.length - MAX_PODS} more` }] : rows;
  },
};

const readServices: Part = {
  key: 'services',
  read: async ({ client, object, ctx }) => {
    const { items } = await client.listAll(RESOURCES.services, { namespace: metadataOf(object).namespace, signal: ctx.signal });
    return items.filter((item) => selects(mapAt(item, 'spec', 'selector'), podLabelsOf(object))).map(nameOf);
  },
};

const readAutoscalers: Part = {
  key: 'autoscaler',
  read: async ({ client, object, ctx }) => {
    const { items } = await client.listAll(RESOURCES.horizontalpodautoscalers, {
      namespace: metadataOf(object).namespace,
      signal: ctx.signal,
    });
    return items
      .filter(
        (item) =>
          textAt(item, 'spec', 'scaleTargetRef', 'kind') === kindOf(object) &&
          textAt(item, 'spec', 'scaleTargetRef', 'name') === nameOf(object),
      )
      .map(
        (item) =>
          `${nameOf(item)}: ${numberAt(item, 'spec', 'minReplicas') ?? 1} to ${numberAt(item, 'spec', 'maxReplicas')}, now ${numberAt(item, 'status', 'currentReplicas') ?? '?'}, wants ${numberAt(item, 'status', 'desiredReplicas') ?? '?'}`,
      );
  },
};

const readBudgets: Part = {
  key: 'disruptionBudgets',
  read: async ({ client, object, ctx }) => {
    const { items } = await client.listAll(RESOURCES.poddisruptionbudgets, { namespace: metadataOf(object).namespace, signal: ctx.signal });
    return items
      .filter((item) => selects(mapAt(item, 'spec', 'selector', 'matchLabels'), podLabelsOf(object)))
      .map((item) => `${nameOf(item)}: ${numberAt(item, 'status', 'disruptionsAllowed') ?? 0} disruptions allowed`);
  },
};

const readQuota: Part = {
  key: 'quota',
  read: async ({ client, object, ctx }) => {
    const { items } = await client.listAll(RESOURCES.resourcequotas, { namespace: metadataOf(object).namespace, signal: ctx.signal });
    return items.flatMap((item) => {
      const used = mapAt(item, 'status', 'used');
      return Object.entries(mapAt(item, 'status', 'hard')).map(
        ([name, hard]) => `${nameOf(item)} ${name}: ${used[name] ?? '0'} of ${hard}`,
      );
    });
  },
};

const readEndpoints: Part = {
  key: 'endpoints',
  read: async ({ client, object, ctx }) => {
    const { items } = await client.listAll(RESOURCES.endpointslices, {
      namespace: metadataOf(object).namespace,
      labelSelector: `kubernetes.io/service-name=${nameOf(object)}`,
      signal: ctx.signal,
    });
    const endpoints = items.flatMap((slice) => listAt(slice, 'endpoints'));
    const isReady = (endpoint: KubeObject): boolean => fieldsAt(endpoint, 'conditions')['ready'] !== false;
    return {
      ready: endpoints.filter(isReady).length,
      notReady: endpoints.filter((endpoint) => !isReady(endpoint)).map((endpoint) => textAt(endpoint, 'targetRef', 'name') ?? '?'),
    };
  },
};

const readAllocation: Part = {
  key: 'allocation',
  read: async ({ client, object, ctx }) => {
    const { items } = await client.listAll(RESOURCES.pods, {
      fieldSelector: `spec.nodeName=${nameOf(object)},status.phase!=Succeeded,status.phase!=Failed`,
      signal: ctx.signal,
    });
    const sum = (name: string): number =>
      items
        .flatMap((pod) => listAt(pod, 'spec', 'containers'))
        .reduce((total, container) => total + (parseQuantity(mapAt(container, 'resources', 'requests')[name]) ?? 0), 0);
    const allocatable = mapAt(object, 'status', 'allocatable');
    return {
      cpu: `${formatCores(sum('cpu'))} requested of ${allocatable['cpu'] ?? '?'}`,
      memory: `${formatBytes(sum('memory'))} requested of ${formatBytes(parseQuantity(allocatable['memory']) ?? 0)}`,
      pods: `${items.length} of ${allocatable['pods'] ?? '?'}`,
    };
  },
};

const WORKLOAD_PARTS = [readEvents, readPods, readServices, readAutoscalers, readBudgets, readQuota];

const PARTS: Readonly<Record<string, readonly Part[]>> = {
  Pod: [readEvents, readOwners, readServices, readBudgets],
  Deployment: WORKLOAD_PARTS,
  StatefulSet: WORKLOAD_PARTS,
  DaemonSet: WORKLOAD_PARTS,
  ReplicaSet: [readEvents, readOwners, readPods],
  Job: [readEvents, readOwners, readPods],
  Service: [readEvents, readEndpoints, readPods],
  Node: [readEvents, readAllocation, readPods],
};

const volumesOf = (object: KubeObject): string[] => {
  const spec = kindOf(object) === 'Pod' ? fieldsAt(object, 'spec') : fieldsAt(object, 'spec', 'template', 'spec');
  return listAt(spec, 'volumes').map((volume) => {
    const [[source = '', detail] = []] = Object.entries(volume).filter(([key]) => key !== 'name');
    const name = textAt(detail, 'name') ?? textAt(detail, 'secretName') ?? textAt(detail, 'claimName') ?? '';
    return `${textAt(volume, 'name')}: ${source}${name === '' ? '' : ` ${name}`}`;
  });
};

const isEmpty = (value: unknown): boolean => typeof value === 'object' && value !== null && Object.keys(value).length === 0;

/** Sections beyond the summary. What may not be read is named in `warnings`, the rest is complete. */
export const toDescription = async (around: Around): Promise<{ sections: Section[]; warnings: string[] }> => {
  const { object, service } = around;
  const warnings: string[] = [];
  const read = async ({ key, read: readPart }: Part): Promise<Section | undefined> => {
    try {
      const value = await readPart(around);
      return isEmpty(value) ? (key === 'events' ? { key, value: 'none in the retention window' } : undefined) : { key, value };
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'CANCELLED' || error.code === 'DEADLINE_EXCEEDED' || error.code === 'INTERNAL') throw thrown;
      warnings.push(`${key} could not be read: ${error.message}`);
      return undefined;
    }
  };
  const related = await Promise.all((PARTS[kindOf(object)] ?? [readEvents, readOwners]).map(read));
  const pod = kindOf(object) === 'Pod' ? object : fieldsAt(object, 'spec', 'template');
  const containers = toContainers(pod, service, true);
  const volumes = volumesOf(object);
  return {
    sections: [
      ...related.filter((section) => section !== undefined),
      ...(containers.length > 0 ? [{ key: 'containers', value: containers }] : []),
      ...(volumes.length > 0 ? [{ key: 'volumes', value: volumes }] : []),
      { key: 'allConditions', value: toConditions(object, service.now(), true) },
    ].filter(({ value }) => !isEmpty(value)),
    warnings,
  };
};
