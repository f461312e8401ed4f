// States as `kubectl get` prints them: ported from pkg/printers/internalversion/printers.go of Kubernetes 1.37.
import { ageSince, humanDuration } from './duration.ts';
import {
  booleanAt,
  conditionsOf,
  type Fields,
  isTrue,
  type KubeObject,
  listAt,
  mapAt,
  numberAt,
  textAt,
  timeAt,
  valueAt,
} from './objects.ts';

export interface PodStatus {
  /** `Running`, `CrashLoopBackOff`, `Init:1/2`, `Terminating` ...: never the phase alone. */
  readonly status: string;
  readonly ready: number;
  readonly containers: number;
  readonly restarts: number;
  /** Milliseconds since the epoch. */
  readonly lastRestartAt: number | undefined;
}

/** STATUS, READY and RESTARTS of a pod. */
export const podStatus = (pod: KubeObject): PodStatus => {
  const init = readInitContainers(pod);
  const main = readContainers(pod, init);
  const isInitialized = !init.isInitializing || isTrue(pod, 'Initialized');
  const restartable = listAt(pod, 'spec', 'initContainers').filter(isRestartable).length;
  const common = { containers: listAt(pod, 'spec', 'containers').length + restartable };
  if (!isInitialized)
    return {
      ...common,
      status: finishStatus(pod, init.reason),
      ready: init.ready,
      restarts: init.restarts,
      lastRestartAt: init.lastRestartAt,
    };
  return {
    ...common,
    status: finishStatus(pod, main.reason),
    ready: init.ready + main.ready,
    restarts: init.sidecarRestarts + main.restarts,
    lastRestartAt: latest(init.sidecarLastRestartAt, main.lastRestartAt),
  };
};

/** `3 (5m ago)`: the RESTARTS cell. */
export const formatRestarts = ({ restarts, lastRestartAt }: PodStatus, now: number): string =>
  restarts === 0 || lastRestartAt === undefined ? String(restarts) : `${restarts} (${ageSince(lastRestartAt, now)} ago)`;

const startReason = (pod: KubeObject): string => {
  const isGated = conditionsOf(pod).some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  return isGated ? 'SchedulingGated' : (textAt(pod, 'status', 'reason') ?? textAt(pod, 'status', 'phase') ?? '');
};

const finishStatus = (pod: KubeObject, reason: string): string => {
  if (textAt(pod, 'metadata', 'deletionTimestamp') === undefined) return reason;
  if (textAt(pod, 'status', 'reason') === 'NodeLost') return 'Unknown';
  const phase = textAt(pod, 'status', 'phase');
  return phase === 'Failed' || phase === 'Succeeded' ? reason : 'Terminating';
};

interface InitState {
  readonly reason: string;
  readonly isInitializing: boolean;
  readonly ready: number;
  readonly restarts: number;
  readonly lastRestartAt: number | undefined;
  readonly sidecarRestarts: number;
  readonly sidecarLastRestartAt: number | undefined;
}

/** Counts up to the first container that has not done its part: it gives the reason. */
const readInitContainers = (pod: KubeObject): InitState => {
  const specs = listAt(pod, 'spec', 'initContainers');
  const sidecars = new Set(specs.filter(isRestartable).map((spec) => textAt(spec, 'name')));
  const seen: Fields[] = [];
  let ready = 0;
  let reason: string | undefined;
  for (const [index, container] of listAt(pod, 'status', 'initContainerStatuses').entries()) {
    seen.push(container);
    if (hasTerminated(container) && exitCode(container) === 0) continue;
    if (sidecars.has(textAt(container, 'name')) && booleanAt(container, 'started')) {
      if (booleanAt(container, 'ready')) ready += 1;
      continue;
    }
    reason = initReason(container, `${index}/${specs.length}`);
    break;
  }
  const seenSidecars = seen.filter((container) => sidecars.has(textAt(container, 'name')));
  return {
    reason: reason ?? startReason(pod),
    isInitializing: reason !== undefined,
    ready,
    restarts: sumRestarts(seen),
    lastRestartAt: lastRestart(seen),
    sidecarRestarts: sumRestarts(seenSidecars),
    sidecarLastRestartAt: lastRestart(seenSidecars),
  };
};

const initReason = (container: Fields, position: string): string => {
  if (hasTerminated(container)) return `Init:${terminatedReason(container)}`;
  const waiting = waitingReason(container);
  return waiting === undefined || waiting === 'PodInitializing' ? `Init:${position}` : `Init:${waiting}`;
};

interface MainState {
  readonly reason: string;
  readonly ready: number;
  readonly restarts: number;
  readonly lastRestartAt: number | undefined;
}

/** From the last container to the first, so that the first that is not running names the state. */
const readContainers = (pod: KubeObject, init: InitState): MainState => {
  const containers = listAt(pod, 'status', 'containerStatuses');
  let reason = init.reason;
  let errorReason: string | undefined;
  let running = 0;
  for (const container of containers.toReversed()) {
    const waiting = waitingReason(container);
    if (waiting !== undefined) reason = waiting;
    else if (hasTerminated(container)) {
      reason = terminatedReason(container);
      if (exitCode(container) !== 0) errorReason = reason;
    } else if (booleanAt(container, 'ready') && valueAt(container, 'state', 'running') !== undefined) running += 1;
  }
  return {
    reason: settle(reason, { pod, errorReason, isRunning: running > 0 }),
    ready: running,
    restarts: sumRestarts(containers),
    lastRestartAt: lastRestart(containers),
  };
};

