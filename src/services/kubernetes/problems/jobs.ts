// Jobs that failed, CronJobs whose last run failed, that miss their schedule, or that are suspended.

import {
  booleanAt,
  controllerOf,
  type KubeObject,
  metadataOf,
  nameOf,
  namespaceOf,
  textAt,
  timeAt,
} from '../../../upstream/kubernetes/objects.ts';
import { jobStatus } from '../../../upstream/kubernetes/status.ts';
import { agoText, containersOf, lastEnd, lookAt, podRef } from './pods.ts';
import { type Check, groupBy, type Problem, toRef } from './problem.ts';
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
    evidence: describeEnd(cluster, job, now),
    involves: [toRef(job), ...podsOfJob(cluster, job).map(podRef)],
    next: { tool: 'kubernetes_get_logs', arguments: { name: `job/${nameOf(job)}`, namespace: namespaceOf(job) } },
  };
};

const judgeCronJob = (cluster: Snapshot, cronJob: KubeObject, jobs: readonly KubeObject[], now: number): readonly Problem[] => {
  const ref = toRef(cronJob);
  const runs = jobs
    .toSorted((a, b) => startOf(b) - startOf(a))
    .filter((job) => ['Complete', 'Failed', 'FailureTarget'].includes(jobStatus(job, now).status));
  const [last] = runs;
  const failure = last === undefined ? undefined : failureOf(cluster, last, now);
  const failed = runs.findIndex((job) => jobStatus(job, now).status === 'Complete');
  const count = failed < 0 ? runs.length : failed;
  const succeededAt = timeAt(cronJob, 'status', 'lastSuccessfulTime');
  const isSuspended = booleanAt(cronJob, 'spec', 'suspend');
  const trouble = cluster
    .eventsAbout(ref)
    .filter(({ reason }) =>
      /TooManyMissedTimes|FailedNeedsStart|InvalidSchedule|UnparseableSchedule|UnknownTimeZone|FailedCreate/.test(reason),
    )
    .toSorted((a, b) => b.at - a.at)[0];
  return [
    ...(failure === undefined
      ? []
      : [
          {
            ...failure,
            detail: `${failure.detail}; ${count} of the last ${runs.length} kept runs failed in a row${succeededAt === undefined ? ', none is known to have succeeded' : `, last success${agoText(succeededAt, now)}`}`,
          },
        ]),
    ...(trouble === undefined
      ? []
      : [
          {
            severity: 'warning' as const,
            ref,
            reason: trouble.reason,
            since: trouble.firstAt,
            detail: trouble.message,
            next: lookAt(ref, 'describe'),
          },
        ]),
    ...(isSuspended
      ? [
          {
            severity: 'info' as const,
            ref,
            reason: 'Suspended',
            detail: `suspended: schedule ${textAt(cronJob, 'spec', 'schedule') ?? ''} starts nothing`,
            next: lookAt(ref, 'describe'),
          },
        ]
      : []),
  ];
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
