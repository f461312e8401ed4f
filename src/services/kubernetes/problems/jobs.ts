// Jobs that failed, CronJobs whose last run failed, that miss their schedule, or that are suspended.

import {
  booleanAt,
  controllerOf,
  type KubeObject,
  listAt,
  metadataOf,
  nameOf,
  namespaceOf,
  textAt,
  timeAt,
} from '../../../upstream/kubernetes/objects.ts';
import { jobStatus } from '../../../upstream/kubernetes/status.ts';
import { placeIn } from './place.ts';
import { agoText, containersOf, lastEnd, lookAt, podRef } from './pods.ts';
import { type Check, groupBy, type Problem, toRef } from './problem.ts';
import { lastFire, zoneSlack } from './schedule.ts';
import { isDeleted, type Snapshot } from './snapshot.ts';

/** A Job of its own that failed longer ago is history. */
const RECENT_MS = 24 * 3_600_000;

const startOf = (job: KubeObject): number => timeAt(job, 'status', 'startTime') ?? metadataOf(job).createdAt ?? 0;

const podsOfJob = (cluster: Snapshot, job: KubeObject): readonly KubeObject[] =>
  cluster
    .list('pods')
    .filter((pod) => namespaceOf(pod) === namespaceOf(job) && controllerOf(pod)?.kind === 'Job' && controllerOf(pod)?.name === nameOf(job));

/** How its last pod ended. */
const describeEnd = (cluster: Snapshot, job: KubeObject, now: number): readonly string[] => {
  const ends = podsOfJob(cluster, job).flatMap((pod) =>
    containersOf(pod).flatMap((container) => {
      const end = lastEnd(container);
      return end === undefined || end.exitCode === 0 ? [] : [{ pod, name: container.name, end }];
    }),
  );
  const [last] = ends.toSorted((a, b) => (b.end.at ?? 0) - (a.end.at ?? 0));
  return last === undefined
    ? []
    : [`container ${last.name} of ${nameOf(last.pod)}: ${last.end.reason} (exit ${last.end.exitCode})${agoText(last.end.at, now)}`];
};

const failureOf = (cluster: Snapshot, job: KubeObject, now: number): Problem | undefined => {
  const { status, reason, message } = jobStatus(job, now);
  if (status !== 'Failed' && status !== 'FailureTarget') return undefined;
  return {
    severity: 'warning',
    ref: cluster.ownerOf(job),
    reason: reason ?? 'JobFailed',
    since: startOf(job),
    detail: `job ${nameOf(job)} failed${message === undefined ? '' : `: ${message}`}`,
    at: placeIn(job, `status.conditions[?type=${status}].reason`),
    evidence: describeEnd(cluster, job, now),
    involves: [toRef(job), ...podsOfJob(cluster, job).map(podRef)],
    next: { tool: 'kubernetes_get_logs', arguments: { name: `job/${nameOf(job)}`, namespace: namespaceOf(job) } },
  };
};

const NEVER = 'ScheduleNeverFires';
/** A run starts within seconds of its time; whoever has a deadline for it is given twice as long. */
const LATE_MS = 600_000;

/** Is the last run that the schedule asks for still not there? The schedule itself is judged, not an event, which would soon be gone. */
const judgeSchedule = (cronJob: KubeObject, now: number): readonly Problem[] => {
  const schedule = textAt(cronJob, 'spec', 'schedule') ?? '';
  const createdAt = metadataOf(cronJob).createdAt ?? now;
  const lastAt = timeAt(cronJob, 'status', 'lastScheduleTime');
  const slack = LATE_MS + zoneSlack(schedule);
  const dueAt = lastFire(schedule, now - slack);
  const ref = toRef(cronJob);
  const common = { severity: 'warning' as const, ref, at: placeIn(cronJob, 'spec.schedule'), next: lookAt(ref, 'describe') };
  if (dueAt === undefined) return [];
  if (dueAt === 'never') return [{ ...common, reason: NEVER, detail: `no date fits the schedule ${schedule}: it starts nothing` }];
  if (dueAt <= Math.max(createdAt, lastAt ?? 0) + slack) return [];
  const isBusy = textAt(cronJob, 'spec', 'concurrencyPolicy') === 'Forbid' && listAt(cronJob, 'status', 'active').length > 0;
  const last = lastAt === undefined ? 'it has never started one' : `the last started${agoText(lastAt, now)}`;
  const detail = `schedule ${schedule} asked for a run${agoText(dueAt, now)}; ${last}${isBusy ? '; a run that is still active holds up the next (concurrencyPolicy Forbid)' : ''}`;
  return [{ ...common, reason: isBusy ? 'RunsOverlap' : 'RunsMissed', since: dueAt, detail }];
};

