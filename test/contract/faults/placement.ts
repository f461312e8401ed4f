// Faults of placement: nodes that do not take pods, claims, quotas, what admission refuses.

import { GET, type PlantedFault, USAGE } from './fault.ts';
import { ago, deployment, type Fields, object, pod, podName, podSpec, warning } from './objects.ts';

const web = 'deployment/web';
const TEMPLATE = 'spec.template.spec';

const unschedulable = (message: string, reason = 'Unschedulable', age = 30) => ({
  ready: false,
  phase: 'Pending',
  node: '',
  age,
  conditions: [{ type: 'PodScheduled', status: 'False', reason, message, lastTransitionTime: ago(age) }],
});

const pending = (namespace: string, message: string, facts: object = {}, more: readonly ReturnType<typeof object>[] = []) => [
  ...deployment(namespace, 'web', { pods: [unschedulable(message)], ...facts }),
  ...more,
];

const refused = (namespace: string, message: string, facts: object = {}) =>
  deployment(namespace, 'web', {
    pods: [],
    replicas: 2,
    conditions: [
      { type: 'Available', status: 'False', reason: 'MinimumReplicasUnavailable', lastTransitionTime: ago(20) },
      { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message, lastTransitionTime: ago(20) },
    ],
    setConditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message, lastTransitionTime: ago(20) }],
    ...facts,
  });

const unscheduled = { reason: 'Unschedulable', severity: 'critical', check: 'scheduling', ref: web, next: GET } as const;
const notCreated = { severity: 'critical', check: 'quota and admission of pods', ref: web } as const;
const HEAD = 'pods "web-7d9f6b5c4d-abcde" is forbidden: ';

const claim = (namespace: string, name: string, spec: Fields, phase: string, more: object = {}) =>
  object(
    'PersistentVolumeClaim',
    namespace,
    name,
    {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '5Gi' } }, volumeMode: 'Filesystem', ...spec },
      status: { phase },
    },
    more,
  );

const ofClaim = { volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }] };

