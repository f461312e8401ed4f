// The kubelet behind the node proxy: figures, logs of the node's services, the pods of the node.

import type { Usage } from '../shop.ts';
import { HOUR, hashOf, MINUTE, paymentLives, SECOND, type Shop, STORY, WORKLOADS } from '../shop.ts';
import type { ResourceContext } from './context.ts';
import { type JsonObject, textAt, timeAt, toTime } from './json.ts';
import type { KubernetesObject } from './object.ts';
import type { ObjectStore } from './store.ts';
import { type ContainerUse, nodeUse, podsOn, podUse, sumOf } from './usage.ts';

const MEMORY = 16 * 2 ** 30;
const DISK = 103_079_844 * 1024;

const cpuOf = ({ cpu }: Usage, startedAt: number, now: number): JsonObject => ({
  time: toTime(now),
  usageNanoCores: Math.round(cpu * 1e9),
  usageCoreNanoSeconds: Math.round(cpu * Math.max(0, now - startedAt) * 1e6),
});

const memoryOf = ({ memory }: Usage, now: number): JsonObject => ({
  time: toTime(now),
  usageBytes: Math.round(memory * 1.08),
  workingSetBytes: memory,
  rssBytes: Math.round(memory * 0.9),
  pageFaults: Math.round(memory / 5000),
  majorPageFaults: 3,
});

const diskOf = (used: number, now: number): JsonObject => ({
  time: toTime(now),
  availableBytes: DISK - used,
  capacityBytes: DISK,
  usedBytes: used,
  inodesFree: 6_311_202,
  inodes: 6_553_600,
  inodesUsed: 242_398,
});

const containerStats = (use: ContainerUse, now: number): JsonObject => ({
  name: use.name,
  startTime: toTime(use.startedAt),
  cpu: cpuOf(use, use.startedAt, now),
  memory: memoryOf(use, now),
  rootfs: { time: toTime(now), availableBytes: DISK / 2, capacityBytes: DISK, usedBytes: 57_344, inodesUsed: 16 },
  logs: { time: toTime(now), availableBytes: DISK / 2, capacityBytes: DISK, usedBytes: 1_200_128, inodesUsed: 2 },
  swap: { time: toTime(now), swapUsageBytes: 0 },
});

const podStats = (shop: Shop, store: ObjectStore, pod: KubernetesObject, now: number): JsonObject => {
  const uses = podUse(shop, store, pod, now);
  const total = sumOf(uses);
  const { name, namespace, uid } = pod.metadata;
  const startedAt = timeAt(pod, 'status', 'startTime') ?? now;
  return {
    podRef: { name, namespace: namespace ?? '', uid: uid ?? '' },
    startTime: toTime(startedAt),
    containers: uses.map((use) => containerStats(use, now)),
    cpu: cpuOf(total, startedAt, now),
    memory: memoryOf(total, now),
    network: {
      time: toTime(now),
      name: 'eth0',
      rxBytes: Math.round((now - startedAt) * 1.7),
      rxErrors: 0,
      txBytes: Math.round((now - startedAt) * 2.3),
      txErrors: 0,
    },
    'ephemeral-storage': diskOf(1_318_912, now),
    process_stats: { process_count: uses.length + 1 },
    swap: { time: toTime(now), swapUsageBytes: 0 },
  };
};

const summary = ({ server }: ResourceContext, node: KubernetesObject): JsonObject => {
  const { shop, store, clock } = server;
  const now = clock();
  const name = node.metadata.name;
  const use = nodeUse(shop, store, name, now);
  const startedAt = timeAt(node, 'metadata', 'creationTimestamp') ?? now;
  return {
    node: {
      nodeName: name,
      startTime: toTime(startedAt),
      cpu: cpuOf(use, startedAt, now),
      memory: { ...memoryOf(use, now), availableBytes: MEMORY - use.memory },
      network: { time: toTime(now), name: 'eth0', rxBytes: 918_273_645_546, rxErrors: 0, txBytes: 1_029_384_756_657, txErrors: 0 },
      fs: diskOf(Math.round(DISK * (0.41 + (hashOf(name) % 20) / 100)), now),
      runtime: { imageFs: diskOf(9_876_543_210, now), containerFs: diskOf(2_109_876_543, now) },
      rlimit: { time: toTime(now), maxpid: 4_194_304, curproc: 412 },
      swap: { time: toTime(now), swapAvailableBytes: 0, swapUsageBytes: 0 },
    },
    pods: podsOn(store, name)
      .filter((pod) => textAt(pod, 'status', 'phase') === 'Running')
      .map((pod) => podStats(shop, store, pod, now)),
  };
};

