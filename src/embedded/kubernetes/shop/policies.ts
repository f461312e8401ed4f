// The autoscaler of web, the status of disruption budgets, quota and limits of `shop`.
import { DAY, MINUTE, SECOND, type Shop, STORY } from '../../shop.ts';
import { budgetStatus } from '../budget-status.ts';
import { type JsonObject, objectsAt, textAt, timeAt, toTime } from '../json.ts';
import { toManagedFields } from '../managed-fields.ts';
import type { KubernetesObject } from '../object.ts';
import { parseQuantity, toQuantity } from '../quantity.ts';
import { LIMIT_RANGE } from './limits.ts';
import { stamped, withManager } from './stamp.ts';

const CONTROLLER = 'kube-controller-manager';

const condition = (type: string, status: string, since: number, reason: string, message: string): JsonObject => ({
  type,
  status,
  lastTransitionTime: toTime(since),
  reason,
  message,
});

const autoscaler = (shop: Shop): KubernetesObject => {
  const createdAt = shop.before(96 * DAY);
  const status: JsonObject = {
    lastScaleTime: toTime(shop.before(STORY.webScaled)),
    currentReplicas: 5,
    desiredReplicas: 5,
    currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageValue: '128m', averageUtilization: 61 } } }],
    conditions: [
      condition('AbleToScale', 'True', createdAt + 15 * SECOND, 'ReadyForNewScale', 'recommended size matches current size'),
      condition(
        'ScalingActive',
        'True',
        createdAt + 45 * SECOND,
        'ValidMetricFound',
        'the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)',
      ),
      condition(
        'ScalingLimited',
        'False',
        shop.before(STORY.webScaled),
        'DesiredWithinRange',
        'the desired count is within the acceptable range',
      ),
    ],
  };
  return stamped(
    shop,
    {
      kind: 'HorizontalPodAutoscaler',
      apiVersion: 'autoscaling/v2',
      metadata: {
        name: 'web',
        namespace: 'shop',
        labels: { 'app.kubernetes.io/name': 'web', 'app.kubernetes.io/instance': 'web', 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { 'meta.helm.sh/release-name': 'web', 'meta.helm.sh/release-namespace': 'shop' },
      },
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' },
        minReplicas: 3,
        maxReplicas: 6,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
      },
    },
    { createdAt, generation: 1, manager: 'helm', status, statusManager: CONTROLLER, statusAt: shop.before(20 * SECOND) },
  );
};

export const withBudgetStatus = (shop: Shop, budget: KubernetesObject, pods: readonly KubernetesObject[]): KubernetesObject => {
  const changedAt =
    budget.metadata.name === 'payment'
      ? shop.before(STORY.firstOutOfMemory)
      : (timeAt(budget, 'metadata', 'creationTimestamp') ?? 0) + MINUTE;
  const status = budgetStatus(budget, { pods, expected: 0, now: changedAt });
  const fields = toManagedFields(
    { status },
    {
      manager: CONTROLLER,
      operation: 'Update',
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      time: toTime(changedAt),
      subresource: 'status',
    },
  );
  return withManager({ ...budget, status }, fields);
};

const HARD = { 'limits.memory': '24Gi', pods: '60', 'requests.cpu': '8', 'requests.memory': '12Gi' } as const;

const usedBy = (pods: readonly KubernetesObject[]): JsonObject => {
  const containers = pods.flatMap((pod) => [
    ...objectsAt(pod, 'spec', 'containers'),
    ...objectsAt(pod, 'spec', 'initContainers').filter((container) => container['restartPolicy'] === 'Always'),
  ]);
  const sum = (kind: string, name: string): number =>
    containers.reduce((total, container) => total + parseQuantity(textAt(container, 'resources', kind, name) || '0'), 0);
  return {
    'limits.memory': toQuantity(sum('limits', 'memory'), 'binary'),
    pods: String(pods.length),
    'requests.cpu': toQuantity(sum('requests', 'cpu'), 'decimal'),
    'requests.memory': toQuantity(sum('requests', 'memory'), 'binary'),
  };
};

/** Autoscaler, quota and limit range, given the pods. */
export const policyObjectsFor = (shop: Shop, pods: readonly KubernetesObject[]): KubernetesObject[] => {
  const createdAt = shop.before(101 * DAY);
  const active = pods.filter(
    (pod) => pod.metadata.namespace === 'shop' && !['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase')),
  );
  const quota: KubernetesObject = {
    kind: 'ResourceQuota',
    apiVersion: 'v1',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { hard: { ...HARD } },
  };
  return [
    autoscaler(shop),
    stamped(shop, quota, {
      createdAt,
      manager: 'kubectl-client-side-apply',
      status: { hard: { ...HARD }, used: usedBy(active) },
      statusManager: CONTROLLER,
      statusAt: shop.before(STORY.paymentUpgrade),
    }),
    stamped(shop, LIMIT_RANGE, { createdAt, manager: 'kubectl-client-side-apply' }),
  ];
};
