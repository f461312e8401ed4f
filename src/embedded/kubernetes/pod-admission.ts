// What admission adds to every new pod: the account's token, tolerations, priority (the plugins ServiceAccount, DefaultTolerationSeconds and Priority).
import { suffixOf } from '../shop.ts';
import { isObject, type JsonObject, objectAt, objectsAt, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';

const TOKEN_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';

const tokenVolume = (name: string): JsonObject => ({
  name,
  projected: {
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
    ],
    defaultMode: 420,
  },
});

const toleration = (key: string): JsonObject => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });

const PRIORITIES: Readonly<Record<string, number>> = { 'system-node-critical': 2_000_001_000, 'system-cluster-critical': 2_000_000_000 };

/** Mounts the token in each container, unless the pod says that it wants none. */
const mountToken = (spec: JsonObject, name: string): void => {
  if (spec['automountServiceAccountToken'] === false) return;
  const volumes = Array.isArray(spec['volumes']) ? spec['volumes'] : [];
  spec['volumes'] = [...volumes, tokenVolume(name)];
  for (const container of [...objectsAt(spec, 'initContainers'), ...objectsAt(spec, 'containers')]) {
    const mounts = Array.isArray(container['volumeMounts']) ? container['volumeMounts'] : [];
    container['volumeMounts'] = [...mounts, { name, readOnly: true, mountPath: TOKEN_PATH }];
  }
};

const LIMIT_NOTE = 'kubernetes.io/limit-ranger';

/** Sets the amounts that a container leaves open; tells which, as the plugin notes it. */
const limitContainer = (container: JsonObject, kind: string, limits: JsonObject, requests: JsonObject): string[] => {
  const resources = objectAt(container, 'resources');
  const merge = (key: string, defaults: JsonObject): string[] => {
    const own = objectAt(resources, key);
    const added = Object.keys(defaults).filter((name) => own[name] === undefined);
    if (added.length > 0)
      container['resources'] = {
        ...objectAt(container, 'resources'),
        [key]: { ...own, ...Object.fromEntries(added.map((name) => [name, defaults[name]])) },
      };
    return added.sort();
  };
  const [setLimits, setRequests] = [merge('limits', limits), merge('requests', requests)];
  const name = `${kind} ${textAt(container, 'name')}`;
  return [
    ...(setRequests.length === 0 ? [] : [`${setRequests.join(', ')} request for ${name}`]),
    ...(setLimits.length === 0 ? [] : [`${setLimits.join(', ')} limit for ${name}`]),
  ];
};

/** The plugin LimitRanger: the namespace's defaults for containers. */
const limitPod = (pod: KubernetesObject, ranges: readonly KubernetesObject[]): void => {
  const defaults = ranges.flatMap((range) => objectsAt(range, 'spec', 'limits')).filter((limit) => limit['type'] === 'Container');
  for (const limit of defaults) {
    const [limits, requests] = [objectAt(limit, 'default'), objectAt(limit, 'defaultRequest')];
    const notes = [
      ...objectsAt(pod, 'spec', 'containers').flatMap((container) => limitContainer(container, 'container', limits, requests)),
      ...objectsAt(pod, 'spec', 'initContainers').flatMap((container) => limitContainer(container, 'init container', limits, requests)),
    ];
    if (notes.length > 0)
      pod.metadata.annotations = { ...pod.metadata.annotations, [LIMIT_NOTE]: `LimitRanger plugin set: ${notes.join('; ')}` };
  }
};

/** A copy of a pod as admission lets it in, under the limit ranges of its namespace; defaults have been filled by the caller. */
export const admitPod = (pod: KubernetesObject, limitRanges: readonly KubernetesObject[] = []): KubernetesObject => {
  const admitted = structuredClone(pod);
  limitPod(admitted, limitRanges);
  const spec = admitted['spec'];
  if (!isObject(spec)) return admitted;
  const account = textAt(spec, 'serviceAccountName') || 'default';
  Object.assign(spec, { serviceAccountName: account, serviceAccount: account });
  mountToken(spec, `kube-api-access-${suffixOf(`${admitted.metadata.namespace}/${admitted.metadata.name}/token`)}`);
  const tolerations = Array.isArray(spec['tolerations']) ? spec['tolerations'] : [];
  const isTolerant = (key: string): boolean =>
    tolerations.some(
      (entry) => isObject(entry) && (entry['key'] === key || (entry['key'] === undefined && entry['operator'] === 'Exists')),
    );
  const missing = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'].filter((key) => !isTolerant(key));
  spec['tolerations'] = [...tolerations, ...missing.map(toleration)];
  spec['priority'] ??= PRIORITIES[textAt(spec, 'priorityClassName')] ?? 0;
  spec['preemptionPolicy'] ??= 'PreemptLowerPriority';
  return admitted;
};

const TOPOLOGY = ['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'];

/** A pod that is bound to a node takes over where the node stands (the plugin PodTopologyLabels). */
export const withTopology = (pod: KubernetesObject, node: KubernetesObject | undefined): KubernetesObject => {
  const found = TOPOLOGY.flatMap((key) => {
    const value = node?.metadata.labels?.[key];
    return value === undefined ? [] : [[key, value]];
  });
  if (found.length === 0) return pod;
  return { ...pod, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...Object.fromEntries(found) } } };
};
