// Which part of the story a pod plays: its workload, and its place among the pods that the workload had at T0.
import { type Shop, type ShopPod, WORKLOADS } from '../shop.ts';
import { numberAt, objectsAt, textAt, timeAt } from './json.ts';
import type { KubernetesObject } from './object.ts';

export interface PodRole {
  readonly workload: string;
  /** Undefined for pods made since T0. */
  readonly ordinal: number | undefined;
}

const told = new WeakMap<Shop, Map<string, { readonly pod: ShopPod; readonly ordinal: number }>>();

/** The pods of T0 by uid. */
const podsOf = (shop: Shop): Map<string, { readonly pod: ShopPod; readonly ordinal: number }> => {
  const known = told.get(shop);
  if (known !== undefined) return known;
  const pods = new Map<string, { pod: ShopPod; ordinal: number }>();
  for (const workload of WORKLOADS) {
    for (let ordinal = 0; ordinal < workload.replicas; ordinal += 1) {
      const pod = shop.pod(workload, ordinal);
      pods.set(pod.uid, { pod, ordinal });
    }
  }
  told.set(shop, pods);
  return pods;
};

const labelled = ({ metadata }: KubernetesObject): string => {
  const labels = metadata.labels ?? {};
  return labels['app.kubernetes.io/name'] ?? labels['k8s-app'] ?? labels['app'] ?? '';
};

export const roleOf = (shop: Shop, pod: KubernetesObject): PodRole => {
  const known = podsOf(shop).get(pod.metadata.uid ?? '');
  if (known !== undefined) return { workload: known.pod.workload, ordinal: known.ordinal };
  const name = labelled(pod) === 'kube-dns' ? 'coredns' : labelled(pod);
  return { workload: name, ordinal: undefined };
};

/** The version of the program, from the image tag. */
export const versionOf = (pod: KubernetesObject, container: string): string => {
  const all = [...objectsAt(pod, 'spec', 'containers'), ...objectsAt(pod, 'spec', 'initContainers')];
  const image = textAt(
    all.find((candidate) => candidate['name'] === container),
    'image',
  );
  return /:([^/:]+)$/.exec(image)?.[1] ?? '';
};

export interface ContainerRun {
  readonly startedAt: number;
  readonly endedAt: number | undefined;
  /** How many runs of the container there were before. */
  readonly index: number;
}

/** The run that a container status tells of: the present one, or the one before. */
export const runOf = (pod: KubernetesObject, container: string, isPrevious: boolean): ContainerRun | undefined => {
  const statuses = [...objectsAt(pod, 'status', 'containerStatuses'), ...objectsAt(pod, 'status', 'initContainerStatuses')];
  const status = statuses.find((candidate) => candidate['name'] === container);
  const restarts = numberAt(status, 'restartCount');
  const ended = (state: string, index: number): ContainerRun | undefined => {
    const startedAt = timeAt(status, state, 'terminated', 'startedAt');
    return startedAt === undefined ? undefined : { startedAt, endedAt: timeAt(status, state, 'terminated', 'finishedAt'), index };
  };
  if (isPrevious) return ended('lastState', restarts - 1);
  const startedAt = timeAt(status, 'state', 'running', 'startedAt');
  if (startedAt !== undefined) return { startedAt, endedAt: undefined, index: restarts };
  // While a container waits to be started anew, its last run counts among the restarts to come.
  return ended('state', restarts) ?? ended('lastState', restarts - 1);
};
