// Changes on a real node: a rollout that really fails and is undone, a drain that really waits, commands that really run.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { AppError } from '../../src/kit/errors.ts';
import { at } from '../backends/kubernetes/api.ts';
import { apply, connect, createNamespace, deleteNamespace, hasCondition, readBed } from '../backends/kubernetes/bed.ts';
import { openApp, type Shop } from '../support/shop.ts';

const bed = readBed();
const api = connect(bed);
let namespace = '';
let server: Omit<Shop, 'embedded'>;

type Fields = Readonly<Record<string, unknown>>;

const deployment = (
  name: string,
  { replicas = 1, probe = 'true', extra = {} }: { replicas?: number; probe?: string; extra?: Fields } = {},
) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas,
    progressDeadlineSeconds: 5,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        automountServiceAccountToken: false,
        nodeSelector: { 'kubernetes.io/hostname': bed.node.name },
        containers: [
          {
            name: 'main',
            image: bed.image,
            imagePullPolicy: 'Never',
            command: ['sh', '-c', 'sleep 3600'],
            env: [{ name: 'API_PASSWORD', value: 'canary-exec-77c1d0' }],
            readinessProbe: { exec: { command: ['sh', '-c', probe] }, periodSeconds: 1 },
          },
        ],
        ...extra,
      },
    },
  },
});

const call = async (tool: string, args: Fields, options = {}): Promise<Record<string, unknown>> =>
  (await server.call(tool, args, options)).structured;
const failure = (tool: string, args: Fields, options = {}): Promise<AppError> =>
  server.call(tool, args, options).then(
    ({ text }) => Promise.reject(new Error(text)),
    (error: AppError) => error,
  );
/** Plans and applies. */
const change = async (tool: string, args: Fields, more: Fields = {}): Promise<Record<string, unknown>> => {
  const { plan } = await call(tool, { ...args, ...more });
  return call(tool, { ...args, ...more, apply: plan });
};
const whenReady = (name: string): Promise<unknown> =>
  api.watchUntil(
    `/apis/apps/v1/namespaces/${namespace}/deployments`,
    (object) =>
      at(object, 'metadata', 'name') === name &&
      hasCondition(object, 'Available') &&
      at(object, 'status', 'readyReplicas') === at(object, 'spec', 'replicas'),
    90,
  );
const podOf = async (name: string): Promise<string> => {
  const list = await api.json(`/api/v1/namespaces/${namespace}/pods?labelSelector=app%3D${name}`);
  return String(at(list, 'items', 0, 'metadata', 'name'));
};

beforeAll(async () => {
  namespace = await createNamespace(api, 'changes-live');
  server = await openApp({
    'kubernetes.kubeconfig': bed.kubeconfigs.admin,
    'security.allowWrites': true,
    'security.allowDestructive': true,
    'security.policy': {
      rules: [
        { action: 'deny', command: ['rm **'] },
        { action: 'allow', command: ['**'], namespace: [namespace], name: 'commands in the test' },
        { action: 'allow', effect: ['read', 'write', 'delete'] },
      ],
    },
  });
});
afterAll(async () => {
  const open = { body: { spec: { unschedulable: null } }, method: 'PATCH', contentType: 'application/merge-patch+json' };
  await api.request(`/api/v1/nodes/${bed.node.name}`, open);
  await server?.close();
  await deleteNamespace(api, namespace);
  await api.close();
});

describe('a rollout that fails its probes', () => {
  it('is told as failed, and undone', async () => {
    await apply(bed, stringify(deployment('probed')));
    await whenReady('probed');
    const bad = await change(
      'kubernetes_patch_resource',
      {
        kind: 'deployment',
        name: 'probed',
        namespace,
        patchType: 'strategic',
        patch: { spec: { template: { spec: { containers: [{ name: 'main', readinessProbe: { exec: { command: ['false'] } } }] } } } },
      },
      { wait: '60s' },
    );
    expect(bad).toMatchObject({
      phase: 'applied',
      verification: { result: 'fail', detail: expect.stringContaining('exceeded its progress deadline') },
    });
    const back = await change('platform_undo_change', { changeId: bad['changeId'] }, { wait: '60s' });
    expect(back).toMatchObject({ verification: { result: 'pass', detail: expect.stringContaining('successfully rolled out') } });
    const undone = await call('kubernetes_manage_resource', { action: 'undo', kind: 'deployment', name: 'probed', namespace });
    // What failed is the earlier revision now.
    expect(undone).toMatchObject({ diff: [{ path: expect.stringContaining('readinessProbe.exec.command') }] });
  });
});