interface NodeLine {
  readonly at: number;
  readonly text: string;
}

const klog = (at: number, level: 'I' | 'W' | 'E', place: string, text: string): NodeLine => {
  const [date = '', time = ''] = new Date(at).toISOString().split('T');
  return { at, text: `${level}${date.slice(5, 7)}${date.slice(8, 10)} ${time.slice(0, 12)}000     712 ${place}] ${text}` };
};

const pressure = (shop: Shop): NodeLine[] => {
  const [start, end] = [shop.before(STORY.diskPressureStart), shop.before(STORY.diskPressureEnd)];
  return [
    klog(start, 'W', 'eviction_manager.go:374', '"Eviction manager: attempting to reclaim" resourceName="ephemeral-storage"'),
    klog(
      start + 2 * SECOND,
      'I',
      'image_gc_manager.go:387',
      '"Disk usage on image filesystem is over the high threshold, trying to free bytes down to the low threshold" usage=86 highThreshold=85 amountToFree=7301234688 lowThreshold=80',
    ),
    klog(end, 'I', 'eviction_manager.go:395', '"Eviction manager: able to reduce ephemeral-storage pressure without evicting pods."'),
  ];
};

const paymentLines = (shop: Shop, node: string, now: number): NodeLine[] => {
  const workload = WORKLOADS.find(({ name }) => name === 'payment');
  if (workload === undefined) return [];
  return [0, 1, 2].flatMap((ordinal) => {
    const pod = shop.pod(workload, ordinal);
    if (pod.node !== node) return [];
    return paymentLives(shop, ordinal, shop.healedAt ?? now).flatMap(({ endedAt }, index) => {
      if (endedAt === undefined) return [];
      const place = `pod="shop/${pod.name}" podUID="${pod.uid}"`;
      const delay = ['10s', '20s', '40s', '1m20s', '2m40s', '5m0s'][Math.min(index, 5)];
      return [
        klog(
          endedAt,
          'I',
          'kubelet.go:2562',
          `"SyncLoop (PLEG): event for pod" ${place} event={"ID":"${pod.uid}","Type":"ContainerDied"} reason="OOMKilled"`,
        ),
        klog(
          endedAt + 1500,
          'E',
          'pod_workers.go:1324',
          `"Error syncing pod, skipping" err="failed to \\"StartContainer\\" for \\"payment\\" with CrashLoopBackOff: \\"back-off ${delay} restarting failed container=payment pod=${pod.name}_shop(${pod.uid})\\"" ${place}`,
        ),
      ];
    });
  });
};

const routine = (node: string, now: number): NodeLine[] => {
  const lines: NodeLine[] = [];
  for (let at = Math.floor((now - 48 * HOUR) / (10 * MINUTE)) * 10 * MINUTE; at < now; at += 10 * MINUTE) {
    lines.push(
      klog(
        at + (hashOf(`${node}/${at}`) % (9 * MINUTE)),
        'I',
        'kubelet_getters.go:219',
        `"Pod status updated" pod="kube-system/kube-proxy" status="Running" node="${node}"`,
      ),
    );
  }
  return lines;
};

const SERVICES: Readonly<Record<string, (shop: Shop, node: string, now: number) => NodeLine[]>> = {
  kubelet: (shop, node, now) => [...routine(node, now), ...(node === 'node-3' ? pressure(shop) : []), ...paymentLines(shop, node, now)],
  containerd: (_shop, node, now) =>
    routine(node, now).map(({ at }) => ({ at, text: `time="${new Date(at).toISOString()}" level=info msg="ImageFsInfo" node=${node}` })),
};

