// The shop: the one incident that all embedded backends tell. Names, figures and times that two of them must agree on stand here and nowhere else.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** What happened, as milliseconds before T0, the moment the platform starts. */
export const STORY = {
  recommendationRollout: 5 * DAY,
  diskPressureStart: 26 * HOUR,
  diskPressureEnd: 26 * HOUR - 9 * MINUTE,
  silenceCreated: 22 * HOUR,
  webScaled: 3 * HOUR + 10 * MINUTE,
  paymentUpgrade: 42 * MINUTE,
  latencyRise: 40 * MINUTE,
  firstOutOfMemory: 36 * MINUTE,
  consumerLag: 33 * MINUTE,
  checkoutAlert: 31 * MINUTE,
  crashLoopAlert: 28 * MINUTE,
  lagAlert: 25 * MINUTE,
  collectorRefusal: 20 * MINUTE,
} as const;

/** The silence of alice ends this long after T0. */
export const SILENCE_ENDS_AFTER = 2 * HOUR;
/** The certificate of the ingress ends this long after T0. */
export const CERTIFICATE_ENDS_AFTER = 6 * DAY;
/** How far back series, logs and traces go. */
export const HISTORY = 6 * HOUR;

export const CLUSTER_NAME = 'demo';
export const USERS = { deployer: 'deploy-bot', people: ['alice', 'bob'] } as const;

export interface ShopNode {
  readonly name: string;
  readonly zone: string;
  readonly address: string;
  /** First three octets of its pod addresses. */
  readonly podNetwork: string;
}

export const NODES: readonly ShopNode[] = [
  { name: 'node-1', zone: 'zone-a', address: '10.0.0.11', podNetwork: '10.244.1' },
  { name: 'node-2', zone: 'zone-a', address: '10.0.0.12', podNetwork: '10.244.2' },
  { name: 'node-3', zone: 'zone-b', address: '10.0.0.13', podNetwork: '10.244.3' },
  { name: 'node-4', zone: 'zone-b', address: '10.0.0.14', podNetwork: '10.244.4' },
];

export type WorkloadKind = 'Deployment' | 'StatefulSet' | 'DaemonSet' | 'CronJob';

export interface ShopWorkload {
  readonly namespace: string;
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly replicas: number;
  /** Containers of its pods; the first is the workload's own. */
  readonly containers: readonly string[];
  /** Port of its Service, 0 when it has none. */
  readonly port: number;
  /** Version of the program, as in the image tag. */
  readonly version: string;
}

const workload = (
  namespace: string,
  name: string,
  kind: WorkloadKind,
  replicas: number,
  containers: readonly string[],
  port: number,
  version: string,
): ShopWorkload => ({ namespace, name, kind, replicas, containers, port, version });

export const WORKLOADS: readonly ShopWorkload[] = [
  workload('shop', 'web', 'Deployment', 5, ['web', 'nginx-exporter'], 8080, '3.2.0'),
  workload('shop', 'cart', 'Deployment', 2, ['cart'], 8080, '1.8.3'),
  workload('shop', 'checkout', 'Deployment', 3, ['checkout'], 8080, '4.0.1'),
  workload('shop', 'payment', 'Deployment', 3, ['payment', 'envoy'], 8080, '2.5.0'),
  workload('shop', 'catalog', 'Deployment', 2, ['catalog', 'cache-sync'], 8080, '2.1.0'),
  workload('shop', 'recommendation', 'Deployment', 2, ['recommendation'], 8080, '0.9.0'),
  workload('shop', 'email', 'Deployment', 1, ['email'], 8080, '1.1.0'),
  workload('shop', 'nightly-report', 'CronJob', 0, ['report'], 0, '1.4.2'),
  workload('data', 'postgres', 'StatefulSet', 1, ['postgres', 'postgres-exporter'], 5432, '16.4'),
  workload('data', 'redis', 'StatefulSet', 1, ['redis', 'redis-exporter'], 6379, '7.2.5'),
  workload('data', 'kafka', 'StatefulSet', 3, ['kafka', 'jmx-exporter'], 9092, '3.7.0'),
  workload('observability', 'prometheus', 'Deployment', 1, ['prometheus', 'config-reloader'], 9090, 'v3.14.0'),
  workload('observability', 'kube-state-metrics', 'Deployment', 1, ['kube-state-metrics'], 8080, 'v2.15.0'),
  workload('observability', 'node-exporter', 'DaemonSet', 4, ['node-exporter'], 9100, 'v1.9.1'),
  workload('observability', 'alertmanager', 'Deployment', 1, ['alertmanager', 'config-reloader'], 9093, 'v0.34.2'),
  workload('observability', 'grafana', 'Deployment', 1, ['grafana', 'dashboard-sync'], 3000, '12.1.0'),
  workload('observability', 'jaeger', 'Deployment', 1, ['jaeger'], 16686, '2.20.0'),
  workload('observability', 'otel-collector', 'Deployment', 2, ['otel-collector'], 4317, '0.159.0'),
  workload('observability', 'elasticsearch', 'StatefulSet', 3, ['elasticsearch'], 9200, '8.19.21'),
  workload('observability', 'kibana', 'Deployment', 1, ['kibana'], 5601, '8.19.21'),
  workload('ingress', 'gateway', 'Deployment', 2, ['controller'], 443, '1.11.0'),
  workload('kube-system', 'coredns', 'Deployment', 2, ['coredns'], 53, 'v1.12.1'),
  workload('kube-system', 'kube-proxy', 'DaemonSet', 4, ['kube-proxy'], 0, 'v1.36.1'),
  workload('kube-system', 'metrics-server', 'Deployment', 1, ['metrics-server'], 443, 'v0.9.0'),
  workload('kube-system', 'csi-hostpath', 'DaemonSet', 4, ['hostpath', 'node-driver-registrar'], 0, 'v1.16.1'),
];

