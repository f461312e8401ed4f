// The values that the API server fills in when an object is written (pkg/apis/*/v1/defaults.go of Kubernetes).
import { isObject, type Json, type JsonObject, objectAt, objectsAt, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';

/** Sets what is absent; null counts as absent, as it does for Go's pointers and empty values. */
const fill = (target: JsonObject, values: JsonObject): void => {
  for (const [key, value] of Object.entries(values)) if (target[key] === undefined || target[key] === null) target[key] = value;
};

/** The object at a key, made when it is absent. */
const child = (target: JsonObject, key: string): JsonObject => {
  const found = target[key];
  if (isObject(found)) return found;
  const made: JsonObject = {};
  target[key] = made;
  return made;
};

const PROBES = ['livenessProbe', 'readinessProbe', 'startupProbe'];

const defaultProbe = (probe: JsonObject): void => {
  fill(probe, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  if (isObject(probe['httpGet'])) fill(probe['httpGet'], { path: '/', scheme: 'HTTP' });
  if (isObject(probe['grpc'])) fill(probe['grpc'], { service: '' });
};

const defaultContainer = (container: JsonObject): void => {
  for (const port of objectsAt(container, 'ports')) fill(port, { protocol: 'TCP' });
  for (const variable of objectsAt(container, 'env')) {
    const field = objectAt(variable, 'valueFrom')['fieldRef'];
    if (isObject(field)) fill(field, { apiVersion: 'v1' });
  }
  child(container, 'resources');
  for (const name of PROBES) {
    const probe = container[name];
    if (isObject(probe)) defaultProbe(probe);
  }
  const image = textAt(container, 'image');
  const tag = /:([^/:@]+)(?:@.*)?$/.exec(image)?.[1];
  const isLatest = tag === 'latest' || (tag === undefined && !image.includes('@'));
  fill(container, {
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    imagePullPolicy: isLatest ? 'Always' : 'IfNotPresent',
  });
};

const defaultVolume = (volume: JsonObject): void => {
  for (const source of ['configMap', 'secret', 'downwardAPI', 'projected']) {
    const found = volume[source];
    if (isObject(found)) fill(found, { defaultMode: 420 });
  }
  const projected = objectsAt(volume, 'projected', 'sources');
  for (const source of projected)
    if (isObject(source['serviceAccountToken'])) fill(source['serviceAccountToken'], { expirationSeconds: 3600 });
  if (isObject(volume['hostPath'])) fill(volume['hostPath'], { type: '' });
  const sources = Object.keys(volume).filter((key) => key !== 'name');
  if (sources.length === 0) volume['emptyDir'] = {};
};

/** Defaults of a pod specification, in a pod as in a template. */
const defaultPodSpec = (spec: JsonObject): void => {
  for (const key of ['initContainers', 'containers']) for (const container of objectsAt(spec, key)) defaultContainer(container);
  for (const volume of objectsAt(spec, 'volumes')) defaultVolume(volume);
  const account = textAt(spec, 'serviceAccountName') || textAt(spec, 'serviceAccount');
  if (account !== '') Object.assign(spec, { serviceAccountName: account, serviceAccount: account });
  fill(spec, {
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    securityContext: {},
    schedulerName: 'default-scheduler',
  });
  if (spec['hostNetwork'] === true) defaultHostPorts(spec);
};

const defaultHostPorts = (spec: JsonObject): void => {
  for (const container of objectsAt(spec, 'containers')) {
    for (const port of objectsAt(container, 'ports')) fill(port, { hostPort: port['containerPort'] });
  }
};

const defaultTemplate = (owner: JsonObject): void => {
  const template = child(owner, 'template');
  child(template, 'metadata');
  defaultPodSpec(child(template, 'spec'));
};

const defaultPod = (pod: KubernetesObject): void => {
  const spec = child(pod, 'spec');
  defaultPodSpec(spec);
  fill(spec, { enableServiceLinks: true });
  for (const container of [...objectsAt(spec, 'containers'), ...objectsAt(spec, 'initContainers')]) {
    const resources = child(container, 'resources');
    if (isObject(resources['limits'])) fill(child(resources, 'requests'), { ...resources['limits'] });
  }
};

const defaultDeployment = (deployment: KubernetesObject): void => {
  const spec = child(deployment, 'spec');
  defaultTemplate(spec);
  fill(spec, { replicas: 1, strategy: {}, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
  const strategy = child(spec, 'strategy');
  fill(strategy, { type: 'RollingUpdate' });
  if (strategy['type'] === 'RollingUpdate') fill(child(strategy, 'rollingUpdate'), { maxUnavailable: '25%', maxSurge: '25%' });
};

const defaultReplicaSet = (set: KubernetesObject): void => {
  const spec = child(set, 'spec');
  defaultTemplate(spec);
  fill(spec, { replicas: 1 });
};

const defaultStatefulSet = (set: KubernetesObject): void => {
  const spec = child(set, 'spec');
  defaultTemplate(spec);
  for (const claim of objectsAt(spec, 'volumeClaimTemplates')) {
    fill(claim, { kind: 'PersistentVolumeClaim', apiVersion: 'v1' });
    fill(child(claim, 'spec'), { volumeMode: 'Filesystem' });
    fill(child(claim, 'status'), { phase: 'Pending' });
  }
  fill(spec, { replicas: 1, podManagementPolicy: 'OrderedReady', revisionHistoryLimit: 10 });
  const strategy = child(spec, 'updateStrategy');
  if (strategy['type'] === undefined) fill(strategy, { type: 'RollingUpdate', rollingUpdate: {} });
  if (strategy['type'] === 'RollingUpdate' && isObject(strategy['rollingUpdate'])) fill(strategy['rollingUpdate'], { partition: 0 });
  fill(child(spec, 'persistentVolumeClaimRetentionPolicy'), { whenDeleted: 'Retain', whenScaled: 'Retain' });
};

const defaultDaemonSet = (set: KubernetesObject): void => {
  // A field of the server's own form, which its API shows as an annotation.
  set.metadata.annotations = { 'deprecated.daemonset.template.generation': '1', ...set.metadata.annotations };
  const spec = child(set, 'spec');
  defaultTemplate(spec);
  const strategy = child(spec, 'updateStrategy');
  fill(strategy, { type: 'RollingUpdate' });
  if (strategy['type'] === 'RollingUpdate') fill(child(strategy, 'rollingUpdate'), { maxUnavailable: 1, maxSurge: 0 });
  fill(spec, { revisionHistoryLimit: 10 });
};

const defaultJobSpec = (spec: JsonObject): void => {
  defaultTemplate(spec);
  if (spec['completions'] === undefined && spec['parallelism'] === undefined) spec['completions'] = 1;
  fill(spec, {
    parallelism: 1,
    backoffLimit: 6,
    completionMode: 'NonIndexed',
    suspend: false,
    podReplacementPolicy: spec['podFailurePolicy'] === undefined ? 'TerminatingOrFailed' : 'Failed',
    manualSelector: false,
  });
};

const defaultCronJob = (cronJob: KubernetesObject): void => {
  const spec = child(cronJob, 'spec');
  const template = child(spec, 'jobTemplate');
  child(template, 'metadata');
  // The API server fills the pod template of a CronJob, but leaves the job's own fields to the job that is made of it.
  defaultTemplate(child(template, 'spec'));
  fill(spec, { concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 });
};

const defaultService = (service: KubernetesObject): void => {
  const spec = child(service, 'spec');
  fill(spec, { sessionAffinity: 'None', type: 'ClusterIP' });
  for (const port of objectsAt(spec, 'ports')) fill(port, { protocol: 'TCP', targetPort: port['port'] });
  const type = spec['type'];
  if (type === 'NodePort' || type === 'LoadBalancer') fill(spec, { externalTrafficPolicy: 'Cluster' });
  if (type !== 'ExternalName') fill(spec, { internalTrafficPolicy: 'Cluster', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
  if (type === 'LoadBalancer') {
    fill(spec, { allocateLoadBalancerNodePorts: true });
    for (const ingress of objectsAt(service, 'status', 'loadBalancer', 'ingress'))
      if (ingress['ip'] !== undefined) fill(ingress, { ipMode: 'VIP' });
  }
  child(child(service, 'status'), 'loadBalancer');
};

const defaultAutoscaler = (autoscaler: KubernetesObject): void => {
  const spec = child(autoscaler, 'spec');
  fill(spec, { minReplicas: 1 });
  fill(spec, {
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
  });
  child(autoscaler, 'status');
};

const defaultNetworkPolicy = (policy: KubernetesObject): void => {
  const spec = child(policy, 'spec');
  for (const rule of [...objectsAt(spec, 'ingress'), ...objectsAt(spec, 'egress')]) {
    for (const port of objectsAt(rule, 'ports')) fill(port, { protocol: 'TCP' });
  }
  fill(spec, { policyTypes: spec['egress'] === undefined ? ['Ingress'] : ['Ingress', 'Egress'] });
};

const defaultRoleReference = (binding: KubernetesObject): void => {
  fill(child(binding, 'roleRef'), { apiGroup: 'rbac.authorization.k8s.io' });
  for (const subject of objectsAt(binding, 'subjects')) {
    if (subject['kind'] !== 'ServiceAccount') fill(subject, { apiGroup: 'rbac.authorization.k8s.io' });
  }
};

type Defaulter = (object: KubernetesObject) => void;

const DEFAULTERS: Readonly<Record<string, Defaulter>> = {
  'v1/Pod': defaultPod,
  'v1/Service': defaultService,
  'v1/Secret': (secret) => fill(secret, { type: 'Opaque' }),
  'v1/Namespace': (namespace) => {
    namespace.metadata.labels = { 'kubernetes.io/metadata.name': namespace.metadata.name, ...namespace.metadata.labels };
    fill(child(namespace, 'spec'), { finalizers: ['kubernetes'] });
    fill(child(namespace, 'status'), { phase: 'Active' });
  },
  'v1/PersistentVolume': (volume) => {
    fill(child(volume, 'spec'), { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' });
    fill(child(volume, 'status'), { phase: 'Pending' });
  },
  'v1/PersistentVolumeClaim': (claim) => {
    fill(child(claim, 'spec'), { volumeMode: 'Filesystem' });
    fill(child(claim, 'status'), { phase: 'Pending' });
  },
  'apps/v1/Deployment': defaultDeployment,
  'apps/v1/ReplicaSet': defaultReplicaSet,
  'apps/v1/StatefulSet': defaultStatefulSet,
  'apps/v1/DaemonSet': defaultDaemonSet,
  'batch/v1/Job': (job) => defaultJobSpec(child(job, 'spec')),
  'batch/v1/CronJob': defaultCronJob,
  'autoscaling/v2/HorizontalPodAutoscaler': defaultAutoscaler,
  'networking.k8s.io/v1/NetworkPolicy': defaultNetworkPolicy,
  'rbac.authorization.k8s.io/v1/RoleBinding': defaultRoleReference,
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': defaultRoleReference,
  'storage.k8s.io/v1/StorageClass': (storageClass) => fill(storageClass, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }),
  'networking.k8s.io/v1/Ingress': (ingress) => child(child(ingress, 'status'), 'loadBalancer'),
};

/** Kinds whose stored form always has a status, empty at first. */
const WITH_STATUS = new Set([
  'v1/Pod',
  'apps/v1/Deployment',
  'apps/v1/ReplicaSet',
  'apps/v1/StatefulSet',
  'apps/v1/DaemonSet',
  'batch/v1/Job',
  'batch/v1/CronJob',
  'policy/v1/PodDisruptionBudget',
]);

/** A copy with the server's defaults filled in. */
export const withDefaults = (object: KubernetesObject): KubernetesObject => {
  const copy = structuredClone(object);
  const type = `${copy.apiVersion}/${copy.kind}`;
  DEFAULTERS[type]?.(copy);
  if (WITH_STATUS.has(type)) child(copy, 'status');
  return copy;
};

/** The defaults of a pod specification alone, as a template that is compared needs them. */
export const withPodSpecDefaults = (spec: Json | undefined): JsonObject => {
  const copy: JsonObject = isObject(spec) ? structuredClone(spec) : {};
  defaultPodSpec(copy);
  return copy;
};
