// Faults of pods: images, probes, pods that ended or were left behind.

import { GET, LOGS, type PlantedFault } from './fault.ts';
import { ago, deployment, ended, object, pod, podSpec, running, waiting, warning } from './objects.ts';
import { MAIN, podWeb, probe, STATUS, sick, web } from './sick.ts';

export const STARTING_FAULTS: readonly PlantedFault[] = [
  {
    name: 'image tag does not exist',
    plant: (namespace) =>
      sick(
        namespace,
        { phase: 'Pending', state: waiting('ImagePullBackOff', 'Back-off pulling image') },
        ['Failed', 'Failed to pull image "registry.example.test/shop/web:9.9.9": not found', 'spec.containers{main}'],
        { main: { image: 'registry.example.test/shop/web:9.9.9' } },
      ),
    expected: {
      ref: web,
      reason: 'ImagePullBackOff',
      severity: 'critical',
      check: 'images',
      field: `${MAIN}.image`,
      value: 'registry.example.test/shop/web:9.9.9',
      evidence: /not found/,
      next: GET,
    },
  },
  {
    name: 'pull secret missing',
    plant: (namespace) => {
      const [one, set, broken] = sick(
        namespace,
        { phase: 'Pending', state: waiting('ErrImagePull', 'pull access denied, 401') },
        undefined,
        {
          spec: { imagePullSecrets: [{ name: 'registry-login' }] },
        },
      );
      const words = 'Unable to retrieve some image pull secrets (registry-login); attempting to pull the image may not succeed.';
      return [one, set, broken].flatMap((item) => item ?? []).concat(warning(broken, 'FailedToRetrieveImagePullSecret', words));
    },
    expected: {
      ref: web,
      reason: 'PullSecretMissing',
      severity: 'critical',
      check: 'images',
      field: 'spec.template.spec.imagePullSecrets[?name=registry-login].name',
      value: 'registry-login',
      next: GET,
    },
  },
  {
    name: 'image name is invalid',
    plant: (namespace) =>
      sick(
        namespace,
        {
          phase: 'Pending',
          state: waiting('InvalidImageName', 'Failed to apply default image tag "Shop/Web:1": couldn\'t parse image name'),
        },
        undefined,
        { main: { image: 'Shop/Web:1' } },
      ),
    expected: {
      ref: web,
      reason: 'InvalidImageName',
      severity: 'critical',
      check: 'images',
      field: `${MAIN}.image`,
      value: 'Shop/Web:1',
      next: GET,
    },
  },
  {
    name: 'readiness probe fails',
    plant: (namespace) =>
      sick(
        namespace,
        { state: running(30) },
        ['Unhealthy', 'Readiness probe failed: HTTP probe failed with statuscode: 503', 'spec.containers{main}'],
        {
          main: probe({ readinessProbe: { httpGet: { path: '/ready', port: 8080, scheme: 'HTTP' }, periodSeconds: 5 } }),
        },
      ),
    expected: {
      ref: web,
      reason: 'ReadinessProbeFailed',
      severity: 'critical',
      check: 'probes',
      field: `${MAIN}.readinessProbe.httpGet.port`,
      value: '8080',
      evidence: /statuscode: 503/,
      next: GET,
    },
  },
  {
    name: 'probe asks a port that no container has',
    plant: (namespace) =>
      sick(
        namespace,
        { state: running(30) },
        ['Unhealthy', 'Readiness probe failed: dial tcp 10.244.0.7:8081: connect: connection refused', 'spec.containers{main}'],
        { main: probe({ readinessProbe: { tcpSocket: { port: 8081 }, periodSeconds: 5 } }) },
      ),
    expected: {
      ref: web,
      reason: 'ReadinessProbeFailed',
      severity: 'critical',
      check: 'probes',
      field: `${MAIN}.readinessProbe.tcpSocket.port`,
      value: '8081',
      evidence: /asks port 8081; container main declares 8080/,
      next: GET,
    },
  },
  {
    name: 'liveness probe ends the container again and again',
    plant: (namespace) =>
      sick(
        namespace,
        { ready: true, restarts: 4, state: running(2), lastState: ended(137, 'Error', 2) },
        ['Unhealthy', 'Liveness probe failed: HTTP probe failed with statuscode: 404', 'spec.containers{main}'],
        { main: probe({ livenessProbe: { httpGet: { path: '/alive', port: 'http', scheme: 'HTTP' } } }) },
      ),
    expected: {
      ref: web,
      reason: 'LivenessProbeFailed',
      severity: 'warning',
      check: 'container state',
      field: `${MAIN}.livenessProbe.httpGet.port`,
      value: 'http',
      evidence: /statuscode: 404/,
      next: GET,
    },
  },
  {
    name: 'startup probe never passes',
    plant: (namespace) =>
      sick(
        namespace,
        { restarts: 3, state: running(1), lastState: ended(143, 'Error', 1) },
        ['Unhealthy', 'Startup probe failed: cat: /tmp/started: No such file', 'spec.containers{main}'],
        { main: { startupProbe: { exec: { command: ['cat', '/tmp/started'] } } } },
      ),
    expected: {
      ref: web,
      reason: 'StartupProbeFailed',
      severity: 'critical',
      check: 'container state',
      field: `${MAIN}.startupProbe.exec.command[0]`,
      value: 'cat',
      next: GET,
    },
  },
  {
    name: 'readiness gate is not met',
    plant: (namespace) =>
      deployment(namespace, 'web', {
        spec: { readinessGates: [{ conditionType: 'example.test/in-balancer' }] },
        pods: [
          {
            ready: true,
            conditions: [
              { type: 'PodScheduled', status: 'True', lastTransitionTime: ago(120) },
              { type: 'ContainersReady', status: 'True', lastTransitionTime: ago(120) },
              {
                type: 'Ready',
                status: 'False',
                reason: 'ReadinessGatesNotReady',
                message: 'corresponding condition of pod readiness gate "example.test/in-balancer" does not exist.',
                lastTransitionTime: ago(119),
              },
            ],
          },
        ],
      }),
    expected: {
      ref: web,
      reason: 'NotReady',
      severity: 'critical',
      check: 'probes',
      of: podWeb,
      field: 'spec.readinessGates[0].conditionType',
      value: 'example.test/in-balancer',
      next: GET,
    },
  },
  {
    name: 'lonely pod has failed',
    plant: (namespace) => [
      pod(namespace, 'migration', podSpec({ restartPolicy: 'Never' }), { phase: 'Failed', ready: false, state: ended(2, 'Error', 30) }),
    ],
    expected: {
      ref: 'pod/migration',
      reason: 'PodFailed',
      severity: 'warning',
      check: 'ended pods',
      field: `${STATUS}.state.terminated.exitCode`,
      value: '2',
      next: LOGS,
    },
  },
  {
    name: 'pods were evicted',
    plant: (namespace) => {
      const objects = deployment(namespace, 'web', { pods: [{}] });
      const [, set] = objects;
      const gone = pod(
        namespace,
        'web-7d9f6b5c4d-zzzzz',
        podSpec(),
        {
          phase: 'Failed',
          ready: false,
          reason: 'Evicted',
          message: 'The node was low on resource: ephemeral-storage.',
          state: ended(137, 'ContainerStatusUnknown', 20),
          conditions: [],
        },
        { labels: { 'pod-template-hash': '7d9f6b5c4d' }, ...(set === undefined ? {} : { owner: set }) },
      );
      return [...objects, gone];
    },
    expected: {
      ref: web,
      reason: 'Evicted',
      severity: 'info',
      check: 'ended pods',
      of: 'pod/web-7d9f6b5c4d-zzzzz',
      field: 'status.reason',
      value: 'Evicted',
      detail: /ephemeral-storage/,
      next: GET,
    },
  },
  {
    name: 'pod left without its owner',
    plant: (namespace) => [pod(namespace, 'web-old', podSpec(), {}, { labels: { app: 'web', 'pod-template-hash': '5f5f5f5f5f' } })],
    expected: {
      ref: 'pod/web-old',
      reason: 'Orphaned',
      severity: 'info',
      check: 'orphans',
      field: 'metadata.ownerReferences',
      value: 'none',
      next: GET,
    },
  },
  {
    name: 'pod does not end',
    plant: (namespace) => [pod(namespace, 'stuck', podSpec(), { deleted: 40, finalizers: ['example.test/hold'] })],
    expected: {
      ref: 'pod/stuck',
      reason: 'TerminatingForLong',
      severity: 'warning',
      check: 'deletions',
      field: 'metadata.finalizers',
      value: 'example.test/hold',
      next: GET,
    },
  },
  {
    name: 'job reached its back-off limit',
    plant: (namespace) => {
      const job = object('Job', namespace, 'import', {
        spec: { backoffLimit: 0, completions: 1, parallelism: 1, template: { spec: podSpec({ restartPolicy: 'Never' }) } },
        status: {
          startTime: ago(30),
          failed: 1,
          conditions: [
            {
              type: 'Failed',
              status: 'True',
              reason: 'BackoffLimitExceeded',
              message: 'Job has reached the specified backoff limit',
              lastTransitionTime: ago(25),
            },
          ],
        },
      });
      const failed = pod(
        namespace,
        'import-x2x2x',
        podSpec({ restartPolicy: 'Never' }),
        { phase: 'Failed', ready: false, state: ended(1, 'Error', 26) },
        { owner: job },
      );
      return [job, failed];
    },
    expected: {
      ref: 'job/import',
      reason: 'BackoffLimitExceeded',
      severity: 'warning',
      check: 'jobs',
      field: 'status.conditions[?type=Failed].reason',
      value: 'BackoffLimitExceeded',
      evidence: /exit 1/,
      next: LOGS,
    },
  },
];
