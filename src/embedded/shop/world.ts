// The state that the backends of one platform share, and the pods of the place.
import { NODES, type ShopWorkload, STORY, WORKLOADS } from './facts.ts';
import { hashOf, suffixOf, uuidOf } from './hash.ts';

export interface ShopPod {
  readonly namespace: string;
  readonly workload: string;
  readonly name: string;
  readonly uid: string;
  /** '' while it waits for a node. */
  readonly node: string;
  readonly address: string;
  readonly containers: readonly string[];
}

export interface ShopOptions {
  readonly clock?: () => number;
  readonly seed?: number;
}

/** The state that the backends of one platform share: when it began, and whether payment has been healed since. */
export class Shop {
  readonly clock: () => number;
  readonly seed: number;
  /** T0. */
  readonly startedAt: number;
  #healedAt: number | undefined;

  constructor({ clock = Date.now, seed = 1 }: ShopOptions = {}) {
    this.clock = clock;
    this.seed = seed;
    // Kubernetes tells times in whole seconds: the story does too, so that all of its times agree everywhere.
    this.startedAt = Math.floor(clock() / 1000) * 1000;
  }

  /** When payment ran well again; undefined as long as it does not. */
  get healedAt(): number | undefined {
    return this.#healedAt;
  }

  /** Payment serves again: metrics, logs and traces that follow are healthy. */
  heal(at: number): void {
    this.#healedAt = at;
  }

  /** Payment is broken anew, by another upgrade to the bad state. */
  relapse(): void {
    this.#healedAt = undefined;
  }

  /** A time of the story, as milliseconds since the epoch. */
  before(offset: number): number {
    return this.startedAt - offset;
  }

  /** True when requests to payment fail at that time. */
  isBroken(at: number): boolean {
    return at >= this.before(STORY.latencyRise) && (this.#healedAt === undefined || at < this.#healedAt);
  }

  /** The name of the ReplicaSet of a Deployment's revision ends with this. */
  templateHash(namespace: string, name: string, version: string): string {
    return suffixOf(`${this.seed}/${namespace}/${name}/${version}`, 10).replace(/^\d/, 'd');
  }

  /** A pod of the place at T0, by workload and ordinal. */
  pod({ namespace, name, kind, containers, version }: ShopWorkload, ordinal: number): ShopPod {
    const place = WORKLOADS.findIndex((entry) => entry.namespace === namespace && entry.name === name);
    const key = `${this.seed}/${namespace}/${name}/${ordinal}`;
    const node = NODES[kind === 'DaemonSet' ? ordinal : (ordinal + hashOf(name)) % NODES.length];
    const full = {
      Deployment: `${name}-${this.templateHash(namespace, name, version)}-${suffixOf(key)}`,
      StatefulSet: `${name}-${ordinal}`,
      DaemonSet: `${name}-${suffixOf(key)}`,
      CronJob: `${name}-${suffixOf(key)}`,
    }[kind];
    const isHostNetwork = name === 'kube-proxy' || name === 'node-exporter';
    const address = isHostNetwork ? (node?.address ?? '') : `${node?.podNetwork}.${10 + place * 8 + ordinal}`;
    return { namespace, workload: name, name: full, uid: uuidOf(`pod/${key}`), node: node?.name ?? '', address, containers };
  }

  /** The running pods of the place at T0, those of a workload in the order of their ordinals. */
  pods(): readonly ShopPod[] {
    return WORKLOADS.flatMap((entry) => Array.from({ length: entry.replicas }, (_, ordinal) => this.pod(entry, ordinal)));
  }
}
