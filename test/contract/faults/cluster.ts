// Faults of the cluster itself: nodes, namespaces that do not end, admission, old APIs.

import { GET, NETWORK, type PlantedFault } from './fault.ts';
import { ago, node, object, type Planted, podSpec, service, slice } from './objects.ts';
import { working } from './traffic.ts';

const webhook = (name: string, serviceName: string, namespace: string): Planted =>
  object('ValidatingWebhookConfiguration', '', name, {
    webhooks: [
      {
        name: 'guard.example.test',
        clientConfig: { service: { name: serviceName, namespace, port: 443, path: '/check' } },
        rules: [{ apiGroups: ['example.test'], apiVersions: ['v1'], operations: ['CREATE'], resources: ['widgets'], scope: '*' }],
        failurePolicy: 'Fail',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        matchPolicy: 'Equivalent',
        timeoutSeconds: 5,
      },
    ],
  });

const applied = (apiVersion: string, kind: string): Readonly<Record<string, string>> => ({
  'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify({ apiVersion, kind, metadata: { name: 'web' } })}\n`,
});

export const CLUSTER_FAULTS: readonly PlantedFault[] = [
  {
    name: 'namespace does not end',
    plant: (namespace) => [
      {
        ...object('Namespace', '', namespace, { spec: { finalizers: ['kubernetes'] } }, { deleted: 60 }),
        status: {
          phase: 'Terminating',
          conditions: [
            {
              type: 'NamespaceFinalizersRemaining',
              status: 'True',
              reason: 'SomeFinalizersRemain',
              message: 'Some content in the namespace has finalizers remaining: example.test/hold in 1 resource instances',
              lastTransitionTime: ago(59),
            },
          ],
        },
      },
    ],
    expected: {
      ref: 'namespace/fault-namespace-does-not-end',
      reason: 'TerminatingForLong',
      severity: 'warning',
      check: 'deletions',
      field: 'status.phase',
      value: 'Terminating',
      evidence: /example.test\/hold in 1 resource/,
      next: GET,
    },
  },
  {
    name: 'node is not ready',
    kind: 'nodes',
    plant: () => [node('fault-node-down', { conditions: { Ready: 'Unknown' } })],
    expected: {
      ref: 'node/fault-node-down',
      reason: 'NodeStatusUnknown',
      severity: 'critical',
      check: 'nodes',
      field: 'status.conditions[?type=Ready].status',
      value: 'Unknown',
      next: GET,
    },
  },
  {
    name: 'node under disk pressure',
    kind: 'nodes',
    plant: () => [node('fault-node-full', { conditions: { DiskPressure: 'True' } })],
    expected: {
      ref: 'node/fault-node-full',
      reason: 'DiskPressure',
      severity: 'warning',
      check: 'nodes',
      field: 'status.conditions[?type=DiskPressure].status',
      value: 'True',
      next: GET,
    },
  },
  {
    name: 'node is cordoned',
    kind: 'nodes',
    plant: () => [
      node('fault-node-closed', {
        spec: { unschedulable: true, taints: [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] },
      }),
    ],
    expected: {
      ref: 'node/fault-node-closed',
      reason: 'Cordoned',
      severity: 'info',
      check: 'nodes',
      field: 'spec.unschedulable',
      value: 'true',
      next: GET,
    },
  },
  {
    name: 'node waits for the cloud',
    kind: 'nodes',
    plant: () => [
      node('fault-node-new', {
        spec: { taints: [{ key: 'node.cloudprovider.kubernetes.io/uninitialized', value: 'true', effect: 'NoSchedule' }] },
      }),
    ],
    expected: {
      ref: 'node/fault-node-new',
      reason: 'NodeTainted',
      severity: 'warning',
      check: 'nodes',
      field: 'spec.taints[?key=node.cloudprovider.kubernetes.io/uninitialized].effect',
      value: 'NoSchedule',
      next: GET,
    },
  },
  {
    name: 'webhook whose service is missing',
    kind: 'validatingwebhookconfigurations',
    plant: (namespace) => [webhook('fault-webhook-missing', 'no-such-guard', namespace)],
    expected: {
      ref: 'validatingwebhookconfiguration/fault-webhook-missing',
      reason: 'WebhookServiceMissing',
      severity: 'critical',
      check: 'admission and aggregated APIs',
      field: 'webhooks[?name=guard.example.test].clientConfig.service.name',
      value: 'no-such-guard',
      next: GET,
    },
  },
  {
    name: 'webhook whose service selects nothing',
    kind: 'validatingwebhookconfigurations',
    plant: (namespace) => [
      webhook('fault-webhook-down', 'guard', namespace),
      object('Namespace', '', namespace, { status: { phase: 'Active' } }),
      service(namespace, 'guard', { app: 'guard' }),
      slice(namespace, 'guard', []),
    ],
    // Of the two objects the Service is the one to mend; that writes are refused makes it critical.
    expected: {
      ref: 'service/guard',
      reason: 'SelectorMatchesNothing',
      severity: 'critical',
      check: 'services',
      field: 'spec.selector',
      value: 'app=guard',
      evidence: /webhook guard.example.test.*failurePolicy Fail: writes of widgets are refused/,
      next: NETWORK,
    },
  },
  {
    name: 'manifest of an api that is gone',
    plant: (namespace) => [
      ...working(namespace, 'web'),
      {
        ...object(
          'HorizontalPodAutoscaler',
          namespace,
          'web',
          {},
          { annotations: applied('autoscaling/v2beta2', 'HorizontalPodAutoscaler') },
        ),
        spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 1, maxReplicas: 3 },
        status: {
          currentReplicas: 1,
          desiredReplicas: 1,
          conditions: [{ type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' }],
        },
      },
    ],
    expected: {
      ref: 'horizontalpodautoscaler/web',
      reason: 'DeprecatedApi',
      severity: 'warning',
      check: 'deprecated APIs',
      field: 'metadata.annotations["kubectl.kubernetes.io/last-applied-configuration"]',
      value: 'apiVersion autoscaling/v2beta2',
      detail: /not served since 1.26/,
      next: GET,
    },
  },
  {
    name: 'written through an api that is gone',
    plant: (namespace) => [
      {
        ...object(
          'CronJob',
          namespace,
          'report',
          {},
          {
            managedFields: [
              {
                manager: 'deploy-script',
                operation: 'Update',
                apiVersion: 'batch/v1beta1',
                time: ago(90),
                fieldsType: 'FieldsV1',
                fieldsV1: { 'f:spec': {} },
              },
            ],
          },
        ),
        spec: {
          schedule: '@yearly',
          suspend: false,
          concurrencyPolicy: 'Allow',
          jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } },
        },
      },
    ],
    expected: {
      ref: 'cronjob/report',
      reason: 'DeprecatedApi',
      severity: 'info',
      check: 'deprecated APIs',
      field: 'metadata.managedFields[?manager=deploy-script].apiVersion',
      value: 'batch/v1beta1',
      detail: /deploy-script wrote it as batch\/v1beta1/,
      next: GET,
    },
  },
];
