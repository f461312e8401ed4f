// Changes under attack: odd manifests, ways around the policy, secrets that would slip out, answers that would be lost.

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Caller, Question, QuestionAnswer } from '../../src/kit/context.ts';
import type { AppError } from '../../src/kit/errors.ts';
import type { FinalAnswer } from '../../src/kit/result.ts';
import { openShop, type Shop } from '../support/shop.ts';

const WRITES = { 'security.allowWrites': true, 'security.allowDestructive': true };

type Fields = Readonly<Record<string, unknown>>;

const refused = (call: Promise<unknown>): Promise<AppError> =>
  call.then(
    (answer) => Promise.reject(new Error(`it was done: ${JSON.stringify(answer).slice(0, 500)}`)),
    (error: AppError) => error,
  );

const configMap = (name: string, data: Fields): string =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'shop' }, data });

describe('on the shop', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop({ flags: WRITES });
  });
  afterAll(() => shop.close());

  const call = async (tool: string, args: Fields): Promise<Fields> => (await shop.call(tool, args)).structured;
  const carryOut = async (tool: string, args: Fields): Promise<Fields> => {
    const { plan } = await call(tool, args);
    return call(tool, { ...args, apply: plan });
  };
  const apply = (manifest: string, extra: Fields = {}): Promise<Fields> => call('kubernetes_apply_manifest', { manifest, ...extra });

  describe('a manifest', () => {
    it('is read as kubectl reads it: octal numbers, merge keys, on and off, Windows line ends, a byte order mark', async () => {
      const manifest = `\ufeffapiVersion: v1
kind: Pod
metadata: {name: odd, namespace: shop, labels: &labels {app: odd}}
spec:
  containers:
    - name: app
      image: registry.example.test/app:1
      tty: on
      args: [22:22, 2001-12-14]
      volumeMounts: [{name: keys, mountPath: /keys}]
  nodeSelector: {<<: *labels, disk: ssd}
  volumes:
    - name: keys
      secret: {secretName: keys, defaultMode: 0400}
`.replaceAll('\n', '\r\n');
      const { diff } = (await apply(manifest)) as { diff: { after: unknown }[] };
      expect(diff[0]?.after).toMatchObject({
        spec: {
          containers: [{ tty: true, args: ['22:22', '2001-12-14'] }],
          nodeSelector: { app: 'odd', disk: 'ssd' },
          volumes: expect.arrayContaining([{ name: 'keys', secret: { secretName: 'keys', defaultMode: 0o400 } }]),
        },
      });
    });

    it('may set what an earlier change of this server set: that is no conflict with another', async () => {
      await carryOut('kubernetes_manage_resource', { action: 'scale', kind: 'deployment', name: 'web', namespace: 'shop', replicas: 4 });
      const metadata = { name: 'web', namespace: 'shop' };
      const plan = await apply(JSON.stringify({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 6 } }));
      expect(plan).toMatchObject({ plan: expect.stringMatching(/^pl_/), diff: [{ path: 'spec.replicas', before: 4, after: 6 }] });
    });

    it('that names one object twice, once by the default namespace, is refused', async () => {
      const manifest = `${configMap('same', { a: '1' })}\n---\n{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"same"},"data":{"a":"2"}}`;
      expect(await refused(apply(manifest, { namespace: 'shop' }))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: 'The manifest has ConfigMap shop/same twice.',
      });
    });
  });

  it('never carries a patch on to a pod, a Service or a kubelet, nor asks for a token: what only connects is refused unread', async () => {
    const before = shop.embedded.requests.length;
    for (const kind of ['services/proxy', 'pods/proxy', 'nodes/proxy', 'pods/exec', 'serviceaccounts/token', 'pods/eviction'])
      expect(await refused(call('kubernetes_patch_resource', { kind, namespace: 'shop', name: 'x', patch: {} }))).toMatchObject({
        code: 'INVALID_ARGUMENT',
        message: expect.stringContaining('cannot be patched'),
      });
    const paths = shop.embedded.requests.slice(before).map(({ path }) => path);
    expect(paths.filter((path) => path.includes('/x'))).toEqual([]);
  });

  it('answers a conflict in few words, however large the objects are', async () => {
    const big = (letter: string) => ({
      kind: 'configmap',
      name: 'large',
      namespace: 'shop',
      patch: { data: { a: letter.repeat(500_000) } },
    });
    await carryOut('kubernetes_apply_manifest', { manifest: configMap('large', { a: 'x'.repeat(500_000) }) });
    const { plan } = await call('kubernetes_patch_resource', big('y'));
    await carryOut('kubernetes_patch_resource', big('z'));
    const error = await refused(call('kubernetes_patch_resource', { ...big('y'), apply: plan }));
    expect(error).toMatchObject({ code: 'CONFLICT', details: { plan: expect.stringMatching(/^pl_/), changes: 1 } });
    expect(JSON.stringify(error.details).length).toBeLessThan(2000);
  });

  it('shows what matters of a plan that is too long: its token, how it is undone, what it is verified by', async () => {
    const manifest = Array.from({ length: 50 }, (_, index) =>
      configMap(`many-${index}`, Object.fromEntries(Array.from({ length: 60 }, (__, key) => [`key-${key}`, `value ${key}`.repeat(10)]))),
    ).join('\n---\n');
    const plan = await apply(manifest);
    expect(plan).toMatchObject({
      plan: expect.stringMatching(/^pl_/),
      undo: { possible: false },
      verify: expect.any(String),
      page: { total: 50, next: expect.any(String) },
    });
    expect(JSON.stringify(plan).length).toBeLessThan(20_000);
  });

  it('is over after ten minutes, and one whose check failed cannot be applied at all', async () => {
    let passed = 0;
    const timed = await openShop({ flags: WRITES, now: () => Date.now() + passed });
    const args = { action: 'scale', kind: 'deployment', name: 'cart', namespace: 'shop', replicas: 5 };
    const { plan } = (await timed.call('kubernetes_manage_resource', args)).structured;
    passed = 10 * 60_000 + 1000;
    expect(await refused(timed.call('kubernetes_manage_resource', { ...args, apply: plan }))).toMatchObject({
      details: { reason: 'PLAN_EXPIRED' },
    });
    await timed.close();
    const failed = await shop.call('kubernetes_drain_node', { name: 'node-2' });
    expect(failed.structured['plan']).toBeUndefined();
    expect(failed.text).toMatch(/^PLAN, which cannot be applied, for a check failed: /);
  });

  it('a change that was made is answered as made, also when the caller leaves while it is looked at', async () => {
    const args = {
      ...{ kind: 'deployment', name: 'checkout', namespace: 'shop', patchType: 'strategic' },
      patch: { spec: { template: { spec: { containers: [{ name: 'checkout', image: 'registry.example.test/none:1' }] } } } },
    };
    const { plan } = await call('kubernetes_patch_resource', args);
    const leaving = new AbortController();
    const first = shop.call(
      'kubernetes_patch_resource',
      { ...args, wait: '30s', apply: plan },
      { signal: leaving.signal, progress: () => leaving.abort() },
    );
    await first.catch(() => {});
    const again = await call('kubernetes_patch_resource', { ...args, wait: '30s', apply: plan });
    expect(again).toMatchObject({ phase: 'applied', changeId: expect.any(String), verification: { result: 'pending' } });
  });

  it('a secret that a refusal repeats is masked, also when it came with the manifest', async () => {
    const secret = (stringData: Fields) =>
      JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'fresh', namespace: 'shop' }, stringData });
    const number = await refused(apply(secret({ pin: 4_815_162_342 })));
    expect(number.code).toBe('INVALID_ARGUMENT');
    expect(JSON.stringify([number.message, number.details])).not.toContain('4815162342');
    const stop = shop.embedded.inject({
      match: ({ method, url }) => method === 'PATCH' && url.includes('/secrets/fresh'),
      respond: { kind: 'status', code: 422, reason: 'Invalid', message: 'Invalid value: "canary-refused-77c1"' },
    });
    const error = await refused(apply(secret({ password: 'canary-refused-77c1' })));
    stop();
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(JSON.stringify([error.message, error.details, shop.log])).not.toContain('canary-refused-77c1');
  });

  it('that takes the last finalizer of what is being deleted says that the object goes, and does not promise it back', async () => {
    await carryOut('kubernetes_apply_manifest', {
      manifest: configMap('held', { a: '1' }).replace('"name"', '"finalizers":["example.test/hold"],"name"'),
    });
    const target = { kind: 'configmap', name: 'held', namespace: 'shop' };
    await carryOut('kubernetes_delete_resource', target);
    const args = { ...target, patch: { metadata: { finalizers: null } } };
    const plan = await call('kubernetes_patch_resource', args);
    expect(plan).toMatchObject({
      undo: { possible: false },
      verify: 'the object is gone',
      warnings: [expect.stringContaining('it goes with its last finalizer')],
    });
    expect(await call('kubernetes_patch_resource', { ...args, apply: plan['plan'] })).toMatchObject({
      verification: { result: 'pass', detail: expect.stringContaining('ConfigMap shop/held') },
      undo: { possible: false },
    });
    // For a kind that is guarded that is a deletion like any other.
    const manifest = {
      ...{ apiVersion: 'v1', kind: 'PersistentVolume', metadata: { name: 'ending', finalizers: ['example.test/hold'] } },
      spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
    };
    await carryOut('kubernetes_apply_manifest', { manifest: JSON.stringify(manifest) });
    const authorization = `Bearer ${shop.embedded.token('admin')}`;
    const path = 'http://shop/api/v1/persistentvolumes/ending';
    await shop.embedded.handle(new Request(path, { method: 'DELETE', headers: { authorization } }));
    const volume = { kind: 'pv', name: 'ending', patch: { metadata: { finalizers: [] } } };
    expect(await refused(call('kubernetes_patch_resource', volume))).toMatchObject({ code: 'FORBIDDEN', details: { by: 'policy' } });
  });

  it('that made an object again makes it without owners that are gone: the garbage collector would take it at once', async () => {
    const { store } = shop.embedded;
    const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'parent', uid: '0d0c5a0e-0000-4000-8000-000000000001' };
    const metadata = { name: 'child', namespace: 'shop', ownerReferences: [owner] };
    store.put('configmaps', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { a: '1' } });
    const { changeId } = await carryOut('kubernetes_delete_resource', { kind: 'configmap', name: 'child', namespace: 'shop' });
    const plan = await call('platform_undo_change', { changeId });
    expect(plan).toMatchObject({
      namespace: 'shop',
      warnings: [expect.stringContaining('without its owner ConfigMap parent')],
    });
    await call('platform_undo_change', { changeId, apply: plan['plan'] });
    expect(store.get('configmaps', 'shop', 'child')?.metadata['ownerReferences']).toBeUndefined();
  });

  it('says in a plan what reaches beyond the object: rights, webhooks, owners', async () => {
    const role = (name: string) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: [] });
    expect(await apply(JSON.stringify(role('fresh')))).toMatchObject({
      summary: 'Create ClusterRole fresh',
      warnings: ['this ClusterRole changes who may do what in the cluster'],
    });
    const metadata = { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x', uid: '1' }] };
    const patch = { kind: 'configmap', name: 'kube-root-ca.crt', namespace: 'data', patch: { metadata } };
    expect(await call('kubernetes_patch_resource', patch)).toMatchObject({ warnings: [expect.stringContaining('garbage collector')] });
  });

  it('is taken back only by who still has the right that the change itself needed', async () => {
    const caller: Caller = { id: 'apikey:narrow', groups: [], scopes: ['read', 'write'] };
    const { selection } = shop.app.surface(['all']);
    const as = (scopes: string[], tool: string, args: Fields) =>
      shop.app.calls.call({ tool, args, caller: { ...caller, scopes }, selection, signal: new AbortController().signal });
    const args = { kind: 'configmap', name: 'kube-root-ca.crt', namespace: 'shop', patch: { metadata: { labels: { seen: 'yes' } } } };
    const { structured } = await as(['read', 'write'], 'kubernetes_patch_resource', args);
    const done = await as(['read', 'write'], 'kubernetes_patch_resource', { ...args, apply: structured['plan'] });
    const undo = { changeId: done.structured['changeId'] };
    expect(await refused(as(['read', 'write:platform'], 'platform_undo_change', undo))).toMatchObject({
      code: 'FORBIDDEN',
      details: { missing: 'write' },
    });
    expect((await as(['read', 'write'], 'platform_undo_change', undo)).structured).toMatchObject({ phase: 'plan' });
  });

  it('reads the current log where the node has lost that of the last run, and says so', async () => {
    const { rows } = (await call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', name: 'cart' })) as { rows: string[][] };
    const pod = rows[0]?.find((cell) => cell.startsWith('cart-')) ?? '';
    const stop = shop.embedded.inject({
      match: ({ url }) => url.includes(`/pods/${pod}/log`) && url.includes('previous=true'),
      respond: {
        kind: 'response',
        response: () =>
          new Response('unable to retrieve container logs for containerd://4f1c0d6a\n', { headers: { 'content-type': 'text/plain' } }),
      },
    });
    const answer = (await shop.call('kubernetes_get_logs', { name: pod, namespace: 'shop', previous: true })) as FinalAnswer;
    stop();
    expect(answer.text).not.toContain('unable to retrieve');
    expect(answer.structured).toMatchObject({ warnings: [expect.stringContaining('no longer has the log of the last run')] });
    expect(answer.structured['rows']).not.toEqual([]);
  });
});