export interface ShopRelease {
  readonly namespace: string;
  readonly name: string;
  readonly chartVersion: string;
  readonly appVersion: string;
  readonly revision: number;
}

const release = (namespace: string, name: string, chartVersion: string, revision: number, appVersion = chartVersion): ShopRelease => ({
  namespace,
  name,
  chartVersion,
  appVersion,
  revision,
});

export const RELEASES: readonly ShopRelease[] = [
  release('shop', 'web', '3.2.0', 12),
  release('shop', 'cart', '1.8.3', 5),
  release('shop', 'checkout', '4.0.1', 9),
  release('shop', 'payment', '2.5.0', 8),
  release('shop', 'catalog', '2.1.0', 4),
  release('shop', 'recommendation', '0.9.0', 3),
  release('shop', 'email', '1.1.0', 2),
  release('data', 'postgres', '15.4.0', 3, '16.4'),
  release('data', 'redis', '19.1.0', 2, '7.2.5'),
  release('data', 'kafka', '28.0.0', 2, '3.7.0'),
  release('observability', 'prometheus', '28.3.0', 4, 'v3.14.0'),
  release('observability', 'alertmanager', '1.31.0', 2, 'v0.34.2'),
  release('observability', 'grafana', '10.1.0', 3, '12.1.0'),
  release('observability', 'jaeger', '4.2.0', 2, '2.20.0'),
  release('observability', 'otel-collector', '0.140.0', 5, '0.159.0'),
  release('observability', 'elasticsearch', '22.1.0', 2, '8.19.21'),
  release('observability', 'kibana', '12.1.0', 2, '8.19.21'),
  release('ingress', 'gateway', '4.11.0', 6, '1.11.0'),
];

/** The two states of payment that the story turns on. */
export const PAYMENT = {
  good: { version: '2.4.1', revision: 7, poolSize: 20, memoryLimit: '512Mi' },
  bad: { version: '2.5.0', revision: 8, poolSize: 2, memoryLimit: '256Mi' },
  /** How long a request waits for a connection of the small pool before it fails. */
  poolWait: 4500,
} as const;

/** 32 bits that depend on the text alone (FNV-1a with a final mix). */
export const hashOf = (text: string): number => {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};

/** A number from 0 to below 1 that depends on the text alone. */
export const fractionOf = (text: string): number => hashOf(text) / 2 ** 32;

/** Hexadecimal digits that depend on the text alone. */
export const hexOf = (text: string, length: number): string => {
  let digits = '';
  for (let part = 0; digits.length < length; part += 1) digits += hashOf(`${text}#${part}`).toString(16).padStart(8, '0');
  return digits.slice(0, length);
};

/** A version 4 UUID that depends on the text alone. */
export const uuidOf = (text: string): string => {
  const digits = hexOf(text, 32);
  const variant = '89ab'.charAt(Number.parseInt(digits.charAt(16), 16) % 4);
  return [digits.slice(0, 8), digits.slice(8, 12), `4${digits.slice(13, 16)}`, `${variant}${digits.slice(17, 20)}`, digits.slice(20)].join(
    '-',
  );
};

