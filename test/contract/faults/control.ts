// Faults of controllers: rollouts, jobs, autoscalers, budgets.

import { GET, type PlantedFault } from './fault.ts';
import { ago, deployment, ended, type Fields, labelsOf, object, type Planted, pod, podSpec, warning } from './objects.ts';

const web = 'deployment/web';

const progressing = (reason: string, status: string, message: string): readonly Fields[] => [
  { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', lastTransitionTime: ago(100) },
  { type: 'Progressing', status, reason, message, lastTransitionTime: ago(15) },
];

const cronJob = (namespace: string, spec: Fields, status: Fields = {}): Planted =>
  object(
    'CronJob',
    namespace,
    'report',
    {
      spec: {
        schedule: '*/5 * * * *',
        concurrencyPolicy: 'Allow',
        suspend: false,
        jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } },
        ...spec,
      },
      status,
    },
    { age: 3000 },
  );

const autoscaler = (namespace: string, conditions: readonly Fields[], more: Fields = {}): Planted =>
  object('HorizontalPodAutoscaler', namespace, 'web', {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 3,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
      ...more,
    },
    status: { currentReplicas: 3, desiredReplicas: 3, conditions },
  });

const budget = (namespace: string, spec: Fields, status: Fields): Planted =>
  object('PodDisruptionBudget', namespace, 'web', {
    spec: { selector: { matchLabels: labelsOf('web') }, ...spec },
    status: { observedGeneration: 1, disruptionsAllowed: 0, ...status },
  });

const statefulSet = (namespace: string, pods: readonly Fields[]): Planted[] => {
  const labels = { app: 'db' };
  const ready = pods.filter((state) => state['ready'] !== false).length;
  const set = object('StatefulSet', namespace, 'db', {
    spec: {
      replicas: 3,
      serviceName: 'db',
      selector: { matchLabels: labels },
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      template: { metadata: { labels }, spec: podSpec() },
    },
    status: {
      observedGeneration: 1,
      replicas: pods.length,
      readyReplicas: ready,
      availableReplicas: ready,
      currentReplicas: 1,
      updatedReplicas: 1,
      currentRevision: 'db-1',
      updateRevision: 'db-2',
    },
  });
  return [set, ...pods.map((state, index) => pod(namespace, `db-${index}`, podSpec(), state, { labels, owner: set }))];
};

