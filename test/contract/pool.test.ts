// How the server asks a backend: over few connections, at a bounded rate, within a time, and for many objects at once.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createEmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';
import { createTokenBucket } from '../../src/upstream/token-bucket.ts';
import { openApp, openShop } from '../support/shop.ts';

const pods = { kind: 'pods', namespace: 'shop' };

describe('requests to a backend', () => {
  it('share connections (SEED-POOL-01)', async () => {
    const embedded = createEmbeddedKubernetes();
    const { url } = await embedded.listen();
    let connections = 0;
    const proxy = createServer((near) => {
      connections += 1;
      const far = connect(Number(new URL(url).port), '127.0.0.1');
      near.on('error', () => far.destroy()).pipe(far);
      far.on('error', () => near.destroy()).pipe(near);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const address = proxy.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const folder = await mkdtemp(join(tmpdir(), 'pool-'));
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, embedded.kubeconfig('admin').replaceAll(url, `http://127.0.0.1:${port}`));
    const server = await openApp({ 'kubernetes.kubeconfig': kubeconfig, 'kubernetes.maxConnections': 4 });
    const asked = embedded.requests.length;
    for (let n = 0; n < 10; n++) await server.call('kubernetes_list_resources', pods);
    await Promise.all(Array.from({ length: 40 }, () => server.call('kubernetes_list_resources', pods)));
    expect(embedded.requests.length - asked).toBeGreaterThanOrEqual(50);
    expect(connections).toBeLessThanOrEqual(4);
    await server.close();
    await embedded.close();
    proxy.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('come as fast as the burst lets them, then at the rate (SEED-POOL-01)', async () => {
    let time = 0;
    const bucket = createTokenBucket({ qps: 100, burst: 200, now: () => time });
    const signal = new AbortController().signal;
    for (let n = 0; n < 200; n++) await bucket.take(signal);
    const leaving = new AbortController();
    const waiting = bucket.take(leaving.signal).catch(() => 'left');
    expect(bucket.waiting).toBe(1);
    leaving.abort(new Error('left'));
    expect(await waiting).toBe('left');
    time += 1000;
    // A second later a hundred may go at once, and no more.
    for (let n = 0; n < 100; n++) await bucket.take(signal);
    const last = new AbortController();
    void bucket.take(last.signal).catch(() => {});
    expect(bucket.waiting).toBe(1);
    last.abort();
  });

  it('take their rate, burst and time from the configuration (SEED-POOL-01)', async () => {
    const slow = await openShop({
      flags: { 'kubernetes.qps': 0.001, 'kubernetes.burst': 1, 'kubernetes.timeoutSec': 1, 'kubernetes.retries': 0 },
    });
    const ends = await Promise.allSettled(
      [1, 2, 3].map(() => slow.call('kubernetes_get_resource', { kind: 'pod', name: 'x', namespace: 'shop' })),
    );
    expect(
      ends.filter(
        ({ status, ...rest }) => status === 'rejected' && (rest as { reason: { code: string } }).reason.code === 'DEADLINE_EXCEEDED',
      ).length,
    ).toBeGreaterThanOrEqual(2);
    await slow.close();
  });
});

describe('a list of many objects', () => {
  it('costs one request for each page, not one for each object (SEED-BATCH-01)', async () => {
    const shop = await openShop({ pods: 500 });
    await shop.call('kubernetes_list_resources', { kind: 'pods', namespace: 'bench', limit: 5 });
    const before = shop.embedded.requests.length;
    const { structured } = await shop.call('kubernetes_list_resources', {
      kind: 'pods',
      namespace: 'bench',
      limit: 500,
      maxTokens: 20_000,
    });
    expect((structured['page'] as { total: number }).total).toBe(500);
    expect(shop.embedded.requests.length - before).toBe(1);
    await shop.close();
  });
});
