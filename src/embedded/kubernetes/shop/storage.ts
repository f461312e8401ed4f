// The storage class, its driver, and the claims and volumes of the StatefulSets.
import { DAY, SECOND, type Shop } from '../../shop.ts';
import { type JsonObject, objectAt, objectsAt, textAt, timeAt, toTime } from '../json.ts';
import { toManagedFields } from '../managed-fields.ts';
import type { KubernetesObject } from '../object.ts';
import { CLUSTER_AGE } from './app.ts';
import { stamped, uidOf, withManager } from './stamp.ts';

const DRIVER = 'hostpath.csi.k8s.io';
const CLASS = 'standard';
const CONTROLLER = 'kube-controller-manager';

const classObjects = (shop: Shop): KubernetesObject[] => {
  const createdAt = shop.before(CLUSTER_AGE - DAY);
  const storageClass: KubernetesObject = {
    kind: 'StorageClass',
    apiVersion: 'storage.k8s.io/v1',
    metadata: { name: CLASS, annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: DRIVER,
    reclaimPolicy: 'Delete',
    allowVolumeExpansion: true,
    volumeBindingMode: 'WaitForFirstConsumer',
  };
  const driver: KubernetesObject = {
    kind: 'CSIDriver',
    apiVersion: 'storage.k8s.io/v1',
    metadata: { name: DRIVER },
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ['Persistent', 'Ephemeral'],
      storageCapacity: false,
      fsGroupPolicy: 'File',
      requiresRepublish: false,
      preventPodSchedulingIfMissing: false,
      seLinuxMount: false,
    },
  };
  return [storageClass, driver].map((object) => stamped(shop, object, { createdAt, manager: 'kubeadm' }));
};

const claimOf = (shop: Shop, set: KubernetesObject, template: JsonObject, pod: KubernetesObject): KubernetesObject[] => {
  const namespace = set.metadata.namespace ?? '';
  const name = `${textAt(template, 'metadata', 'name')}-${pod.metadata.name}`;
  const uid = uidOf(shop, 'PersistentVolumeClaim', namespace, name);
  const size = textAt(template, 'spec', 'resources', 'requests', 'storage');
  const node = textAt(pod, 'spec', 'nodeName');
  const createdAt = timeAt(set, 'metadata', 'creationTimestamp') ?? 0;
  const labels = Object.fromEntries(
    Object.entries(objectAt(set, 'spec', 'selector', 'matchLabels')).map(([key, value]) => [key, String(value)]),
  );
  const boundStatus: JsonObject = { phase: 'Bound', accessModes: ['ReadWriteOnce'], capacity: { storage: size } };
  const claim: KubernetesObject = {
    kind: 'PersistentVolumeClaim',
    apiVersion: 'v1',
    metadata: {
      name,
      namespace,
      labels,
      annotations: {
        'pv.kubernetes.io/bind-completed': 'yes',
        'pv.kubernetes.io/bound-by-controller': 'yes',
        'volume.beta.kubernetes.io/storage-provisioner': DRIVER,
        'volume.kubernetes.io/selected-node': node,
        'volume.kubernetes.io/storage-provisioner': DRIVER,
      },
      finalizers: ['kubernetes.io/pvc-protection'],
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      resources: { requests: { storage: size } },
      volumeName: `pvc-${uid}`,
      storageClassName: CLASS,
      volumeMode: 'Filesystem',
    },
  };
  const volume: KubernetesObject = {
    kind: 'PersistentVolume',
    apiVersion: 'v1',
    metadata: {
      name: `pvc-${uid}`,
      annotations: { 'pv.kubernetes.io/provisioned-by': DRIVER },
      finalizers: ['kubernetes.io/pv-protection'],
    },
    spec: {
      capacity: { storage: size },
      csi: {
        driver: DRIVER,
        volumeHandle: uidOf(shop, 'volume', namespace, name),
        volumeAttributes: { 'storage.kubernetes.io/csiProvisionerIdentity': `1753003021412-8081-${DRIVER}` },
      },
      accessModes: ['ReadWriteOnce'],
      claimRef: { kind: 'PersistentVolumeClaim', namespace, name, uid, apiVersion: 'v1' },
      persistentVolumeReclaimPolicy: 'Delete',
      storageClassName: CLASS,
      volumeMode: 'Filesystem',
      nodeAffinity: {
        required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }] },
      },
    },
  };
  const volumeStatus: JsonObject = { phase: 'Bound', lastPhaseTransitionTime: toTime(createdAt + 5 * SECOND) };
  const time = toTime(createdAt + 5 * SECOND);
  const boundBy = (kind: string, status: JsonObject): ReturnType<typeof toManagedFields> =>
    toManagedFields({ status }, { manager: CONTROLLER, operation: 'Update', apiVersion: 'v1', kind, time, subresource: 'status' });
  return [
    withManager(
      stamped(shop, claim, { createdAt, manager: CONTROLLER, uid, status: boundStatus }),
      boundBy('PersistentVolumeClaim', boundStatus),
    ),
    withManager(
      stamped(shop, volume, { createdAt: createdAt + 4 * SECOND, manager: 'csi-provisioner', status: volumeStatus }),
      boundBy('PersistentVolume', volumeStatus),
    ),
  ];
};

/** Claims and volumes for the StatefulSets among the objects. */
export const storageObjects = (shop: Shop, objects: readonly KubernetesObject[]): KubernetesObject[] => {
  const pods = objects.filter(({ kind }) => kind === 'Pod');
  const claims = objects
    .filter(({ kind }) => kind === 'StatefulSet')
    .flatMap((set) =>
      objectsAt(set, 'spec', 'volumeClaimTemplates').flatMap((template) =>
        pods
          .filter(({ metadata }) => metadata.ownerReferences?.[0]?.uid === set.metadata.uid)
          .flatMap((pod) => claimOf(shop, set, template, pod)),
      ),
    );
  return [...classObjects(shop), ...claims];
};
