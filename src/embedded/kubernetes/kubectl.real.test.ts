// kubectl as the judge: the program that everybody uses must not notice that this is no cluster. It is the one that the test bed has built.
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programsOf } from '../../../test/backends/kubernetes/programs.ts';
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
    const { stdout, stderr } = await run(programsOf().kubectl, [...flags, ...args.split(' ')], { timeout: 30_000 }).catch(
      (error: unknown) => ({
        stdout: '',
        stderr: error instanceof Error ? error.message : '',
      }),
    );
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

describe('kubectl changes', () => {
  let kubernetes: EmbeddedKubernetes;
  let folder: string;

  beforeAll(async () => {
    // Time goes twenty times as fast, so that rollouts and drains take no minutes.
    const begun = Date.now();
    kubernetes = createEmbeddedKubernetes({ clock: () => begun + (Date.now() - begun) * 20 });
    await kubernetes.listen({ tls: true });
    folder = await mkdtemp(join(tmpdir(), 'kubectl-'));
    await writeFile(join(folder, 'config'), kubernetes.kubeconfig('admin'));
  });

  afterAll(async () => {
    await kubernetes.close();
    await rm(folder, { recursive: true, force: true });
  });

  interface Result {
    readonly code: number;
    readonly out: string;
    readonly err: string;
  }

  const kubectl = async (...args: readonly string[]): Promise<Result> => {
    const flags = ['--kubeconfig', join(folder, 'config'), '--cache-dir', join(folder, 'cache')];
    const { promise, resolve } = Promise.withResolvers<Result>();
    execFile(programsOf().kubectl, [...flags, ...args], { timeout: 60_000 }, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err });
    });
    return promise;
  };

  const words = (text: string): Promise<Result> => kubectl(...text.split(' '));

  const manifest = async (name: string, content: object): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, JSON.stringify(content));
    return file;
  };

  const deployment = (name: string, replicas: number, image = 'nginx:1.29') => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, labels: { app: name } },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 1, containers: [{ name: 'main', image }] } },
    },
  });

  it('applies on the server, tells of conflicts, and takes over when forced', async () => {
    const file = await manifest('ssa.json', deployment('ssa', 2));
    expect(await words(`apply --server-side -f ${file}`)).toMatchObject({ code: 0, out: 'deployment.apps/ssa serverside-applied\n' });
    expect((await words('scale deploy/ssa --replicas=3')).out).toBe('deployment.apps/ssa scaled\n');
    const conflict = await words(`apply --server-side -f ${file}`);
    expect(conflict.code).toBe(1);
    expect(conflict.err).toMatch(
      /^error: Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1: \.spec\.replicas\nPlease review the fields above/,
    );
    expect((await words(`apply --server-side --force-conflicts -f ${file}`)).out).toBe('deployment.apps/ssa serverside-applied\n');
    expect((await words('get deploy ssa -o jsonpath={.spec.replicas}')).out).toBe('2');
  });

  it('applies on its own side, changes over to the server, and shows differences', async () => {
    const first = await manifest('csa.json', deployment('csa', 1));
    expect((await words(`apply -f ${first}`)).out).toBe('deployment.apps/csa created\n');
    const second = await manifest('csa.json', deployment('csa', 1, 'nginx:1.30'));
    const diff = await words(`diff -f ${second}`);
    expect([diff.code, diff.out]).toEqual([1, expect.stringContaining('+      - image: nginx:1.30')]);
    expect((await words(`apply -f ${second}`)).out).toBe('deployment.apps/csa configured\n');
    expect((await words(`apply -f ${second}`)).out).toBe('deployment.apps/csa unchanged\n');
    expect((await words(`apply --server-side -f ${second}`)).out).toBe('deployment.apps/csa serverside-applied\n');
    const { out } = await words('get deploy csa -o jsonpath={.metadata.managedFields[*].operation} --show-managed-fields');
    expect(out).toContain('Apply');
    expect((await words(`diff --server-side -f ${second}`)).code).toBe(0);
  });

  it.each([
    ['strategic', '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"nginx:2"}]}}}}', 'nginx:2'],
    ['merge', '{"spec":{"template":{"spec":{"containers":[{"name":"main","image":"nginx:3"}]}}}}', 'nginx:3'],
    ['json', '[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"nginx:4"}]', 'nginx:4'],
  ])('patches: %s', async (type, patch, image) => {
    expect((await kubectl('patch', 'deploy', 'ssa', `--type=${type}`, '-p', patch)).out).toBe('deployment.apps/ssa patched\n');
    expect((await words('get deploy ssa -o jsonpath={.spec.template.spec.containers[0].image}')).out).toBe(image);
  });

  it('labels, annotates, sets an image', async () => {
    expect((await words('label deploy ssa tier=front')).out).toBe('deployment.apps/ssa labeled\n');
    expect((await words('label deploy ssa tier=back')).err).toContain("'tier' already has a value (front), and --overwrite is false");
    expect((await words('annotate deploy ssa why=test')).out).toBe('deployment.apps/ssa annotated\n');
    expect((await words('set image deploy/ssa main=nginx:5')).out).toBe('deployment.apps/ssa image updated\n');
    expect((await words('set image deploy/ssa nope=nginx:5')).err).toContain('unable to find container named "nope"');
  });

  it('restarts, pauses, resumes, tells the history, goes back', async () => {
    expect((await words('rollout status deploy/ssa --timeout=40s')).out).toContain('successfully rolled out');
    expect((await words('rollout pause deploy/ssa')).out).toBe('deployment.apps/ssa paused\n');
    expect((await words('rollout pause deploy/ssa')).err).toContain('is already paused');
    expect((await words('rollout restart deploy/ssa')).err).toContain("can't restart paused deployment");
    await words('set image deploy/ssa main=nginx:6');
    expect((await words('rollout undo deploy/ssa')).err).toContain('you cannot rollback a paused deployment');
    expect((await words('rollout resume deploy/ssa')).out).toBe('deployment.apps/ssa resumed\n');
    expect((await words('rollout status deploy/ssa --timeout=40s')).out).toContain('successfully rolled out');
    expect((await words('rollout restart deploy/ssa')).out).toBe('deployment.apps/ssa restarted\n');
    expect((await words('rollout history deploy/ssa')).out).toMatch(/REVISION +CHANGE-CAUSE\n1 +<none>\n/);
    expect((await words('rollout undo deploy/ssa --to-revision=1')).out).toBe('deployment.apps/ssa rolled back\n');
    expect((await words('rollout undo deploy/ssa --to-revision=99')).err).toContain('unable to find specified revision 99 in history');
    expect((await words('rollout status deploy/ssa --timeout=40s')).out).toContain('successfully rolled out');
    expect((await words('get deploy ssa -o jsonpath={.spec.template.spec.containers[0].image}')).out).toBe('nginx:1.29');
  });

  it('tells the history of StatefulSets and DaemonSets', async () => {
    expect((await words('rollout history sts/postgres -n data')).out).toMatch(/REVISION +CHANGE-CAUSE\n\d+ +<none>\n/);
    expect((await words('rollout history ds/node-exporter -n observability')).code).toBe(0);
  });

  it('gives up a rollout that makes no progress', async () => {
    const never = deployment('never', 1);
    const file = await manifest('never.json', {
      ...never,
      spec: {
        ...never.spec,
        progressDeadlineSeconds: 5,
        template: { ...never.spec.template, spec: { nodeSelector: { no: 'such' }, containers: [{ name: 'main', image: 'nginx:1' }] } },
      },
    });
    await words(`apply -f ${file}`);
    expect(await words('rollout status deploy/never --timeout=30s')).toMatchObject({
      code: 1,
      err: 'error: deployment "never" exceeded its progress deadline\n',
    });
  });

  it('cordons, and drains as far as budgets let it', async () => {
    const pods = await words('get pods -l app=ssa -o jsonpath={.items[0].spec.nodeName}');
    const node = pods.out;
    const budget = await manifest('budget.json', {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'ssa' },
      spec: { minAvailable: 2, selector: { matchLabels: { app: 'ssa' } } },
    });
    await words(`apply -f ${budget}`);
    expect((await words(`cordon ${node}`)).out).toBe(`node/${node} cordoned\n`);
    const drain = `drain ${node} --pod-selector=app=ssa --ignore-daemonsets --delete-emptydir-data`;
    const blocked = await words(`${drain} --timeout=4s`);
    expect(blocked.code).toBe(1);
    expect(blocked.err).toContain("Cannot evict pod as it would violate the pod's disruption budget.");
    await kubectl('patch', 'pdb', 'ssa', '--type=merge', '-p', '{"spec":{"minAvailable":1}}');
    const drained = await words(`${drain} --timeout=50s`);
    expect([drained.code, drained.out]).toEqual([0, expect.stringContaining(`node/${node} drained`)]);
    expect((await words(`uncordon ${node}`)).out).toBe(`node/${node} uncordoned\n`);
    await words('delete pdb ssa');
  });

  it('runs commands in containers, and has their exit code', async () => {
    const pod = (await words('get pods -l app=csa -o name')).out.split('\n')[0] ?? '';
    await words(`wait ${pod} --for=condition=Ready --timeout=40s`);
    expect(await words(`exec ${pod} -- echo hello`)).toMatchObject({ code: 0, out: 'hello\n' });
    expect(await kubectl('exec', pod, '--', 'sh', '-c', 'echo no >&2; exit 7')).toMatchObject({
      code: 7,
      err: 'no\ncommand terminated with exit code 7\n',
    });
    const unknown = await words(`exec ${pod} -- nonsense`);
    expect([unknown.code, unknown.err]).toEqual([1, expect.stringContaining('exec: "nonsense": executable file not found in $PATH')]);
  });

  it('deletes with or without what belongs to an object', async () => {
    const setsOf = async (name: string): Promise<string> => (await words(`get rs -l app=${name} -o name`)).out;
    expect((await words('delete deploy csa --cascade=orphan')).out).toBe('deployment.apps "csa" deleted from shop namespace\n');
    expect(await setsOf('csa')).toContain('replicaset.apps/csa-');
    await words('delete rs -l app=csa --cascade=background');
    expect(await setsOf('csa')).toBe('');
    expect((await words('delete deploy ssa --cascade=foreground --timeout=50s')).out).toContain('deleted');
    expect([await setsOf('ssa'), (await words('get pods -l app=ssa -o name')).out]).toEqual(['', '']);
    expect((await words('delete cm none')).err).toBe('Error from server (NotFound): configmaps "none" not found\n');
    expect((await words('delete cm none --ignore-not-found')).code).toBe(0);
  });

  it('makes a job from a CronJob, and waits for it', async () => {
    expect((await words('create job report --from=cronjob/nightly-report')).out).toBe('job.batch/report created\n');
    expect((await words('wait job/report --for=condition=complete --timeout=50s')).out).toBe('job.batch/report condition met\n');
  });

  it('says who may do what', async () => {
    expect((await words('auth can-i create pods/exec')).out).toBe('yes\n');
    expect(await words('auth can-i create pods/exec --as=viewer')).toMatchObject({ code: 1, out: 'no\n' });
  });
});
