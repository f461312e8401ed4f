// Container state: crash loops, memory kills, error exits, recent restarts, containers that cannot be started.

import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import { mapAt, nameOf, numberAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import { type Place, placeIn, placeInTemplate } from './place.ts';
import {
  activePods,
  agoText,
  type Container,
  containersOf,
  type Ended,
  lastEnd,
  logsOf,
  lookAt,
  podRef,
  severityOf,
  shareOf,
  specField,
  statusField,
  toStuckProblems,
  waitingMessage,
  waitingReason,
} from './pods.ts';
import { probeEvents, probePlace } from './probes.ts';
import { type Check, countOf, earliestOf, groupBy, latestOf, type Problem, type Ref, refKey } from './problem.ts';
import { describeRevision } from './revision.ts';
import type { Snapshot } from './snapshot.ts';

/** A restart longer ago is history. */
const RECENT_MS = 3_600_000;
const CANNOT_START = new Set(['RunContainerError', 'CreateContainerError', 'StartError', 'PostStartHookError']);

interface Sick {
  readonly container: Container;
  readonly state: 'CrashLoopBackOff' | 'CannotStart' | 'Ended' | 'Restarted';
  readonly end: Ended | undefined;
  /** The probe that ended it. */
  readonly killer?: KubeEvent | undefined;
}

/** The kubelet ends a container whose liveness or startup probe fails; the container itself only says that it was ended. */
const killerOf = (cluster: Snapshot, { pod, name, status }: Container): KubeEvent | undefined =>
  (numberAt(status, 'restartCount') ?? 0) === 0
    ? undefined
    : probeEvents(cluster, pod).find(
        ({ message, regarding }) =>
          /^(Liveness|Startup) probe (failed|errored)/.test(message) && (regarding.fieldPath ?? `{${name}}`).endsWith(`{${name}}`),
      );

const judge = (cluster: Snapshot, container: Container, now: number): Sick | undefined => {
  const end = lastEnd(container);
  const killer = killerOf(cluster, container);
  if (killer !== undefined && end?.reason !== 'OOMKilled' && now - killer.at < RECENT_MS)
    return { container, end, killer, state: waitingReason(container) === 'CrashLoopBackOff' ? 'CrashLoopBackOff' : 'Restarted' };
  const waiting = waitingReason(container);
  if (waiting === 'CrashLoopBackOff') return { container, end, state: 'CrashLoopBackOff' };
  if (waiting !== undefined && CANNOT_START.has(waiting)) return { container, end, state: 'CannotStart' };
  if (end === undefined || end.exitCode === 0 || now - (end.at ?? 0) > RECENT_MS) return undefined;
  const isEnded = numberAt(container.status, 'state', 'terminated', 'exitCode') !== undefined;
  return { container, end, state: isEnded ? 'Ended' : 'Restarted' };
};

const MEANINGS: Readonly<Record<number, string>> = {
  126: 'its command cannot be executed',
  127: 'its command was not found',
  134: 'it aborted',
  137: 'it was killed',
  139: 'it crashed on memory',
  143: 'it was asked to end',
};

const endText = ({ reason, exitCode, at }: Ended, now: number): string => {
  const meaning = reason === 'OOMKilled' ? undefined : MEANINGS[exitCode];
  return `${reason} (exit ${exitCode}${meaning === undefined ? '' : `: ${meaning}`})${agoText(at, now)}`;
};

const STATE_WORDS: Readonly<Record<Sick['state'], string>> = {
  CrashLoopBackOff: 'in CrashLoopBackOff',
  CannotStart: 'cannot start',
  Ended: 'ended with an error',
  Restarted: 'restarted',
};

const toDetail = (sick: readonly Sick[], worst: Sick, share: string, now: number): string => {
  const { container, state, end } = worst;
  const restarts = sick.reduce((sum, one) => sum + restartsOf(one), 0);
  const limit = mapAt(container.spec, 'resources', 'limits')['memory'];
  const parts = [
    `container ${container.name} ${STATE_WORDS[state]} in ${share}`,
    restarts > 0 ? `${countOf(restarts, 'restart')}${sick.length > 1 ? ` in ${sick.length} pods` : ''}` : '',
    end === undefined ? '' : `last exit ${endText(end, now)}`,
    end?.reason === 'OOMKilled' && limit !== undefined ? `memory limit ${limit}` : '',
    state === 'CannotStart' ? (waitingMessage(container) ?? '') : '',
  ];
  return parts.filter((part) => part !== '').join('; ');
};

const restartsOf = ({ container }: Sick): number => numberAt(container.status, 'restartCount') ?? 0;

/** Between two back-offs the last run is still the present one; the kubelet may have taken the one before it away. */
const hasPrevious = (sick: Sick): boolean =>
  restartsOf(sick) > 0 && numberAt(sick.container.status, 'state', 'terminated', 'exitCode') === undefined;

const MAX_MESSAGE = 300;

/** What the probe said that ended it. */
const describeKiller = ({ killer }: Sick, now: number): readonly string[] =>
  killer === undefined ? [] : [`${killer.message} (${countOf(killer.count, 'time')}, last${agoText(killer.at, now)})`];

/** The last words of the container, by its termination message; of one that cannot start they are in the detail. */
const describeMessage = ({ state, end }: Sick): readonly string[] =>
  end?.message === undefined || state === 'CannotStart' ? [] : [`last words: ${end.message.trim().slice(-MAX_MESSAGE)}`];

/** Pods that suffer less than the worst: they may be on their way there. */
const describeOthers = (others: readonly Sick[], now: number): readonly string[] =>
  others.length === 0
    ? []
    : [
        `also ${others
          .slice(0, 3)
          .map(
            (one) =>
              `${nameOf(one.container.pod)}: ${countOf(restartsOf(one), 'restart')}${one.end === undefined ? '' : `, last ${endText(one.end, now)}`}`,
          )
          .join('; ')}${others.length > 3 ? `; +${others.length - 3}` : ''}`,
      ];

const ORDER: readonly Sick['state'][] = ['CrashLoopBackOff', 'CannotStart', 'Ended', 'Restarted'];

/** Between two back-offs a container that ends again and again just says how it ended. */
const isLooping = (sick: Sick): boolean => sick.state === 'Ended' && restartsOf(sick) > 0;

const reasonOf = (sick: readonly Sick[], worst: Sick): string => {
  if (sick.some(({ end }) => end?.reason === 'OOMKilled')) {
    return worst.state === 'CrashLoopBackOff' ? 'CrashLoopBackOff (OOMKilled)' : isLooping(worst) ? 'CrashLoop (OOMKilled)' : 'OOMKilled';
  }
  if (worst.killer !== undefined) return `${/^Liveness/.test(worst.killer.message) ? 'Liveness' : 'Startup'}ProbeFailed`;
  if (isDiskFull(worst)) return worst.state === 'CrashLoopBackOff' ? 'CrashLoopBackOff (DiskFull)' : 'DiskFull';
  if (worst.state === 'CannotStart') return waitingReason(worst.container) ?? worst.state;
  if (worst.state === 'CrashLoopBackOff') return worst.state;
  return isLooping(worst) ? `CrashLoop (${worst.end?.reason ?? 'Error'})` : (worst.end?.reason ?? worst.state);
};

const isDiskFull = ({ end }: Pick<Sick, 'end'>): boolean => /no space left on device/i.test(end?.message ?? '');

/** Of a memory kill the limit, where there is one; else how the last run ended, or why none began. */
const toPlace = (cluster: Snapshot, ref: Ref, { container, state, end, killer }: Sick): Place => {
  const probe = killer === undefined ? undefined : probePlace(cluster, ref, container, killer);
  if (probe !== undefined) return probe;
  const limit = specField(container, 'resources.limits.memory');
  if (end?.reason === 'OOMKilled' && mapAt(container.spec, 'resources', 'limits')['memory'] !== undefined)
    return placeInTemplate(cluster, ref, container.pod, limit);
  const terminated =
    numberAt(container.status, 'state', 'terminated', 'exitCode') === undefined ? 'lastState.terminated' : 'state.terminated';
  if (isDiskFull({ end })) return placeIn(container.pod, statusField(container, `${terminated}.message`));
  if (end === undefined || state === 'CannotStart') return placeIn(container.pod, statusField(container, 'state.waiting.reason'));
  return placeIn(container.pod, statusField(container, `${terminated}.exitCode`));
};

/** The first back-off that is still known, else the last end. */
const startedAt = (cluster: Snapshot, sick: readonly Sick[]): number | undefined =>
  earliestOf(
    sick.flatMap(({ container: { pod } }) =>
      cluster.eventsAbout(podRef(pod)).flatMap(({ reason, firstAt }) => (reason === 'BackOff' ? [firstAt] : [])),
    ),
  ) ?? latestOf(sick.map(({ end }) => end?.at));

const toProblem = (sick: readonly Sick[], cluster: Snapshot, now: number): Problem => {
  const [worst] = sick.toSorted((a, b) => ORDER.indexOf(a.state) - ORDER.indexOf(b.state) || (b.end?.at ?? 0) - (a.end?.at ?? 0));
  if (worst === undefined) throw new RangeError('A group has at least one member.');
  const ref = cluster.ownerOf(worst.container.pod);
  const revision = describeRevision(cluster, ref, worst.container.name, now);
  const alike = sick.filter(({ state }) => state === worst.state);
  return {
    severity: severityOf(cluster, ref),
    ref,
    reason: reasonOf(sick, worst),
    since: startedAt(cluster, sick),
    detail: toDetail(sick, worst, shareOf(cluster, ref, alike.length), now),
    at: toPlace(cluster, ref, worst),
    evidence: [
      ...(revision === undefined ? [] : [revision]),
      ...describeKiller(worst, now),
      ...describeMessage(worst),
      ...describeOthers(
        sick.filter(({ state }) => state !== worst.state),
        now,
      ),
    ],
    involves: sick.map(({ container }) => podRef(container.pod)),
    next:
      worst.state === 'CannotStart' || worst.killer !== undefined
        ? lookAt(podRef(worst.container.pod), 'describe')
        : logsOf(worst.container.pod, worst.container.name, hasPrevious(worst)),
  };
};

export const checkContainers: Check = (cluster, now) => {
  const sick = activePods(cluster)
    .flatMap(containersOf)
    .flatMap((container) => judge(cluster, container, now) ?? []);
  const groups = groupBy(sick, ({ container }) => `${refKey(cluster.ownerOf(container.pod))}/${container.name}`);
  return [...[...groups.values()].map((group) => toProblem(group, cluster, now)), ...checkSandboxes(cluster, now)];
};

/** Younger ones are still being made. */
const SANDBOX_MS = 120_000;

/** Pods without a network, a runtime class or a disk for it: no container has begun, only the events say why. */
const checkSandboxes: Check = (cluster, now) => {
  const stuck = activePods(cluster).flatMap((pod) => {
    const isMaking = containersOf(pod).some((container) => waitingReason(container) === 'ContainerCreating');
    const [event] = isMaking
      ? cluster
          .eventsAbout(podRef(pod))
          .filter(({ reason, at }) => /^FailedCreatePodSandBox|^NetworkNotReady/.test(reason) && now - at < RECENT_MS)
      : [];
    return event === undefined || now - event.firstAt < SANDBOX_MS ? [] : [{ pod, event }];
  });
  return toStuckProblems(cluster, stuck, ({ pod, event }, share) => ({
    detail: `no container can be started in ${share} on ${textAt(pod, 'spec', 'nodeName') ?? 'no node'}: ${event.message.slice(0, MAX_MESSAGE)}`,
    field: 'status.containerStatuses[0].state.waiting.reason',
  }));
};
