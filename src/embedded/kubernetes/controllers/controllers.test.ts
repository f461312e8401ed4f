import { describe, expect, it } from 'vitest';
import { at, isTrueAt, numberAt, objectsAt, textAt } from '../json.ts';
import { ACCEPT, type Answer, type Bed, namesOf, openBed, rowsOf, statusOf, TYPE } from '../testing.ts';

const SHOP = '/apis/apps/v1/namespaces/shop';
const SECOND = 1000;

const podsOf = async ({ ask }: Bed, name: string, namespace = 'shop'): Promise<string[][]> =>
  rowsOf(await ask(`/api/v1/namespaces/${namespace}/pods?labelSelector=app.kubernetes.io%2Fname%3D${name}`, { accept: ACCEPT.table }), 4);

const patch = (
  { ask }: Bed,
  path: string,
  body: NonNullable<Parameters<typeof ask>[1]>['body'],
  type: string = TYPE.merge,
): Promise<Answer> => ask(path, { method: 'PATCH', type, ...(body === undefined ? {} : { body }) });

/** Lets time pass in steps, as controllers look at every request. */
const live = async (bed: Bed, seconds: number, step = 3): Promise<void> => {
  for (let passed = 0; passed < seconds; passed += step) {
    bed.pass(step * SECOND);
    await bed.ask('/version');
  }
};

const messagesOf = async ({ ask }: Bed, kind: string, name: string): Promise<string[]> => {
  const { body } = await ask(`/api/v1/namespaces/shop/events?fieldSelector=involvedObject.kind%3D${kind}%2CinvolvedObject.name%3D${name}`);
  return objectsAt(body, 'items').map((event) => textAt(event, 'message'));
};

/** What `helm rollback` and `kubectl rollout undo` come to: the template of the older ReplicaSet, and the older settings. */
const rollBackPayment = async (bed: Bed): Promise<void> => {
  await patch(bed, '/api/v1/namespaces/shop/configmaps/payment-config', { data: { DB_POOL_SIZE: '20' } });
  const { body: sets } = await bed.ask(`${SHOP}/replicasets?labelSelector=app.kubernetes.io%2Fname%3Dpayment`);
  const good = objectsAt(sets, 'items').find((set) => at(set, 'metadata', 'annotations', 'deployment.kubernetes.io/revision') === '7');
  const template = at(good, 'spec', 'template');
  const labels = { ...Object(at(template, 'metadata', 'labels')) };
  delete labels['pod-template-hash'];
  const replaced = await patch(
    bed,
    `${SHOP}/deployments/payment`,
    [{ op: 'replace', path: '/spec/template', value: { ...Object(template), metadata: { ...Object(at(template, 'metadata')), labels } } }],
    TYPE.json,
  );
  expect(replaced.status).toBe(200);
};

describe('at T0', () => {
  it('nothing moves: what the story tells is what stands', async () => {
    const bed = openBed();
    const revision = bed.kubernetes.store.revision;
    await bed.ask('/api/v1/pods');
    expect(bed.kubernetes.store.revision).toBe(revision);
  });
});

