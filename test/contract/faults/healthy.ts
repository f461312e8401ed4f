// Shapes that are in order, and that a careless rule would call sick.

import { createCertificate } from '../../../src/embedded/kubernetes/certificate.ts';
import { toNamespace } from './index.ts';
import {
  ago,
  container,
  deployment,
  ended,
  labelsOf,
  object,
  type Planted,
  pod,
  podName,
  podSpec,
  running,
  service,
  slice,
} from './objects.ts';
import { working } from './traffic.ts';

export interface Healthy {
  readonly name: string;
  readonly namespace: string;
  /** A word of kind info is in order. */
  readonly isInfo?: true;
  readonly plant: (namespace: string) => readonly Planted[];
}

const shape = (name: string, plant: Healthy['plant'], isInfo?: true): Healthy => ({
  name,
  namespace: `healthy-${name.replaceAll(/[^a-z0-9]+/g, '-')}`,
  plant,
  ...(isInfo === undefined ? {} : { isInfo }),
});

const completed = {
  phase: 'Succeeded',
  ready: false,
  state: ended(0, 'Completed', 30),
  conditions: [{ type: 'PodScheduled', status: 'True', lastTransitionTime: ago(60) }],
};

const job = (namespace: string, name: string, owner?: Planted): Planted[] => {
  const made = object(
    'Job',
    namespace,
    name,
    {
      spec: { completions: 1, parallelism: 1, template: { spec: podSpec({ restartPolicy: 'Never' }) } },
      status: {
        succeeded: 1,
        startTime: ago(40),
        completionTime: ago(30),
        conditions: [{ type: 'Complete', status: 'True', lastTransitionTime: ago(30) }],
      },
    },
    { age: 40, ...(owner === undefined ? {} : { owner }) },
  );
  return [made, pod(namespace, `${name}-q1w2e`, podSpec({ restartPolicy: 'Never' }), completed, { owner: made })];
};

const cron = (namespace: string, spec: object, status: object): Planted =>
  object(
    'CronJob',
    namespace,
    'report',
    {
      spec: {
        schedule: '0 3 * * *',
        suspend: false,
        concurrencyPolicy: 'Forbid',
        jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } },
        ...spec,
      },
      status,
    },
    { age: 10_000 },
  );

const ports = { ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }] };