describe('a drain', () => {
  it('lets one pod that is held keep no other waiting', async () => {
    const shop = await openShop({ flags: WRITES, pods: 120 });
    const args = { name: 'node-2', deleteEmptyDir: true, force: true, wait: '6s' };
    const plan = (await shop.call('kubernetes_drain_node', args)).structured as Fields & { impact: { podsEvicted: number } };
    expect(plan.impact.podsEvicted).toBeGreaterThan(25);
    const free = 'web-';
    const stop = shop.embedded.inject({
      match: ({ url }) => url.includes('/eviction') && !url.includes(`/pods/${free}`),
      respond: {
        kind: 'response',
        response: () =>
          Response.json(
            {
              ...{ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'TooManyRequests', code: 429 },
              message: 'Cannot evict pod as it would violate the pod’s disruption budget.',
              details: { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget held needs 1 healthy pods' }] },
            },
            { status: 429 },
          ),
      },
    });
    const error = await refused(shop.call('kubernetes_drain_node', { ...args, apply: plan['plan'] }));
    stop();
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'DISRUPTION_BUDGET' } });
    expect(error.details['done']).toEqual(expect.arrayContaining([expect.stringContaining(`shop/${free}`)]));
    await shop.close();
  });
});

describe('a drain of the node that the server runs on', () => {
  it('says that the server goes with it', async () => {
    const first = await openShop({ flags: WRITES });
    const args = { name: 'node-2', deleteEmptyDir: true, force: true };
    const warningsOf = async (shop: Shop) => JSON.stringify((await shop.call('kubernetes_drain_node', args)).structured['warnings'] ?? []);
    const { targets } = (await first.call('kubernetes_drain_node', args)).structured as { targets: { ref: string }[] };
    expect(await warningsOf(first)).not.toContain('this server itself');
    await first.close();
    const env = { KUBERNETES_SERVICE_HOST: '10.96.0.1', HOSTNAME: targets.at(-1)?.ref.split('/').at(-1) ?? '' };
    const inside = await openShop({ flags: WRITES, env });
    expect(await warningsOf(inside)).toContain('this server itself may run on this node');
    await inside.close();
  });
});

