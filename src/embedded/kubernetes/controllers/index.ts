// The controllers together: they look at the world when somebody has written, and when time brings a change.
import type { Shop } from '../../shop.ts';
import { at, isObject, objectAt, objectsAt } from '../json.ts';
import type { ResourceRegistry } from '../resources.ts';
import type { Change, ObjectStore } from '../store.ts';
import { Cluster } from './cluster.ts';
import { collect, expireEvents } from './collector.ts';
import { DEPLOYMENTS, leadDeployment } from './deployments.ts';
import { JOBS, leadJob } from './jobs.ts';
import { judgePayment, leadPayment } from './payment.ts';
import { leadPod } from './pods.ts';
import { leadReplicaSet, REPLICA_SETS } from './replica-sets.ts';
import { leadDependents } from './services.ts';
import { DAEMON_SETS, leadDaemonSet, leadStatefulSet, STATEFUL_SETS } from './sets.ts';

/** More rounds than any change needs to settle: a guard against two controllers that undo each other's work. */
const ROUNDS = 100;

const UNSCHEDULABLE = 'node.kubernetes.io/unschedulable';

/** A cordoned node repels pods by a taint. */
const leadNodes = (cluster: Cluster): void => {
  for (const node of cluster.store.all('nodes')) {
    const taints = objectsAt(node, 'spec', 'taints');
    const isTainted = taints.some((taint) => taint['key'] === UNSCHEDULABLE);
    const isCordoned = at(node, 'spec', 'unschedulable') === true;
    if (isTainted === isCordoned) continue;
    const others = taints.filter((taint) => taint['key'] !== UNSCHEDULABLE);
    const kept = isCordoned
      ? [...others, { key: UNSCHEDULABLE, effect: 'NoSchedule', timeAdded: `${new Date(cluster.now).toISOString().slice(0, 19)}Z` }]
      : others;
    const { taints: _taints, ...spec } = isObject(node['spec']) ? objectAt(node, 'spec') : {};
    cluster.update('nodes', { ...node, spec: { ...spec, ...(kept.length === 0 ? {} : { taints: kept }) } }, node);
    const reason = isCordoned ? 'NodeNotSchedulable' : 'NodeSchedulable';
    cluster.note(node, {
      reason,
      message: `Node ${node.metadata.name} status is now: ${reason}`,
      component: 'kubelet',
      host: node.metadata.name,
    });
  }
};

export class Controllers {
  readonly #cluster: Cluster;
  readonly #registry: ResourceRegistry;
  #isDirty = false;
  #dueAt: number;
  #deleted: Change[] = [];

  /** Watches the store from now on. The first look is due at once in time, not before somebody asks. */
  constructor(store: ObjectStore, registry: ResourceRegistry, shop: Shop, clock: () => number) {
    this.#cluster = new Cluster(store, shop, clock);
    this.#registry = registry;
    // At T0 the told state stands: the first change by time comes after it.
    this.#dueAt = clock() + 1;
    store.subscribe((change) => {
      this.#isDirty = true;
      if (change.type === 'DELETED' && change.resource !== 'events') this.#deleted.push(change);
    });
  }

  /** Brings the world to the present. */
  advance(): void {
    const cluster = this.#cluster;
    if (!this.#isDirty && cluster.now < this.#dueAt) return;
    for (let round = 0; round < ROUNDS; round += 1) {
      this.#isDirty = false;
      cluster.resetDue();
      this.#look();
      if (!this.#isDirty) break;
    }
    this.#dueAt = cluster.dueAt;
  }

  #look(): void {
    const cluster = this.#cluster;
    const { store } = cluster;
    const deleted = this.#deleted;
    this.#deleted = [];
    collect(cluster, this.#registry, deleted);
    leadNodes(cluster);
    leadPayment(cluster);
    for (const deployment of store.all(DEPLOYMENTS)) leadDeployment(cluster, deployment);
    for (const set of store.all(REPLICA_SETS)) leadReplicaSet(cluster, set);
    for (const set of store.all(STATEFUL_SETS)) leadStatefulSet(cluster, set);
    for (const set of store.all(DAEMON_SETS)) leadDaemonSet(cluster, set);
    for (const job of store.all(JOBS)) leadJob(cluster, job);
    for (const pod of store.all('pods')) leadPod(cluster, pod);
    leadDependents(cluster);
    judgePayment(cluster);
    expireEvents(cluster);
  }
}