export const CONTROL_FAULTS: readonly PlantedFault[] = [
  {
    name: 'rollout exceeded its deadline',
    plant: (namespace) =>
      deployment(namespace, 'web', {
        pods: [{}, {}],
        conditions: progressing('ProgressDeadlineExceeded', 'False', 'ReplicaSet "web-7d9f6b5c4d" has timed out progressing.'),
        status: { updatedReplicas: 1 },
      }),
    expected: {
      ref: web,
      reason: 'ProgressDeadlineExceeded',
      severity: 'warning',
      check: 'rollout',
      field: 'status.conditions[?type=Progressing].reason',
      value: 'ProgressDeadlineExceeded',
      next: GET,
    },
  },
  {
    name: 'rollout paused in the middle',
    plant: (namespace) =>
      deployment(namespace, 'web', {
        pods: [{}, {}],
        more: { paused: true },
        conditions: progressing('DeploymentPaused', 'Unknown', 'Deployment is paused'),
        status: { updatedReplicas: 1 },
      }),
    expected: {
      ref: web,
      reason: 'DeploymentPaused',
      severity: 'info',
      check: 'rollout',
      field: 'spec.paused',
      value: 'true',
      detail: /1 of 2 pods/,
      next: GET,
    },
  },
  {
    name: 'stateful set stuck on a broken pod',
    plant: (namespace) =>
      statefulSet(namespace, [
        {},
        {},
        { ready: false, restarts: 9, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: ended(1, 'Error') },
      ]),
    expected: {
      ref: 'statefulset/db',
      reason: 'CrashLoopBackOff',
      severity: 'warning',
      check: 'container state',
      of: 'pod/db-2',
      field: 'status.containerStatuses[?name=main].lastState.terminated.exitCode',
      value: '1',
      evidence: /2 of 3 replicas ready/,
      next: 'kubernetes_get_logs',
    },
  },
  {
    name: 'stateful set lacks pods',
    plant: (namespace) => statefulSet(namespace, [{}, {}]),
    expected: {
      ref: 'statefulset/db',
      reason: 'ReplicasNotReady',
      severity: 'warning',
      check: 'rollout',
      field: 'status.readyReplicas',
      value: '2',
      next: GET,
    },
  },
  {
    name: 'daemon set misscheduled',
    plant: (namespace) => [
      object('DaemonSet', namespace, 'agent', {
        spec: {
          selector: { matchLabels: { app: 'agent' } },
          updateStrategy: { type: 'RollingUpdate' },
          template: { metadata: { labels: { app: 'agent' } }, spec: podSpec({ nodeSelector: { 'kubernetes.io/os': 'linux' } }) },
        },
        status: {
          observedGeneration: 1,
          desiredNumberScheduled: 2,
          currentNumberScheduled: 2,
          numberMisscheduled: 1,
          numberReady: 2,
          numberAvailable: 2,
        },
      }),
    ],
    expected: {
      ref: 'daemonset/agent',
      reason: 'Misscheduled',
      severity: 'info',
      check: 'rollout',
      field: 'status.numberMisscheduled',
      value: '1',
      next: GET,
    },
  },
  {
    name: 'replica set left without its deployment',
    plant: (namespace) => {
      const [, set] = deployment(namespace, 'web', { pods: [], replicas: 2 });
      if (set === undefined) return [];
      const { ownerReferences: _, ...metadata } = set.metadata;
      return [{ ...set, metadata, status: { observedGeneration: 1, replicas: 2, readyReplicas: 2, availableReplicas: 2 } }];
    },
    expected: {
      ref: 'replicaset/web-7d9f6b5c4d',
      reason: 'Orphaned',
      severity: 'info',
      check: 'orphans',
      field: 'metadata.ownerReferences',
      value: 'none',
      next: GET,
    },
  },
  {
    name: 'job exceeded its deadline',
    plant: (namespace) => [
      object('Job', namespace, 'import', {
        spec: { activeDeadlineSeconds: 60, template: { spec: podSpec({ restartPolicy: 'Never' }) } },
        status: {
          startTime: ago(60),
          conditions: [
            {
              type: 'Failed',
              status: 'True',
              reason: 'DeadlineExceeded',
              message: 'Job was active longer than specified deadline',
              lastTransitionTime: ago(55),
            },
          ],
        },
      }),
    ],
    expected: {
      ref: 'job/import',
      reason: 'DeadlineExceeded',
      severity: 'warning',
      check: 'jobs',
      field: 'status.conditions[?type=Failed].reason',
      value: 'DeadlineExceeded',
      next: 'kubernetes_get_logs',
    },
  },
  {
    name: 'cron job suspended',
    isLive: true,
    plant: (namespace) => [cronJob(namespace, { suspend: true }, { lastScheduleTime: ago(2000) })],
    expected: {
      ref: 'cronjob/report',
      reason: 'Suspended',
      severity: 'info',
      check: 'jobs',
      field: 'spec.suspend',
      value: 'true',
      next: GET,
    },
  },
  {
    name: 'cron job never started one',
    plant: (namespace) => [cronJob(namespace, {})],
    expected: {
      ref: 'cronjob/report',
      reason: 'RunsMissed',
      severity: 'warning',
      check: 'jobs',
      field: 'spec.schedule',
      value: '*/5 * * * *',
      detail: /it has never started one/,
      next: GET,
    },
  },
  {
    name: 'schedule that fits no date',
    isLive: true,
    plant: (namespace) => [cronJob(namespace, { schedule: '0 0 31 2 *' })],
    expected: {
      ref: 'cronjob/report',
      reason: 'ScheduleNeverFires',
      severity: 'warning',
      check: 'jobs',
      field: 'spec.schedule',
      value: '0 0 31 2 *',
      next: GET,
    },
  },
  {
    name: 'cron job missed too many times',
    plant: (namespace) => {
      const report = cronJob(namespace, {}, { lastScheduleTime: ago(2900) });
      return [
        report,
        warning(report, 'TooManyMissedTimes', 'too many missed start times (> 100). Set or decrease .spec.startingDeadlineSeconds'),
      ];
    },
    expected: {
      ref: 'cronjob/report',
      reason: 'TooManyMissedTimes',
      severity: 'warning',
      check: 'jobs',
      field: 'spec.schedule',
      value: '*/5 * * * *',
      next: GET,
    },
  },
  {
    name: 'cron job held up by its last run',
    plant: (namespace) => [
      cronJob(
        namespace,
        { concurrencyPolicy: 'Forbid' },
        { lastScheduleTime: ago(600), active: [{ kind: 'Job', name: 'report-1', namespace }] },
      ),
    ],
    expected: {
      ref: 'cronjob/report',
      reason: 'RunsOverlap',
      severity: 'warning',
      check: 'jobs',
      field: 'spec.schedule',
      value: '*/5 * * * *',
      detail: /concurrencyPolicy Forbid/,
      next: GET,
    },
  },
  {
    name: 'autoscaler without a target',
    isLive: true,
    plant: (namespace) => [
      autoscaler(namespace, [{ type: 'AbleToScale', status: 'False', reason: 'FailedGetScale', message: 'deployments "web" not found' }]),
    ],
    expected: {
      ref: 'horizontalpodautoscaler/web',
      reason: 'TargetMissing',
      severity: 'warning',
      check: 'autoscaling',
      field: 'spec.scaleTargetRef.name',
      value: 'web',
      next: GET,
    },
  },
  {
    name: 'autoscaler of pods without requests',
    plant: (namespace) => [
      ...deployment(namespace, 'web', { main: { resources: {} } }),
      autoscaler(namespace, [
        { type: 'AbleToScale', status: 'True', reason: 'SucceededGetScale' },
        {
          type: 'ScalingActive',
          status: 'False',
          reason: 'FailedGetResourceMetric',
          message: 'the HPA was unable to compute the replica count: missing request for cpu in container main',
          lastTransitionTime: ago(60),
        },
      ]),
    ],
    expected: {
      ref: 'horizontalpodautoscaler/web',
      reason: 'FailedGetResourceMetric',
      severity: 'warning',
      check: 'autoscaling',
      field: 'status.conditions[?type=ScalingActive].reason',
      value: 'FailedGetResourceMetric',
      detail: /missing request for cpu/,
      next: GET,
    },
  },
  {
    name: 'autoscaler at its maximum',
    plant: (namespace) => [
      ...deployment(namespace, 'web', { pods: [{}, {}, {}] }),
      autoscaler(namespace, [
        { type: 'AbleToScale', status: 'True', reason: 'ReadyForNewScale' },
        { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' },
        {
          type: 'ScalingLimited',
          status: 'True',
          reason: 'TooManyReplicas',
          message: 'more than the maximum',
          lastTransitionTime: ago(60),
        },
      ]),
    ],
    expected: {
      ref: 'horizontalpodautoscaler/web',
      reason: 'AtMaximum',
      severity: 'info',
      check: 'autoscaling',
      field: 'spec.maxReplicas',
      value: '3',
      next: GET,
    },
  },
  {
    name: 'budget that never allows',
    plant: (namespace) => [
      ...deployment(namespace, 'web', { pods: [{}, {}, {}] }),
      budget(namespace, { minAvailable: 3 }, { currentHealthy: 3, desiredHealthy: 3, expectedPods: 3 }),
    ],
    expected: {
      ref: 'poddisruptionbudget/web',
      reason: 'NeverAllowsDisruption',
      severity: 'info',
      check: 'disruption budgets',
      field: 'spec.minAvailable',
      value: '3',
      next: GET,
    },
  },
  {
    name: 'budget that protects nothing',
    isLive: true,
    plant: (namespace) => [budget(namespace, { minAvailable: 1 }, { currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 })],
    expected: {
      ref: 'poddisruptionbudget/web',
      reason: 'SelectorMatchesNothing',
      severity: 'info',
      check: 'disruption budgets',
      field: 'spec.selector.matchLabels',
      value: 'app.kubernetes.io/name=web',
      next: GET,
    },
  },
  {
    name: 'budget cannot count its pods',
    plant: (namespace) => [
      ...deployment(namespace, 'web', {}),
      budget(
        namespace,
        { maxUnavailable: '30%' },
        {
          expectedPods: 0,
          conditions: [
            {
              type: 'DisruptionAllowed',
              status: 'False',
              reason: 'SyncFailed',
              message: 'jobs.batch does not implement the scale subresource',
              lastTransitionTime: ago(60),
            },
          ],
        },
      ),
    ],
    expected: {
      ref: 'poddisruptionbudget/web',
      reason: 'SyncFailed',
      severity: 'warning',
      check: 'disruption budgets',
      field: 'status.conditions[?type=DisruptionAllowed].reason',
      value: 'SyncFailed',
      next: GET,
    },
  },
];
