// Container state: crash loops, memory kills, error exits, recent restarts, containers that cannot be started.

import { mapAt, nameOf, numberAt } from '../../../upstream/kubernetes/objects.ts';
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
  waitingMessage,
  waitingReason,
} from './pods.ts';
import { type Check, countOf, earliestOf, groupBy, latestOf, type Problem, refKey } from './problem.ts';
import { describeRevision } from './revision.ts';
import type { Snapshot } from './snapshot.ts';

/** A restart longer ago is history. */
const RECENT_MS = 3_600_000;
const CANNOT_START = new Set(['RunContainerError', 'CreateContainerError', 'StartError', 'PostStartHookError']);

interface Sick {
  readonly container: Container;
  readonly state: 'CrashLoopBackOff' | 'CannotStart' | 'Ended' | 'Restarted';
  readonly end: Ended | undefined;
}

const judge = (container: Container, now: number): Sick | undefined => {
  const end = lastEnd(container);
  const waiting = waitingReason(container);
  if (waiting === 'CrashLoopBackOff') return { container, end, state: 'CrashLoopBackOff' };
  if (waiting !== undefined && CANNOT_START.has(waiting)) return { container, end, state: 'CannotStart' };
  if (end === undefined || end.exitCode === 0 || now - (end.at ?? 0) > RECENT_MS) return undefined;
  const isEnded = numberAt(container.status, 'state', 'terminated', 'exitCode') !== undefined;
  return { container, end, state: isEnded ? 'Ended' : 'Restarted' };
};

const endText = ({ reason, exitCode, at }: Ended, now: number): string => `${reason} (exit ${exitCode})${agoText(at, now)}`;

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

const MAX_MESSAGE = 300;

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
  if (worst.state === 'CannotStart') return waitingReason(worst.container) ?? worst.state;
  if (worst.state === 'CrashLoopBackOff') return worst.state;
  return isLooping(worst) ? `CrashLoop (${worst.end?.reason ?? 'Error'})` : (worst.end?.reason ?? worst.state);
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
    evidence: [
      ...(revision === undefined ? [] : [revision]),
      ...describeMessage(worst),
      ...describeOthers(
        sick.filter(({ state }) => state !== worst.state),
        now,
      ),
    ],
    involves: sick.map(({ container }) => podRef(container.pod)),
    next:
      worst.state === 'CannotStart'
        ? lookAt(podRef(worst.container.pod), 'describe')
        : logsOf(worst.container.pod, worst.container.name, restartsOf(worst) > 0),
  };
};

export const checkContainers: Check = (cluster, now) => {
  const sick = activePods(cluster)
    .flatMap(containersOf)
    .flatMap((container) => judge(container, now) ?? []);
  const groups = groupBy(sick, ({ container }) => `${refKey(cluster.ownerOf(container.pod))}/${container.name}`);
  return [...groups.values()].map((group) => toProblem(group, cluster, now));
};
