import { describe, expect, it } from 'vitest';
import { numberAt, objectsAt, textAt } from './json.ts';
import { parseQuantity } from './quantity.ts';
import { namesOf, openBed, statusOf, T0 } from './testing.ts';

const bed = openBed();
const { ask } = bed;
const METRICS = '/apis/metrics.k8s.io/v1beta1';

describe('metrics', () => {
  it('tell what nodes use, less than they have', async () => {
    const { body } = await ask(`${METRICS}/nodes`);
    expect(textAt(body, 'kind')).toBe('NodeMetricsList');
    const nodes = objectsAt(body, 'items');
    expect(nodes.map((node) => textAt(node, 'metadata', 'name'))).toEqual(['node-1', 'node-2', 'node-3', 'node-4']);
    for (const node of nodes) {
      const name = textAt(node, 'metadata', 'name');
      const { body: known } = await ask(`/api/v1/nodes/${name}`);
      const used = parseQuantity(textAt(node, 'usage', 'memory'));
      expect(used).toBeGreaterThan(0);
      expect(used).toBeLessThan(parseQuantity(textAt(known, 'status', 'capacity', 'memory')));
    }
  });

  it('tell what each running container uses, and nothing of pods that do not run', async () => {
    const all = await ask(`${METRICS}/namespaces/shop/pods`);
    const running = namesOf(await ask('/api/v1/namespaces/shop/pods?fieldSelector=status.phase%3DRunning'));
    expect(namesOf(all).toSorted()).toEqual(running.toSorted());
    const payment = objectsAt(all.body, 'items').filter((item) => textAt(item, 'metadata', 'name').startsWith('payment-'));
    expect(payment.map((item) => objectsAt(item, 'containers').map((container) => container['name']))).toEqual(
      expect.arrayContaining([['envoy'], ['payment', 'envoy']]),
    );
  });

  it('select by label', async () => {
    expect(namesOf(await ask(`${METRICS}/pods?labelSelector=app.kubernetes.io%2Fname%3Dkafka`))).toEqual(['kafka-0', 'kafka-1', 'kafka-2']);
  });

  it('know no pod that is not there, and are not for nobody', async () => {
    expect(statusOf(await ask(`${METRICS}/namespaces/shop/pods/nope`))).toMatchObject({
      code: 404,
      message: 'podmetrics.metrics.k8s.io "shop/nope" not found',
    });
    expect((await ask(`${METRICS}/nodes`, { user: 'nobody' })).status).toBe(403);
  });
});

describe('the kubelet, through the API server', () => {
  it('sums up its node and its pods', async () => {
    const { body } = await ask('/api/v1/nodes/node-2/proxy/stats/summary');
    expect(textAt(body, 'node', 'nodeName')).toBe('node-2');
    expect(numberAt(body, 'node', 'fs', 'usedBytes')).toBeGreaterThan(0);
    const here = namesOf(await ask('/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-2%2Cstatus.phase%3DRunning'));
    expect(
      objectsAt(body, 'pods')
        .map((pod) => textAt(pod, 'podRef', 'name'))
        .toSorted(),
    ).toEqual(here.toSorted());
  });

  it('gives its journal, told lines of the incident included', async () => {
    const { text, headers } = await ask('/api/v1/nodes/node-1/proxy/logs/?query=kubelet&tailLines=20');
    expect(headers.get('content-type')).toContain('text/plain');
    expect(text.trimEnd().split('\n')).toHaveLength(20);
  });

  it('is not reached without the right to', async () => {
    expect(statusOf(await ask('/api/v1/nodes/node-1/proxy/stats/summary', { user: 'nobody' })).message).toBe(
      'nodes "node-1" is forbidden: User "nobody" cannot get resource "nodes/proxy" in API group "" at the cluster scope',
    );
    expect((await ask('/api/v1/nodes/node-9/proxy/stats/summary')).status).toBe(404);
  });
});

describe('the programs, through the API server', () => {
  const cart = async (): Promise<string> => {
    const pods = await ask('/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io%2Fname%3Dcart');
    return namesOf(pods)[0] ?? '';
  };

  it('answer at their Service and at their pod', async () => {
    expect(await ask('/api/v1/namespaces/shop/services/http:cart:http/proxy/healthz')).toMatchObject({ status: 200, text: 'ok\n' });
    const direct = await ask(`/api/v1/namespaces/shop/pods/http:${await cart()}:8080/proxy/metrics`);
    expect(direct.text).toContain('# TYPE http_requests_total counter\nhttp_requests_total{service="cart",method="GET",code="200"}');
  });

  it('of payment tell of their pool', async () => {
    const { text } = await ask('/api/v1/namespaces/shop/services/payment:http/proxy/metrics');
    expect(text).toContain('\ndb_pool_size 2\n');
    expect(text).toMatch(/\ndb_pool_waiting 1\d\d\n/);
  });

  it('are not there at a port where nobody listens', async () => {
    expect(statusOf(await ask(`/api/v1/namespaces/shop/pods/${await cart()}:9999/proxy/`))).toMatchObject({
      code: 503,
      reason: 'ServiceUnavailable',
    });
    expect(statusOf(await ask('/api/v1/namespaces/shop/services/nope/proxy/')).message).toBe('no endpoints available for service "nope"');
    expect((await ask('/api/v1/namespaces/shop/services/nope:80/proxy/')).status).toBe(404);
    expect(statusOf(await ask('/api/v1/namespaces/shop/services/cart:81/proxy/')).message).toBe(
      'no service port 81 found for service "cart"',
    );
    expect(statusOf(await ask('/api/v1/namespaces/shop/services/cart/proxy/')).message).toBe('no endpoints available for service "cart"');
  });

  it('move on with time', async () => {
    const uptime = async (): Promise<string> => (await ask('/api/v1/namespaces/shop/services/cart:http/proxy/metrics')).text;
    const before = await uptime();
    bed.pass(60_000);
    expect(await uptime()).not.toBe(before);
    expect(T0).toBeLessThan(bed.kubernetes.shop.clock());
  });
});