describe('a Deployment', () => {
  it('gets the pods it asks for, on nodes and running', async () => {
    const bed = openBed();
    await patch(bed, `${SHOP}/deployments/cart/scale`, { spec: { replicas: 4 } });
    expect((await podsOf(bed, 'cart')).map((row) => row[2]).toSorted()).toEqual([
      'ContainerCreating',
      'ContainerCreating',
      'Running',
      'Running',
    ]);
    await live(bed, 30);
    expect((await podsOf(bed, 'cart')).map((row) => row.slice(1, 3))).toEqual(Array.from({ length: 4 }, () => ['1/1', 'Running']));
    const { body } = await bed.ask(`${SHOP}/deployments/cart`);
    expect([numberAt(body, 'status', 'readyReplicas'), numberAt(body, 'status', 'observedGeneration')]).toEqual([
      4,
      numberAt(body, 'metadata', 'generation'),
    ]);
    expect(
      (await messagesOf(bed, 'Deployment', 'cart')).some((message) => /^Scaled up replica set cart-\w+ from 2 to 4$/.test(message)),
    ).toBe(true);
    const { body: slices } = await bed.ask(
      '/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dcart',
    );
    expect(objectsAt(objectsAt(slices, 'items')[0], 'endpoints')).toHaveLength(4);
  });

  it('rolls its pods when it is restarted, never below what it may miss', async () => {
    const bed = openBed();
    const before = (await podsOf(bed, 'cart')).map(([name]) => name);
    await patch(bed, `${SHOP}/deployments/cart`, {
      spec: { template: { metadata: { annotations: { 'kubectl.kubernetes.io/restartedAt': '2026-11-22T12:00:00Z' } } } },
    });
    const lowest: number[] = [];
    for (let step = 0; step < 20; step += 1) {
      await live(bed, 3);
      const { body } = await bed.ask(`${SHOP}/deployments/cart`);
      lowest.push(numberAt(body, 'status', 'availableReplicas'));
    }
    const after = await podsOf(bed, 'cart');
    expect(after.map((row) => row.slice(1, 3))).toEqual([
      ['1/1', 'Running'],
      ['1/1', 'Running'],
    ]);
    expect(after.some(([name]) => before.includes(name))).toBe(false);
    expect(Math.min(...lowest)).toBeGreaterThanOrEqual(2);
  });

  it('replaces a pod that was deleted', async () => {
    const bed = openBed();
    const [gone = ''] = (await podsOf(bed, 'cart'))[0] ?? [];
    await bed.ask(`/api/v1/namespaces/shop/pods/${gone}`, { method: 'DELETE' });
    expect((await podsOf(bed, 'cart')).map((row) => row[2])).toContain('Terminating');
    await live(bed, 40);
    const after = await podsOf(bed, 'cart');
    expect([after.length, after.some(([name]) => name === gone)]).toEqual([2, false]);
  });

  it('waits for nodes that can hold its pods', async () => {
    const bed = openBed();
    const resources = { requests: { memory: '100Gi' } };
    const template = { metadata: { labels: { app: 'big' } }, spec: { containers: [{ name: 'main', image: 'big:1', resources }] } };
    await bed.ask('/apis/apps/v1/namespaces/data/deployments', {
      method: 'POST',
      body: { metadata: { name: 'big' }, spec: { selector: { matchLabels: { app: 'big' } }, template } },
    });
    await live(bed, 6);
    const { body } = await bed.ask('/api/v1/namespaces/data/events?fieldSelector=reason%3DFailedScheduling');
    expect(objectsAt(body, 'items').map((event) => textAt(event, 'message'))).toEqual([
      '0/4 nodes are available: 4 Insufficient memory. preemption: 0/4 nodes are available: 4 No preemption victims found for incoming pod.',
    ]);
  });
});

