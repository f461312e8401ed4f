// New pods from a template, as the controllers of workloads make them.
import { suffixOf } from '../../shop.ts';
import { withDefaults } from '../defaults.ts';
import { isObject, type JsonObject, objectAt, textAt, textsAt, timeAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { admitPod } from '../pod-admission.ts';
import { qosClassOf } from '../pod-status.ts';
import { quotaFault } from '../quota.ts';
import { refusedByAdmission } from '../status.ts';
import { type Cluster, ownerReferenceTo } from './cluster.ts';

export interface PodRecipe {
  readonly owner: KubernetesObject;
  readonly template: JsonObject;
  readonly component: string;
  /** A fixed name, as StatefulSets give them; made from the owner's when absent. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: JsonObject;
}

/** How often a controller tells that it cannot create a pod. */
const COMPLAINT_PACE = 30_000;

const noteFailure = (cluster: Cluster, owner: KubernetesObject, component: string, fault: string): void => {
  cluster.wakeAt(cluster.now + COMPLAINT_PACE);
  const isTold = cluster.store
    .all('events', owner.metadata.namespace)
    .some(
      (event) =>
        textAt(event, 'involvedObject', 'uid') === owner.metadata.uid &&
        textAt(event, 'reason') === 'FailedCreate' &&
        cluster.now - (timeAt(event, 'lastTimestamp') ?? 0) < COMPLAINT_PACE,
    );
  if (!isTold) cluster.note(owner, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${fault}`, component });
};

/** Creates a pod and tells of it; admission adds its part, or refuses it: then the refusal is given back. */
export const makePod = (cluster: Cluster, { owner, template, component, name, labels = {}, spec = {} }: PodRecipe): string | undefined => {
  const namespace = owner.metadata.namespace ?? '';
  const generateName = `${owner.metadata.name}-`;
  const metadata = objectAt(template, 'metadata');
  const annotations = textsAt(metadata, 'annotations');
  const plain: KubernetesObject = {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: name ?? `${generateName}${suffixOf(cluster.next())}`,
      ...(name === undefined ? { generateName } : {}),
      namespace,
      generation: 1,
      labels: { ...textsAt(metadata, 'labels'), ...labels },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations: { ...annotations } }),
      ownerReferences: [ownerReferenceTo(owner)],
    },
    spec: { ...structuredClone(objectAt(template, 'spec')), ...spec },
  };
  const complete = withDefaults(plain);
  const admitted = withDefaults(admitPod(complete, cluster.store.all('limitranges', namespace)));
  const fault = quotaFault(cluster.store, 'pods', admitted);
  if (fault !== undefined) {
    const { message } = refusedByAdmission({ group: '', resource: 'pods' }, admitted.metadata.name, fault);
    noteFailure(cluster, owner, component, message);
    return message;
  }
  const pod = cluster.create(
    'pods',
    { ...admitted, status: { phase: 'Pending', qosClass: qosClassOf(admitted) } },
    'kube-controller-manager',
    complete,
  );
  cluster.note(owner, {
    reason: 'SuccessfulCreate',
    message:
      owner.kind === 'StatefulSet'
        ? `create Pod ${pod.metadata.name} in StatefulSet ${owner.metadata.name} successful`
        : `Created pod: ${pod.metadata.name}`,
    component,
  });
  return undefined;
};

/** Asks a pod to end, as a controller's DELETE does. */
export const endPod = (cluster: Cluster, pod: KubernetesObject, owner: KubernetesObject, component: string): void => {
  if (pod.metadata.deletionTimestamp !== undefined) return;
  const spec = pod['spec'];
  const period = isObject(spec) && typeof spec['terminationGracePeriodSeconds'] === 'number' ? spec['terminationGracePeriodSeconds'] : 30;
  if (isObject(spec) && spec['nodeName'] === undefined) cluster.remove('pods', pod);
  else {
    const deletionTimestamp = `${new Date(cluster.now + period * 1000).toISOString().slice(0, 19)}Z`;
    const generation = (pod.metadata.generation ?? 1) + 1;
    cluster.store.put('pods', { ...pod, metadata: { ...pod.metadata, generation, deletionTimestamp, deletionGracePeriodSeconds: period } });
  }
  cluster.note(owner, {
    reason: 'SuccessfulDelete',
    message:
      owner.kind === 'StatefulSet'
        ? `delete Pod ${pod.metadata.name} in StatefulSet ${owner.metadata.name} successful`
        : `Deleted pod: ${pod.metadata.name}`,
    component,
  });
};
