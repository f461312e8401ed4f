// One object on a few lines: what it is, how it is, and what is not in order. Everything a person looks at first.

import type { Section } from '../../kit/result.ts';
import { ageSince } from '../../upstream/kubernetes/duration.ts';
import type { Kubernetes } from '../../upstream/kubernetes/kubernetes.ts';
import type { TableColumn, TableRow } from '../../upstream/kubernetes/lists.ts';
import {
  booleanAt,
  type Condition,
  conditionsOf,
  controllerOf,
  type Fields,
  fieldsAt,
  type KubeObject,
  kindOf,
  listAt,
  mapAt,
  metadataOf,
  numberAt,
  textAt,
  textsAt,
  timeAt,
  valueAt,
} from '../../upstream/kubernetes/objects.ts';
import { hideVariable, toSafe } from '../../upstream/kubernetes/present.ts';
import { rolloutStatus } from '../../upstream/kubernetes/rollout.ts';

/** Conditions that are good when False. All others are good when True. */
const GOOD_WHEN_FALSE =
  /Pressure$|Unavailable$|^(Failed|FailureTarget|Stalled|ReplicaFailure|Suspended|DisruptionTarget|PodResizePending|PodResizeInProgress)$|^(NamespaceDeletion|NamespaceContent|NamespaceFinalizers)/;
/** True says nothing bad; False is only a phase. */
const NEUTRAL = new Set(['AbleToScale', 'PodReadyToStartContainers', 'SuccessCriteriaMet', 'ScalingLimited']);

export const isInOrder = ({ type, status }: Condition): boolean =>
  NEUTRAL.has(type) || (GOOD_WHEN_FALSE.test(type) ? status === 'False' : status === 'True');

const compact = (fields: Fields): Fields =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) => value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
    ),
  );

const toCondition = (condition: Condition, now: number): Fields =>
  compact({
    type: condition.type,
    status: condition.status,
    reason: condition.reason,
    message: condition.message,
    since: condition.changedAt === undefined ? undefined : ageSince(condition.changedAt, now),
  });

/** Conditions that are not as they should be; all of them when `all`. */
export const toConditions = (object: KubeObject, now: number, all = false): Fields[] =>
  conditionsOf(object)
    .filter((condition) => all || !isInOrder(condition))
    .map((condition) => toCondition(condition, now));

const stateOf = (state: unknown, now: number): string | undefined => {
  const [[name = '', detail] = []] = Object.entries(fieldsAt(state));
  if (name === '') return undefined;
  const reason = textAt(detail, 'reason');
  const code = numberAt(detail, 'exitCode');
  const at = timeAt(detail, name === 'running' ? 'startedAt' : 'finishedAt');
  return [
    name === 'running' ? 'running' : (reason ?? name),
    code === undefined ? '' : `exit ${code}`,
    at === undefined ? '' : `${ageSince(at, now)} ago`,
  ]
    .filter((part) => part !== '')
    .join(', ');
};

const toEnvironment = (container: KubeObject, service: Kubernetes): Fields =>
  Object.fromEntries(
    listAt(container, 'env').map((variable) => {
      const name = textAt(variable, 'name') ?? '';
      const hidden = hideVariable(variable, service);
      if (hidden !== undefined) return [name, { hash: hidden['hash'] }];
      const value = textAt(variable, 'value');
      const [[source = '', from] = []] = Object.entries(fieldsAt(variable, 'valueFrom'));
      const reference = [textAt(from, 'name'), textAt(from, 'key') ?? textAt(from, 'fieldPath') ?? textAt(from, 'resource')].filter(
        (part) => part !== undefined,
      );
      return [name, value ?? `${source.replace(/Ref$/, '')}:${reference.join('/')}`];
    }),
  );

const toProbe = (probe: unknown): string | undefined => {
  const fields = fieldsAt(probe);
  if (Object.keys(fields).length === 0) return undefined;
  const target =
    textAt(probe, 'httpGet', 'path') !== undefined || valueAt(probe, 'httpGet') !== undefined
      ? `http :${String(valueAt(probe, 'httpGet', 'port'))}${textAt(probe, 'httpGet', 'path') ?? '/'}`
      : valueAt(probe, 'tcpSocket') !== undefined
        ? `tcp :${String(valueAt(probe, 'tcpSocket', 'port'))}`
        : valueAt(probe, 'grpc') !== undefined
          ? `grpc :${String(valueAt(probe, 'grpc', 'port'))}`
          : `exec ${textsAt(probe, 'exec', 'command').join(' ')}`;
  return `${target} every ${numberAt(probe, 'periodSeconds') ?? 10}s, fails after ${numberAt(probe, 'failureThreshold') ?? 3}`;
};

const toResources = (container: unknown): string =>
  ['requests', 'limits']
    .flatMap((part) => {
      const entries = Object.entries(mapAt(container, 'resources', part));
      return entries.length === 0 ? [] : [`${part} ${entries.map(([name, amount]) => `${name}=${amount}`).join(' ')}`];
    })
    .join('; ');

