// Replicas that share a Redis and a signing key: what one has planned, another applies, once; what one has done, another takes back.

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callTool } from '../support/audit.ts';
import { findLeaks } from '../support/canary.ts';
import { askOver, changeSecrets, POLICY, plantChanges, withHalves } from '../support/canary-changes.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

const { url } = JSON.parse(readFileSync(process.env['CNMCP_TEST_REDIS'] ?? '', 'utf8')) as { url: string };

let cluster: Cluster;
let replicas: Running[];
beforeAll(async () => {
  cluster = await openCluster();
  const env = {
    KUBECONFIG: cluster.kubeconfig,
    MCP_STORE_TYPE: 'redis',
    MCP_STORE_URL: url,
    MCP_SIGNING_KEY: 'a-key-that-both-replicas-know-0123456789',
    MCP_CACHE_ENABLED: 'false',
  };
  replicas = await Promise.all([1, 2].map(() => startProgram(['--allow-writes', '--allow-destructive'], env)));
});
afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.stop()));
  await cluster.close();
});

const ask = async (at: number, tool: string, args: object): Promise<Record<string, unknown>> =>
  (await callTool((replicas[at] as Running).url, tool, args)).structuredContent as Record<string, unknown>;

describe('two replicas', () => {
  it('apply each other’s plans, once, and take back each other’s changes', async () => {
    const manifest = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: replicated, namespace: shop}\ndata: {secret: canary-replica-4b1}\n';
    const created = await ask(0, 'kubernetes_apply_manifest', { manifest });
    // The other holds the manifest too, though it never saw it.
    expect(await ask(1, 'kubernetes_apply_manifest', { apply: created['plan'] })).toMatchObject({ phase: 'applied' });

    const args = { kind: 'configmap', name: 'replicated', namespace: 'shop', patch: { data: { color: 'red' } } };
    const { plan } = await ask(0, 'kubernetes_patch_resource', args);
    const [one, two] = await Promise.all([
      ask(0, 'kubernetes_patch_resource', { ...args, apply: plan }),
      ask(1, 'kubernetes_patch_resource', { ...args, apply: plan }),
    ]);
    const done = [one, two].filter((answer) => answer?.['phase'] === 'applied');
    const late = [one, two].filter((answer) => answer?.['phase'] !== 'applied');
    expect(new Set(done.map((answer) => answer?.['changeId'])).size).toBe(1);
    // The one that came second met a plan that was running, or done: never a second write.
    for (const answer of late) expect(answer?.['error']).toMatchObject({ code: expect.stringMatching(/FAILED_PRECONDITION|CONFLICT/) });
    for (const at of [0, 1])
      expect(await ask(at, 'kubernetes_patch_resource', { ...args, apply: plan })).toMatchObject({ changeId: done[0]?.['changeId'] });

    const changeId = done[0]?.['changeId'];
    const back = await ask(1, 'platform_undo_change', { changeId });
    expect(await ask(0, 'platform_undo_change', { changeId, apply: back['plan'] })).toMatchObject({ phase: 'applied' });
  });

  it('keep nothing in the store that could be read', async () => {
    const redis = new Redis(url);
    const keys = await redis.keys('cnmcp:change:*');
    const values = await Promise.all(keys.map((key) => redis.get(key)));
    redis.disconnect();
    expect(values.length).toBeGreaterThan(3);
    expect(values.join('\n')).not.toMatch(/canary-replica|replicated|ConfigMap/);
  });
});

it('no value in the store holds a secret that passed through a change or an answer (RULE-01)', { timeout: 60_000 }, async () => {
  const own = await openCluster();
  const folder = await mkdtemp(join(tmpdir(), 'redis-canary-'));
  await writeFile(join(folder, 'config.yaml'), POLICY);
  const args = ['--config', join(folder, 'config.yaml'), '--kubeconfig', own.kubeconfig, '--allow-writes', '--allow-destructive'];
  const server = await startProgram(args, { MCP_STORE_TYPE: 'redis', MCP_STORE_URL: url, MCP_RATELIMIT_BURST: '1000' });
  const planted = plantChanges();
  const ask = askOver(server.url, []);
  await changeSecrets(ask, own.embedded, planted);
  for (const kind of ['secrets', 'configmaps']) await ask('kubernetes_list_resources', { kind, namespace: 'shop', view: 'full' });
  const redis = new Redis(url);
  const keys = await redis.keys('*');
  const values = await Promise.all(keys.map(async (key) => ({ where: key.slice(0, 30), text: `${key} ${await redis.get(key)}` })));
  redis.disconnect();
  await server.stop();
  await own.close();
  await rm(folder, { recursive: true });
  expect(values.length).toBeGreaterThan(5);
  expect(findLeaks(values, withHalves(planted))).toEqual([]);
});
