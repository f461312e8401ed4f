// Helm 3 and Helm 4 as judges: they install, upgrade and roll back on the embedded cluster as on any other.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programsOf } from '../../../test/backends/kubernetes/programs.ts';
import { createEmbeddedKubernetes, type EmbeddedKubernetes } from './index.ts';
import { type Json, listAt, objectsAt, parseJson, textAt } from './json.ts';
import { askerOf } from './testing.ts';

const CHART: Readonly<Record<string, string>> = {
  'Chart.yaml': 'apiVersion: v2\nname: tiny\nversion: 1.2.3\nappVersion: "4.5"\n',
  'values.yaml': 'replicas: 1\nimage: nginx:1.29\nhook: pass\n',
  'templates/NOTES.txt': 'Runs {{ .Values.image }}.\n',
  'templates/app.yaml': `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-settings}
data: {image: {{ .Values.image | quote }}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}, labels: {app: {{ .Release.Name }}}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      terminationGracePeriodSeconds: 1
      {{- if .Values.nowhere }}
      nodeSelector: {no: such}
      {{- end }}
      containers: [{name: main, image: {{ .Values.image | quote }}}]
`,
  'templates/hook.yaml': `apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-check
  annotations: {helm.sh/hook: pre-upgrade, helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  {{- if eq .Values.hook "fail" }}
  activeDeadlineSeconds: 1
  {{- end }}
  template:
    spec:
      restartPolicy: Never
      {{- if eq .Values.hook "fail" }}
      nodeSelector: {no: such}
      {{- end }}
      containers: [{name: check, image: busybox:1}]
`,
};

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

describe.each([
  ['Helm 3', 'helm3'],
  ['Helm 4', 'helm4'],
] as const)('%s', (_, program) => {
  let kubernetes: EmbeddedKubernetes;
  let folder: string;

  beforeAll(async () => {
    // Time goes twenty times as fast: hooks and rollouts take no minutes.
    const begun = Date.now();
    kubernetes = createEmbeddedKubernetes({ clock: () => begun + (Date.now() - begun) * 20 });
    await kubernetes.listen({ tls: true });
    folder = await mkdtemp(join(tmpdir(), 'helm-'));
    await mkdir(join(folder, 'tiny', 'templates'), { recursive: true });
    await writeFile(join(folder, 'config'), kubernetes.kubeconfig('admin'));
    for (const [name, text] of Object.entries(CHART)) await writeFile(join(folder, 'tiny', name), text);
  });

  afterAll(async () => {
    await kubernetes.close();
    await rm(folder, { recursive: true, force: true });
  });

  const helm = async (text: string): Promise<Result> => {
    const { promise, resolve } = Promise.withResolvers<Result>();
    const env = { HOME: folder, KUBECONFIG: join(folder, 'config'), PATH: '' };
    const args = text.split(' ').map((word) => (word === 'CHART' ? join(folder, 'tiny') : word));
    execFile(programsOf()[program], args, { timeout: 60_000, env }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    );
    return promise;
  };

  const read = async (path: string): Promise<Json> => (await askerOf(kubernetes)(path)).body;
  const imageOf = async (name: string): Promise<string> =>
    textAt(
      objectsAt(await read(`/apis/apps/v1/namespaces/shop/deployments/${name}`), 'spec', 'template', 'spec', 'containers')[0],
      'image',
    );

  it('lists the releases of the shop, and reads what they are made of', async () => {
    const { out } = await helm('list -n shop -o json');
    expect(listAt(parseJson(`{"items":${out}}`), 'items').map((item) => textAt(item, 'name'))).toContain('payment');
    expect((await helm('history payment -n shop')).out).toMatch(/\n8 +/);
    expect((await helm('get manifest payment -n shop')).out).toContain('kind: Deployment');
    expect((await helm('get values payment -n shop --all')).code).toBe(0);
    expect((await helm('get notes payment -n shop')).code).toBe(0);
  });

  it('plans an installation on the server, and leaves nothing behind', async () => {
    const { code, out } = await helm('install tiny CHART -n shop --dry-run=server');
    expect([code, out]).toEqual([0, expect.stringContaining('kind: Deployment')]);
    expect((await helm('status tiny -n shop')).code).toBe(1);
  });

  it('installs and waits until everything runs', async () => {
    const { code, out, err } = await helm('install tiny CHART -n shop --wait --timeout 50s');
    expect([code, err]).toEqual([0, expect.any(String)]);
    expect(out).toContain('STATUS: deployed');
    expect((await helm('status tiny -n shop')).out).toContain('REVISION: 1');
    expect((await helm('get notes tiny -n shop')).out).toContain('Runs nginx:1.29.');
    expect((await helm('install tiny CHART -n shop')).err).toMatch(/cannot re-?use a name that is still in use/);
  });

  it('upgrades with a hook, and tells who owns the fields', async () => {
    const { code, err } = await helm('upgrade tiny CHART -n shop --set image=nginx:1.30 --wait --timeout 50s');
    expect([code, err]).toEqual([0, expect.any(String)]);
    expect(await imageOf('tiny')).toBe('nginx:1.30');
    expect((await helm('get hooks tiny -n shop')).out).toContain('helm.sh/hook: pre-upgrade');
    expect((await helm('get values tiny -n shop')).out).toContain('image: nginx:1.30');
    const live = await read('/apis/apps/v1/namespaces/shop/deployments/tiny');
    const entry = objectsAt(live, 'metadata', 'managedFields').find(({ manager }) => manager === 'helm');
    expect(entry?.['operation']).toBe(program === 'helm4' ? 'Apply' : 'Update');
  });

  it('stops at a hook that fails', async () => {
    const { code, err } = await helm('upgrade tiny CHART -n shop --set image=nginx:1.31,hook=fail --timeout 20s');
    expect([code, err]).toEqual([1, expect.stringMatching(/pre-upgrade hooks? failed/i)]);
    expect(await imageOf('tiny')).toBe('nginx:1.30');
    expect((await helm('history tiny -n shop')).out).toMatch(/\n3 .*failed/);
  });

  it('gives up waiting for what cannot run', async () => {
    const { code } = await helm('upgrade tiny CHART -n shop --set nowhere=true --wait --timeout 3s');
    expect(code).toBe(1);
    expect((await helm('status tiny -n shop')).out).toContain('STATUS: failed');
  });

  it('rolls back, and takes everything away', async () => {
    expect((await helm('rollback tiny 1 -n shop --wait --timeout 50s')).out).toContain('Rollback was a success');
    expect(await imageOf('tiny')).toBe('nginx:1.29');
    expect((await helm('uninstall tiny -n shop --wait --timeout 50s')).out).toContain('release "tiny" uninstalled');
    expect(textAt(await read('/apis/apps/v1/namespaces/shop/deployments/tiny'), 'reason')).toBe('NotFound');
    expect(textAt(await read('/api/v1/namespaces/shop/configmaps/tiny-settings'), 'reason')).toBe('NotFound');
  });

  it('heals payment by its rollback', async () => {
    expect((await helm('rollback payment 7 -n shop')).out).toContain('Rollback was a success');
    await expect
      .poll(() => kubernetes.handle(new Request('http://kubernetes/healthz')).then(() => kubernetes.shop.healedAt), { timeout: 30_000 })
      .toBeDefined();
    expect((await helm('history payment -n shop')).out).toMatch(/\n9 .*deployed .*Rollback to 7/);
  });
});
