// What admission adds to every new pod: the account's token, tolerations, priority (the plugins ServiceAccount, DefaultTolerationSeconds and Priority).
import { suffixOf } from '../shop.ts';
import { isObject, type JsonObject, objectsAt, textAt } from './json.ts';
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

/** A copy of a pod as admission lets it in; defaults are filled by the caller. */
export const admitPod = (pod: KubernetesObject): KubernetesObject => {
  const admitted = structuredClone(pod);
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
