// What the programs in the pods answer over HTTP when somebody reaches them through the API server.
import { hashOf, PAYMENT } from '../shop.ts';
import type { ServerParts } from './context.ts';
import { objectAt, objectsAt, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import { poolSizeOfRun } from './payment-settings.ts';
import { roleOf, runOf, versionOf } from './pod-source.ts';
import { podUse } from './usage.ts';

/** What the programs know of the place they run in. */
export type Place = Pick<ServerParts, 'shop' | 'store'>;

export interface ProgramRequest {
  readonly pod: KubernetesObject;
  readonly port: number;
  readonly path: string;
  readonly method: string;
}

const plain = (text: string, status = 200, type = 'text/plain; charset=utf-8'): Response =>
  new Response(text, { status, headers: { 'content-type': type } });

/** The container that listens on a port; undefined when none does, or when it does not run. */
export const listenerOn = (pod: KubernetesObject, port: number): string | undefined => {
  const containers = [...objectsAt(pod, 'spec', 'containers'), ...objectsAt(pod, 'spec', 'initContainers')];
  const found = containers.find((container) => objectsAt(container, 'ports').some((candidate) => candidate['containerPort'] === port));
  const name = textAt(found, 'name');
  const run = name === '' ? undefined : runOf(pod, name, false);
  return run === undefined || run.endedAt !== undefined ? undefined : name;
};

const sample = (name: string, labels: Readonly<Record<string, string>>, value: number): string => {
  const pairs = Object.entries(labels).map(([key, text]) => `${key}="${text}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
};

const family = (name: string, type: string, help: string, ...samples: readonly string[]): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.join('\n')}\n`;

/** A few families that every program of the shop exposes, and payment's pool. */
const metricsText = ({ shop, store }: Place, { pod }: ProgramRequest, container: string, now: number): string => {
  const { workload } = roleOf(shop, pod);
  const run = runOf(pod, container, false) ?? { startedAt: now, index: 0 };
  const { startedAt } = run;
  const seconds = Math.max(1, Math.floor((now - startedAt) / 1000));
  const use = podUse(shop, store, pod, now).find(({ name }) => name === container);
  const rate = 1 + (hashOf(workload) % 7);
  const pool = workload === 'payment' ? poolSizeOfRun(shop, store, pod, run) : PAYMENT.good.poolSize;
  const isBroken = pool < PAYMENT.good.poolSize && shop.isBroken(now);
  const failed = isBroken ? Math.floor(seconds / 6) : 0;
  const labels = { service: workload, method: workload === 'payment' ? 'POST' : 'GET' };
  const families = [
    family(
      'build_info',
      'gauge',
      'Version of the program.',
      sample('build_info', { service: workload, version: versionOf(pod, container) }, 1),
    ),
    family(
      'http_requests_total',
      'counter',
      'Requests served.',
      sample('http_requests_total', { ...labels, code: '200' }, seconds * rate - failed),
      ...(failed === 0 ? [] : [sample('http_requests_total', { ...labels, code: '500' }, failed)]),
    ),
    family(
      'process_resident_memory_bytes',
      'gauge',
      'Resident memory size in bytes.',
      sample('process_resident_memory_bytes', {}, use?.memory ?? 0),
    ),
    family(
      'process_start_time_seconds',
      'gauge',
      'Start time of the process since unix epoch in seconds.',
      sample('process_start_time_seconds', {}, Math.floor(startedAt / 1000)),
    ),
    ...(workload === 'payment'
      ? [
          family('db_pool_size', 'gauge', 'Connections that the pool may open.', sample('db_pool_size', {}, pool)),
          family(
            'db_pool_waiting',
            'gauge',
            'Requests that wait for a connection.',
            sample('db_pool_waiting', {}, isBroken ? 140 + (hashOf(String(Math.floor(now / 15_000))) % 60) : 0),
          ),
        ]
      : []),
  ];
  return families.join('');
};

const HEALTH = /^\/(healthz|livez|readyz|health|-\/healthy|-\/ready|ready|ping)?$/;

/** The answer of the program that listens on the port; undefined when nothing does. */
export const askProgram = (place: Place, request: ProgramRequest, now: number): Response | undefined => {
  const container = listenerOn(request.pod, request.port);
  if (container === undefined) return undefined;
  const [path = ''] = request.path.split('?');
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain('405 method not allowed\n', 405);
  if (path === '/metrics') return plain(metricsText(place, request, container, now), 200, 'text/plain; version=0.0.4; charset=utf-8');
  if (path === '/version') return Response.json({ service: container, version: versionOf(request.pod, container) });
  if (!HEALTH.test(path)) return plain('404 page not found\n', 404);
  const ready = objectsAt(request.pod, 'status', 'containerStatuses').find((status) => status['name'] === container);
  return objectAt(ready)['ready'] === false ? plain('not ready\n', 503) : plain('ok\n');
};