describe('with a person who approves', () => {
  let shop: Shop;
  let passed = 0;
  const now = (): number => Date.now() + passed;
  const ELICIT = { ...WRITES, 'security.approval.write': 'elicit', 'security.signingKey': 'a-key-of-more-than-32-characters-0123456789' };
  afterEach(() => shop.close());

  /** As a client does: the call comes again with the answer, which counts for the same question alone. */
  const approve = async (tool: string, args: Fields): Promise<{ answer: Fields; questions: string[] }> => {
    const asked: Question[] = [];
    const ask = async (question: Question): Promise<QuestionAnswer> => {
      if (asked.at(-1)?.key === question.key) return 'accepted';
      asked.push(question);
      throw new Error('input needed');
    };
    const { selection } = shop.app.surface(['all']);
    const call = () => shop.app.calls.call({ tool, args, caller: shop.app.local, selection, ask, signal: new AbortController().signal });
    await call().catch(() => {});
    // Nobody answers within the second in which a time was decided.
    passed += 30_000;
    const { structured } = await call();
    return { answer: structured, questions: asked.map(({ message }) => message) };
  };

  it.each([
    ['restart', { kind: 'deployment', name: 'cart' }],
    ['trigger', { kind: 'cronjob', name: 'report' }],
  ])('asks once about a %s, whose time or name is decided with the question', async (action, target) => {
    shop = await openShop({ flags: ELICIT, now });
    const list = await shop.call('kubernetes_list_resources', { kind: target.kind, namespace: 'shop', view: 'names' });
    const [first = ''] = list.structured['names'] as string[];
    const name = target.kind === 'cronjob' ? (first.split('/').at(-1) ?? '') : target.name;
    const { answer, questions } = await approve('kubernetes_manage_resource', { action, kind: target.kind, name, namespace: 'shop' });
    expect(questions).toHaveLength(1);
    expect(answer).toMatchObject({ phase: 'applied' });
  });

  it('shows that person no secret, and no token replaces that person', async () => {
    shop = await openShop({ flags: ELICIT });
    const { embedded } = shop;
    embedded.store.put('secrets', {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'known', namespace: 'shop' } },
      data: { password: Buffer.from('canary-asked-41d8').toString('base64') },
    });
    await shop.call('kubernetes_get_resource', { kind: 'secret', name: 'known', namespace: 'shop' });
    const args = { kind: 'configmap', name: 'kube-root-ca.crt', namespace: 'shop', patch: { data: { copy: 'canary-asked-41d8' } } };
    const { questions } = await approve('kubernetes_patch_resource', args);
    expect(questions).toHaveLength(1);
    expect(questions[0]).toContain('data.copy');
    expect(questions.join()).not.toContain('canary-asked-41d8');
    expect(await refused(shop.call('kubernetes_patch_resource', { ...args, apply: 'pl_any' }))).toMatchObject({
      code: 'APPROVAL_REQUIRED',
    });
  });
});