/** Letters and digits as Kubernetes uses them in generated names. */
const NAME_LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

export const suffixOf = (text: string, length = 5): string => {
  let letters = '';
  for (let index = 0; index < length; index += 1) letters += NAME_LETTERS.charAt(hashOf(`${text}/${index}`) % NAME_LETTERS.length);
  return letters;
};

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
    this.startedAt = clock();
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

/** One run of a container between its start and its end. */
export interface Life {
  readonly startedAt: number;
  /** Undefined while it runs. */
  readonly endedAt: number | undefined;
}

/** Seconds before T0 at which the pods of payment r8 were created. */
export const PAYMENT_CREATED = [2520, 2496, 2472] as const;

/** Seconds before T0: start and (OOMKilled) end of the runs of each payment pod; the last end of the first pod leaves it in CrashLoopBackOff. */
const PAYMENT_LIVES: readonly (readonly (readonly [number, number])[])[] = [
  [
    [2518, 2160],
    [2158, 1990],
    [1979, 1790],
    [1769, 1560],
    [1519, 1330],
    [1249, 1060],
    [899, 700],
    [399, 190],
  ],
  [
    [2494, 1920],
    [1918, 870],
    [859, -640],
  ],
  [
    [2470, 1740],
    [1738, 1120],
    [1109, 380],
    [359, -390],
  ],
];

/** How the runs go on after those of the table: seconds of waiting and of running. */
const PAYMENT_RHYTHM: readonly (readonly [number, number])[] = [
  [301, 190],
  [41, 1460],
  [81, 710],
];

/** The runs of the container `payment` in a pod of r8, up to a time, oldest first. */
export const paymentLives = (shop: Shop, ordinal: number, until: number): Life[] => {
  const lives: Life[] = [];
  const [wait, run] = PAYMENT_RHYTHM[ordinal] ?? [0, 0];
  const told = PAYMENT_LIVES[ordinal] ?? [];
  let [start, end] = told[0] ?? [0, 0];
  for (let index = 0; run > 0 && shop.before(start * SECOND) <= until; index += 1) {
    const endedAt = shop.before(end * SECOND);
    lives.push({ startedAt: shop.before(start * SECOND), endedAt: endedAt <= until ? endedAt : undefined });
    const next = told[index + 1] ?? [end - wait, end - wait - run];
    [start, end] = next;
  }
  return lives;
};

const isAlive = (shop: Shop, ordinal: number, at: number): boolean => paymentLives(shop, ordinal, at).at(-1)?.endedAt === undefined;

export interface FailedCharge {
  readonly at: number;
  /** 32 hexadecimal digits: the trace of the same request has them too. */
  readonly traceId: string;
  /** Ordinal of the payment pod. */
  readonly pod: number;
  /** Milliseconds that the request waited for a connection. */
  readonly waited: number;
  readonly orderId: string;
}

/** One failed `POST /charge` is told per slot of this length. */
export const CHARGE_SLOT = 5 * SECOND;

/** The failed charges that logs, documents and traces all show, between two times (from inclusive), oldest first. */
export const failedCharges = (shop: Shop, from: number, until: number): FailedCharge[] => {
  const first = Math.ceil((Math.max(from, shop.before(STORY.latencyRise)) - shop.startedAt - CHARGE_SLOT) / CHARGE_SLOT);
  const charges: FailedCharge[] = [];
  for (let slot = first; ; slot += 1) {
    const key = `${shop.seed}/charge/${slot}`;
    const at = shop.startedAt + slot * CHARGE_SLOT + Math.floor(fractionOf(key) * (CHARGE_SLOT - 1));
    if (at >= until) break;
    if (at < from || !shop.isBroken(at)) continue;
    const alive = [0, 1, 2].filter((ordinal) => isAlive(shop, ordinal, at));
    charges.push({
      at,
      traceId: hexOf(`trace/${key}`, 32),
      pod: alive[hashOf(`${key}/pod`) % Math.max(1, alive.length)] ?? 1,
      waited: PAYMENT.poolWait + (hashOf(`${key}/waited`) % 12),
      orderId: `ord-${100_000 + (hashOf(`${key}/order`) % 900_000)}`,
    });
  }
  return charges;
};
