// Faults of containers: crashes, memory, configuration, volumes.

import { GET, LOGS, type PlantedFault } from './fault.ts';
import { container, deployment, ended, waiting } from './objects.ts';
import { configError, crashing, creating, MAIN, podWeb, STATUS, sick, web } from './sick.ts';

export const POD_FAULTS: readonly PlantedFault[] = [
  {
    name: 'crash loop with exit code',
    plant: (namespace) => sick(namespace, { ...crashing, lastState: ended(3, 'Error') }),
    expected: {
      ref: web,
      reason: 'CrashLoopBackOff',
      severity: 'critical',
      check: 'container state',
      of: podWeb,
      field: `${STATUS}.lastState.terminated.exitCode`,
      value: '3',
      detail: /last exit Error \(exit 3\)/,
      next: LOGS,
    },
  },
  {
    name: 'crash loop out of memory',
    plant: (namespace) =>
      sick(namespace, { ...crashing, lastState: ended(137, 'OOMKilled') }, undefined, {
        main: { resources: { requests: { memory: '64Mi' }, limits: { memory: '128Mi' } } },
      }),
    expected: {
      ref: web,
      reason: 'CrashLoopBackOff (OOMKilled)',
      severity: 'critical',
      check: 'container state',
      field: `${MAIN}.resources.limits.memory`,
      value: '128Mi',
      detail: /memory limit 128Mi/,
      next: LOGS,
    },
  },
  {
    name: 'one of three killed for memory now and then',
    plant: (namespace) =>
      deployment(namespace, 'web', {
        pods: [{}, {}, { restarts: 2, lastState: ended(137, 'OOMKilled', 12) }],
        main: { resources: { requests: { memory: '64Mi' }, limits: { memory: '128Mi' } } },
      }),
    expected: {
      ref: web,
      reason: 'OOMKilled',
      severity: 'warning',
      check: 'container state',
      field: `${MAIN}.resources.limits.memory`,
      value: '128Mi',
      detail: /1 of 3 pods/,
      next: LOGS,
    },
  },
  {
    name: 'command not found',
    plant: (namespace) => sick(namespace, { ...crashing, lastState: ended(127, 'Error') }),
    expected: {
      ref: web,
      reason: 'CrashLoopBackOff',
      severity: 'critical',
      check: 'container state',
      of: podWeb,
      field: `${STATUS}.lastState.terminated.exitCode`,
      value: '127',
      detail: /its command was not found/,
      next: LOGS,
    },
  },
  {
    name: 'init container fails',
    plant: (namespace) =>
      deployment(namespace, 'web', {
        spec: { initContainers: [container({ name: 'migrate' })] },
        pods: [
          {
            ready: false,
            phase: 'Pending',
            state: waiting('PodInitializing'),
            init: { migrate: { state: waiting('CrashLoopBackOff'), restarts: 4, ...{ lastState: ended(1, 'Error') } } },
          },
        ],
      }),
    expected: {
      ref: web,
      reason: 'CrashLoopBackOff',
      severity: 'critical',
      check: 'container state',
      of: podWeb,
      field: 'status.initContainerStatuses[?name=migrate].lastState.terminated.exitCode',
      value: '1',
      detail: /container migrate/,
      next: LOGS,
    },
  },
  {
    name: 'runtime cannot start the container',
    plant: (namespace) =>
      sick(namespace, {
        state: waiting('RunContainerError', 'exec: "/app/servr": stat /app/servr: no such file or directory'),
        restarts: 3,
        lastState: ended(128, 'StartError'),
      }),
    expected: {
      ref: web,
      reason: 'RunContainerError',
      severity: 'critical',
      check: 'container state',
      of: podWeb,
      field: `${STATUS}.state.waiting.reason`,
      value: 'RunContainerError',
      detail: /no such file or directory/,
      next: GET,
    },
  },
  {
    name: 'no network for the pod',
    plant: (namespace) =>
      sick(namespace, creating, [
        'FailedCreatePodSandBox',
        'Failed to create pod sandbox: plugin type="bridge" failed (add): no IP addresses available in range set',
      ]),
    expected: {
      ref: web,
      reason: 'FailedCreatePodSandBox',
      severity: 'critical',
      check: 'container state',
      of: podWeb,
      field: 'status.containerStatuses[0].state.waiting.reason',
      value: 'ContainerCreating',
      detail: /no IP addresses available/,
      next: GET,
    },
  },
  {
    name: 'config map missing',
    plant: (namespace) =>
      sick(namespace, configError('configmap "web-config" not found'), undefined, {
        main: { envFrom: [{ configMapRef: { name: 'web-config' } }] },
      }),
    expected: {
      ref: web,
      reason: 'CreateContainerConfigError',
      severity: 'critical',
      check: 'references',
      field: `${MAIN}.envFrom[0].configMapRef.name`,
      value: 'web-config',
      detail: /configmap "web-config" not found/,
      next: GET,
    },
  },
  {
    name: 'key missing in secret',
    plant: (namespace) =>
      sick(namespace, configError(`couldn't find key PASSWORD in Secret ${namespace}/web-db`), undefined, {
        main: { env: [{ name: 'DB_PASSWORD', valueFrom: { secretKeyRef: { name: 'web-db', key: 'PASSWORD' } } }] },
      }),
    expected: {
      ref: web,
      reason: 'CreateContainerConfigError',
      severity: 'critical',
      check: 'references',
      field: `${MAIN}.env[?name=DB_PASSWORD].valueFrom.secretKeyRef.key`,
      value: 'PASSWORD',
      next: GET,
    },
  },
  {
    name: 'secret missing for a volume',
    plant: (namespace) =>
      sick(namespace, creating, ['FailedMount', 'MountVolume.SetUp failed for volume "tls" : secret "web-tls" not found'], {
        spec: { volumes: [{ name: 'tls', secret: { secretName: 'web-tls', defaultMode: 420 } }] },
      }),
    expected: {
      ref: web,
      reason: 'FailedMount',
      severity: 'critical',
      check: 'references',
      field: 'spec.template.spec.volumes[?name=tls].secret.secretName',
      value: 'web-tls',
      next: GET,
    },
  },
  {
    name: 'volume cannot be attached',
    plant: (namespace) =>
      sick(namespace, creating, [
        'FailedAttachVolume',
        'Multi-Attach error for volume "pv-7" Volume is already exclusively attached to one node',
      ]),
    expected: {
      ref: web,
      reason: 'FailedAttachVolume',
      severity: 'critical',
      check: 'volumes',
      of: podWeb,
      field: 'status.containerStatuses[*].state.waiting.reason',
      value: 'ContainerCreating',
      detail: /Multi-Attach error/,
      next: GET,
    },
  },
];
