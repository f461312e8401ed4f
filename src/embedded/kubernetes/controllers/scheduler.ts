// Finds nodes for pods: selectors, cordons, taints and room, with the real scheduler's words when there is none.
import { at, isObject, type JsonObject, listAt, objectsAt, textAt, textsAt, toTime } from '../json.ts';
import { hasLabels } from '../label-selector.ts';
import type { KubernetesObject } from '../object.ts';
import { withTopology } from '../pod-admission.ts';
import { parseQuantity } from '../quantity.ts';
import { BENCH } from '../shop/bench.ts';
import { type Cluster, isEnded } from './cluster.ts';

interface Room {
  cpu: number;
  memory: number;
  pods: number;
}

interface Amounts {
  readonly cpu: number;
  readonly memory: number;
}

const requests = new WeakMap<KubernetesObject, Amounts>();

const requestOf = (pod: KubernetesObject): Amounts => {
  const known = requests.get(pod);
  if (known !== undefined) return known;
  const containers = [
    ...objectsAt(pod, 'spec', 'containers'),
    ...objectsAt(pod, 'spec', 'initContainers').filter((container) => container['restartPolicy'] === 'Always'),
  ];
  const sum = (name: string): number =>
    containers.reduce((total, container) => total + (parseQuantity(textAt(container, 'resources', 'requests', name) || '0') || 0), 0);
  const amounts = { cpu: sum('cpu'), memory: sum('memory') };
  requests.set(pod, amounts);
  return amounts;
};

/** What the pods of a node ask for; those of load tests weigh nothing, or they would fill the few nodes there are. */
const takenOn = (pods: readonly KubernetesObject[]): Map<string, Room> => {
  const taken = new Map<string, Room>();
  for (const pod of pods) {
    const node = textAt(pod, 'spec', 'nodeName');
    if (node === '' || pod.metadata.namespace === BENCH || isEnded(pod)) continue;
    const { cpu, memory } = requestOf(pod);
    const room = taken.get(node) ?? { cpu: 0, memory: 0, pods: 0 };
    taken.set(node, { cpu: room.cpu + cpu, memory: room.memory + memory, pods: room.pods + 1 });
  }
  return taken;
};

const roomOn = (node: KubernetesObject, taken: Room = { cpu: 0, memory: 0, pods: 0 }): Room => {
  const amount = (name: string): number => parseQuantity(textAt(node, 'status', 'allocatable', name) || '0');
  return { cpu: amount('cpu') - taken.cpu, memory: amount('memory') - taken.memory, pods: amount('pods') - taken.pods };
};

const tolerates = (pod: KubernetesObject, taint: JsonObject): boolean =>
  objectsAt(pod, 'spec', 'tolerations').some((toleration) => {
    if (toleration['key'] !== undefined && toleration['key'] !== taint['key']) return false;
    if (toleration['effect'] !== undefined && toleration['effect'] !== '' && toleration['effect'] !== taint['effect']) return false;
    return (
      toleration['operator'] === 'Exists' || (textAt(toleration, 'value') === textAt(taint, 'value') && toleration['key'] !== undefined)
    );
  });

/** Why a node does not take a pod; undefined when it does. */
const refusal = (node: KubernetesObject, pod: KubernetesObject, room: Room): string | undefined => {
  if (!hasLabels(node.metadata.labels ?? {}, textsAt(pod, 'spec', 'nodeSelector')))
    return "node(s) didn't match Pod's node affinity/selector";
  const taint = objectsAt(node, 'spec', 'taints').find((entry) => entry['effect'] !== 'PreferNoSchedule' && !tolerates(pod, entry));
  if (taint !== undefined) {
    if (taint['key'] === 'node.kubernetes.io/unschedulable') return 'node(s) were unschedulable';
    return `node(s) had untolerated taint {${textAt(taint, 'key')}: ${textAt(taint, 'value')}}`;
  }
  if (at(node, 'spec', 'unschedulable') === true && !tolerates(pod, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }))
    return 'node(s) were unschedulable';
  const { cpu, memory } = requestOf(pod);
  if (room.pods < 1) return 'Too many pods';
  if (room.cpu < cpu) return 'Insufficient cpu';
  return room.memory < memory ? 'Insufficient memory' : undefined;
};

const explain = (total: number, refusals: readonly string[]): string => {
  const counts = new Map<string, number>();
  for (const why of refusals) counts.set(why, (counts.get(why) ?? 0) + 1);
  const reasons = [...counts].map(([why, count]) => `${count} ${why}`).sort();
  const unhelpful = refusals.filter((why) => !/^(Insufficient|Too many)/.test(why)).length;
  const victims = refusals.length - unhelpful;
  const preemption = [
    ...(victims > 0 ? [`${victims} No preemption victims found for incoming pod`] : []),
    ...(unhelpful > 0 ? [`${unhelpful} Preemption is not helpful for scheduling`] : []),
  ];
  return `0/${total} nodes are available: ${reasons.join(', ')}. preemption: 0/${total} nodes are available: ${preemption.join(', ')}.`;
};

const scheduledCondition = (pod: KubernetesObject, now: number, message: string | undefined): JsonObject => ({
  type: 'PodScheduled',
  observedGeneration: pod.metadata.generation ?? 1,
  status: message === undefined ? 'True' : 'False',
  lastProbeTime: null,
  lastTransitionTime: toTime(now),
  ...(message === undefined ? {} : { reason: 'Unschedulable', message }),
});

/** Puts a pod on the node with the most room, or says in its status why it waits. */
export const schedule = (cluster: Cluster, pod: KubernetesObject): KubernetesObject => {
  if (textAt(pod, 'spec', 'schedulerName') !== 'default-scheduler') return pod;
  const nodes = cluster.store.all('nodes');
  const taken = takenOn(cluster.store.all('pods'));
  const judged = nodes.map((node) => {
    const room = roomOn(node, taken.get(node.metadata.name));
    return { node, room, why: refusal(node, pod, room) };
  });
  const [best] = judged.filter(({ why }) => why === undefined).toSorted((left, right) => right.room.cpu - left.room.cpu);
  const status = isObject(pod['status']) ? pod['status'] : {};
  const others = objectsAt(pod, 'status', 'conditions').filter((condition) => condition['type'] !== 'PodScheduled');
  if (best === undefined) {
    const message =
      nodes.length === 0
        ? 'no nodes available to schedule pods'
        : explain(
            nodes.length,
            judged.flatMap(({ why }) => why ?? []),
          );
    const [known] = listAt(pod, 'status', 'conditions').filter((condition) => textAt(condition, 'type') === 'PodScheduled');
    if (textAt(known, 'message') === message) return pod;
    cluster.noteScheduling(pod, 'Warning', 'FailedScheduling', 'Scheduling', message);
    return cluster.updateStatus(
      'pods',
      pod,
      {
        ...status,
        observedGeneration: pod.metadata.generation ?? 1,
        conditions: [...others, scheduledCondition(pod, cluster.now, message)],
      },
      'kube-scheduler',
    );
  }
  const bound = withTopology(
    { ...pod, spec: { ...(isObject(pod['spec']) ? pod['spec'] : {}), nodeName: best.node.metadata.name } },
    best.node,
  );
  const placed = cluster.store.put('pods', {
    ...bound,
    status: { ...status, conditions: [...others, scheduledCondition(pod, cluster.now, undefined)] },
  });
  cluster.noteScheduling(
    placed,
    'Normal',
    'Scheduled',
    'Binding',
    `Successfully assigned ${pod.metadata.namespace}/${pod.metadata.name} to ${best.node.metadata.name}`,
  );
  return placed;
};
