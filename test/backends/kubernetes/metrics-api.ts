/** For tests: the cluster as one without metrics-server. */
import { setTimeout as delay } from 'node:timers/promises';
import { at, type KubernetesApi } from './api.ts';

const SERVICE = '/apis/apiregistration.k8s.io/v1/apiservices';
const NAME = 'v1beta1.metrics.k8s.io';
const NODES = '/apis/metrics.k8s.io/v1beta1/nodes';

/** Takes the metrics API away, if it is there; the returned function puts it back. Both return when the API server has followed. */
export async function withoutMetricsApi(api: KubernetesApi): Promise<() => Promise<void>> {
  const found = await api.request(`${SERVICE}/${NAME}`);
  if (found.status !== 200) return async () => {};
  const service = JSON.parse(found.text);
  await api.json(`${SERVICE}/${NAME}`, { method: 'DELETE' });
  await until(api, 404);
  return async () => {
    const body = { apiVersion: service.apiVersion, kind: service.kind, metadata: { name: NAME }, spec: at(service, 'spec') ?? null };
    await api.json(SERVICE, { method: 'POST', body });
    await until(api, 200);
  };
}

/** Handlers of aggregated APIs come and go without any event. */
async function until(api: KubernetesApi, status: number): Promise<void> {
  const end = performance.now() + 30_000;
  while ((await api.request(NODES)).status !== status) {
    if (performance.now() > end) throw new Error(`${NODES} does not answer ${status}`);
    await delay(100);
  }
}
