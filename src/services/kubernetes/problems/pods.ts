// What the checks of pods share: containers with their states, and how much of a workload still works.

import { humanDuration } from '../../../upstream/kubernetes/duration.ts';
import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import {
  conditionOf,
  type Fields,
  isTrue,
  type KubeObject,
  listAt,
  nameOf,
  namespaceOf,
  numberAt,
  textAt,
  timeAt,
} from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { groupBy, type Problem, type Ref, refKey, type Severity } from './problem.ts';
import { isDeleted, isFinished, type Snapshot } from './snapshot.ts';

/** A container of one pod: as wanted and as it is. */
export interface Container {
  readonly pod: KubeObject;
  readonly name: string;
  readonly isInit: boolean;
  readonly spec: Fields;
  readonly status: Fields;
}

/** Containers of a pod that have a status, init containers first. */
export const containersOf = (pod: KubeObject): readonly Container[] => {
  const specs = [...listAt(pod, 'spec', 'initContainers'), ...listAt(pod, 'spec', 'containers')];
  const init = listAt(pod, 'status', 'initContainerStatuses');
  return [...init, ...listAt(pod, 'status', 'containerStatuses')].map((status, index) => {
    const name = textAt(status, 'name') ?? '';
    return { pod, name, isInit: index < init.length, status, spec: specs.find((spec) => textAt(spec, 'name') === name) ?? {} };
  });
};

/** Pods that should be at work: neither ended nor being deleted. */
export const activePods = (cluster: Snapshot): readonly KubeObject[] =>
  cluster.list('pods').filter((pod) => !isFinished(pod) && !isDeleted(pod));

/** Of the pod: `status.containerStatuses[?name=web].ready`. */
export const statusField = ({ name, isInit }: Container, field: string): string =>
  `status.${isInit ? 'initContainerStatuses' : 'containerStatuses'}[?name=${name}].${field}`;
/** Of the pod's spec: `containers[?name=web].image`. */
export const specField = ({ name, isInit }: Pick<Container, 'name' | 'isInit'>, field: string): string =>
  `${isInit ? 'initContainers' : 'containers'}[?name=${name}].${field}`;

export const waitingReason = ({ status }: Container): string | undefined => textAt(status, 'state', 'waiting', 'reason');
export const waitingMessage = ({ status }: Container): string | undefined => textAt(status, 'state', 'waiting', 'message');

export interface Ended {
  readonly reason: string;
  readonly exitCode: number;
  readonly at: number | undefined;
  /** What the runtime, or the program by its termination log, said last. */
  readonly message: string | undefined;
}

/** How the container ended last, also when it runs again. */
export const lastEnd = ({ status }: Container): Ended | undefined => {
  for (const path of [
    ['state', 'terminated'],
    ['lastState', 'terminated'],
  ]) {
    const exitCode = numberAt(status, ...path, 'exitCode');
    if (exitCode !== undefined) {
      return {
        exitCode,
        reason: textAt(status, ...path, 'reason') ?? 'Error',
        at: timeAt(status, ...path, 'finishedAt'),
        message: textAt(status, ...path, 'message'),
      };
    }
  }
  return undefined;
};

export const podRef = (pod: KubeObject): Ref => ({ kind: 'pod', name: nameOf(pod), namespace: namespaceOf(pod) });
export const isPodReady = (pod: KubeObject): boolean => isTrue(pod, 'Ready');
export const agoText = (time: number | undefined, now: number): string => (time === undefined ? '' : ` ${humanDuration(now - time)} ago`);

/** Critical when the workload gives less than it must: no ready pod, or a Deployment below its minimum. */
export const severityOf = (cluster: Snapshot, owner: Ref): Severity => {
  const object = cluster.workload(owner);
  if (owner.kind === 'job' || owner.kind === 'cronjob') return 'warning';
  const isBelow = object !== undefined && conditionOf(object, 'Available')?.status === 'False';
  const pods = cluster.podsOf(owner);
  return isBelow || !pods.some(isPodReady) ? 'critical' : 'warning';
};

/** `1 of 3 pods`, `its only pod`. */
export const shareOf = (cluster: Snapshot, owner: Ref, affected: number): string => {
  const all = cluster.podsOf(owner).filter((pod) => !isFinished(pod)).length;
  if (all <= 1 && affected <= 1) return owner.kind === 'pod' ? 'the pod' : 'its only pod';
  return `${affected} of ${Math.max(all, affected)} pods`;
};

export const logsOf = (pod: KubeObject, container: string, previous: boolean): Problem['next'] => ({
  tool: 'kubernetes_get_logs',
  arguments: { name: nameOf(pod), namespace: namespaceOf(pod), container, ...(previous ? { previous } : {}) },
});

export const lookAt = (ref: Ref, view: 'describe' | 'rollout'): Problem['next'] => ({
  tool: 'kubernetes_get_resource',
  arguments: { kind: ref.kind, name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }), view },
});

/** A pod of which only an event says why it does not begin. */
interface Stuck {
  readonly pod: KubeObject;
  readonly event: KubeEvent;
}

/** One problem for each owner, told by its first pod. */
export const toStuckProblems = (
  cluster: Snapshot,
  stuck: readonly Stuck[],
  tell: (first: Stuck, share: string) => { readonly detail: string; readonly field: string },
): readonly Problem[] =>
  [...groupBy(stuck, ({ pod }) => refKey(cluster.ownerOf(pod))).values()].flatMap((group): readonly Problem[] => {
    const [first] = group;
    if (first === undefined) return [];
    const ref = cluster.ownerOf(first.pod);
    const { detail, field } = tell(first, shareOf(cluster, ref, group.length));
    return [
      {
        severity: severityOf(cluster, ref),
        ref,
        reason: first.event.reason,
        since: first.event.firstAt,
        detail,
        at: placeIn(first.pod, field),
        involves: group.map(({ pod }) => podRef(pod)),
        next: lookAt(podRef(first.pod), 'describe'),
      },
    ];
  });
