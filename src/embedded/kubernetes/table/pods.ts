// The row of a pod: the one status that people read, computed from phase, conditions and containers (printPod in printers.go).
import { at, isTrueAt, type JsonObject, numberAt, objectsAt, textAt, timeAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type Cell, type PrintContext, type Printer, toAge } from './printer.ts';

interface Tally {
  reason: string;
  restarts: number;
  lastRestart: number | undefined;
  ready: number;
  isInitializing: boolean;
}

export const hasCondition = (object: KubernetesObject, type: string): boolean =>
  objectsAt(object, 'status', 'conditions').some((condition) => condition['type'] === type && condition['status'] === 'True');

const isSidecar = (container: JsonObject | undefined): boolean => container?.['restartPolicy'] === 'Always';

const terminatedReason = (terminated: JsonObject, prefix = ''): string => {
  const reason = textAt(terminated, 'reason');
  if (reason !== '') return prefix + reason;
  const signal = numberAt(terminated, 'signal');
  return signal !== 0 ? `${prefix}Signal:${signal}` : `${prefix}ExitCode:${numberAt(terminated, 'exitCode')}`;
};

const later = (left: number | undefined, right: number | undefined): number | undefined => {
  if (left === undefined || right === undefined) return left ?? right;
  return Math.max(left, right);
};

const lastEnd = (status: JsonObject): number | undefined => timeAt(status, 'lastState', 'terminated', 'finishedAt');

const terminatedOf = (status: JsonObject): JsonObject | undefined => {
  const terminated = at(status, 'state', 'terminated');
  return typeof terminated === 'object' && terminated !== null && !Array.isArray(terminated) ? terminated : undefined;
};

const initialReason = (pod: KubernetesObject): string => {
  const isGated = objectsAt(pod, 'status', 'conditions').some(
    (condition) => condition['type'] === 'PodScheduled' && condition['reason'] === 'SchedulingGated',
  );
  return isGated ? 'SchedulingGated' : textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase');
};

/** Why the init containers hold the pod back, undefined when this one does not. */
const initReason = (status: JsonObject, index: number, total: number): string => {
  const terminated = terminatedOf(status);
  if (terminated !== undefined) return terminatedReason(terminated, 'Init:');
  const waiting = textAt(status, 'state', 'waiting', 'reason');
  return waiting !== '' && waiting !== 'PodInitializing' ? `Init:${waiting}` : `Init:${index}/${total}`;
};

/** Counts init containers; what sidecars among them add stays when the pod itself runs. */
const tallyInit = (pod: KubernetesObject, tally: Tally): Pick<Tally, 'restarts' | 'lastRestart'> => {
  const containers = objectsAt(pod, 'spec', 'initContainers');
  const sidecars: Pick<Tally, 'restarts' | 'lastRestart'> = { restarts: 0, lastRestart: undefined };
  for (const [index, status] of objectsAt(pod, 'status', 'initContainerStatuses').entries()) {
    const isRestartable = isSidecar(containers.find((container) => container['name'] === status['name']));
    tally.restarts += numberAt(status, 'restartCount');
    tally.lastRestart = later(tally.lastRestart, lastEnd(status));
    if (isRestartable) {
      sidecars.restarts += numberAt(status, 'restartCount');
      sidecars.lastRestart = later(sidecars.lastRestart, lastEnd(status));
    }
    const terminated = terminatedOf(status);
    if (terminated !== undefined && numberAt(terminated, 'exitCode') === 0) continue;
    if (isRestartable && isTrueAt(status, 'started')) {
      if (isTrueAt(status, 'ready')) tally.ready += 1;
      continue;
    }
    tally.reason = initReason(status, index, containers.length);
    tally.isInitializing = true;
    break;
  }
  return sidecars;
};