const badQuery = (why: string): Response =>
  new Response(`${why}\n`, { status: 400, headers: { 'content-type': 'text/plain; charset=utf-8' } });

/** `logs/?query=<service>`: lines of the journal, as the feature NodeLogQuery gives them. */
const nodeLogs = ({ server, info }: ResourceContext, node: string): Response => {
  const { query } = info;
  const services = query.getAll('query');
  if (services.length === 0) {
    const names = ['containers/', 'journal/', 'kubelet.log', 'pods/'];
    return new Response(`<!doctype html>\n<pre>\n${names.map((name) => `<a href="${name}">${name}</a>`).join('\n')}\n</pre>\n`, {
      headers: { 'content-type': 'text/html; charset=utf-8' },
    });
  }
  const unknown = services.find((service) => SERVICES[service] === undefined);
  if (unknown !== undefined) return new Response(`-- No entries --\n`, { headers: { 'content-type': 'text/plain; charset=utf-8' } });
  const now = server.clock();
  const [since, until] = [query.get('sinceTime'), query.get('untilTime')].map((text) => (text === null ? undefined : Date.parse(text)));
  if ([since, until].some((time) => time !== undefined && Number.isNaN(time)))
    return badQuery('sinceTime and untilTime must be in RFC3339 format');
  const tail = query.get('tailLines');
  if (tail !== null && !/^\d+$/.test(tail)) return badQuery('tailLines must be a number greater than or equal to 0');
  const pattern = query.get('pattern');
  const lines = services
    .flatMap((service) => SERVICES[service]?.(server.shop, node, now).map((line) => ({ ...line, service })) ?? [])
    .filter(
      ({ at, text }) => at <= now && at >= (since ?? 0) && at <= (until ?? now) && (pattern === null || new RegExp(pattern).test(text)),
    )
    .sort((left, right) => left.at - right.at)
    .map(({ at, text, service }) => `${journalTime(at)} ${node} ${service}[712]: ${text}\n`);
  return new Response((tail === null ? lines : lines.slice(lines.length - Math.min(lines.length, Number(tail)))).join(''), {
    headers: { 'content-type': 'text/plain; charset=utf-8' },
  });
};

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const journalTime = (at: number): string => {
  const date = new Date(at);
  return `${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2, '0')} ${date.toISOString().slice(11, 19)}`;
};

const resourceMetrics = ({ server }: ResourceContext, node: string): string => {
  const { shop, store, clock } = server;
  const now = clock();
  const use = nodeUse(shop, store, node, now);
  const lines = podsOn(store, node).flatMap((pod) =>
    podUse(shop, store, pod, now).map(
      ({ name, memory }) =>
        `container_memory_working_set_bytes{container="${name}",namespace="${pod.metadata.namespace}",pod="${pod.metadata.name}"} ${memory} ${now}`,
    ),
  );
  return `# TYPE container_memory_working_set_bytes gauge\n${lines.join('\n')}\n# TYPE node_memory_working_set_bytes gauge\nnode_memory_working_set_bytes ${use.memory} ${now}\n`;
};

const text = (body: string): Response => new Response(body, { headers: { 'content-type': 'text/plain; charset=utf-8' } });

/** The answer of a node's kubelet to a path. */
export const askKubelet = (context: ResourceContext, node: KubernetesObject, path: string): Response => {
  const name = node.metadata.name;
  if (path === '/healthz') return text('ok');
  if (path === '/stats/summary') return Response.json(summary(context, node));
  if (path === '/pods' || path === '/pods/')
    return Response.json({ kind: 'PodList', apiVersion: 'v1', metadata: {}, items: podsOn(context.server.store, name) });
  if (path === '/metrics/resource') return text(resourceMetrics(context, name));
  if (path === '/logs' || path.startsWith('/logs/')) return nodeLogs(context, name);
  return new Response('404 page not found\n', { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } });
};