/** A pod with one container completed and another at work is not completed. */
const settle = (
  reason: string,
  { pod, errorReason, isRunning }: { pod: KubeObject; errorReason: string | undefined; isRunning: boolean },
): string => {
  if (reason !== 'Completed') return reason;
  if (isRunning && isTrue(pod, 'Ready')) return 'Running';
  return errorReason ?? (isRunning ? 'NotReady' : reason);
};

const isRestartable = (container: Fields): boolean => textAt(container, 'restartPolicy') === 'Always';
const hasTerminated = (container: Fields): boolean => valueAt(container, 'state', 'terminated') != null;
const exitCode = (container: Fields): number => numberAt(container, 'state', 'terminated', 'exitCode') ?? 0;
const waitingReason = (container: Fields): string | undefined => textAt(container, 'state', 'waiting', 'reason');
const terminatedReason = (container: Fields): string => {
  const signal = numberAt(container, 'state', 'terminated', 'signal') ?? 0;
  return textAt(container, 'state', 'terminated', 'reason') ?? (signal === 0 ? `ExitCode:${exitCode(container)}` : `Signal:${signal}`);
};
const sumRestarts = (containers: readonly Fields[]): number =>
  containers.reduce((sum, container) => sum + (numberAt(container, 'restartCount') ?? 0), 0);
const lastRestart = (containers: readonly Fields[]): number | undefined =>
  containers.map((container) => timeAt(container, 'lastState', 'terminated', 'finishedAt')).reduce(latest, undefined);
const latest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || (b !== undefined && b > a) ? b : a;

export interface JobStatus {
  /** `Complete`, `Failed`, `Running`, `Suspended`, `Terminating`, `FailureTarget`, `SuccessCriteriaMet`. */
  readonly status: string;
  /** `1/3`. */
  readonly completions: string;
  /** Milliseconds; still growing while it runs. Absent before the start. */
  readonly duration: number | undefined;
  /** Why it failed (condition reason and message). */
  readonly reason: string | undefined;
  readonly message: string | undefined;
}

const JOB_STATES = [
  ['Complete', 'Complete'],
  ['Failed', 'Failed'],
  ['', 'Terminating'],
  ['Suspended', 'Suspended'],
  ['FailureTarget', 'FailureTarget'],
  ['SuccessCriteriaMet', 'SuccessCriteriaMet'],
] as const;

export const jobStatus = (job: KubeObject, now: number): JobStatus => {
  const isDeleted = textAt(job, 'metadata', 'deletionTimestamp') !== undefined;
  const [, status = 'Running'] = JOB_STATES.find(([type]) => (type === '' ? isDeleted : isTrue(job, type))) ?? [];
  const succeeded = numberAt(job, 'status', 'succeeded') ?? 0;
  const completions = numberAt(job, 'spec', 'completions');
  const parallelism = numberAt(job, 'spec', 'parallelism') ?? 0;
  const startedAt = timeAt(job, 'status', 'startTime');
  const failure = conditionsOf(job).find(({ type, status: value }) => (type === 'Failed' || type === 'FailureTarget') && value === 'True');
  return {
    status,
    completions: completions === undefined ? `${succeeded}/1${parallelism > 1 ? ` of ${parallelism}` : ''}` : `${succeeded}/${completions}`,
    duration: startedAt === undefined ? undefined : (timeAt(job, 'status', 'completionTime') ?? now) - startedAt,
    reason: failure?.reason,
    message: failure?.message,
  };
};

/** The DURATION cell of a job. */
export const formatJobDuration = ({ duration }: JobStatus): string => (duration === undefined ? '' : humanDuration(duration));

export interface NodeStatus {
  /** `Ready`, `NotReady,SchedulingDisabled`, `Unknown`. */
  readonly status: string;
  readonly roles: readonly string[];
}

const ROLE_PREFIX = 'node-role.kubernetes.io/';

export const nodeStatus = (node: KubeObject): NodeStatus => {
  const ready = conditionsOf(node).findLast(({ type }) => type === 'Ready');
  const state = ready === undefined ? 'Unknown' : ready.status === 'True' ? 'Ready' : 'NotReady';
  const roles = Object.entries(mapAt(node, 'metadata', 'labels')).flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return key.length > ROLE_PREFIX.length ? [key.slice(ROLE_PREFIX.length)] : [];
    return key === 'kubernetes.io/role' && value !== '' ? [value] : [];
  });
  return { status: booleanAt(node, 'spec', 'unschedulable') ? `${state},SchedulingDisabled` : state, roles: [...new Set(roles)].sort() };
};

/** STATUS of a PersistentVolumeClaim, a PersistentVolume or a Namespace: its phase, or that it is being deleted. */
export const phaseStatus = (object: KubeObject): string => {
  const isNamespace = textAt(object, 'kind') === 'Namespace';
  const isDeleted = textAt(object, 'metadata', 'deletionTimestamp') !== undefined;
  return isDeleted && !isNamespace ? 'Terminating' : (textAt(object, 'status', 'phase') ?? '');
};
