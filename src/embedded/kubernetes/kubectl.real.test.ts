// kubectl as the judge: the program that everybody uses must not notice that this is no cluster. Needs kubectl in the PATH.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedKubernetes, type EmbeddedKubernetes } from './index.ts';
import { objectsAt, parseJson, textAt } from './json.ts';

const run = promisify(execFile);

describe('kubectl', () => {
  let kubernetes: EmbeddedKubernetes;
  let folder: string;

  beforeAll(async () => {
    kubernetes = createEmbeddedKubernetes();
    await kubernetes.listen({ tls: true });
    folder = await mkdtemp(join(tmpdir(), 'kubectl-'));
    for (const user of ['admin', 'operator', 'viewer'] as const) await writeFile(join(folder, user), kubernetes.kubeconfig(user));
  });

  afterAll(async () => {
    await kubernetes.close();
    await rm(folder, { recursive: true, force: true });
  });

  const kubectl = async (args: string, user: 'admin' | 'operator' | 'viewer' = 'admin'): Promise<string> => {
    const flags = ['--kubeconfig', join(folder, user), '--cache-dir', join(folder, 'cache')];
    const { stdout, stderr } = await run('kubectl', [...flags, ...args.split(' ')], { timeout: 30_000 }).catch((error: unknown) => ({
      stdout: '',
      stderr: error instanceof Error ? error.message : '',
    }));
    return stdout === '' ? stderr : stdout;
  };

  it('prints the pods of the incident', async () => {
    const lines = (await kubectl('get pods -A -o wide')).trimEnd().split('\n');
    expect(lines[0]).toMatch(/^NAMESPACE +NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES$/);
    expect(lines.filter((line) => line.includes('CrashLoopBackOff'))).toHaveLength(1);
    expect(lines.length).toBeGreaterThan(55);
  });

  it('describes a pod with its events, and a Deployment with its ReplicaSets', async () => {
    expect(await kubectl('describe pods -l app.kubernetes.io/name=payment')).toMatch(/Reason: +OOMKilled\n +Exit Code: +137/);
    expect(await kubectl('describe deployment payment')).toMatch(
      /OldReplicaSets: +payment-.+\nNewReplicaSet: +payment-\w+ \(3\/3 replicas created\)/,
    );
  });

  it('reads logs, usage, and who may do what', async () => {
    expect(await kubectl('logs deploy/cart --tail=2')).toMatch(/^\{"time":.+\n\{"time":.+\n$/);
    expect(await kubectl('top nodes')).toMatch(/^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\) *\nnode-1 /);
    expect(await kubectl('get secrets', 'viewer')).toContain(
      'Error from server (Forbidden): secrets is forbidden: User "viewer" cannot list',
    );
  });

  it('explains a kind, a custom one too', async () => {
    expect(await kubectl('explain deployment.spec.replicas')).toContain('Number of desired pods.');
    expect(await kubectl('explain featureflags.spec')).toContain('share');
    expect(await kubectl('api-resources --api-group=shop.example.com -o name')).toBe('featureflags.shop.example.com\n');
  });

  it('scales, rolls back, waits, and deletes', async () => {
    expect(await kubectl('scale deploy/cart --replicas=3', 'operator')).toBe('deployment.apps/cart scaled\n');
    expect(await kubectl('rollout status deploy/cart --timeout=25s', 'operator')).toContain('successfully rolled out');
    expect(await kubectl('rollout history deploy/payment')).toMatch(/\n7 +<none>\n8 +<none>\n/);
    expect(await kubectl('rollout undo deploy/payment', 'operator')).toBe('deployment.apps/payment rolled back\n');
    expect(await kubectl('annotate ns data a=b', 'operator')).toContain('namespaces "data" is forbidden');
    expect(await kubectl('label configmap web-config own=yes', 'operator')).toBe('configmap/web-config labeled\n');
    expect(await kubectl('delete configmap -l own=yes', 'operator')).toContain('configmap "web-config" deleted');
    const made = parseJson(await kubectl('get deploy -o json'));
    expect(objectsAt(made, 'items').map((item) => textAt(item, 'metadata', 'name'))).toContain('cart');
  });
});
