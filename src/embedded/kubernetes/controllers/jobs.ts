// Jobs: a pod that works and ends.
import { at, type JsonObject, numberAt, objectAt, textAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type Cluster, isEnded, isEnding, isReady } from './cluster.ts';
import { makePod } from './make-pod.ts';

export const JOBS = 'jobs.batch';

const isDone = (job: KubernetesObject): boolean =>
  (Array.isArray(at(job, 'status', 'conditions')) ? objectAt(job, 'status')['conditions'] : undefined) !== undefined &&
  textAt(job, 'status', 'completionTime') !== '';

const ended = (type: string, time: string): JsonObject => ({
  type,
  status: 'True',
  lastProbeTime: time,
  lastTransitionTime: time,
  reason: 'CompletionsReached',
  message: 'Reached expected number of succeeded pods',
});

export const leadJob = (cluster: Cluster, job: KubernetesObject): void => {
  if (isEnding(job) || isDone(job) || at(job, 'spec', 'suspend') === true) return;
  const pods = cluster.ownedBy('pods', job);
  const succeeded = pods.filter((pod) => textAt(pod, 'status', 'phase') === 'Succeeded').length;
  const active = pods.filter((pod) => !isEnded(pod) && !isEnding(pod));
  const wanted = numberAt(job, 'spec', 'completions') || 1;
  const room = Math.min(numberAt(job, 'spec', 'parallelism'), wanted - succeeded) - active.length;
  for (let missing = room; missing > 0; missing -= 1)
    makePod(cluster, { owner: job, template: objectAt(job, 'spec', 'template'), component: 'job-controller' });
  const running = cluster.ownedBy('pods', job).filter((pod) => !isEnded(pod) && !isEnding(pod));
  const startTime = textAt(job, 'status', 'startTime') || toTime(cluster.now);
  const ready = running.filter(isReady).length;
  const common = { startTime, ...(succeeded === 0 ? {} : { succeeded }), terminating: 0, uncountedTerminatedPods: {}, ready };
  if (succeeded < wanted) {
    cluster.updateStatus(JOBS, job, { ...(running.length === 0 ? {} : { active: running.length }), ...common });
    return;
  }
  const time = toTime(cluster.now);
  cluster.updateStatus(JOBS, job, {
    conditions: [ended('SuccessCriteriaMet', time), ended('Complete', time)],
    completionTime: time,
    ...common,
  });
  cluster.note(job, { reason: 'Completed', message: 'Job completed', component: 'job-controller' });
};
