import { X509Certificate } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { HOUR, MINUTE, RELEASES, Shop } from '../../shop.ts';
import { at, type Json, objectsAt, parseJson, textAt } from '../json.ts';
import { ACCEPT, namesOf, openBed, rowsOf, T0 } from '../testing.ts';
import { shopObjects } from './index.ts';

const bed = openBed();
const { ask } = bed;

const table = async (path: string, columns?: number): Promise<string[][]> => rowsOf(await ask(path, { accept: ACCEPT.table }), columns);

const readRelease = (secret: Json): Json => {
  const stored = Buffer.from(textAt(secret, 'data', 'release'), 'base64').toString();
  return parseJson(gunzipSync(Buffer.from(stored, 'base64')).toString());
};

describe('the shop', () => {
  it('is the same place for the same seed and time, another one for another seed', () => {
    const objects = (seed: number): string => JSON.stringify(shopObjects(() => T0, new Shop({ clock: () => T0, seed })));
    expect(new Set([objects(1), objects(1), objects(2)]).size).toBe(2);
  });

  it('has about sixty pods, of which one waits and one crashes', async () => {
    const rows = (await table('/api/v1/pods', 4)).filter((row) => row[2] !== 'Completed');
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.length).toBeLessThan(70);
    expect(
      rows
        .filter((row) => row[2] !== 'Running')
        .map((row) => row[2])
        .toSorted(),
    ).toEqual(['CrashLoopBackOff', 'Pending']);
  });

  it('has every object complete: who made it, when, and that it is no other', () => {
    const objects = shopObjects(() => T0, new Shop({ clock: () => T0 }));
    const incomplete = objects.filter(
      ({ metadata }) => metadata.uid === undefined || metadata.creationTimestamp === undefined || metadata.name === '',
    );
    expect(incomplete.map((object) => `${object.kind} ${object.metadata.name}`)).toEqual([]);
    expect(new Set(objects.map(({ metadata }) => metadata.uid)).size).toBe(objects.length);
  });

  it('tells why payment ended: out of memory', async () => {
    const { body } = await ask('/api/v1/namespaces/shop/pods?labelSelector=app.kubernetes.io%2Fname%3Dpayment');
    const statuses = objectsAt(body, 'items').map((pod) =>
      objectsAt(pod, 'status', 'containerStatuses').find((status) => status['name'] === 'payment'),
    );
    expect(statuses.map((status) => at(status, 'lastState', 'terminated', 'reason'))).toEqual(['OOMKilled', 'OOMKilled', 'OOMKilled']);
    expect(statuses.map((status) => at(status, 'lastState', 'terminated', 'exitCode'))).toEqual([137, 137, 137]);
    expect(statuses.map((status) => status?.['restartCount']).toSorted()).toEqual([2, 3, 7]);
  });

  it('keeps revisions 7 and 8 of payment, apart in image, memory and settings', async () => {
    const { body } = await ask('/apis/apps/v1/namespaces/shop/replicasets?labelSelector=app.kubernetes.io%2Fname%3Dpayment');
    const revisions = new Map(
      objectsAt(body, 'items').map((set) => [
        at(set, 'metadata', 'annotations', 'deployment.kubernetes.io/revision'),
        objectsAt(set, 'spec', 'template', 'spec', 'containers')[0],
      ]),
    );
    const facts = (revision: string): unknown[] => [
      /:(.+)$/.exec(textAt(revisions.get(revision), 'image'))?.[1],
      at(revisions.get(revision), 'resources', 'limits', 'memory'),
    ];
    expect([facts('7'), facts('8')]).toEqual([
      ['2.4.1', '512Mi'],
      ['2.5.0', '256Mi'],
    ]);
    const settings = await ask('/api/v1/namespaces/shop/configmaps/payment-config');
    expect(at(settings.body, 'data', 'DB_POOL_SIZE')).toBe('2');
  });

  it('keeps its Helm releases as Helm does', async () => {
    const { body } = await ask('/api/v1/secrets?fieldSelector=type%3Dhelm.sh%2Frelease.v1&labelSelector=status%3Ddeployed');
    const releases = objectsAt(body, 'items').map(readRelease);
    const found = releases.map((release) => `${textAt(release, 'namespace')}/${textAt(release, 'name')} ${at(release, 'version')}`);
    expect(found.toSorted()).toEqual(RELEASES.map(({ namespace, name, revision }) => `${namespace}/${name} ${revision}`).toSorted());
    const payment = await Promise.all(
      [7, 8].map((revision) => ask(`/api/v1/namespaces/shop/secrets/sh.helm.release.v1.payment.v${revision}`)),
    );
    const [before, now] = payment.map((answer) => readRelease(answer.body));
    expect([textAt(before, 'info', 'status'), textAt(now, 'info', 'status')]).toEqual(['superseded', 'deployed']);
    expect(textAt(before, 'manifest')).toContain('DB_POOL_SIZE: "20"');
    expect(textAt(now, 'manifest')).toContain('DB_POOL_SIZE: "2"');
    expect(Date.parse(textAt(now, 'info', 'last_deployed'))).toBe(T0 - 42 * MINUTE);
  });

  it('has a certificate that ends in six days', async () => {
    const { body } = await ask('/api/v1/namespaces/shop/secrets/shop-tls');
    const certificate = new X509Certificate(Buffer.from(textAt(body, 'data', 'tls.crt'), 'base64'));
    expect(certificate.validToDate.getTime()).toBe(T0 + 6 * 24 * HOUR);
    const { body: ingress } = await ask('/apis/networking.k8s.io/v1/namespaces/shop/ingresses/shop');
    const [host = ''] = objectsAt(ingress, 'spec', 'rules').map((rule) => textAt(rule, 'host'));
    expect(certificate.checkHost(host)).toBe(host);
  });

  it('hides canaries in its Secrets', async () => {
    const { body } = await ask('/api/v1/namespaces/shop/secrets');
    const values = objectsAt(body, 'items').flatMap((secret) =>
      Object.values(Object(at(secret, 'data'))).map((value) => Buffer.from(String(value), 'base64').toString()),
    );
    expect(values.filter((value) => value.includes('canary-')).length).toBeGreaterThan(3);
  });

  it('warns of what went wrong, in the words of scheduler and kubelet', async () => {
    const { body } = await ask('/api/v1/namespaces/shop/events?fieldSelector=type%3DWarning');
    const reasons = new Set(objectsAt(body, 'items').map((event) => textAt(event, 'reason')));
    expect([...reasons].toSorted()).toEqual(expect.arrayContaining(['BackOff', 'FailedScheduling', 'Unhealthy']));
    const waiting = objectsAt(body, 'items').find((event) => event['reason'] === 'FailedScheduling');
    expect(textAt(waiting, 'message')).toMatchInlineSnapshot(
      `"0/4 nodes are available: 4 node(s) didn't match Pod's node affinity/selector. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."`,
    );
  });

  it('shows the red herrings: disk pressure of node-3 long cleared, web scaled as every evening', async () => {
    const { body } = await ask('/api/v1/nodes/node-3');
    const pressure = objectsAt(body, 'status', 'conditions').find((condition) => condition['type'] === 'DiskPressure');
    expect(pressure).toMatchObject({ status: 'False', lastTransitionTime: '2026-11-21T10:09:00Z' });
    expect(await table('/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers', 6)).toEqual([
      ['web', 'Deployment/web', expect.stringMatching(/^cpu: \d+%\/\d+%$/), '3', '6', '5'],
    ]);
  });

  it('lists its workloads as kubectl prints them', async () => {
    expect(await table('/apis/apps/v1/namespaces/shop/deployments', 4)).toEqual([
      ['cart', '2/2', '2', '2'],
      ['catalog', '2/2', '2', '2'],
      ['checkout', '3/3', '3', '3'],
      ['email', '1/1', '1', '1'],
      ['payment', '2/3', '3', '2'],
      ['recommendation', '2/2', '1', '2'],
      ['web', '5/5', '5', '5'],
    ]);
    expect(await table('/apis/apps/v1/namespaces/data/statefulsets', 2)).toEqual([
      ['kafka', '3/3'],
      ['postgres', '1/1'],
      ['redis', '1/1'],
    ]);
  });
});

describe('pods for load tests', () => {
  it('are as many as wished, with two containers each', async () => {
    const many = openBed({ pods: 1200, controllers: false });
    const rows = rowsOf(await many.ask('/api/v1/namespaces/bench/pods?includeObject=None', { accept: ACCEPT.table }), 3);
    expect([rows.length, rows.every((row) => row[1] === '2/2' || row[2] === 'CrashLoopBackOff')]).toEqual([1200, true]);
    const first = await many.ask('/api/v1/namespaces/bench/pods?limit=1');
    expect(first.text.length).toBeGreaterThan(6000);
    expect(namesOf(first)).toHaveLength(1);
  });
});
