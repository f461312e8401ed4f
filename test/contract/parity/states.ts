// States of objects, as many as kubectl has words for: what kubectl prints of each, our tools must say.

import {
  ago,
  container,
  deployment,
  ended,
  type Fields,
  node,
  object,
  type Planted,
  type PodState,
  pod,
  podSpec,
  running,
  service,
  slice,
  waiting,
} from '../faults/objects.ts';

export const SPACE = 'parity';

const names = new Set<string>();
/** A name of its own for each state. */
const named = (prefix: string, state: string): string => {
  const name = `${prefix}-${state.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;
  if (names.has(name)) throw new Error(`two states are called ${name}`);
  names.add(name);
  return name;
};

const ofPod = (state: string, given: PodState, spec: Fields = {}): Planted => pod(SPACE, named('pod', state), podSpec(spec), given);
const two = { containers: [container(), container({ name: 'side' })] };
const init = { initContainers: [container({ name: 'one' }), container({ name: 'two' })] };
const sidecar = { initContainers: [container({ name: 'proxy', restartPolicy: 'Always' })] };
const signal = (number: number): Fields => ({
  terminated: { exitCode: 128 + number, signal: number, startedAt: ago(5), finishedAt: ago(4) },
});
const bare = (exitCode: number): Fields => ({ terminated: { exitCode, startedAt: ago(5), finishedAt: ago(4) } });
const unscheduled: PodState = {
  ready: false,
  phase: 'Pending',
  node: '',
  conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'no node', lastTransitionTime: ago(9) }],
};
const notInitialized = [
  { type: 'PodScheduled', status: 'True' },
  { type: 'Initialized', status: 'False' },
  { type: 'Ready', status: 'False' },
];
const pendingWith = (one: Fields, more: PodState = {}): PodState => ({ ready: false, phase: 'Pending', state: one, ...more });
const inInit = (statuses: NonNullable<PodState['init']>, more: PodState = {}): PodState =>
  pendingWith(waiting('PodInitializing'), { conditions: notInitialized, init: statuses, ...more });
/** One status for each container, in their order. */
const withStates = (
  planted: Planted,
  states: readonly { readonly state: Fields; readonly ready?: boolean; readonly restarts?: number }[],
): Planted => {
  const status = planted['status'] as Fields;
  const statuses = (status['containerStatuses'] as readonly Fields[]).map((one, index) => {
    const given = states[index];
    return { ...one, state: given?.state, ready: given?.ready ?? false, restartCount: given?.restarts ?? 0 };
  });
  return { ...planted, status: { ...status, containerStatuses: statuses } };
};

const POD_STATES: readonly Planted[] = [
  ofPod('running', {}),
  ofPod('running with restarts', { restarts: 4, lastState: ended(1, 'Error', 50) }),
  ofPod('running not ready', { ready: false }),
  ofPod('pending unscheduled', unscheduled),
  ofPod('scheduling gated', {
    ...unscheduled,
    conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', lastTransitionTime: ago(9) }],
  }),
  ofPod('creating', pendingWith(waiting('ContainerCreating'))),
  ofPod('crash loop', { ready: false, restarts: 7, state: waiting('CrashLoopBackOff'), lastState: ended(1, 'Error', 2) }),
  ofPod('image pull back off', pendingWith(waiting('ImagePullBackOff'))),
  ofPod('err image pull', pendingWith(waiting('ErrImagePull'))),
  ofPod('invalid image name', pendingWith(waiting('InvalidImageName'))),
  ofPod('config error', pendingWith(waiting('CreateContainerConfigError'))),
  ofPod('run error', { ready: false, state: waiting('RunContainerError') }),
  ofPod('ended error', { ready: false, restarts: 1, state: ended(3, 'Error') }),
  ofPod('oom killed', { ready: false, restarts: 2, state: ended(137, 'OOMKilled') }),
  ofPod('signal', { ready: false, state: signal(9) }),
  ofPod('exit code without reason', { ready: false, state: bare(7) }),
  ofPod('completed', { phase: 'Succeeded', ready: false, state: ended(0, 'Completed') }, { restartPolicy: 'Never' }),
  ofPod('failed', { phase: 'Failed', ready: false, state: ended(1, 'Error') }, { restartPolicy: 'Never' }),
  ofPod('evicted', {
    phase: 'Failed',
    ready: false,
    reason: 'Evicted',
    message: 'low on memory',
    state: ended(137, 'ContainerStatusUnknown'),
  }),
  { ...ofPod('evicted without containers', { phase: 'Failed', reason: 'Evicted' }), status: { phase: 'Failed', reason: 'Evicted' } },
  ofPod('node shutdown', { phase: 'Failed', ready: false, reason: 'NodeShutdown', state: ended(0, 'Completed') }),
  { ...ofPod('admission error', {}), status: { phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'no devices' } },
  { ...ofPod('out of cpu', {}), status: { phase: 'Failed', reason: 'OutOfcpu' } },
  ofPod('terminating', { deleted: 1, finalizers: ['example.test/hold'] }),
  ofPod('terminating while creating', pendingWith(waiting('ContainerCreating'), { deleted: 1, finalizers: ['example.test/hold'] })),
  ofPod('node lost', { reason: 'NodeLost', deleted: 1, finalizers: ['example.test/hold'] }),
  ofPod('succeeded and deleted', {
    phase: 'Succeeded',
    ready: false,
    state: ended(0, 'Completed'),
    deleted: 1,
    finalizers: ['example.test/hold'],
  }),
  ofPod('unknown', { phase: 'Unknown', ready: false }),
  ofPod('init waits', inInit({ one: { state: waiting('PodInitializing') }, two: { state: waiting('PodInitializing') } }), init),
  ofPod('init first done', inInit({ one: { state: ended(0, 'Completed'), ready: true }, two: { state: running(1) } }), init),
  ofPod(
    'init crash loop',
    inInit({ one: { state: waiting('CrashLoopBackOff'), restarts: 5 }, two: { state: waiting('PodInitializing') } }),
    init,
  ),
  ofPod('init error', inInit({ one: { state: ended(1, 'Error') }, two: { state: waiting('PodInitializing') } }), init),
  ofPod('init signal', inInit({ one: { state: signal(15) }, two: { state: waiting('PodInitializing') } }), init),
  ofPod('init exit code', inInit({ one: { state: bare(4) }, two: { state: waiting('PodInitializing') } }), init),
  ofPod('init image', inInit({ one: { state: waiting('ImagePullBackOff') }, two: { state: waiting('PodInitializing') } }), init),
  ofPod('init terminating', inInit({ one: { state: running(1) } }, { deleted: 1, finalizers: ['example.test/hold'] }), init),
  ofPod(
    'initializing',
    pendingWith(waiting('PodInitializing'), { init: { one: { state: ended(0, 'Completed') }, two: { state: ended(0, 'Completed') } } }),
    init,
  ),
  ofPod('sidecar started', { init: { proxy: { state: running(), ready: true, started: true } } }, sidecar),
  ofPod('sidecar not ready', { init: { proxy: { state: running(), ready: false, started: true, restarts: 2 } } }, sidecar),
  ofPod('sidecar starting', inInit({ proxy: { state: running(1), started: false } }), sidecar),
  ofPod('sidecar crash loop', inInit({ proxy: { state: waiting('CrashLoopBackOff'), restarts: 3 } }), sidecar),
  ofPod('sidecar restarted', { init: { proxy: { state: running(), ready: true, started: true, restarts: 6 } }, restarts: 1 }, sidecar),
  withStates(ofPod('one of two completed', {}, two), [{ state: running(), ready: true }, { state: ended(0, 'Completed') }]),
  withStates(ofPod('one of two completed not ready', { ready: false }, two), [
    { state: running(), ready: true },
    { state: ended(0, 'Completed') },
  ]),
  withStates(ofPod('one of two failed', { ready: false }, two), [
    { state: running(), ready: true },
    { state: ended(2, 'Error'), restarts: 3 },
  ]),
  withStates(ofPod('error then completed', { ready: false }, two), [{ state: ended(0, 'Completed') }, { state: ended(2, 'Error') }]),
  withStates(ofPod('two waits', { ready: false }, two), [
    { state: waiting('ImagePullBackOff') },
    { state: waiting('CrashLoopBackOff'), restarts: 8 },
  ]),
];

const conditions = (progressing: string, reason: string): readonly Fields[] => [
  { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', lastTransitionTime: ago(9) },
  { type: 'Progressing', status: progressing, reason, message: `says ${reason}`, lastTransitionTime: ago(9) },
];
const done = conditions('True', 'NewReplicaSetAvailable');

const ofDeployment = (state: string, replicas: number, status: Fields, more: Fields = {}): Planted => {
  const [one] = deployment(SPACE, named('deploy', state), { replicas, pods: [], status: { conditions: done, replicas, ...status }, more });
  if (one === undefined) throw new Error('a deployment is missing');
  return one;
};
const counts = (updated: number, ready: number, available: number, total = updated): Fields => ({
  replicas: total,
  updatedReplicas: updated,
  readyReplicas: ready,
  availableReplicas: available,
});
const newer = (planted: Planted): Planted => ({ ...planted, metadata: { ...planted.metadata, generation: 3 } });

const ofStatefulSet = (state: string, replicas: number, status: Fields, updateStrategy: Fields = { type: 'RollingUpdate' }): Planted => {
  const labels = { app: 'parity' };
  return object('StatefulSet', SPACE, named('sts', state), {
    spec: {
      replicas,
      serviceName: 'db',
      selector: { matchLabels: labels },
      updateStrategy,
      template: { metadata: { labels }, spec: podSpec() },
    },
    status: {
      observedGeneration: 1,
      replicas,
      readyReplicas: replicas,
      currentReplicas: replicas,
      updatedReplicas: replicas,
      currentRevision: 'r1',
      updateRevision: 'r1',
      ...status,
    },
  });
};

const ofDaemonSet = (state: string, status: Fields, updateStrategy: Fields = { type: 'RollingUpdate' }): Planted => {
  const labels = { app: 'parity' };
  return object('DaemonSet', SPACE, named('ds', state), {
    spec: {
      selector: { matchLabels: labels },
      updateStrategy,
      template: { metadata: { labels }, spec: podSpec({ nodeSelector: { disk: 'ssd' } }) },
    },
    status: {
      observedGeneration: 1,
      desiredNumberScheduled: 3,
      currentNumberScheduled: 3,
      updatedNumberScheduled: 3,
      numberReady: 3,
      numberAvailable: 3,
      numberMisscheduled: 0,
      ...status,
    },
  });
};

/** Rollouts: kubectl judges these. */
export const ROLLOUTS: readonly Planted[] = [
  ofDeployment('done', 3, counts(3, 3, 3)),
  ofDeployment('zero', 0, counts(0, 0, 0)),
  ofDeployment('not all updated', 3, counts(1, 3, 3, 4)),
  ofDeployment('old ones pending', 3, counts(3, 3, 3, 5)),
  ofDeployment('not all available', 3, counts(3, 1, 1)),
  ofDeployment('exceeded', 3, { ...counts(1, 3, 3, 4), conditions: conditions('False', 'ProgressDeadlineExceeded') }),
  ofDeployment('paused', 3, { ...counts(1, 3, 3, 4), conditions: conditions('Unknown', 'DeploymentPaused') }, { paused: true }),
  ofDeployment('refused', 2, {
    ...counts(0, 0, 0),
    conditions: [...done, { type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate' }],
  }),
  newer(ofDeployment('not observed', 3, counts(3, 3, 3))),
  newer(
    ofDeployment('exceeded before the last change', 3, { ...counts(1, 3, 3), conditions: conditions('False', 'ProgressDeadlineExceeded') }),
  ),
  ofStatefulSet('done', 3, {}),
  ofStatefulSet('not ready', 3, { readyReplicas: 1 }),
  ofStatefulSet('rolling', 3, { updatedReplicas: 1, updateRevision: 'r2' }),
  ofStatefulSet(
    'partition waits',
    3,
    { updatedReplicas: 0, updateRevision: 'r2' },
    { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
  ),
  ofStatefulSet(
    'partition done',
    3,
    { updatedReplicas: 2, updateRevision: 'r2' },
    { type: 'RollingUpdate', rollingUpdate: { partition: 1 } },
  ),
  ofStatefulSet('on delete', 3, {}, { type: 'OnDelete' }),
  newer(ofStatefulSet('not observed', 3, {})),
  ofStatefulSet('zero', 0, {}),
  ofDaemonSet('done', {}),
  ofDaemonSet('not all updated', { updatedNumberScheduled: 1 }),
  ofDaemonSet('not all available', { numberAvailable: 1, numberReady: 1 }),
  ofDaemonSet('on delete', {}, { type: 'OnDelete' }),
  ofDaemonSet('nowhere', {
    desiredNumberScheduled: 0,
    currentNumberScheduled: 0,
    updatedNumberScheduled: 0,
    numberReady: 0,
    numberAvailable: 0,
  }),
  newer(ofDaemonSet('not observed', {})),
];

const ofJob = (state: string, status: Fields, spec: Fields = {}, more: Fields = {}): Planted =>
  object(
    'Job',
    SPACE,
    named('job', state),
    {
      spec: {
        completions: 1,
        parallelism: 1,
        selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': state } },
        template: { spec: podSpec({ restartPolicy: 'Never' }) },
        ...spec,
      },
      status: { startTime: ago(30), ...status },
    },
    more,
  );
const isTrue = (...types: readonly string[]): Fields => ({
  conditions: types.map((type) => ({ type, status: 'True', reason: `Because${type}` })),
});

const JOBS: readonly Planted[] = [
  ofJob('running', { active: 1 }),
  ofJob('complete', { succeeded: 1, completionTime: ago(20), ...isTrue('SuccessCriteriaMet', 'Complete') }),
  ofJob('failed', { failed: 4, ...isTrue('FailureTarget', 'Failed') }),
  ofJob('failing', { failed: 1, active: 1, ...isTrue('FailureTarget') }),
  ofJob('suspended', { ...isTrue('Suspended') }, { suspend: true }),
  ofJob('criteria met', { succeeded: 2, ...isTrue('SuccessCriteriaMet') }, { completions: 5 }),
  ofJob('several', { succeeded: 2, active: 3 }, { completions: 8, parallelism: 3 }),
  ofJob('queue', { succeeded: 2, active: 3 }, { completions: undefined, parallelism: 3 }),
  ofJob('terminating', { active: 1 }, {}, { deleted: 1, finalizers: ['example.test/hold'] }),
];

const ofCron = (state: string, spec: Fields, status: Fields): Planted =>
  object('CronJob', SPACE, named('cron', state), {
    spec: {
      schedule: '*/5 * * * *',
      suspend: false,
      jobTemplate: { spec: { template: { spec: podSpec({ restartPolicy: 'Never' }) } } },
      ...spec,
    },
    status,
  });

const CRONS: readonly Planted[] = [
  ofCron('never ran', {}, {}),
  ofCron('active', {}, { lastScheduleTime: ago(4), active: [{ kind: 'Job', name: 'x', namespace: SPACE }] }),
  ofCron('suspended', { suspend: true, timeZone: 'Europe/Berlin' }, { lastScheduleTime: ago(4000) }),
];

const NODES: readonly Planted[] = [
  node('parity-ready', { labels: { 'node-role.kubernetes.io/worker': '' } }),
  node('parity-not-ready', { conditions: { Ready: 'False' } }),
  node('parity-unknown', { conditions: { Ready: 'Unknown' }, labels: { 'kubernetes.io/role': 'edge' } }),
  node('parity-cordoned', {
    spec: { unschedulable: true },
    labels: { 'node-role.kubernetes.io/control-plane': '', 'node-role.kubernetes.io/etcd': '' },
  }),
  node('parity-cordoned-not-ready', { spec: { unschedulable: true }, conditions: { Ready: 'False' } }),
  { ...node('parity-silent'), status: { capacity: { cpu: '1' }, allocatable: { cpu: '1' } } },
];

const claim = (state: string, phase: string, more: Fields = {}, head: Fields = {}): Planted =>
  object(
    'PersistentVolumeClaim',
    SPACE,
    named('claim', state),
    {
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'standard',
        volumeMode: 'Filesystem',
        resources: { requests: { storage: '5Gi' } },
        ...more,
      },
      status: { phase, ...(phase === 'Bound' ? { capacity: { storage: '5Gi' }, accessModes: ['ReadWriteOnce'] } : {}) },
    },
    head,
  );
const volume = (state: string, phase: string, more: Fields = {}, head: Fields = {}): Planted =>
  object(
    'PersistentVolume',
    '',
    named('parity', state),
    {
      spec: {
        capacity: { storage: '5Gi' },
        accessModes: ['ReadWriteOnce', 'ReadOnlyMany'],
        persistentVolumeReclaimPolicy: 'Retain',
        hostPath: { path: '/data' },
        storageClassName: 'standard',
        volumeMode: 'Filesystem',
        ...more,
      },
      status: { phase, ...(phase === 'Failed' ? { reason: 'VolumeFailedDelete', message: 'cannot delete' } : {}) },
    },
    head,
  );

const STORAGE: readonly Planted[] = [
  claim('bound', 'Bound', { volumeName: 'parity-bound' }),
  claim('pending', 'Pending'),
  claim('lost', 'Lost', { volumeName: 'parity-gone' }),
  claim('terminating', 'Bound', { volumeName: 'parity-bound' }, { deleted: 5, finalizers: ['kubernetes.io/pvc-protection'] }),
  volume('available', 'Available'),
  volume('bound', 'Bound', { claimRef: { kind: 'PersistentVolumeClaim', namespace: SPACE, name: 'claim-bound' } }),
  volume('released', 'Released', { claimRef: { kind: 'PersistentVolumeClaim', namespace: 'gone', name: 'data' } }),
  volume('volume-failed', 'Failed'),
  volume('volume-terminating', 'Bound', {}, { deleted: 5, finalizers: ['kubernetes.io/pv-protection'] }),
];

const SPACES: readonly Planted[] = [
  object('Namespace', '', SPACE, { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }),
  object('Namespace', '', 'parity-ending', { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Terminating' } }, { deleted: 3 }),
];

const rule = (host: string): Fields => ({
  host,
  http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] },
});
const ingress = (state: string, spec: Fields, addresses: readonly Fields[] = []): Planted =>
  object('Ingress', SPACE, named('ingress', state), { spec, status: { loadBalancer: { ingress: addresses } } });

const scaler = (state: string, status: Fields, spec: Fields = {}): Planted =>
  object('HorizontalPodAutoscaler', SPACE, named('hpa', state), {
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 2,
      maxReplicas: 5,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } }],
      ...spec,
    },
    status: { currentReplicas: 2, desiredReplicas: 2, conditions: [], ...status },
  });
const budget = (state: string, spec: Fields, allowed: number): Planted =>
  object('PodDisruptionBudget', SPACE, named('pdb', state), {
    spec: { selector: { matchLabels: { app: 'x' } }, ...spec },
    status: { observedGeneration: 1, disruptionsAllowed: allowed, currentHealthy: 2, desiredHealthy: 2, expectedPods: 2 },
  });

const TRAFFIC: readonly Planted[] = [
  service(SPACE, 'svc-cluster', { app: 'x' }),
  service(SPACE, 'svc-headless', { app: 'x' }, { more: { clusterIP: 'None', clusterIPs: ['None'] } }),
  service(
    SPACE,
    'svc-node-port',
    { app: 'x' },
    { ports: [{ port: 80, nodePort: 30_080, protocol: 'TCP', targetPort: 8080 }], more: { type: 'NodePort' } },
  ),
  service(
    SPACE,
    'svc-balancer-waits',
    { app: 'x' },
    { ports: [{ port: 80, nodePort: 30_081, protocol: 'TCP', targetPort: 8080 }], more: { type: 'LoadBalancer' } },
  ),
  service(
    SPACE,
    'svc-balancer',
    { app: 'x' },
    {
      ports: [{ port: 80, nodePort: 30_082, protocol: 'TCP', targetPort: 8080 }],
      more: { type: 'LoadBalancer' },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.9' }] } },
    },
  ),
  object('Service', SPACE, 'svc-alias', {
    spec: { type: 'ExternalName', externalName: 'db.example.test', sessionAffinity: 'None' },
    status: { loadBalancer: {} },
  }),
  slice(SPACE, 'svc-cluster', [{ pod: 'pod-running', ready: true }, { ready: false }]),
  ingress('one host', { ingressClassName: 'nginx', rules: [rule('a.example.test')] }, [{ ip: '192.0.2.80' }]),
  ingress('many hosts', {
    rules: ['a', 'b', 'c', 'd', 'e'].map((host) => rule(`${host}.example.test`)),
    tls: [{ hosts: ['a.example.test'], secretName: 'x' }],
  }),
  ingress('default only', { ingressClassName: 'nginx', defaultBackend: { service: { name: 'web', port: { name: 'http' } } } }, [
    { hostname: 'lb.example.test' },
  ]),
  scaler('at work', {
    currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 41, averageValue: '82m' } } }],
  }),
  scaler('without metrics', {}),
  scaler(
    'two metrics',
    {},
    {
      metrics: ['cpu', 'memory'].map((name) => ({
        type: 'Resource',
        resource: { name, target: { type: 'Utilization', averageUtilization: 70 } },
      })),
    },
  ),
  budget('at least', { minAvailable: 2 }, 0),
  budget('at most', { maxUnavailable: '25%' }, 1),
];

/** Kinds in the order in which kubectl is asked, each with its states. */
export const KINDS: Readonly<Record<string, readonly Planted[]>> = Object.fromEntries(
  Object.entries(
    Object.groupBy([...SPACES, ...POD_STATES, ...ROLLOUTS, ...JOBS, ...CRONS, ...NODES, ...STORAGE, ...TRAFFIC], ({ kind }) => kind),
  ).map(([kind, states = []]) => [kind, states]),
);
