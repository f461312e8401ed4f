// The events that are still kept at T0. This cluster keeps them for six hours, as long as the other signals go back.
import { HOUR, hexOf, MINUTE, PAYMENT_CREATED, paymentLives, SECOND, type Shop, STORY } from '../../shop.ts';
import { type JsonObject, textAt, toMicroTime, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { stamped } from './stamp.ts';
import { UNSCHEDULABLE } from './workloads.ts';

/** `--event-ttl` of the API server. */
export const EVENT_LIFETIME = 6 * HOUR;

export interface EventFacts {
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  readonly host?: string;
  readonly count: number;
  readonly first: number;
  readonly last: number;
  readonly container?: string;
}

const referenceTo = ({ kind, apiVersion, metadata }: KubernetesObject, container: string | undefined): JsonObject => ({
  kind,
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  name: metadata.name,
  uid: metadata.uid ?? '',
  apiVersion,
  ...(metadata.resourceVersion === undefined ? {} : { resourceVersion: metadata.resourceVersion }),
  ...(container === undefined ? {} : { fieldPath: `spec.containers{${container}}` }),
});

/** An event about an object, as the recorders of controllers and kubelets write it. */
export const toEvent = (shop: Shop, about: KubernetesObject, facts: EventFacts): KubernetesObject => {
  const { component, host, container } = facts;
  const name = `${about.metadata.name}.${hexOf(`${shop.seed}/event/${about.metadata.uid}/${facts.reason}/${facts.container ?? ''}/${facts.message}/${facts.first}`, 16)}`;
  const plain: KubernetesObject = {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: { name, namespace: about.metadata.namespace ?? 'default' },
    involvedObject: referenceTo(about, container),
    reason: facts.reason,
    message: facts.message,
    source: { component, ...(host === undefined ? {} : { host }) },
    firstTimestamp: toTime(facts.first),
    lastTimestamp: toTime(facts.last),
    count: facts.count,
    type: facts.type,
    eventTime: null,
    reportingComponent: component,
    reportingInstance: host ?? '',
  };
  return stamped(shop, plain, {
    createdAt: facts.first,
    writtenAt: facts.last,
    manager: component === 'kubelet' ? 'kubelet' : 'kube-controller-manager',
  });
};

const byPrefix = (objects: readonly KubernetesObject[], kind: string, prefix: string): KubernetesObject[] =>
  objects.filter((object) => object.kind === kind && object.metadata.namespace === 'shop' && object.metadata.name.startsWith(prefix));

const scheduled = (shop: Shop, pod: KubernetesObject, at: number): KubernetesObject => {
  const plain: KubernetesObject = {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: {
      name: `${pod.metadata.name}.${hexOf(`${shop.seed}/scheduled/${pod.metadata.uid}`, 16)}`,
      namespace: pod.metadata.namespace ?? '',
    },
    involvedObject: referenceTo(pod, undefined),
    reason: 'Scheduled',
    message: `Successfully assigned ${pod.metadata.namespace}/${pod.metadata.name} to ${textAt(pod, 'spec', 'nodeName')}`,
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    type: 'Normal',
    eventTime: toMicroTime(at),
    action: 'Binding',
    reportingComponent: 'default-scheduler',
    reportingInstance: 'default-scheduler-demo-control-plane',
  };
  return stamped(shop, plain, { createdAt: at, manager: 'kube-scheduler' });
};

const failedScheduling = (shop: Shop, pod: KubernetesObject): KubernetesObject => {
  const first = shop.before(47 * MINUTE);
  const plain: KubernetesObject = {
    kind: 'Event',
    apiVersion: 'v1',
    metadata: { name: `${pod.metadata.name}.${hexOf(`${shop.seed}/unschedulable`, 16)}`, namespace: 'shop' },
    involvedObject: referenceTo(pod, undefined),
    reason: 'FailedScheduling',
    message: UNSCHEDULABLE,
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    type: 'Warning',
    eventTime: toMicroTime(first),
    series: { count: 10, lastObservedTime: toMicroTime(shop.before(2 * MINUTE)) },
    action: 'Scheduling',
    reportingComponent: 'default-scheduler',
    reportingInstance: 'default-scheduler-demo-control-plane',
  };
  return stamped(shop, plain, { createdAt: first, writtenAt: shop.before(2 * MINUTE), manager: 'kube-scheduler' });
};

const kubelet = (pod: KubernetesObject): { component: string; host: string } => ({
  component: 'kubelet',
  host: textAt(pod, 'spec', 'nodeName'),
});

/** What a kubelet tells about a started container. */
const started = (
  shop: Shop,
  pod: KubernetesObject,
  image: string,
  container: string,
  first: number,
  last: number,
  count: number,
): KubernetesObject[] => {
  const common = { type: 'Normal', ...kubelet(pod), first, last, count, container } as const;
  return [
    toEvent(shop, pod, {
      ...common,
      reason: 'Pulled',
      message: `Container image "${image}" already present on machine and can be accessed by the pod`,
    }),
    toEvent(shop, pod, { ...common, reason: 'Created', message: `Container created` }),
    toEvent(shop, pod, { ...common, reason: 'Started', message: `Container started` }),
  ];
};

/** The delay of the back-off message is in the pod's status; here its text is that of the event. */
export const backOffMessage = (pod: KubernetesObject): string =>
  `Back-off restarting failed container payment in pod ${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`;

const paymentPodEvents = (shop: Shop, pod: KubernetesObject, ordinal: number): KubernetesObject[] => {
  const created = shop.before((PAYMENT_CREATED[ordinal] ?? 0) * SECOND);
  const lives = paymentLives(shop, ordinal, shop.startedAt);
  const restarts = lives.length - 1;
  const lastStart = lives.at(-1)?.startedAt ?? created;
  const firstEnd = lives[0]?.endedAt ?? created;
  const image = 'registry.example.com/shop/payment:2.5.0';
  const address = textAt(pod, 'status', 'podIP');
  const backOffs = ordinal === 0 ? 61 : restarts * 3;
  const lastBackOff = ordinal === 0 ? shop.before(11 * SECOND) : lastStart - 4 * SECOND;
  return [
    scheduled(shop, pod, created),
    ...started(shop, pod, image, 'payment', created + 2 * SECOND, lastStart, restarts + 1),
    ...started(shop, pod, 'docker.io/envoyproxy/envoy:v1.34.1', 'envoy', created + 2 * SECOND, created + 2 * SECOND, 1),
    toEvent(shop, pod, {
      type: 'Warning',
      reason: 'BackOff',
      message: backOffMessage(pod),
      ...kubelet(pod),
      count: backOffs,
      first: firstEnd + 12 * SECOND,
      last: lastBackOff,
      container: 'payment',
    }),
    toEvent(shop, pod, {
      type: 'Warning',
      reason: 'Unhealthy',
      message: `Readiness probe failed: Get "http://${address}:8080/healthz": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
      ...kubelet(pod),
      count: 7 + ordinal * 5,
      first: shop.before(STORY.latencyRise),
      last: lastStart + 70 * SECOND < shop.startedAt ? lastStart + 70 * SECOND : shop.before(30 * SECOND),
      container: 'payment',
    }),
  ];
};

const scaledBy = (shop: Shop, about: KubernetesObject, message: string, at: number): KubernetesObject =>
  toEvent(shop, about, {
    type: 'Normal',
    reason: 'ScalingReplicaSet',
    message,
    component: 'deployment-controller',
    count: 1,
    first: at,
    last: at,
  });

const paymentRollout = (shop: Shop, objects: readonly KubernetesObject[]): KubernetesObject[] => {
  const [deployment] = byPrefix(objects, 'Deployment', 'payment');
  const sets = byPrefix(objects, 'ReplicaSet', 'payment-');
  const revisionOf = (set: KubernetesObject): string => set.metadata.annotations?.['deployment.kubernetes.io/revision'] ?? '';
  const current = sets.find((set) => revisionOf(set) === '8');
  const old = sets.find((set) => revisionOf(set) === '7');
  if (deployment === undefined || current === undefined || old === undefined) return [];
  const steps = PAYMENT_CREATED.flatMap((seconds, index) => {
    const at = shop.before(seconds * SECOND);
    const [up, down] = [`from ${index} to ${index + 1}`, `from ${3 - index} to ${2 - index}`];
    return [
      scaledBy(shop, deployment, `Scaled up replica set ${current.metadata.name} ${up}`, at),
      scaledBy(shop, deployment, `Scaled down replica set ${old.metadata.name} ${down}`, at + 14 * SECOND),
    ];
  });
  const created = byPrefix(objects, 'Pod', `${current.metadata.name}-`).map((pod, index) => {
    const at = shop.before((PAYMENT_CREATED[index] ?? 0) * SECOND);
    return toEvent(shop, current, {
      type: 'Normal',
      reason: 'SuccessfulCreate',
      message: `Created pod: ${pod.metadata.name}`,
      component: 'replicaset-controller',
      count: 1,
      first: at,
      last: at,
    });
  });
  return [...steps, ...created];
};

const webScaling = (shop: Shop, objects: readonly KubernetesObject[]): KubernetesObject[] => {
  const [autoscaler] = byPrefix(objects, 'HorizontalPodAutoscaler', 'web');
  const [deployment] = byPrefix(objects, 'Deployment', 'web');
  const set = byPrefix(objects, 'ReplicaSet', 'web-').find(
    (candidate) => textAt(candidate, 'spec', 'replicas') !== '0' && candidate['status'] !== undefined,
  );
  if (autoscaler === undefined || deployment === undefined || set === undefined) return [];
  const at = shop.before(STORY.webScaled);
  const pods = byPrefix(objects, 'Pod', 'web-').filter(({ metadata }) => metadata.creationTimestamp === toTime(at));
  return [
    toEvent(shop, autoscaler, {
      type: 'Normal',
      reason: 'SuccessfulRescale',
      message: 'New size: 5; reason: cpu resource utilization (percentage of request) above target',
      component: 'horizontal-pod-autoscaler',
      count: 1,
      first: at,
      last: at,
    }),
    scaledBy(shop, deployment, `Scaled up replica set ${set.metadata.name} from 3 to 5`, at),
    ...pods.flatMap((pod) => [
      scheduled(shop, pod, at),
      ...started(shop, pod, 'registry.example.com/shop/web:3.2.0', 'web', at + 3 * SECOND, at + 3 * SECOND, 1),
    ]),
  ];
};

/** The events at T0, given the other objects. */
export const eventObjects = (shop: Shop, objects: readonly KubernetesObject[]): KubernetesObject[] => {
  const payments = shop.pods().filter(({ workload }) => workload === 'payment');
  const stuck = byPrefix(objects, 'Pod', 'recommendation-').find((pod) => textAt(pod, 'status', 'phase') === 'Pending');
  return [
    ...paymentRollout(shop, objects),
    ...payments.flatMap(({ name }, ordinal) => byPrefix(objects, 'Pod', name).flatMap((pod) => paymentPodEvents(shop, pod, ordinal))),
    ...(stuck === undefined ? [] : [failedScheduling(shop, stuck)]),
    ...webScaling(shop, objects),
  ];
};