/** Containers of a pod or a pod template, with their state where there is one. */
export const toContainers = (pod: KubeObject, service: Kubernetes, detailed: boolean): Fields[] => {
  const statuses = new Map(
    [...listAt(pod, 'status', 'initContainerStatuses'), ...listAt(pod, 'status', 'containerStatuses')].map((status) => [
      textAt(status, 'name'),
      status,
    ]),
  );
  const now = service.now();
  const toContainer = (container: KubeObject, isInit: boolean): Fields => {
    const status = statuses.get(textAt(container, 'name'));
    const last = stateOf(valueAt(status, 'lastState'), now);
    return compact({
      name: nameOfContainer(container, isInit),
      image: textAt(container, 'image'),
      state: status === undefined ? undefined : stateOf(valueAt(status, 'state'), now),
      ready: status === undefined ? undefined : booleanAt(status, 'ready'),
      restarts: numberAt(status, 'restartCount'),
      last,
      lastMessage: textAt(status, 'lastState', 'terminated', 'message') ?? textAt(status, 'state', 'waiting', 'message'),
      resources: toResources(container),
      ...(detailed
        ? {
            ports: listAt(container, 'ports').map(
              (port) => `${textAt(port, 'name') ?? ''}:${numberAt(port, 'containerPort')}/${textAt(port, 'protocol') ?? 'TCP'}`,
            ),
            command: [...textsAt(container, 'command'), ...textsAt(container, 'args')].join(' '),
            liveness: toProbe(valueAt(container, 'livenessProbe')),
            readiness: toProbe(valueAt(container, 'readinessProbe')),
            startup: toProbe(valueAt(container, 'startupProbe')),
            env: emptyToUndefined(toEnvironment(container, service)),
            mounts: listAt(container, 'volumeMounts').map((mount) => `${textAt(mount, 'name')} at ${textAt(mount, 'mountPath')}`),
          }
        : {}),
    });
  };
  return [
    ...listAt(pod, 'spec', 'initContainers').map((container) => toContainer(container, true)),
    ...listAt(pod, 'spec', 'containers').map((container) => toContainer(container, false)),
  ];
};

const emptyToUndefined = (fields: Fields): Fields | undefined => (Object.keys(fields).length === 0 ? undefined : fields);
const nameOfContainer = (container: KubeObject, isInit: boolean): string => `${isInit ? 'init:' : ''}${textAt(container, 'name') ?? ''}`;

const selectorText = (labels: Readonly<Record<string, string>>): string | undefined => {
  const entries = Object.entries(labels);
  return entries.length === 0 ? undefined : entries.map(([key, value]) => `${key}=${value}`).join(',');
};

/** What matters of a spec, by kind; of others the server's own columns say enough. */
const KEY_SPEC: Readonly<Record<string, (object: KubeObject) => Fields>> = {
  Pod: (pod) => ({
    node: textAt(pod, 'spec', 'nodeName'),
    ip: textAt(pod, 'status', 'podIP'),
    serviceAccount: textAt(pod, 'spec', 'serviceAccountName'),
    qos: textAt(pod, 'status', 'qosClass'),
    nodeSelector: selectorText(mapAt(pod, 'spec', 'nodeSelector')),
    priorityClass: textAt(pod, 'spec', 'priorityClassName'),
  }),
  Deployment: (object) => ({
    selector: selectorText(mapAt(object, 'spec', 'selector', 'matchLabels')),
    strategy: textAt(object, 'spec', 'strategy', 'type'),
    paused: booleanAt(object, 'spec', 'paused') || undefined,
  }),
  StatefulSet: (object) => ({
    selector: selectorText(mapAt(object, 'spec', 'selector', 'matchLabels')),
    strategy: textAt(object, 'spec', 'updateStrategy', 'type'),
    serviceName: textAt(object, 'spec', 'serviceName'),
  }),
  DaemonSet: (object) => ({
    selector: selectorText(mapAt(object, 'spec', 'selector', 'matchLabels')),
    strategy: textAt(object, 'spec', 'updateStrategy', 'type'),
  }),
  Service: (object) => ({
    type: textAt(object, 'spec', 'type'),
    clusterIP: textAt(object, 'spec', 'clusterIP'),
    selector: selectorText(mapAt(object, 'spec', 'selector')),
    ports: listAt(object, 'spec', 'ports').map((port) =>
      `${textAt(port, 'name') ?? ''} ${numberAt(port, 'port')}->${String(valueAt(port, 'targetPort'))}/${textAt(port, 'protocol') ?? 'TCP'}`.trim(),
    ),
    externalName: textAt(object, 'spec', 'externalName'),
  }),
  Ingress: (object) => ({
    class: textAt(object, 'spec', 'ingressClassName'),
    rules: listAt(object, 'spec', 'rules').flatMap((rule) =>
      listAt(rule, 'http', 'paths').map(
        (path) =>
          `${textAt(rule, 'host') ?? '*'}${textAt(path, 'path') ?? '/'} -> ${textAt(path, 'backend', 'service', 'name') ?? '?'}:${String(valueAt(path, 'backend', 'service', 'port', 'number') ?? valueAt(path, 'backend', 'service', 'port', 'name') ?? '')}`,
      ),
    ),
    tls: listAt(object, 'spec', 'tls').map((tls) => `${textsAt(tls, 'hosts').join(',')} (${textAt(tls, 'secretName') ?? 'default'})`),
  }),
  Node: (object) => ({
    unschedulable: booleanAt(object, 'spec', 'unschedulable') || undefined,
    taints: listAt(object, 'spec', 'taints').map(
      (taint) =>
        `${textAt(taint, 'key')}${textAt(taint, 'value') === undefined ? '' : `=${textAt(taint, 'value')}`}:${textAt(taint, 'effect')}`,
    ),
    allocatable: selectorText(
      Object.fromEntries(Object.entries(mapAt(object, 'status', 'allocatable')).filter(([name]) => /^(cpu|memory|pods)$/.test(name))),
    ),
    zone: mapAt(object, 'metadata', 'labels')['topology.kubernetes.io/zone'],
    runtime: textAt(object, 'status', 'nodeInfo', 'containerRuntimeVersion'),
  }),
  CronJob: (object) => ({
    schedule: textAt(object, 'spec', 'schedule'),
    timeZone: textAt(object, 'spec', 'timeZone'),
    lastSuccess: textAt(object, 'status', 'lastSuccessfulTime'),
    concurrency: textAt(object, 'spec', 'concurrencyPolicy'),
  }),
  HorizontalPodAutoscaler: (object) => ({
    target: `${textAt(object, 'spec', 'scaleTargetRef', 'kind')}/${textAt(object, 'spec', 'scaleTargetRef', 'name')}`,
    lastScale: textAt(object, 'status', 'lastScaleTime'),
  }),
  PersistentVolumeClaim: (object) => ({
    volume: textAt(object, 'spec', 'volumeName'),
    class: textAt(object, 'spec', 'storageClassName'),
    requested: textAt(object, 'spec', 'resources', 'requests', 'storage'),
  }),
  ConfigMap: (object) => ({ keys: Object.entries(mapAt(object, 'data')).map(([key, value]) => `${key} (${value.length})`) }),
  Secret: (object) => ({
    type: textAt(object, 'type'),
    keys: Object.entries(fieldsAt(object, 'data')).map(
      ([key, value]) => `${key} (size ${numberAt(value, 'size')}, hash ${textAt(value, 'hash')})`,
    ),
  }),
};

