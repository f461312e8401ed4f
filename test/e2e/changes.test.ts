// Changes as callers make them: whose token counts, what a killed server leaves behind, and what its records say.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { callTool, getRecords } from '../support/audit.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

let cluster: Cluster;
let folder: string;
let api: KubernetesApi;
beforeAll(async () => {
  cluster = await openCluster();
  folder = await mkdtemp(join(tmpdir(), 'changes-'));
  api = new KubernetesApi(cluster.kubeconfig);
});
afterAll(async () => {
  await api.close();
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
});

const [ALICE, BOB, ROOT] = ['alice-key-0123456789abcdef', 'bob-key-0123456789abcdef', 'root-key-0123456789abcdef'];

const start = async (env: Record<string, string> = {}): Promise<Running> =>
  startProgram(['--allow-writes', '--allow-destructive'], { KUBECONFIG: cluster.kubeconfig, MCP_CACHE_ENABLED: 'false', ...env });

const scale = { action: 'scale', kind: 'deployment', name: 'catalog', namespace: 'shop' };

describe('a plan token', () => {
  let server: Running;
  const as = (key: string, args: object, tool = 'kubernetes_manage_resource') => callTool(server.url, tool, args, { 'x-api-key': key });
  beforeAll(async () => {
    const file = join(folder, 'config.yaml');
    const keys = Object.entries({ alice: ALICE, bob: BOB }).map(
      ([name, value]) => `    - {name: ${name}, key: ${value}, scopes: [read, write]}`,
    );
    await writeFile(
      file,
      ['auth:', '  enabled: true', '  mode: apikey', '  apiKeys:', ...keys, `    - {name: root, key: ${ROOT}, scopes: [read, admin]}`].join(
        '\n',
      ),
    );
    server = await start({ MCP_CONFIG: file });
  });
  afterAll(() => server.stop());

  it('counts for its caller, its tool and its arguments alone', async () => {
    const { plan } = (await as(ALICE, { ...scale, replicas: 3 })).structuredContent;
    const refused = async (key: string, args: object, tool?: string) => (await as(key, args, tool)).structuredContent['error'];
    expect(await refused(BOB, { ...scale, replicas: 3, apply: plan })).toMatchObject({
      code: 'FAILED_PRECONDITION',
      details: { reason: 'PLAN_INVALID' },
    });
    expect(await refused(ALICE, { ...scale, replicas: 4, apply: plan })).toMatchObject({ details: { reason: 'PLAN_MISMATCH' } });
    const other = { kind: 'deployment', name: 'catalog', namespace: 'shop', patch: {}, apply: plan };
    expect(await refused(ALICE, other, 'kubernetes_patch_resource')).toMatchObject({ details: { reason: 'PLAN_INVALID' } });
    for (const forged of [`${String(plan).slice(0, -1)}${String(plan).endsWith('A') ? 'B' : 'A'}`, 'pl_', 'yes', `pl_${'A'.repeat(4000)}`])
      expect(await refused(ALICE, { ...scale, replicas: 3, apply: forged })).toMatchObject({ details: { reason: 'PLAN_INVALID' } });
    const done = (await as(ALICE, { ...scale, replicas: 3, apply: plan })).structuredContent;
    expect(done).toMatchObject({ phase: 'applied' });
    // Nor may another take back what one did.
    expect(await refused(BOB, { changeId: done['changeId'] }, 'platform_undo_change')).toMatchObject({ code: 'NOT_FOUND' });
    const back = (await as(ALICE, { changeId: done['changeId'] }, 'platform_undo_change')).structuredContent;
    expect((await as(ALICE, { changeId: done['changeId'], apply: back['plan'] }, 'platform_undo_change')).structuredContent).toMatchObject({
      phase: 'applied',
    });
  });

  it('leaves a record of the plan and of the change: who, what, from what to what', async () => {
    const { plan } = (await as(ALICE, { ...scale, replicas: 5 })).structuredContent;
    await as(ALICE, { ...scale, replicas: 5, apply: plan });
    const response = await fetch(`${server.url}/api/audit/logs?tool_name=kubernetes_manage_resource&limit=2`, {
      headers: { 'x-api-key': ROOT },
    });
    const [applied, planned] = (await response.json()) as Record<string, unknown>[];
    expect(applied).toMatchObject({
      user_id: expect.stringContaining('alice'),
      approved_by: expect.stringContaining('alice'),
      plan_hash: planned?.['plan_hash'],
      objects: [
        { ref: 'k8s://demo/shop/deployments.apps/catalog', operation: 'update', changes: [{ path: 'spec.replicas', before: 2, after: 5 }] },
      ],
    });
    expect(planned).toMatchObject({ status: 'success', objects: [{ operation: 'update' }] });
    expect(JSON.stringify([applied, planned])).not.toContain(plan);
  });
});

describe('a server that is killed in the middle of a drain', () => {
  it('leaves a state that the next call describes, and goes on from', async () => {
    const drain = { name: 'node-2', deleteEmptyDir: true, force: true, wait: '60s' };
    const first = await start();
    const { plan } = (await callTool(first.url, 'kubernetes_drain_node', drain)).structuredContent;
    // The budget of payment allows no eviction: the drain waits for it.
    const broken = callTool(first.url, 'kubernetes_drain_node', { ...drain, apply: plan }).then(
      () => 'answered',
      () => 'broken',
    );
    await api.watchUntil('/api/v1/nodes', (node) => JSON.stringify(node).includes('"unschedulable":true'));
    first.child.kill('SIGKILL');
    await first.ended;
    expect(await broken).toBe('broken');

    const second = await start();
    const next = (await callTool(second.url, 'kubernetes_drain_node', drain)).structuredContent;
    expect(next).toMatchObject({
      summary: expect.stringContaining('cordoned already'),
      impact: { blockedByBudget: { 'shop/payment': [expect.stringContaining('payment-')] } },
    });
    await api.json('/apis/policy/v1/namespaces/shop/poddisruptionbudgets/payment', {
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      body: { spec: { minAvailable: 0 } },
    });
    const again = (await callTool(second.url, 'kubernetes_drain_node', drain)).structuredContent;
    const done = (await callTool(second.url, 'kubernetes_drain_node', { ...drain, apply: again['plan'] })).structuredContent;
    expect(done).toMatchObject({
      phase: 'applied',
      verification: { result: 'pass', detail: expect.stringContaining('no evictable pod remains on node-2') },
    });
    const records = await getRecords(second.url, '?tool_name=kubernetes_drain_node');
    expect(records.length).toBeGreaterThan(0);
    await second.stop();
  });
});
