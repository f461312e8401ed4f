// Rows of the groups apps, batch, autoscaling and policy (printers.go).
import { at, type Json, type JsonObject, listAt, numberAt, objectAt, objectsAt, textAt, timeAt } from '../json.ts';
import { toLabelSelector } from '../label-selector.ts';
import type { KubernetesObject } from '../object.ts';
import { hasCondition } from './pods.ts';
import {
  ageOf,
  type Cell,
  containerImages,
  containerNames,
  type PrintContext,
  type Printer,
  type Printers,
  text,
  toAge,
  toHumanDuration,
  toLabels,
} from './printer.ts';

const containersOf = (workload: KubernetesObject): readonly JsonObject[] => objectsAt(workload, 'spec', 'template', 'spec', 'containers');

const selectorOf = (value: Json | undefined): string => toLabelSelector(value).toString() || '<none>';

const printDeployment: Printer = (deployment, context): Cell[] => [
  deployment.metadata.name,
  `${numberAt(deployment, 'status', 'readyReplicas')}/${numberAt(deployment, 'spec', 'replicas')}`,
  numberAt(deployment, 'status', 'updatedReplicas'),
  numberAt(deployment, 'status', 'availableReplicas'),
  ageOf(deployment, context),
  containerNames(containersOf(deployment)),
  containerImages(containersOf(deployment)),
  toLabelSelector(at(deployment, 'spec', 'selector')).toString(),
];

const printReplicaSet: Printer = (set, context): Cell[] => [
  set.metadata.name,
  numberAt(set, 'spec', 'replicas'),
  numberAt(set, 'status', 'replicas'),
  numberAt(set, 'status', 'readyReplicas'),
  ageOf(set, context),
  containerNames(containersOf(set)),
  containerImages(containersOf(set)),
  selectorOf(at(set, 'spec', 'selector')),
];

const printStatefulSet: Printer = (set, context): Cell[] => [
  set.metadata.name,
  `${numberAt(set, 'status', 'readyReplicas')}/${numberAt(set, 'spec', 'replicas')}`,
  ageOf(set, context),
  containerNames(containersOf(set)),
  containerImages(containersOf(set)),
];

const printDaemonSet: Printer = (set, context): Cell[] => [
  set.metadata.name,
  numberAt(set, 'status', 'desiredNumberScheduled'),
  numberAt(set, 'status', 'currentNumberScheduled'),
  numberAt(set, 'status', 'numberReady'),
  numberAt(set, 'status', 'updatedNumberScheduled'),
  numberAt(set, 'status', 'numberAvailable'),
  toLabels(set, 'spec', 'template', 'spec', 'nodeSelector'),
  ageOf(set, context),
  containerNames(containersOf(set)),
  containerImages(containersOf(set)),
  selectorOf(at(set, 'spec', 'selector')),
];

const printControllerRevision: Printer = (revision, context): Cell[] => {
  const owner = (revision.metadata.ownerReferences ?? []).find(({ controller }) => controller === true);
  const group = owner?.apiVersion.includes('/') ? `.${owner.apiVersion.split('/')[0]}` : '';
  const controller = owner === undefined ? '<none>' : `${`${owner.kind}${group}`.toLowerCase()}/${owner.name}`;
  return [revision.metadata.name, controller, numberAt(revision, 'revision'), ageOf(revision, context)];
};

const printJob: Printer = (job, context): Cell[] => [
  job.metadata.name,
  jobStatus(job),
  jobCompletions(job),
  jobDuration(job, context),
  ageOf(job, context),
  containerNames(containersOf(job)),
  containerImages(containersOf(job)),
  selectorOf(at(job, 'spec', 'selector')),
];