/** The server's own columns as fields: READY, STATUS, UP-TO-DATE ... */
const toPrinted = (columns: readonly TableColumn[], row: TableRow | undefined): Fields =>
  Object.fromEntries(
    columns.flatMap(({ name, priority, format }, index) => {
      const value = row?.cells[index];
      return priority > 0 ||
        format === 'name' ||
        /^age$/i.test(name) ||
        value === undefined ||
        value === null ||
        value === '' ||
        value === '<none>'
        ? []
        : [[name.toLowerCase(), value]];
    }),
  );

/** The first lines of any object. */
export const toIdentity = (object: KubeObject, now: number): Fields => {
  const { name, namespace, createdAt, deletedAt, finalizers } = metadataOf(object);
  const owner = controllerOf(object);
  return compact({
    kind: kindOf(object),
    name,
    namespace,
    age: ageSince(createdAt, now),
    owner: owner === undefined ? undefined : `${owner.kind}/${owner.name}`,
    deletingFor: deletedAt === undefined ? undefined : ageSince(deletedAt, now),
    finalizers: deletedAt === undefined ? undefined : finalizers,
  });
};

const hasTemplate = (object: KubeObject): boolean => valueAt(object, 'spec', 'template', 'spec', 'containers') !== undefined;

/** Sections of a summary, the most important first. */
export const toSummary = (
  object: KubeObject,
  printed: { columns: readonly TableColumn[]; row: TableRow | undefined },
  service: Kubernetes,
): Section[] => {
  const now = service.now();
  const safe = toSafe(object, service);
  const rollout = rolloutStatus(object);
  const pod = kindOf(object) === 'Pod' ? object : hasTemplate(object) ? fieldsAt(object, 'spec', 'template') : undefined;
  const conditions = toConditions(object, now);
  const labels = mapAt(object, 'metadata', 'labels');
  return [
    { key: 'object', value: toIdentity(object, now) },
    { key: 'status', value: toPrinted(printed.columns, printed.row) },
    ...(rollout.state === 'unsupported' ? [] : [{ key: 'rollout', value: compact({ state: rollout.state, message: rollout.message }) }]),
    ...(conditions.length > 0 ? [{ key: 'conditions', value: conditions }] : []),
    ...(pod === undefined ? [] : [{ key: 'containers', value: toContainers(pod, service, false) }]),
    { key: 'spec', value: compact(KEY_SPEC[kindOf(object)]?.(safe) ?? {}) },
    ...(Object.keys(labels).length > 0 ? [{ key: 'labels', value: selectorText(labels) }] : []),
  ].filter(({ value }) => typeof value !== 'object' || Object.keys(value).length > 0);
};
