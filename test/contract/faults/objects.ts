// Objects for planted faults: whole, with owners and status, as the controllers and kubelets of a real cluster would have left them.

export type Fields = Readonly<Record<string, unknown>>;

export interface Planted {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

const MINUTE = 60_000;
/** RFC 3339 without fractions, so many minutes ago (negative: to come). */
export const ago = (minutes: number): string => new Date(Date.now() - minutes * MINUTE).toISOString().replace(/\.\d+Z$/, 'Z');

/** Different for each object, the same for each run. */
export const uidOf = (text: string): string => {
  let hash = 0xcbf29ce484222325n;
  for (const char of text) hash = ((hash ^ BigInt(char.codePointAt(0) ?? 0)) * 0x100000001b3n) & 0xffffffffffffffffn;
  const hex = hash.toString(16).padStart(16, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8000-${hex.slice(0, 12)}`;
};

const API_VERSIONS: Readonly<Record<string, string>> = {
  Deployment: 'apps/v1',
  ReplicaSet: 'apps/v1',
  StatefulSet: 'apps/v1',
  DaemonSet: 'apps/v1',
  Job: 'batch/v1',
  CronJob: 'batch/v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  Ingress: 'networking.k8s.io/v1',
  IngressClass: 'networking.k8s.io/v1',
  NetworkPolicy: 'networking.k8s.io/v1',
  HorizontalPodAutoscaler: 'autoscaling/v2',
  PodDisruptionBudget: 'policy/v1',
  StorageClass: 'storage.k8s.io/v1',
  ValidatingWebhookConfiguration: 'admissionregistration.k8s.io/v1',
  CustomResourceDefinition: 'apiextensions.k8s.io/v1',
  Gateway: 'gateway.networking.k8s.io/v1',
  HTTPRoute: 'gateway.networking.k8s.io/v1',
};

export interface Head {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: Planted;
  /** Minutes. */
  readonly age?: number;
  /** Minutes since its deletion was asked for. */
  readonly deleted?: number;
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly Fields[];
}

/** One object; with `namespace` '' one without. */
export const object = (kind: string, namespace: string, name: string, body: Fields = {}, head: Head = {}): Planted => ({
  apiVersion: API_VERSIONS[kind] ?? 'v1',
  kind,
  metadata: {
    name,
    ...(namespace === '' ? {} : { namespace }),
    uid: uidOf(`${kind}/${namespace}/${name}`),
    generation: 1,
    creationTimestamp: ago(head.age ?? 120),
    ...(head.labels === undefined ? {} : { labels: head.labels }),
    ...(head.annotations === undefined ? {} : { annotations: head.annotations }),
    ...(head.deleted === undefined ? {} : { deletionTimestamp: ago(head.deleted), deletionGracePeriodSeconds: 0 }),
    ...(head.finalizers === undefined ? {} : { finalizers: head.finalizers }),
    ...(head.managedFields === undefined ? {} : { managedFields: head.managedFields }),
    ...(head.owner === undefined
      ? {}
      : {
          ownerReferences: [
            {
              apiVersion: head.owner.apiVersion,
              kind: head.owner.kind,
              name: head.owner.metadata.name,
              uid: head.owner.metadata['uid'],
              controller: true,
              blockOwnerDeletion: true,
            },
          ],
        }),
  },
  ...body,
});

export interface PodState {
  readonly ready?: boolean;
  readonly restarts?: number;
  readonly state?: Fields;
  readonly lastState?: Fields;
  readonly phase?: string;
  readonly reason?: string;
  readonly message?: string;
  /** Instead of Ready and PodScheduled. */
  readonly conditions?: readonly Fields[];
  /** Init containers, by name. */
  readonly init?: Readonly<
    Record<string, { readonly state: Fields; readonly ready?: boolean; readonly restarts?: number; readonly started?: boolean }>
  >;
  /** '' = no node has taken it. */
  readonly node?: string;
  readonly age?: number;
  readonly deleted?: number;
  readonly finalizers?: readonly string[];
}

export const running = (minutes = 60): Fields => ({ running: { startedAt: ago(minutes) } });
export const waiting = (reason: string, message?: string): Fields => ({
  waiting: { reason, ...(message === undefined ? {} : { message }) },
});
export const ended = (exitCode: number, reason: string, minutes = 3, message?: string): Fields => ({
  terminated: {
    exitCode,
    reason,
    startedAt: ago(minutes + 1),
    finishedAt: ago(minutes),
    containerID: 'containerd://abc',
    ...(message === undefined ? {} : { message }),
  },
});

export const NODE = 'fault-node-1';
const IMAGE = 'registry.example.test/shop/web:1.4.2';

/** `main`, with a request that fits everywhere. */
export const container = (more: Fields = {}): Fields => ({
  name: 'main',
  image: IMAGE,
  imagePullPolicy: 'IfNotPresent',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  resources: { requests: { cpu: '100m', memory: '64Mi' } },
  ...more,
});

/** A pod's spec as the API server completes it. */
export const podSpec = (more: Fields = {}, main: Fields = {}): Fields => ({
  restartPolicy: 'Always',
  terminationGracePeriodSeconds: 30,
  dnsPolicy: 'ClusterFirst',
  schedulerName: 'default-scheduler',
  securityContext: {},
  containers: [container(main)],
  ...more,
});

const listOf = (spec: Fields, key: string): readonly Fields[] => (spec[key] as readonly Fields[] | undefined) ?? [];

export const pod = (namespace: string, name: string, spec: Fields, state: PodState = {}, head: Head = {}): Planted => {
  const { ready = true, restarts = 0, lastState = {}, phase = 'Running', node = NODE, age = 120 } = state;
  const status = {
    phase,
    ...(state.reason === undefined ? {} : { reason: state.reason }),
    ...(state.message === undefined ? {} : { message: state.message }),
    qosClass: 'Burstable',
    startTime: ago(age),
    conditions: state.conditions ?? [
      { type: 'PodScheduled', status: 'True', lastTransitionTime: ago(age) },
      { type: 'Initialized', status: 'True', lastTransitionTime: ago(age) },
      { type: 'ContainersReady', status: ready ? 'True' : 'False', lastTransitionTime: ago(10) },
      { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(10) },
    ],
    ...(node === ''
      ? {}
      : {
          podIP: '10.244.0.7',
          ...(state.init === undefined
            ? {}
            : {
                initContainerStatuses: Object.entries(state.init).map(([one, given]) => ({
                  name: one,
                  image: IMAGE,
                  imageID: '',
                  ready: false,
                  restartCount: given.restarts ?? 0,
                  lastState: {},
                  ...given,
                })),
              }),
          containerStatuses: listOf(spec, 'containers').map((one) => ({
            name: one['name'],
            image: one['image'],
            imageID: '',
            ready,
            started: ready,
            restartCount: restarts,
            state: state.state ?? running(),
            lastState,
          })),
        }),
  };
  return object(
    'Pod',
    namespace,
    name,
    { spec: { ...spec, ...(node === '' ? {} : { nodeName: node }) }, status },
    {
      age,
      ...(state.deleted === undefined ? {} : { deleted: state.deleted }),
      ...(state.finalizers === undefined ? {} : { finalizers: state.finalizers }),
      ...head,
    },
  );
};

export interface DeploymentFacts {
  readonly spec?: Fields;
  /** Of the container `main`. */
  readonly main?: Fields;
  readonly pods?: readonly PodState[];
  readonly replicas?: number;
  readonly more?: Fields;
  readonly status?: Fields;
  readonly conditions?: readonly Fields[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Conditions of the ReplicaSet. */
  readonly setConditions?: readonly Fields[];
  readonly age?: number;
}

const HASH = '7d9f6b5c4d';
export const labelsOf = (name: string): Readonly<Record<string, string>> => ({ 'app.kubernetes.io/name': name });

/** A Deployment with its ReplicaSet and pods. */
export const deployment = (namespace: string, name: string, facts: DeploymentFacts = {}): Planted[] => {
  const { pods = [{}], labels = labelsOf(name), age = 120 } = facts;
  const replicas = facts.replicas ?? pods.length;
  const spec = podSpec(facts.spec, facts.main);
  const available = pods.filter(({ ready = true }) => ready).length;
  const counts = { replicas: pods.length, readyReplicas: available, availableReplicas: available, updatedReplicas: pods.length };
  const selector = { matchLabels: labels };
  const isBelow = available < Math.ceil(replicas * 0.75);
  const owner = object(
    'Deployment',
    namespace,
    name,
    {
      spec: {
        replicas,
        selector,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        template: { metadata: { labels }, spec },
        ...facts.more,
      },
      status: {
        observedGeneration: 1,
        ...counts,
        unavailableReplicas: replicas - available,
        conditions: facts.conditions ?? [
          {
            type: 'Available',
            status: isBelow ? 'False' : 'True',
            reason: isBelow ? 'MinimumReplicasUnavailable' : 'MinimumReplicasAvailable',
            lastTransitionTime: ago(10),
            lastUpdateTime: ago(10),
          },
          { type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable', lastTransitionTime: ago(age), lastUpdateTime: ago(10) },
        ],
        ...facts.status,
      },
    },
    { labels, age, annotations: { 'deployment.kubernetes.io/revision': '1' } },
  );
  const hashed = { ...labels, 'pod-template-hash': HASH };
  const set = object(
    'ReplicaSet',
    namespace,
    `${name}-${HASH}`,
    {
      spec: { replicas, selector: { matchLabels: hashed }, template: { metadata: { labels: hashed }, spec } },
      status: {
        observedGeneration: 1,
        replicas: pods.length,
        readyReplicas: available,
        availableReplicas: available,
        ...(facts.setConditions === undefined ? {} : { conditions: facts.setConditions }),
      },
    },
    { labels: hashed, owner, age, annotations: { 'deployment.kubernetes.io/revision': '1' } },
  );
  return [owner, set, ...pods.map((state, index) => pod(namespace, podName(name, index), spec, state, { labels: hashed, owner: set }))];
};

/** Of the pods of {@link deployment}. */
export const podName = (deploymentName: string, index = 0): string =>
  `${deploymentName}-${HASH}-${'abcde'.slice(index, index + 1).repeat(5)}`;

export interface EventFacts {
  /** Minutes ago. */
  readonly at?: number;
  readonly first?: number;
  readonly count?: number;
  readonly fieldPath?: string;
}

/** A Warning, as the core API stores it. */
export const warning = (
  about: Planted | undefined,
  reason: string,
  message: string,
  { at = 1, first = 20, count = 6, fieldPath }: EventFacts = {},
): Planted => {
  if (about === undefined) throw new Error(`an event ${reason} is about nothing`);
  const { name, namespace = 'default' } = about.metadata;
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: {
      name: `${name}.${uidOf(`${reason}${message}`).slice(0, 16).replace('-', '')}`,
      namespace,
      uid: uidOf(`Event/${namespace}/${name}/${reason}/${message}`),
      creationTimestamp: ago(first),
    },
    involvedObject: {
      apiVersion: about.apiVersion,
      kind: about.kind,
      name,
      ...(about.metadata.namespace === undefined ? {} : { namespace }),
      uid: about.metadata['uid'],
      ...(fieldPath === undefined ? {} : { fieldPath }),
    },
    reason,
    message,
    type: 'Warning',
    count,
    firstTimestamp: ago(first),
    lastTimestamp: ago(at),
    eventTime: null,
    reportingComponent: 'planted',
    reportingInstance: '',
    source: { component: 'planted' },
  };
};

export interface ServiceFacts {
  readonly ports?: readonly Fields[];
  readonly more?: Fields;
  readonly status?: Fields;
  readonly age?: number;
}

let address = 0;
/** A Service; its EndpointSlices are made by {@link slice}. */
export const service = (
  namespace: string,
  name: string,
  selector: Readonly<Record<string, string>> | undefined,
  facts: ServiceFacts = {},
): Planted => {
  address += 1;
  const clusterIP = `10.96.${Math.floor(address / 250)}.${(address % 250) + 2}`;
  return object(
    'Service',
    namespace,
    name,
    {
      spec: {
        type: 'ClusterIP',
        clusterIP,
        clusterIPs: [clusterIP],
        ipFamilies: ['IPv4'],
        ipFamilyPolicy: 'SingleStack',
        sessionAffinity: 'None',
        internalTrafficPolicy: 'Cluster',
        ...(selector === undefined ? {} : { selector }),
        ports: facts.ports ?? [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 'http' }],
        ...facts.more,
      },
      status: facts.status ?? { loadBalancer: {} },
    },
    facts.age === undefined ? {} : { age: facts.age },
  );
};

/** Endpoints of pods, or of addresses. */
export const slice = (
  namespace: string,
  of: string,
  endpoints: readonly { readonly pod?: string; readonly ready: boolean }[],
): Planted => ({
  ...object('EndpointSlice', namespace, `${of}-x7k2p`, {}, { labels: { 'kubernetes.io/service-name': of } }),
  addressType: 'IPv4',
  endpoints: endpoints.map(({ pod: name, ready }, index) => ({
    addresses: [`10.244.0.${index + 7}`],
    conditions: { ready, serving: ready, terminating: false },
    ...(name === undefined ? {} : { targetRef: { kind: 'Pod', name, namespace } }),
  })),
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
});

export interface NodeFacts {
  readonly conditions?: Readonly<Record<string, 'True' | 'False' | 'Unknown'>>;
  readonly spec?: Fields;
  readonly labels?: Readonly<Record<string, string>>;
}

export const node = (name: string, { conditions = {}, spec = {}, labels = {} }: NodeFacts = {}): Planted => {
  const amounts = { cpu: '4', memory: '16Gi', pods: '110', 'ephemeral-storage': '100Gi' };
  const all = { MemoryPressure: 'False', DiskPressure: 'False', PIDPressure: 'False', Ready: 'True', ...conditions };
  return object(
    'Node',
    '',
    name,
    {
      spec: { podCIDR: '10.244.0.0/24', ...spec },
      status: {
        capacity: amounts,
        allocatable: amounts,
        conditions: Object.entries(all).map(([type, status]) => ({
          type,
          status,
          reason: status === 'Unknown' ? 'NodeStatusUnknown' : `Kubelet${type}`,
          message: status === 'Unknown' ? 'Kubelet stopped posting node status.' : `${type} is ${status}`,
          lastHeartbeatTime: ago(1),
          lastTransitionTime: ago(30),
        })),
        addresses: [{ type: 'InternalIP', address: '192.0.2.10' }],
        nodeInfo: { kubeletVersion: 'v1.36.1', containerRuntimeVersion: 'containerd://2.1.0', osImage: 'Debian', kernelVersion: '6.12' },
      },
    },
    { labels: { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux', ...labels } },
  );
};