export const PLACEMENT_FAULTS: readonly PlantedFault[] = [
  {
    name: 'node selector that no node has',
    isLive: true,
    plant: (namespace) =>
      pending(namespace, "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", {
        spec: { nodeSelector: { 'kubernetes.io/os': 'linus' } },
      }),
    expected: {
      ...unscheduled,
      field: `${TEMPLATE}.nodeSelector["kubernetes.io/os"]`,
      value: 'linus',
      detail: /no node has kubernetes.io\/os=linus; near: kubernetes.io\/os=linux/,
    },
  },
  {
    name: 'affinity that no node has',
    isLive: true,
    plant: (namespace) =>
      pending(namespace, "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.", {
        spec: {
          affinity: {
            nodeAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: {
                nodeSelectorTerms: [{ matchExpressions: [{ key: 'example.test/gpu', operator: 'In', values: ['a100'] }] }],
              },
            },
          },
        },
      }),
    expected: {
      ...unscheduled,
      field: `${TEMPLATE}.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values`,
      value: 'a100',
      detail: /no node has example.test\/gpu=a100/,
    },
  },
  {
    name: 'taint that is not tolerated',
    plant: (namespace) => pending(namespace, '0/2 nodes are available: 2 node(s) had untolerated taint {fault.test/dedicated: batch}.', {}),
    expected: {
      ...unscheduled,
      of: 'node/fault-node-2',
      field: 'spec.taints[?key=fault.test/dedicated].effect',
      value: 'NoSchedule',
      detail: /does not tolerate the taint fault.test\/dedicated=batch:NoSchedule of 1 node/,
    },
  },
  {
    name: 'more cpu than any node has',
    isLive: true,
    plant: (namespace) =>
      pending(namespace, '0/2 nodes are available: 2 Insufficient cpu.', {
        main: { resources: { requests: { cpu: '900', memory: '64Mi' } } },
      }),
    expected: {
      ...unscheduled,
      field: `${TEMPLATE}.containers[?name=main].resources.requests.cpu`,
      value: '900',
      detail: /it requests 900 cpu, the largest node has/,
    },
  },
  {
    name: 'memory is used up',
    plant: (namespace) =>
      pending(namespace, '0/2 nodes are available: 2 Insufficient memory.', { main: { resources: { requests: { memory: '12Gi' } } } }),
    expected: {
      ...unscheduled,
      field: `${TEMPLATE}.containers[?name=main].resources.requests.memory`,
      value: '12Gi',
      detail: /Insufficient memory/,
    },
  },
  {
    name: 'pods must not meet on a node',
    plant: (namespace) =>
      pending(namespace, "0/2 nodes are available: 2 node(s) didn't match pod anti-affinity rules.", {
        spec: {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [
                { labelSelector: { matchLabels: { app: 'web' } }, topologyKey: 'kubernetes.io/hostname' },
              ],
            },
          },
        },
      }),
    expected: {
      ...unscheduled,
      field: `${TEMPLATE}.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].topologyKey`,
      value: 'kubernetes.io/hostname',
    },
  },
  {
    name: 'topology spread cannot be met',
    plant: (namespace) =>
      pending(namespace, "0/2 nodes are available: 2 node(s) didn't match pod topology spread constraints.", {
        spec: {
          topologySpreadConstraints: [
            { maxSkew: 1, topologyKey: 'topology.kubernetes.io/zone', whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
          ],
        },
      }),
    expected: { ...unscheduled, field: `${TEMPLATE}.topologySpreadConstraints[0].topologyKey`, value: 'topology.kubernetes.io/zone' },
  },
  {
    name: 'scheduling gate',
    isLive: true,
    plant: (namespace) =>
      deployment(namespace, 'web', {
        spec: { schedulingGates: [{ name: 'example.test/quota' }] },
        pods: [unschedulable('Scheduling is blocked due to non-empty scheduling gates', 'SchedulingGated')],
      }),
    expected: { ...unscheduled, reason: 'SchedulingGated', field: `${TEMPLATE}.schedulingGates[0].name`, value: 'example.test/quota' },
  },
  {
    name: 'scheduler that does not exist',
    isLive: true,
    later: 5,
    plant: (namespace) =>
      deployment(namespace, 'web', {
        spec: { schedulerName: 'batch-scheduler' },
        pods: [{ ready: false, phase: 'Pending', node: '', age: 30, conditions: [] }],
      }),
    expected: { ...unscheduled, reason: 'NotPickedUp', field: `${TEMPLATE}.schedulerName`, value: 'batch-scheduler' },
  },
  {
    name: 'slow to schedule',
    plant: (namespace) =>
      deployment(namespace, 'web', {
        pods: [
          {
            age: 40,
            conditions: [
              { type: 'PodScheduled', status: 'True', lastTransitionTime: ago(33) },
              { type: 'Ready', status: 'True', lastTransitionTime: ago(32) },
            ],
          },
        ],
      }),
    expected: {
      ref: web,
      reason: 'SlowToSchedule',
      severity: 'info',
      check: 'scheduling',
      of: `pod/${podName('web')}`,
      field: 'status.conditions[?type=PodScheduled].lastTransitionTime',
      value: /Z$/,
      detail: /waited up to 7m/,
      next: USAGE,
    },
  },
  {
    name: 'claim is missing',
    isLive: true,
    plant: (namespace) => pending(namespace, '0/2 nodes are available: persistentvolumeclaim "data" not found.', { spec: ofClaim }),
    expected: { ...unscheduled, field: `${TEMPLATE}.volumes[?name=data].persistentVolumeClaim.claimName`, value: 'data' },
  },
  {
    name: 'claim of a class that does not exist',
    isLive: true,
    later: 5,
    plant: (namespace) =>
      pending(namespace, '0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.', { spec: ofClaim }, [
        claim(namespace, 'data', { storageClassName: 'fast-ssd' }, 'Pending'),
      ]),
    expected: {
      ref: 'persistentvolumeclaim/data',
      reason: 'StorageClassMissing',
      severity: 'critical',
      check: 'volumes',
      field: 'spec.storageClassName',
      value: 'fast-ssd',
      detail: /there is no storage class fast-ssd/,
      evidence: /unbound immediate PersistentVolumeClaims/,
      next: GET,
    },
  },
  {
    name: 'provisioner refuses',
    plant: (namespace) => {
      const data = claim(namespace, 'data', { storageClassName: 'fault-standard' }, 'Pending');
      return [data, warning(data, 'ProvisioningFailed', 'failed to provision volume: quota of disks exceeded')];
    },
    expected: {
      ref: 'persistentvolumeclaim/data',
      reason: 'ProvisioningFailed',
      severity: 'warning',
      check: 'volumes',
      field: 'spec.storageClassName',
      value: 'fault-standard',
      detail: /quota of disks exceeded/,
      next: GET,
    },
  },
  {
    name: 'volume is lost',
    plant: (namespace) => [claim(namespace, 'data', { storageClassName: 'fault-standard', volumeName: 'pv-gone' }, 'Lost')],
    expected: {
      ref: 'persistentvolumeclaim/data',
      reason: 'ClaimLost',
      severity: 'critical',
      check: 'volumes',
      field: 'spec.volumeName',
      value: 'pv-gone',
      next: GET,
    },
  },
  {
    name: 'volume is full',
    plant: (namespace) =>
      deployment(namespace, 'web', {
        pods: [
          {
            ready: false,
            restarts: 5,
            state: { waiting: { reason: 'CrashLoopBackOff' } },
            lastState: {
              terminated: {
                exitCode: 1,
                reason: 'Error',
                startedAt: ago(4),
                finishedAt: ago(3),
                message: 'write /data/wal/000012: no space left on device',
              },
            },
          },
        ],
      }),
    expected: {
      ref: web,
      reason: 'CrashLoopBackOff (DiskFull)',
      severity: 'critical',
      check: 'container state',
      of: `pod/${podName('web')}`,
      field: 'status.containerStatuses[?name=main].lastState.terminated.message',
      value: 'write /data/wal/000012: no space left on device',
      next: 'kubernetes_get_logs',
    },
  },
  {
    name: 'claim in use is deleted',
    plant: (namespace) => [
      claim(namespace, 'data', { storageClassName: 'fault-standard', volumeName: 'pv-1' }, 'Bound', {
        deleted: 30,
        finalizers: ['kubernetes.io/pvc-protection'],
      }),
      pod(namespace, 'reader', podSpec(ofClaim)),
    ],
    expected: {
      ref: 'persistentvolumeclaim/data',
      reason: 'TerminatingForLong',
      severity: 'warning',
      check: 'deletions',
      field: 'metadata.finalizers',
      value: 'kubernetes.io/pvc-protection',
      detail: /pod reader uses it/,
      next: GET,
    },
  },
  {
    name: 'volume is released and kept',
    kind: 'persistentvolumes',
    plant: () => [
      object('PersistentVolume', '', 'fault-pv-released', {
        spec: {
          capacity: { storage: '20Gi' },
          accessModes: ['ReadWriteOnce'],
          persistentVolumeReclaimPolicy: 'Retain',
          hostPath: { path: '/data' },
          claimRef: { kind: 'PersistentVolumeClaim', namespace: 'gone', name: 'data' },
        },
        status: { phase: 'Released' },
      }),
    ],
    expected: {
      ref: 'persistentvolume/fault-pv-released',
      reason: 'VolumeReleased',
      severity: 'info',
      check: 'orphans',
      field: 'status.phase',
      value: 'Released',
      detail: /20Gi kept for claim gone\/data/,
      next: GET,
    },
  },
  {
    name: 'quota is used up',
    isLive: true,
    plant: (namespace) => [
      ...refused(namespace, `${HEAD}exceeded quota: small, requested: pods=1, used: pods=0, limited: pods=0`),
      object('ResourceQuota', namespace, 'small', { spec: { hard: { pods: '0' } }, status: { hard: { pods: '0' }, used: { pods: '0' } } }),
    ],
    expected: {
      ...notCreated,
      reason: 'QuotaExceeded',
      of: 'resourcequota/small',
      field: 'status.hard.pods',
      value: '0',
      next: USAGE,
    },
  },
  {
    name: 'quota wants limits that are not there',
    isLive: true,
    plant: (namespace) => [
      ...refused(namespace, `${HEAD}failed quota: limited: must specify limits.memory for: main`),
      object('ResourceQuota', namespace, 'limited', {
        spec: { hard: { 'limits.memory': '4Gi' } },
        status: { hard: { 'limits.memory': '4Gi' }, used: { 'limits.memory': '0' } },
      }),
    ],
    expected: {
      ...notCreated,
      reason: 'QuotaNeedsLimits',
      field: `${TEMPLATE}.containers[0].resources`,
      value: /requests/,
      detail: /must specify limits.memory/,
      next: USAGE,
    },
  },
  {
    name: 'limit range refuses',
    isLive: true,
    plant: (namespace) => [
      ...refused(namespace, `${HEAD}maximum memory usage per Container is 512Mi, but limit is 1Gi`, {
        main: { resources: { requests: { memory: '64Mi' }, limits: { memory: '1Gi' } } },
      }),
      object('LimitRange', namespace, 'bounds', { spec: { limits: [{ type: 'Container', max: { memory: '512Mi' } }] } }),
    ],
    expected: {
      ...notCreated,
      reason: 'LimitRange',
      field: `${TEMPLATE}.containers[?name=main].resources.limits.memory`,
      value: '1Gi',
      next: GET,
    },
  },
  {
    name: 'pod security refuses',
    isLive: true,
    plant: (namespace) =>
      refused(
        namespace,
        `${HEAD}violates PodSecurity "baseline:latest": privileged (container "main" must not set securityContext.privileged=true)`,
        { main: { securityContext: { privileged: true } } },
      ),
    expected: {
      ...notCreated,
      reason: 'PodSecurity',
      of: 'namespace/fault-pod-security-refuses',
      field: 'metadata.labels["pod-security.kubernetes.io/enforce"]',
      value: 'baseline',
      detail: /privileged=true/,
      next: GET,
    },
  },
  {
    name: 'service account is missing',
    isLive: true,
    plant: (namespace) =>
      refused(namespace, `${HEAD}error looking up service account ${namespace}/runner: serviceaccount "runner" not found`, {
        spec: { serviceAccountName: 'runner' },
      }),
    expected: { ...notCreated, reason: 'ServiceAccountMissing', field: `${TEMPLATE}.serviceAccountName`, value: 'runner', next: GET },
  },
  {
    name: 'priority class is missing',
    isLive: true,
    plant: (namespace) =>
      refused(namespace, `${HEAD}no PriorityClass with name urgent was found`, { spec: { priorityClassName: 'urgent' } }),
    expected: { ...notCreated, reason: 'PriorityClassMissing', field: `${TEMPLATE}.priorityClassName`, value: 'urgent', next: GET },
  },
  {
    name: 'runtime class is missing',
    isLive: true,
    plant: (namespace) =>
      refused(namespace, `${HEAD}pod rejected: RuntimeClass "gvisor" not found`, { spec: { runtimeClassName: 'gvisor' } }),
    expected: { ...notCreated, reason: 'RuntimeClassMissing', field: `${TEMPLATE}.runtimeClassName`, value: 'gvisor', next: GET },
  },
  {
    name: 'pods of a daemon set refused',
    plant: (namespace) => {
      const set = object('DaemonSet', namespace, 'agent', {
        spec: {
          selector: { matchLabels: { app: 'agent' } },
          updateStrategy: { type: 'RollingUpdate' },
          template: { metadata: { labels: { app: 'agent' } }, spec: podSpec() },
        },
        status: {
          observedGeneration: 1,
          desiredNumberScheduled: 2,
          currentNumberScheduled: 0,
          numberMisscheduled: 0,
          numberReady: 0,
          numberUnavailable: 2,
        },
      });
      const words = 'Error creating: admission webhook "guard.example.test" denied the request: images must come from the house registry';
      return [set, warning(set, 'FailedCreate', words)];
    },
    expected: {
      ref: 'daemonset/agent',
      reason: 'AdmissionDenied',
      severity: 'critical',
      check: 'quota and admission of pods',
      field: 'status.currentNumberScheduled',
      value: '0',
      detail: /house registry/,
      next: GET,
    },
  },
];
