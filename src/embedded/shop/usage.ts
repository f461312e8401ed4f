// What containers use: CPU and memory that every backend shows alike, from the kubelet's figures to Prometheus' series.
import { MINUTE, PAYMENT } from './facts.ts';
import { fractionOf } from './hash.ts';
import { paymentLives } from './payment.ts';
import type { Shop, ShopPod } from './world.ts';

export interface Usage {
  /** Cores. */
  readonly cpu: number;
  /** Working set in bytes. */
  readonly memory: number;
}

const MEBI = 2 ** 20;

/** Typical figures of a container under the evening's load: millicores and mebibytes. */
const TYPICAL: Readonly<Record<string, readonly [number, number]>> = {
  web: [128, 96],
  'nginx-exporter': [2, 11],
  cart: [41, 88],
  checkout: [74, 131],
  payment: [96, 178],
  envoy: [11, 41],
  catalog: [63, 142],
  'cache-sync': [4, 23],
  recommendation: [118, 301],
  email: [17, 52],
  postgres: [182, 611],
  'postgres-exporter': [5, 21],
  redis: [24, 74],
  'redis-exporter': [3, 17],
  kafka: [147, 921],
  'jmx-exporter': [9, 47],
  prometheus: [213, 1287],
  'config-reloader': [1, 14],
  'kube-state-metrics': [6, 43],
  'node-exporter': [7, 19],
  alertmanager: [5, 31],
  grafana: [21, 117],
  'dashboard-sync': [3, 68],
  jaeger: [58, 388],
  'otel-collector': [83, 214],
  elasticsearch: [196, 1641],
  kibana: [61, 612],
  controller: [88, 133],
  coredns: [7, 24],
  'kube-proxy': [3, 31],
  'metrics-server': [9, 39],
  hostpath: [2, 16],
  'node-driver-registrar': [1, 9],
};

/** A slow wave and a little noise, from 0.85 to 1.15. */
const wave = (key: string, at: number): number => {
  const phase = fractionOf(key) * 2 * Math.PI;
  const noise = fractionOf(`${key}/${Math.floor(at / (15 * 1000))}`) - 0.5;
  return 1 + 0.1 * Math.sin((at / (37 * MINUTE)) * 2 * Math.PI + phase) + 0.1 * noise;
};

/** Payment of r8 keeps what waits for a connection: its memory climbs to the limit of 256Mi in every run. */
const brokenPayment = (shop: Shop, ordinal: number, at: number): Usage | undefined => {
  const life = paymentLives(shop, ordinal, at).at(-1);
  if (life === undefined || life.endedAt !== undefined) return undefined;
  const end = paymentLives(shop, ordinal, life.startedAt + 40 * MINUTE).find(({ startedAt }) => startedAt === life.startedAt)?.endedAt;
  const share = Math.min(1, (at - life.startedAt) / Math.max(1, (end ?? at + MINUTE) - life.startedAt));
  const limit = Number.parseInt(PAYMENT.bad.memoryLimit, 10);
  return { cpu: 0.04 + 0.13 * share, memory: Math.round((104 + (limit - 106) * share) * MEBI) };
};

/** The use of a container at a time; undefined while it does not run. `ordinal` is given for the pods of payment r8 alone. */
export const containerUsage = (
  shop: Shop,
  pod: Pick<ShopPod, 'uid' | 'workload'>,
  container: string,
  at: number,
  ordinal?: number,
): Usage | undefined => {
  if (container === 'payment' && ordinal !== undefined) return brokenPayment(shop, ordinal, at);
  const [cpu, memory] = TYPICAL[container] ?? [5, 24];
  const key = `${shop.seed}/${pod.uid}/${container}`;
  return {
    cpu: Math.round(cpu * wave(`${key}/cpu`, at) * 1e6) / 1e9,
    memory: Math.round(memory * (0.97 + 0.06 * (wave(`${key}/memory`, at) - 0.85)) * MEBI),
  };
};