export const HEALTHY: readonly Healthy[] = [
  shape('a service with its pods', (namespace) => working(namespace, 'web')),
  shape('a completed job', (namespace) => job(namespace, 'import')),
  shape('a cron job that ran last night', (namespace) => {
    const owner = cron(namespace, {}, { lastScheduleTime: ago(600), lastSuccessfulTime: ago(590) });
    return [owner, ...job(namespace, 'report-1', owner)];
  }),
  shape('a cron job suspended on purpose', (namespace) => [cron(namespace, { suspend: true }, {})], true),
  shape('a cron job whose failed run was followed by a good one', (namespace) => {
    const owner = cron(namespace, {}, { lastScheduleTime: ago(600), lastSuccessfulTime: ago(30) });
    const failed = object(
      'Job',
      namespace,
      'report-0',
      {
        spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } },
        status: {
          failed: 1,
          startTime: ago(900),
          conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', lastTransitionTime: ago(890) }],
        },
      },
      { owner, age: 900 },
    );
    return [owner, failed, ...job(namespace, 'report-1', owner)];
  }),
  shape('a deployment scaled to zero', (namespace) => deployment(namespace, 'web', { replicas: 0, pods: [] })),
  shape(
    'a service of a deployment scaled to zero',
    (namespace) => [
      ...deployment(namespace, 'web', { replicas: 0, pods: [] }),
      service(namespace, 'web', labelsOf('web')),
      slice(namespace, 'web', []),
    ],
    true,
  ),
  shape('a headless service', (namespace) => [
    ...deployment(namespace, 'db', { main: ports }),
    service(namespace, 'db', labelsOf('db'), { more: { clusterIP: 'None', clusterIPs: ['None'] } }),
    slice(namespace, 'db', [{ pod: podName('db'), ready: true }]),
  ]),
  shape('an alias of an outside name', (namespace) => [
    object('Service', namespace, 'mail', {
      spec: { type: 'ExternalName', externalName: 'smtp.example.test', sessionAffinity: 'None' },
      status: { loadBalancer: {} },
    }),
  ]),
  shape('a service with endpoints made by hand', (namespace) => [
    service(namespace, 'legacy', undefined, { ports: [{ port: 5432, protocol: 'TCP', targetPort: 5432 }] }),
    slice(namespace, 'legacy', [{ ready: true }]),
  ]),
  shape('a sidecar beside its main container', (namespace) =>
    deployment(namespace, 'web', {
      spec: { initContainers: [container({ name: 'proxy', restartPolicy: 'Always' })] },
      pods: [{ init: { proxy: { state: running(), ready: true, started: true } } }],
    }),
  ),
  shape('init containers that have done their part', (namespace) =>
    deployment(namespace, 'web', {
      spec: { initContainers: [container({ name: 'migrate' })] },
      pods: [{ init: { migrate: { state: ended(0, 'Completed', 110), ready: true } } }],
    }),
  ),
  shape('a paused deployment whose pods are all of one revision', (namespace) =>
    deployment(namespace, 'web', {
      more: { paused: true },
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', lastTransitionTime: ago(100) },
        { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', lastTransitionTime: ago(50) },
      ],
    }),
  ),
  shape('a budget of a single replica', (namespace) => [
    ...deployment(namespace, 'web'),
    object('PodDisruptionBudget', namespace, 'web', {
      spec: { minAvailable: 1, selector: { matchLabels: labelsOf('web') } },
      status: { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
    }),
  ]),
  shape('a budget that allows one', (namespace) => [
    ...deployment(namespace, 'web', { pods: [{}, {}, {}] }),
    object('PodDisruptionBudget', namespace, 'web', {
      spec: { minAvailable: 2, selector: { matchLabels: labelsOf('web') } },
      status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: 3, desiredHealthy: 2, expectedPods: 3 },
    }),
  ]),
  shape('restarts of long ago', (namespace) =>
    deployment(namespace, 'web', { pods: [{ restarts: 6, lastState: ended(137, 'OOMKilled', 3000), age: 4000 }] }),
  ),
  shape('a pod that has just begun', (namespace) =>
    deployment(namespace, 'web', {
      pods: [{}, {}, { ready: false, phase: 'Pending', state: { waiting: { reason: 'ContainerCreating' } }, age: 0 }],
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', lastTransitionTime: ago(100) },
        { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', lastTransitionTime: ago(1) },
      ],
    }),
  ),
  shape('a pod that is ending', (namespace) => [
    ...deployment(namespace, 'web'),
    pod(namespace, 'old', podSpec(), { deleted: 0, finalizers: ['example.test/soon'] }),
  ]),
  shape('a claim that waits for its first pod', (namespace) => [
    object('PersistentVolumeClaim', namespace, 'data', {
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'healthy-late',
        resources: { requests: { storage: '5Gi' } },
        volumeMode: 'Filesystem',
      },
      status: { phase: 'Pending' },
    }),
  ]),
  shape('a stateful set updated on delete', (namespace) => {
    const labels = { app: 'db' };
    const set = object('StatefulSet', namespace, 'db', {
      spec: {
        replicas: 1,
        serviceName: 'db',
        selector: { matchLabels: labels },
        updateStrategy: { type: 'OnDelete' },
        template: { metadata: { labels }, spec: podSpec() },
      },
      status: {
        observedGeneration: 1,
        replicas: 1,
        readyReplicas: 1,
        availableReplicas: 1,
        currentRevision: 'db-1',
        updateRevision: 'db-2',
      },
    });
    return [set, pod(namespace, 'db-0', podSpec(), {}, { labels, owner: set })];
  }),
  shape('an optional config map that is not there', (namespace) =>
    deployment(namespace, 'web', { main: { envFrom: [{ configMapRef: { name: 'extra', optional: true } }] } }),
  ),
  shape('a certificate with weeks left', (namespace) => {
    const { certificate, key } = createCertificate({
      seed: namespace,
      commonName: 'shop.example.test',
      names: ['shop.example.test', '*.shop.example.test'],
      notBefore: Date.now() - 86_400_000,
      notAfter: Date.now() + 60 * 86_400_000,
    });
    const encode = (text: string): string => Buffer.from(text).toString('base64');
    return [
      ...working(namespace, 'web'),
      object('Secret', namespace, 'shop-tls', {
        type: 'kubernetes.io/tls',
        data: { 'tls.crt': encode(certificate), 'tls.key': encode(key) },
      }),
      object('Ingress', namespace, 'front', {
        spec: {
          ingressClassName: 'fault-nginx',
          tls: [{ hosts: ['shop.example.test', '*.shop.example.test'], secretName: 'shop-tls' }],
          rules: [
            {
              host: 'shop.example.test',
              http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { name: 'http' } } } }] },
            },
          ],
        },
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.80' }] } },
      }),
    ];
  }),
  shape('an autoscaler at work', (namespace) => [
    ...deployment(namespace, 'web', { pods: [{}, {}] }),
    object('HorizontalPodAutoscaler', namespace, 'web', {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, minReplicas: 2, maxReplicas: 6 },
      status: {
        currentReplicas: 2,
        desiredReplicas: 2,
        conditions: [
          { type: 'AbleToScale', status: 'True', reason: 'ReadyForNewScale' },
          { type: 'ScalingActive', status: 'True', reason: 'ValidMetricFound' },
          { type: 'ScalingLimited', status: 'True', reason: 'TooFewReplicas' },
        ],
      },
    }),
  ]),
  shape('a deployment that surges while it rolls out', (namespace) =>
    deployment(namespace, 'web', {
      pods: [{}, {}, {}],
      replicas: 2,
      conditions: [
        { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', lastTransitionTime: ago(100) },
        { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', lastTransitionTime: ago(1) },
      ],
    }),
  ),
];

export const plantHealthy = (): readonly Planted[] => [
  object('StorageClass', '', 'healthy-late', {
    provisioner: 'disks.example.test',
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'WaitForFirstConsumer',
  }),
  ...HEALTHY.flatMap(({ namespace, plant }) => [toNamespace(namespace), ...plant(namespace)]),
];