const TROUBLE = /TooManyMissedTimes|FailedNeedsStart|InvalidSchedule|UnparseableSchedule|UnknownTimeZone|FailedCreate/;

/** What its controller complains about. */
const judgeEvents = (cluster: Snapshot, cronJob: KubeObject): readonly Problem[] => {
  const ref = toRef(cronJob);
  const [trouble] = cluster
    .eventsAbout(ref)
    .filter(({ reason }) => TROUBLE.test(reason))
    .toSorted((a, b) => b.at - a.at);
  if (trouble === undefined) return [];
  const { reason, firstAt: since, message: detail } = trouble;
  return [{ severity: 'warning', ref, reason, since, detail, at: placeIn(cronJob, 'spec.schedule'), next: lookAt(ref, 'describe') }];
};

const judgeSuspended = (cronJob: KubeObject): readonly Problem[] => {
  const ref = toRef(cronJob);
  return [
    {
      severity: 'info',
      ref,
      reason: 'Suspended',
      detail: `suspended: schedule ${textAt(cronJob, 'spec', 'schedule') ?? ''} starts nothing`,
      at: placeIn(cronJob, 'spec.suspend'),
      next: lookAt(ref, 'describe'),
    },
  ];
};

/** Its last run, and how many before it failed in a row. */
const judgeRuns = (cluster: Snapshot, cronJob: KubeObject, jobs: readonly KubeObject[], now: number): readonly Problem[] => {
  const runs = jobs
    .toSorted((a, b) => startOf(b) - startOf(a))
    .filter((job) => ['Complete', 'Failed', 'FailureTarget'].includes(jobStatus(job, now).status));
  const [last] = runs;
  const failure = last === undefined ? undefined : failureOf(cluster, last, now);
  if (failure === undefined) return [];
  const good = runs.findIndex((job) => jobStatus(job, now).status === 'Complete');
  const succeededAt = timeAt(cronJob, 'status', 'lastSuccessfulTime');
  const success = succeededAt === undefined ? 'none is known to have succeeded' : `last success${agoText(succeededAt, now)}`;
  const detail = `${failure.detail}; ${good < 0 ? runs.length : good} of the last ${runs.length} kept runs failed in a row, ${success}`;
  return [{ ...failure, detail }];
};

const judgeCronJob = (cluster: Snapshot, cronJob: KubeObject, jobs: readonly KubeObject[], now: number): readonly Problem[] => {
  const runs = judgeRuns(cluster, cronJob, jobs, now);
  if (booleanAt(cronJob, 'spec', 'suspend')) return [...runs, ...judgeSuspended(cronJob)];
  const schedule = judgeSchedule(cronJob, now);
  const events = judgeEvents(cluster, cronJob);
  // Of a schedule that fits no date the controller complains, too: in words that say less.
  const isNever = schedule.some(({ reason }) => reason === NEVER);
  return [...runs, ...(isNever || events.length === 0 ? schedule : events)];
};

export const checkJobs: Check = (cluster, now) => {
  const jobs = cluster.list('jobs').filter((job) => !isDeleted(job));
  const byOwner = groupBy(jobs, (job) => {
    const owner = controllerOf(job);
    return owner?.kind === 'CronJob' ? `${namespaceOf(job)}/${owner.name}` : '';
  });
  const single = byOwner.get('') ?? [];
  return [
    ...single.filter((job) => now - startOf(job) < RECENT_MS).flatMap((job) => failureOf(cluster, job, now) ?? []),
    ...cluster
      .list('cronjobs')
      .flatMap((cronJob) => judgeCronJob(cluster, cronJob, byOwner.get(`${namespaceOf(cronJob)}/${nameOf(cronJob)}`) ?? [], now)),
  ];
};