describe('a quota', () => {
  it('refuses pods that no longer fit, to clients and to controllers', async () => {
    const bed = openBed();
    await patch(bed, '/api/v1/namespaces/shop/resourcequotas/shop', { spec: { hard: { pods: '20' } } });
    await patch(bed, `${SHOP}/deployments/cart/scale`, { spec: { replicas: 6 } });
    await live(bed, 60);
    expect(await podsOf(bed, 'cart')).toHaveLength(3);
    const spec = { containers: [{ name: 'main', image: 'tiny:1' }] };
    const refused = await bed.ask('/api/v1/namespaces/shop/pods', { method: 'POST', body: { metadata: { name: 'one' }, spec } });
    expect(statusOf(refused)).toEqual({
      code: 403,
      reason: 'Forbidden',
      message: 'pods "one" is forbidden: exceeded quota: shop, requested: pods=1, used: pods=20, limited: pods=20',
    });
    const { body } = await bed.ask(`${SHOP}/replicasets?labelSelector=app.kubernetes.io%2Fname%3Dcart`);
    const set = objectsAt(body, 'items').find((candidate) => numberAt(candidate, 'spec', 'replicas') === 6);
    expect(objectsAt(set, 'status', 'conditions')[0]).toMatchObject({ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate' });
    const { body: quota } = await bed.ask('/api/v1/namespaces/shop/resourcequotas/shop');
    expect(at(quota, 'status', 'used', 'pods')).toBe('20');
  });
});

describe('payment', () => {
  it('goes on to crash as long as its settings are bad', async () => {
    const bed = openBed();
    const restarts = async (): Promise<number> =>
      (await podsOf(bed, 'payment')).reduce((sum, row) => sum + Number.parseInt(row[3] ?? '', 10), 0);
    expect(await restarts()).toBe(12);
    await live(bed, 20 * 60, 15);
    expect(await restarts()).toBeGreaterThan(13);
    expect(bed.kubernetes.shop.healedAt).toBeUndefined();
  });

  it('is not healed by a restart alone', async () => {
    const bed = openBed();
    await patch(bed, `${SHOP}/deployments/payment`, { spec: { template: { metadata: { annotations: { restartedAt: 'now' } } } } });
    await live(bed, 15 * 60, 15);
    expect(bed.kubernetes.shop.healedAt).toBeUndefined();
    expect((await podsOf(bed, 'payment')).some((row) => Number.parseInt(row[3] ?? '', 10) > 0)).toBe(true);
  });

  it('is healed by the rollback to revision 7, for all backends of the shop', async () => {
    const bed = openBed();
    await rollBackPayment(bed);
    await live(bed, 60);
    expect((await podsOf(bed, 'payment')).map((row) => row.slice(1))).toEqual(Array.from({ length: 3 }, () => ['2/2', 'Running', '0']));
    const { body } = await bed.ask(`${SHOP}/deployments/payment`);
    expect(at(body, 'metadata', 'annotations', 'deployment.kubernetes.io/revision')).toBe('9');
    const { body: sets } = await bed.ask(`${SHOP}/replicasets?labelSelector=app.kubernetes.io%2Fname%3Dpayment`);
    const current = objectsAt(sets, 'items').find((set) => numberAt(set, 'spec', 'replicas') === 3);
    expect(at(current, 'metadata', 'annotations', 'deployment.kubernetes.io/revision-history')).toBe('7');
    const { shop } = bed.kubernetes;
    expect(shop.healedAt).toBeGreaterThan(shop.startedAt);
    expect(shop.isBroken(shop.clock())).toBe(false);
    await live(bed, 20 * 60, 30);
    expect((await podsOf(bed, 'payment')).map((row) => row[3])).toEqual(['0', '0', '0']);
  });

  it('breaks anew with the bad settings', async () => {
    const bed = openBed();
    await rollBackPayment(bed);
    await live(bed, 60);
    await patch(bed, '/api/v1/namespaces/shop/configmaps/payment-config', { data: { DB_POOL_SIZE: '2' } });
    await patch(bed, `${SHOP}/deployments/payment`, { spec: { template: { metadata: { annotations: { restartedAt: 'now' } } } } });
    await live(bed, 60);
    expect(bed.kubernetes.shop.healedAt).toBeUndefined();
  });
});

describe('other controllers', () => {
  it('a StatefulSet rolls from its last pod to its first, one at a time', async () => {
    const bed = openBed();
    const ages = async (): Promise<string[]> =>
      objectsAt((await bed.ask('/api/v1/namespaces/data/pods?labelSelector=app.kubernetes.io%2Fname%3Dkafka')).body, 'items').map((pod) =>
        textAt(pod, 'metadata', 'creationTimestamp'),
      );
    await patch(bed, '/apis/apps/v1/namespaces/data/statefulsets/kafka', { spec: { template: { metadata: { annotations: { r: '1' } } } } });
    await live(bed, 90);
    const [first = '', second = '', third = ''] = await ages();
    expect(first > second && second > third && third >= '2026-11-22T12:00:00Z').toBe(true);
  });

  it('a Job runs to its end', async () => {
    const bed = openBed();
    const spec = { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'tiny:1' }] } } };
    await bed.ask('/apis/batch/v1/namespaces/shop/jobs', { method: 'POST', body: { metadata: { name: 'once' }, spec } });
    await live(bed, 90);
    const { body } = await bed.ask('/apis/batch/v1/namespaces/shop/jobs/once');
    expect(at(body, 'status')).toMatchObject({ succeeded: 1, completionTime: expect.any(String) });
  });

  it('a cordoned node gets no new pods', async () => {
    const bed = openBed();
    for (const name of ['node-1', 'node-2', 'node-3']) await patch(bed, `/api/v1/nodes/${name}`, { spec: { unschedulable: true } });
    await patch(bed, `${SHOP}/deployments/cart/scale`, { spec: { replicas: 3 } });
    await live(bed, 10);
    const { body } = await bed.ask('/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io%2Fname%3Dcart');
    const made = objectsAt(body, 'items').find((pod) => textAt(pod, 'metadata', 'creationTimestamp') === '2026-11-22T12:00:00Z');
    expect(textAt(made, 'spec', 'nodeName')).toBe('node-4');
    const { body: node } = await bed.ask('/api/v1/nodes/node-1');
    expect([isTrueAt(node, 'spec', 'unschedulable'), objectsAt(node, 'spec', 'taints').length]).toEqual([true, 1]);
  });

  it('what an owner leaves behind is collected, unless it is orphaned', async () => {
    const bed = openBed();
    await bed.ask(`${SHOP}/deployments/cart`, { method: 'DELETE' });
    await live(bed, 60);
    expect(await podsOf(bed, 'cart')).toEqual([]);
    await bed.ask(`${SHOP}/deployments/email`, { method: 'DELETE', body: { propagationPolicy: 'Orphan' } });
    await live(bed, 60);
    expect(await podsOf(bed, 'email')).toHaveLength(1);
  });

  it('an autoscaler brings its Deployment back into its bounds', async () => {
    const bed = openBed();
    await patch(bed, `${SHOP}/deployments/web/scale`, { spec: { replicas: 1 } });
    await live(bed, 60);
    const { body } = await bed.ask('/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/web');
    expect([numberAt(body, 'status', 'currentReplicas'), numberAt(body, 'status', 'desiredReplicas')]).toEqual([5, 5]);
    expect(await messagesOf(bed, 'HorizontalPodAutoscaler', 'web')).toEqual(
      expect.arrayContaining([
        'New size: 3; reason: Current number of replicas below Spec.MinReplicas',
        'New size: 5; reason: cpu resource utilization (percentage of request) above target',
      ]),
    );
  });

  it('a namespace takes all that is in it along', async () => {
    const bed = openBed();
    await bed.ask('/api/v1/namespaces', { method: 'POST', body: { metadata: { name: 'short' } } });
    await bed.ask('/api/v1/namespaces/short/configmaps', { method: 'POST', body: { metadata: { name: 'x' } } });
    await bed.ask('/api/v1/namespaces/short', { method: 'DELETE' });
    await live(bed, 30);
    expect((await bed.ask('/api/v1/namespaces/short')).status).toBe(404);
    expect(namesOf(await bed.ask('/api/v1/namespaces/short/configmaps'))).toEqual([]);
  });

  it('leave objects that were given instead of the shop alone', async () => {
    const bed = openBed({ objects: [{ kind: 'Namespace', apiVersion: 'v1', metadata: { name: 'own' }, status: { phase: 'Active' } }] });
    await live(bed, 10);
    expect(namesOf(await bed.ask('/api/v1/namespaces'))).toEqual(['own']);
  });
});