const jobStatus = (job: KubernetesObject): string => {
  if (hasCondition(job, 'Complete')) return 'Complete';
  if (hasCondition(job, 'Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp !== undefined) return 'Terminating';
  return ['Suspended', 'FailureTarget', 'SuccessCriteriaMet'].find((type) => hasCondition(job, type)) ?? 'Running';
};

const jobCompletions = (job: KubernetesObject): string => {
  const succeeded = numberAt(job, 'status', 'succeeded');
  const completions = at(job, 'spec', 'completions');
  if (typeof completions === 'number') return `${succeeded}/${completions}`;
  const parallelism = numberAt(job, 'spec', 'parallelism');
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
};

const jobDuration = (job: KubernetesObject, { now }: PrintContext): string => {
  const start = timeAt(job, 'status', 'startTime');
  return start === undefined ? '' : toHumanDuration((timeAt(job, 'status', 'completionTime') ?? now) - start);
};

const printCronJob: Printer = (cronJob, context): Cell[] => {
  const containers = objectsAt(cronJob, 'spec', 'jobTemplate', 'spec', 'template', 'spec', 'containers');
  const last = timeAt(cronJob, 'status', 'lastScheduleTime');
  const suspend = at(cronJob, 'spec', 'suspend');
  return [
    cronJob.metadata.name,
    textAt(cronJob, 'spec', 'schedule'),
    textAt(cronJob, 'spec', 'timeZone') || '<none>',
    suspend === undefined ? '<unset>' : suspend === true ? 'True' : 'False',
    listAt(cronJob, 'status', 'active').length,
    last === undefined ? '<none>' : toAge(last, context),
    ageOf(cronJob, context),
    containerNames(containers),
    containerImages(containers),
    selectorOf(at(cronJob, 'spec', 'jobTemplate', 'spec', 'selector')),
  ];
};

const printAutoscaler: Printer = (autoscaler, context): Cell[] => {
  const target = objectAt(autoscaler, 'spec', 'scaleTargetRef');
  const minimum = at(autoscaler, 'spec', 'minReplicas');
  return [
    autoscaler.metadata.name,
    `${textAt(target, 'kind')}/${textAt(target, 'name')}`,
    toMetrics(autoscaler),
    text(minimum, '<unset>'),
    numberAt(autoscaler, 'spec', 'maxReplicas'),
    numberAt(autoscaler, 'status', 'currentReplicas'),
    ageOf(autoscaler, context),
  ];
};

const toMetrics = (autoscaler: KubernetesObject): string => {
  const statuses = objectsAt(autoscaler, 'status', 'currentMetrics');
  const all = objectsAt(autoscaler, 'spec', 'metrics').map((metric, index) => toMetric(metric, statuses[index]));
  if (all.length === 0) return '<none>';
  return all.length > 2 ? `${all.slice(0, 2).join(', ')} + ${all.length - 2} more...` : all.join(', ');
};

const SOURCES: Readonly<Record<string, string>> = {
  External: 'external',
  Pods: 'pods',
  Object: 'object',
  Resource: 'resource',
  ContainerResource: 'containerResource',
};

const toMetric = (metric: JsonObject, status: JsonObject | undefined): string => {
  const type = textAt(metric, 'type');
  const source = SOURCES[type];
  if (source === undefined) return '<unknown type>';
  const target = objectAt(metric, source, 'target');
  const current = objectAt(status, source, 'current');
  const read = (key: string): string => text(current[key], '<unknown>');
  if (type === 'Pods') return `${read('averageValue')}/${text(target['averageValue'])}`;
  if (type === 'External' || type === 'Object') {
    if (target['averageValue'] !== undefined) return `${read('averageValue')}/${text(target['averageValue'])} (avg)`;
    return `${read('value')}/${text(target['value'])}`;
  }
  const name = textAt(metric, source, 'name');
  if (target['averageValue'] !== undefined) return `${name}: ${read('averageValue')}/${text(target['averageValue'])}`;
  const percent = (value: Json | undefined, none: string): string => (typeof value === 'number' ? `${value}%` : none);
  return `${name}: ${percent(current['averageUtilization'], '<unknown>')}/${percent(target['averageUtilization'], '<auto>')}`;
};

const printDisruptionBudget: Printer = (budget, context): Cell[] => [
  budget.metadata.name,
  text(at(budget, 'spec', 'minAvailable'), 'N/A'),
  text(at(budget, 'spec', 'maxUnavailable'), 'N/A'),
  numberAt(budget, 'status', 'disruptionsAllowed'),
  ageOf(budget, context),
];

export const WORKLOAD_PRINTERS: Printers = {
  'deployments.apps': printDeployment,
  'replicasets.apps': printReplicaSet,
  'statefulsets.apps': printStatefulSet,
  'daemonsets.apps': printDaemonSet,
  'controllerrevisions.apps': printControllerRevision,
  'jobs.batch': printJob,
  'cronjobs.batch': printCronJob,
  'horizontalpodautoscalers.autoscaling': printAutoscaler,
  'poddisruptionbudgets.policy': printDisruptionBudget,
};