const tallyContainers = (pod: KubernetesObject, tally: Tally): void => {
  let isAnyRunning = false;
  let errorReason = '';
  for (const status of objectsAt(pod, 'status', 'containerStatuses').toReversed()) {
    tally.restarts += numberAt(status, 'restartCount');
    tally.lastRestart = later(tally.lastRestart, lastEnd(status));
    const waiting = textAt(status, 'state', 'waiting', 'reason');
    const terminated = terminatedOf(status);
    if (waiting !== '') {
      tally.reason = waiting;
    } else if (terminated !== undefined) {
      tally.reason = terminatedReason(terminated);
      if (numberAt(terminated, 'exitCode') !== 0) errorReason = tally.reason;
    } else if (isTrueAt(status, 'ready') && at(status, 'state', 'running') !== undefined) {
      isAnyRunning = true;
      tally.ready += 1;
    }
  }
  if (tally.reason !== 'Completed') return;
  if (isAnyRunning && hasCondition(pod, 'Ready')) tally.reason = 'Running';
  else if (errorReason !== '') tally.reason = errorReason;
  else if (isAnyRunning) tally.reason = 'NotReady';
};

const tallyOf = (pod: KubernetesObject): Tally => {
  const tally: Tally = { reason: initialReason(pod), restarts: 0, lastRestart: undefined, ready: 0, isInitializing: false };
  const sidecars = tallyInit(pod, tally);
  if (!tally.isInitializing || hasCondition(pod, 'Initialized')) {
    Object.assign(tally, sidecars);
    tallyContainers(pod, tally);
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    const isEnded = ['Failed', 'Succeeded'].includes(textAt(pod, 'status', 'phase'));
    if (textAt(pod, 'status', 'reason') === 'NodeLost') tally.reason = 'Unknown';
    else if (!isEnded) tally.reason = 'Terminating';
  }
  return tally;
};

const toReadinessGates = (pod: KubernetesObject): string => {
  const gates = objectsAt(pod, 'spec', 'readinessGates');
  if (gates.length === 0) return '<none>';
  return `${gates.filter((gate) => hasCondition(pod, textAt(gate, 'conditionType'))).length}/${gates.length}`;
};

/** How kubectl would name the state of a pod. */
export const podStatus = (pod: KubernetesObject): string => factsOf(pod).tally.reason;

/** What a row says beside the ages: computed once, since objects never change. */
interface Facts {
  readonly tally: Tally;
  readonly ready: string;
  readonly createdAt: number | undefined;
  readonly wide: readonly Cell[];
}

const known = new WeakMap<KubernetesObject, Facts>();

const factsOf = (pod: KubernetesObject): Facts => {
  const facts = known.get(pod);
  if (facts !== undefined) return facts;
  const tally = tallyOf(pod);
  const total = objectsAt(pod, 'spec', 'containers').length + objectsAt(pod, 'spec', 'initContainers').filter(isSidecar).length;
  const made = {
    tally,
    ready: `${tally.ready}/${total}`,
    createdAt: timeAt(pod, 'metadata', 'creationTimestamp'),
    wide: [
      textAt(objectsAt(pod, 'status', 'podIPs')[0], 'ip') || '<none>',
      textAt(pod, 'spec', 'nodeName') || '<none>',
      textAt(pod, 'status', 'nominatedNodeName') || '<none>',
      toReadinessGates(pod),
    ],
  };
  known.set(pod, made);
  return made;
};

const toRestarts = ({ restarts, lastRestart }: Tally, context: PrintContext): string =>
  restarts === 0 || lastRestart === undefined ? String(restarts) : `${restarts} (${toAge(lastRestart, context)} ago)`;

export const printPod: Printer = (pod, context): Cell[] => {
  const { tally, ready, createdAt, wide } = factsOf(pod);
  return [pod.metadata.name, ready, tally.reason, toRestarts(tally, context), toAge(createdAt, context), ...wide];
};

const ENDED: Readonly<Record<string, string>> = { Succeeded: 'The pod has completed successfully.', Failed: 'The pod failed.' };

/** Pods that have ended carry a row condition, by which clients may grey them out. */
export const podRowConditions = (pod: KubernetesObject): JsonObject[] | undefined => {
  const phase = textAt(pod, 'status', 'phase');
  const message = ENDED[phase];
  return message === undefined ? undefined : [{ type: 'Completed', status: 'True', reason: phase, message }];
};
