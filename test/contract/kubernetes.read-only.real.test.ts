// Whoever may only read changes nothing, whatever tool is called: the API server's own audit log is the witness.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import {
  type AuditEvent,
  auditEvents,
  connect,
  createNamespace,
  deleteNamespace,
  readBed,
  WRITE_VERBS,
} from '../backends/kubernetes/bed.ts';
import { openApp, type Shop } from '../support/shop.ts';

const bed = readBed();
const api = connect(bed);
let namespace = '';

/** A call of every tool that could change something, in the namespace of the test. */
const toCalls = (): Readonly<Record<string, object>> => ({
  kubernetes_apply_manifest: { manifest: `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: planted, namespace: ${namespace}}` },
  kubernetes_patch_resource: {
    kind: 'configmap',
    name: 'kube-root-ca.crt',
    namespace,
    patch: { metadata: { labels: { planted: 'yes' } } },
  },
  kubernetes_manage_resource: { action: 'cordon', kind: 'node', name: bed.node.name },
  kubernetes_delete_resource: { kind: 'configmap', name: 'kube-root-ca.crt', namespace },
  kubernetes_drain_node: { name: bed.node.name, wait: '1s' },
  kubernetes_exec_pod: { name: 'any', namespace, command: ['ls'] },
  helm_deploy_release: { name: 'planted', namespace, chart: 'oci://registry.example.test/chart' },
  helm_rollback_release: { name: 'planted', namespace },
  helm_uninstall_release: { name: 'planted', namespace },
  platform_undo_change: { changeId: 'ch_planted' },
});

/** Questions about rights are asked by creating a review, which is stored nowhere. */
const isReview = (uri: string): boolean => /reviews(\?|$)/.test(uri);

/** What the API server's own log says of writes of ours since a moment. */
const writes = (since: string): readonly AuditEvent[] =>
  auditEvents(
    bed,
    ({ verb, uri, at, userAgent }) => at >= since && userAgent === 'cloud-native-mcp-server' && WRITE_VERBS.has(verb) && !isReview(uri),
  );

const servers: Omit<Shop, 'embedded'>[] = [];
const open = async (flags: object): Promise<Omit<Shop, 'embedded'>> => {
  const server = await openApp({ 'kubernetes.kubeconfig': bed.kubeconfigs.admin, 'helm.binary': bed.bin.helm4, ...flags });
  servers.push(server);
  return server;
};

beforeAll(async () => {
  namespace = await createNamespace(api, 'read-only');
  await api.watchUntil(`/api/v1/namespaces/${namespace}/configmaps`, () => true);
});
afterAll(async () => {
  for (const server of servers) await server.close();
  await deleteNamespace(api, namespace);
  await api.close();
});

describe('nobody but who may changes anything', () => {
  it.each([
    ['the server is read-only', {}],
    [
      'a policy lets callers read alone',
      {
        'security.allowWrites': true,
        'security.allowDestructive': true,
        'security.policy': { rules: [{ action: 'deny', effect: ['write', 'delete'] }] },
      },
    ],
    [
      'a policy allows changes in another namespace alone',
      {
        'security.allowWrites': true,
        'security.allowDestructive': true,
        'security.policy': { rules: [{ action: 'allow', effect: ['write', 'delete'], namespace: 'elsewhere' }] },
      },
    ],
  ])('when %s: every tool of the catalogue is refused, and the API server saw no write', async (_, flags) => {
    const since = new Date().toISOString();
    const server = await open(flags);
    const changing = server.app.manager.catalogues.flatMap(({ tools }) =>
      tools.filter(({ effect }) => effect !== 'read').map(({ name }) => name),
    );
    const calls = toCalls();
    expect(changing.filter((name) => calls[name] === undefined)).toEqual([]);
    for (const name of changing) {
      const plain = await server.call(name, calls[name] as never).catch((error: AppError) => error);
      const words = JSON.stringify([name, 'code' in plain ? [plain.code, plain.message] : plain.structured]);
      expect(words).toMatch(/FORBIDDEN|NOT_FOUND|"result":"fail"|UNSUPPORTED/);
      expect(words).not.toContain('"phase":"applied"');
      const token = 'code' in plain ? 'pl_forged' : String(plain.structured['plan'] ?? 'pl_forged');
      await expect(server.call(name, { ...calls[name], apply: token })).rejects.toMatchObject({
        code: expect.stringMatching(/FORBIDDEN|FAILED_PRECONDITION|NOT_FOUND|UNSUPPORTED/),
      });
    }
    expect(writes(since)).toEqual([]);
  });

  it('plans are no writes either: every request of a plan is a dry run', async () => {
    const since = new Date().toISOString();
    const server = await open({ 'security.allowWrites': true, 'security.allowDestructive': true });
    for (const [name, args] of Object.entries(toCalls())) {
      if (!name.startsWith('kubernetes_') || name === 'kubernetes_exec_pod') continue;
      await server.call(name, args as never).catch(() => {});
    }
    const seen = writes(since).map(({ uri }) => uri);
    expect(seen.length).toBeGreaterThan(3);
    expect(seen.filter((uri) => !uri.includes('dryRun=All'))).toEqual([]);
    expect((await api.request(`/api/v1/namespaces/${namespace}/configmaps/kube-root-ca.crt`)).status).toBe(200);
  });
});
