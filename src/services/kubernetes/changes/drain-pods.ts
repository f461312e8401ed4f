// Which pods of a node a drain evicts, which it leaves, and which stand in its way: the rules of `kubectl drain`.

import { matchesSelector } from '../../../upstream/kubernetes/label-selector.ts';
import {
  fieldsAt,
  type KubeObject,
  listAt,
  metadataOf,
  nameOf,
  namespaceOf,
  numberAt,
  ownersOf,
  textAt,
  valueAt,
} from '../../../upstream/kubernetes/objects.ts';
import { parseQuantity } from '../../../upstream/kubernetes/quantity.ts';

export interface DrainRules {
  readonly ignoreDaemonSets: boolean;
  readonly deleteEmptyDir: boolean;
  readonly force: boolean;
}

export interface DrainPods {
  readonly evicted: readonly KubeObject[];
  /** Left where they are: of DaemonSets, of the node itself, finished, or on their way out already. */
  readonly kept: Readonly<Record<string, readonly KubeObject[]>>;
  /** What an option must allow first. */
  readonly refused: Readonly<Record<keyof DrainRules, readonly KubeObject[]>>;
}

const MIRROR = 'kubernetes.io/config.mirror';

const isFinished = (pod: KubeObject): boolean => ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? '');
const controllerKind = (pod: KubeObject): string | undefined => ownersOf(pod).find(({ controller }) => controller)?.kind;
const hasLocalData = (pod: KubeObject): boolean =>
  listAt(pod, 'spec', 'volumes').some((volume) => valueAt(volume, 'emptyDir') !== undefined);

export const podName = (pod: KubeObject): string => `${namespaceOf(pod)}/${nameOf(pod)}`;

export const sortPods = (pods: readonly KubeObject[], rules: DrainRules): DrainPods => {
  const evicted: KubeObject[] = [];
  const kept: Record<string, KubeObject[]> = {};
  const refused = { ignoreDaemonSets: [] as KubeObject[], deleteEmptyDir: [] as KubeObject[], force: [] as KubeObject[] };
  const keep = (why: string, pod: KubeObject): void => {
    kept[why] = [...(kept[why] ?? []), pod];
  };
  for (const pod of pods) {
    const owner = controllerKind(pod);
    if (metadataOf(pod).annotations[MIRROR] !== undefined) keep('static', pod);
    else if (isFinished(pod)) keep('finished', pod);
    else if (metadataOf(pod).deletedAt !== undefined) keep('ending', pod);
    else if (owner === 'DaemonSet') {
      if (rules.ignoreDaemonSets) keep('DaemonSet', pod);
      else refused.ignoreDaemonSets.push(pod);
    } else if (owner === undefined && !rules.force) refused.force.push(pod);
    else if (hasLocalData(pod) && !rules.deleteEmptyDir) refused.deleteEmptyDir.push(pod);
    else evicted.push(pod);
  }
  return { evicted, kept, refused };
};

/** Budgets that allow no eviction now, with the pods that they hold. */
export const blockedBy = (pods: readonly KubeObject[], budgets: readonly KubeObject[]): Readonly<Record<string, readonly string[]>> => {
  const blocked: Record<string, string[]> = {};
  for (const budget of budgets) {
    if ((numberAt(budget, 'status', 'disruptionsAllowed') ?? 0) > 0) continue;
    const held = pods.filter(
      (pod) => namespaceOf(pod) === namespaceOf(budget) && matchesSelector(fieldsAt(budget, 'spec', 'selector'), metadataOf(pod).labels),
    );
    if (held.length > 0) blocked[podName(budget)] = held.map(nameOf);
  }
  return blocked;
};

export interface Room {
  readonly cpu: number;
  readonly memory: number;
}

const add = (a: Room, b: Room): Room => ({ cpu: a.cpu + b.cpu, memory: a.memory + b.memory });
const NOTHING: Room = { cpu: 0, memory: 0 };

const toRoom = (quantities: unknown): Room => ({
  cpu: parseQuantity(textAt(quantities, 'cpu') ?? '0') ?? 0,
  memory: parseQuantity(textAt(quantities, 'memory') ?? '0') ?? 0,
});

/** What the containers of pods ask for. */
export const requestsOf = (pods: readonly KubeObject[]): Room =>
  pods
    .filter((pod) => !isFinished(pod))
    .flatMap((pod) => listAt(pod, 'spec', 'containers').map((container) => toRoom(fieldsAt(container, 'resources', 'requests'))))
    .reduce(add, NOTHING);

/** What the other schedulable nodes still have free, in sum: pods may need more of it in one place than there is. */
export const roomElsewhere = (nodes: readonly KubeObject[], pods: readonly KubeObject[], drained: string): Room => {
  const open = nodes.filter((node) => nameOf(node) !== drained && valueAt(node, 'spec', 'unschedulable') !== true);
  const names = new Set(open.map(nameOf));
  const used = requestsOf(pods.filter((pod) => names.has(textAt(pod, 'spec', 'nodeName') ?? '')));
  const all = open.map((node) => toRoom(fieldsAt(node, 'status', 'allocatable'))).reduce(add, NOTHING);
  return { cpu: all.cpu - used.cpu, memory: all.memory - used.memory };
};