describe('a command', () => {
  it('runs in the container: its output, its errors, its exit code', async () => {
    await apply(bed, stringify(deployment('shell')));
    await whenReady('shell');
    const name = await podOf('shell');
    const args = { name, namespace, command: ['sh', '-c', 'echo out; echo err >&2; exit 7'] };
    const plan = await call('kubernetes_exec_pod', args);
    expect(plan).toMatchObject({
      phase: 'plan',
      checks: [
        { name: 'pod runs', result: 'pass' },
        { name: 'permission', result: 'pass' },
      ],
      undo: { possible: false },
    });
    const done = await call('kubernetes_exec_pod', { ...args, apply: plan['plan'] });
    expect(done).toMatchObject({
      result: { exitCode: 7, stdout: 'out\n', stderr: 'err\n', container: 'main' },
      verification: { result: 'fail', detail: 'exit code 7' },
      untrusted: true,
    });
    const fine = await change('kubernetes_exec_pod', { name, namespace, command: ['echo', '$HOME', '; ls'] });
    // No shell: the words are the words.
    expect(fine).toMatchObject({ result: { exitCode: 0, stdout: '$HOME ; ls\n' }, verification: { result: 'pass' } });
  });

  it('shows no secret that the pod holds', async () => {
    const name = await podOf('shell');
    const { result } = (await change('kubernetes_exec_pod', { name, namespace, command: ['env'] })) as { result: { stdout: string } };
    expect(result.stdout).toContain('API_PASSWORD=');
    expect(result.stdout).not.toContain('canary-exec-77c1d0');
  });

  it('is cut when it says too much, and ended when it takes too long', async () => {
    const name = await podOf('shell');
    const { result } = (await change('kubernetes_exec_pod', {
      name,
      namespace,
      command: ['sh', '-c', 'yes 0123456789 | head -c 3000000'],
    })) as { result: Fields };
    expect(result).toMatchObject({ exitCode: 0, stdoutCut: expect.stringContaining('of 3000000 bytes') });
    const args = { name, namespace, command: ['sleep', '600'], timeout: '1s' };
    const { plan } = await call('kubernetes_exec_pod', args);
    expect(await failure('kubernetes_exec_pod', { ...args, apply: plan })).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('hides a secret at the place where its output is cut, too', async () => {
    const name = await podOf('shell');
    const command = ['sh', '-c', 'head -c 262134 /dev/zero | tr "\\0" x; echo "$API_PASSWORD"; head -c 100000 /dev/zero | tr "\\0" y'];
    const { plan } = await call('kubernetes_exec_pod', { name, namespace, command });
    const { text, structured } = await server.call('kubernetes_exec_pod', { name, namespace, command, apply: plan, maxTokens: 1_000_000 });
    expect(structured['result']).toMatchObject({ stdoutCut: expect.stringContaining('bytes') });
    expect(text).not.toContain('canary');
  });

  it('gives no terminal sequences and no bytes that are no text, reads no input, and may print a hundred megabytes', async () => {
    const name = await podOf('shell');
    const run = async (...command: string[]) =>
      (await change('kubernetes_exec_pod', { name, namespace, command, timeout: '50s' }))['result'] as { stdout: string; exitCode: number };
    const { stdout } = await run('printf', '\\033[31mred\\033[0m\\000\\377\\rend\\n');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    expect(stdout).not.toMatch(/[\u0000\u001b]/);
    expect(stdout).toContain('red');
    expect(await run('cat')).toMatchObject({ stdout: '', exitCode: 0 });
    expect(await run('sh', '-c', 'head -c 50000000 /dev/zero; head -c 50000000 /dev/zero >&2')).toMatchObject({
      exitCode: 0,
      stdoutCut: expect.stringContaining('of 50000000 bytes'),
      stderrCut: expect.stringContaining('of 50000000 bytes'),
    });
  });

  it('that cannot be started says why', async () => {
    const name = await podOf('shell');
    const args = { name, namespace, command: ['/no/such/program'] };
    const { plan } = await call('kubernetes_exec_pod', args);
    const error = await failure('kubernetes_exec_pod', { ...args, apply: plan });
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', details: { upstream: expect.stringContaining('no such file') } });
    expect(await failure('kubernetes_exec_pod', { name, namespace, command: ['ls'], container: 'nope' })).toMatchObject({
      code: 'NOT_FOUND',
      details: { choices: ['main'] },
    });
    expect(await failure('kubernetes_exec_pod', { name: 'nope', namespace, command: ['ls'] })).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('that the policy refuses is not even planned', async () => {
    const name = await podOf('shell');
    expect(await failure('kubernetes_exec_pod', { name, namespace, command: ['rm', '-rf', '/'] })).toMatchObject({
      code: 'FORBIDDEN',
      details: { by: 'policy' },
    });
    expect(await failure('kubernetes_exec_pod', { name: 'any', namespace: 'kube-system', command: ['ls'] })).toMatchObject({
      code: 'FORBIDDEN',
      details: { rule: expect.stringContaining('commands in containers') },
    });
  });
});

describe('a drain', () => {
  const budget = (minAvailable: number) => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'guarded', namespace },
    spec: { minAvailable, selector: { matchLabels: { app: 'guarded' } } },
  });
  const drain = { name: bed.node.name, force: true, deleteEmptyDir: true };

  it('waits for a budget, tells truly what was done when it is ended half-way, and goes on where it stopped', async () => {
    await apply(bed, stringify(deployment('guarded', { replicas: 2 })));
    await apply(bed, stringify(budget(2)));
    await whenReady('guarded');
    await api.watchUntil(
      `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`,
      (object) => at(object, 'status', 'currentHealthy') === 2,
      60,
    );

    const planned = await call('kubernetes_drain_node', { ...drain, wait: '3s' });
    expect(planned['impact']).toMatchObject({
      blockedByBudget: { [`${namespace}/guarded`]: expect.arrayContaining([expect.stringContaining('guarded-')]) },
    });
    const held = await failure('kubernetes_drain_node', { ...drain, wait: '3s', apply: planned['plan'] });
    expect(held).toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'DISRUPTION_BUDGET' } });
    const { done, notDone } = held.details as { done: string[]; notDone: string[] };
    expect(done).toEqual(expect.arrayContaining([`Node ${bed.node.name}`]));
    expect(notDone.filter((pod) => pod.includes('/guarded-'))).toHaveLength(2);

    // Ended half-way by the caller: the report is in the record of the change.
    const again = await call('kubernetes_drain_node', { ...drain, wait: '60s' });
    expect(again['summary']).toContain('cordoned already');
    const stop = new AbortController();
    const heard = failure(
      'kubernetes_drain_node',
      { ...drain, wait: '60s', apply: again['plan'] },
      {
        signal: stop.signal,
        progress: ({ message }: { message?: string }) => {
          if (message?.includes('held by budgets') === true) stop.abort();
        },
      },
    );
    expect(await heard).toMatchObject({
      details: { reason: 'CANCELLED', notDone: expect.arrayContaining([expect.stringContaining('/guarded-')]) },
    });

    // The budget opens while the drain waits.
    const { plan } = await call('kubernetes_drain_node', { ...drain, wait: '60s' });
    let isOpened = false;
    const finished = call(
      'kubernetes_drain_node',
      { ...drain, wait: '60s', apply: plan },
      {
        progress: ({ message }: { message?: string }) => {
          if (isOpened || message?.includes('held by budgets') !== true) return;
          isOpened = true;
          void apply(bed, stringify(budget(0)));
        },
      },
    );
    expect(await finished).toMatchObject({
      phase: 'applied',
      verification: { result: 'pass', detail: expect.stringContaining('no evictable pod remains') },
    });
    expect(isOpened).toBe(true);
    const back = await change('kubernetes_manage_resource', { action: 'uncordon', kind: 'node', name: bed.node.name });
    expect(back).toMatchObject({ verification: { result: 'pass' } });
    await whenReady('guarded');
  });
});
