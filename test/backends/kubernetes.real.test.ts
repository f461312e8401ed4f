import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import type { Json } from './backend.ts';
import { at, type KubernetesApi, listAt, textAt } from './kubernetes/api.ts';
import {
  addImage,
  apply,
  auditEvents,
  connect,
  createNamespace,
  deleteNamespace,
  hasCondition,
  helm,
  kubectl,
  readBed,
  WRITE_VERBS,
  waitForPod,
} from './kubernetes/bed.ts';
import { createPods } from './kubernetes/workload.ts';

const bed = readBed();
let admin: KubernetesApi;
let namespace: string;

beforeAll(async () => {
  admin = connect(bed);
  namespace = await createNamespace(admin, 'bed');
});

afterAll(async () => {
  await deleteNamespace(admin, namespace);
  await admin.close();
});

describe('the real node', () => {
  it('is ready and runs the version that was asked for', async () => {
    const node = await admin.json(`/api/v1/nodes/${bed.node.name}`);
    expect(hasCondition(node, 'Ready')).toBe(true);
    expect(textAt(node, 'status', 'nodeInfo', 'kubeletVersion')).toBe(`v${bed.version}`);
    expect(textAt(node, 'status', 'nodeInfo', 'containerRuntimeVersion')).toMatch(/^containerd:/);
  });

  it('runs a pod whose log kubectl reads', async () => {
    await apply(bed, pod('writer', { command: 'echo from a real container; sleep 1000' }));
    await waitForPod(admin, namespace, 'writer', (object) => hasCondition(object, 'Ready'));
    const { stdout } = await kubectl(bed, ['logs', '--namespace', namespace, 'writer']);
    expect(stdout).toBe('from a real container\n');
  });

  it('gives the exit code and the output of a command, and takes its input', async () => {
    await apply(bed, pod('shell', { command: 'sleep 1000' }));
    await waitForPod(admin, namespace, 'shell', (object) => hasCondition(object, 'Ready'));
    const inside = (command: string, input?: string) =>
      kubectl(bed, ['exec', '--namespace', namespace, '--stdin', 'shell', '--', 'sh', '-c', command], input === undefined ? {} : { input });
    expect(await inside('echo out; echo problem >&2; exit 7')).toMatchObject({
      code: 7,
      stdout: 'out\n',
      stderr: expect.stringContaining('problem'),
    });
    expect(await inside('wc -c', 'five!')).toMatchObject({ code: 0, stdout: '5\n' });
  });

  it('lets a failing container crash again and again', async () => {
    await apply(bed, pod('crasher', { command: 'echo about to fail; exit 3' }));
    const crashed = await waitForPod(
      admin,
      namespace,
      'crasher',
      (object) =>
        textAt(container(object), 'state', 'waiting', 'reason') === 'CrashLoopBackOff' && Number(at(container(object), 'restartCount')) > 0,
    );
    expect(at(container(crashed), 'lastState', 'terminated', 'exitCode')).toBe(3);
    const { stdout } = await kubectl(bed, ['logs', '--namespace', namespace, '--previous', 'crasher']);
    expect(stdout).toBe('about to fail\n');
  });

  it('kills a container that wants more memory than its limit', async () => {
    await apply(bed, pod('greedy', { command: 'head -c 200m /dev/zero | tail', memory: '16Mi' }));
    const killed = await waitForPod(admin, namespace, 'greedy', (object) =>
      ['state', 'lastState'].some((state) => textAt(container(object), state, 'terminated', 'reason') === 'OOMKilled'),
    );
    expect(textAt(killed, 'spec', 'nodeName')).toBe(bed.node.name);
  });

  it('takes a pod whose probe fails out of service', async () => {
    await apply(bed, pod('sick', { command: 'sleep 1000', readinessProbe: { exec: { command: ['false'] }, periodSeconds: 1 } }));
    const running = await waitForPod(admin, namespace, 'sick', (object) => at(container(object), 'started') === true);
    expect(hasCondition(running, 'Ready')).toBe(false);
    const event = await admin.watchUntil(
      `/api/v1/namespaces/${namespace}/events?fieldSelector=reason%3DUnhealthy`,
      (object) => textAt(object, 'involvedObject', 'name') === 'sick',
    );
    expect(textAt(event, 'message')).toContain('Readiness probe failed');
  });

  it('passes traffic from pod to pod, through a Service address too', async () => {
    const serve = 'mkdir /tmp/www && echo hello from a pod >/tmp/www/index.html && httpd -f -p 8080 -h /tmp/www';
    await apply(
      bed,
      pod('web', { command: serve, labels: { app: 'web' }, readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 } }),
    );
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    };
    await apply(bed, stringify(service));
    // The static busybox's wget crashes while it looks names up; its nc does not.
    const fetched = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 1 $WEB_SERVICE_HOST 80 2>/dev/null | grep hello`;
    await apply(bed, pod('caller', { command: `until ${fetched}; do sleep 0.1; done; ${fetched}; sleep 1000` }));
    await waitForPod(admin, namespace, 'web', (object) => hasCondition(object, 'Ready'));
    await waitForPod(admin, namespace, 'caller', (object) => hasCondition(object, 'Ready'));
    const { stdout } = await kubectl(bed, ['logs', '--namespace', namespace, '--follow', '--limit-bytes=5', 'caller']);
    expect(stdout).toBe('hello');
    const proxied = await admin.request(`/api/v1/namespaces/${namespace}/pods/web:8080/proxy/`);
    expect(proxied).toEqual({ status: 200, text: 'hello from a pod\n' });
  });

  it('runs images that a test makes of its own files', async () => {
    const name = 'docker.io/local/greeting:1';
    await addImage(bed, { tags: [{ name, command: ['/bin/cat', '/etc/greeting'] }], files: { '/etc/greeting': import.meta.filename } });
    const greeter = { name: 'main', image: name, imagePullPolicy: 'Never' };
    const spec = { restartPolicy: 'Never', nodeName: bed.node.name, containers: [greeter] };
    await apply(bed, stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'greeter', namespace }, spec }));
    await waitForPod(admin, namespace, 'greeter', (object) => textAt(object, 'status', 'phase') === 'Succeeded');
    const { stdout } = await kubectl(bed, ['logs', '--namespace', namespace, 'greeter']);
    expect(stdout).toBe(readFileSync(import.meta.filename, 'utf8'));
  });

  it('tells the usage of its pods through the node proxy', async () => {
    const summary = await admin.json(`/api/v1/nodes/${bed.node.name}/proxy/stats/summary`);
    expect(textAt(summary, 'node', 'nodeName')).toBe(bed.node.name);
    expect(at(summary, 'node', 'memory', 'workingSetBytes')).toBeGreaterThan(0);
  });

  it('answers a query for the log of its kubelet', async () => {
    const answer = await admin.request(`/api/v1/nodes/${bed.node.name}/proxy/logs/?query=kubelet`, { accept: '*/*' });
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('kubelet');
  });
});

describe('the simulated nodes', () => {
  it('run hundreds of pods of two containers', async () => {
    const many = await createPods(admin, { namespace: `${namespace}-many`, count: 60, nodes: 3, replicas: 20 });
    const pods = await admin.json(`/api/v1/namespaces/${many}/pods`);
    expect(listAt(pods, 'items')).toHaveLength(60);
    expect(listAt(pods, 'items').every((object) => textAt(object, 'status', 'phase') === 'Running')).toBe(true);
    expect(new Set(listAt(pods, 'items').map((object) => listAt(object, 'spec', 'containers').length))).toEqual(new Set([2]));
    expect(new Set(listAt(pods, 'items').map((object) => textAt(object, 'spec', 'nodeName'))).has(bed.node.name)).toBe(false);
    await deleteNamespace(admin, many);
  });
});

describe('the usage of pods and nodes', () => {
  it('is an API when metrics-server was started (--metrics), and else unknown', async () => {
    const usage = () => admin.request(`/apis/metrics.k8s.io/v1beta1/nodes/${bed.node.name}`);
    if (!bed.metrics) return expect((await usage()).status).toBe(404);
    // It measures every 10 seconds, and nobody can watch for that.
    while ((await usage()).status !== 200) await delay(500);
    expect(textAt(JSON.parse((await usage()).text), 'usage', 'memory')).toMatch(/^\d+Ki$/);
  });
});

describe('the users', () => {
  it('differ in what they may see', async () => {
    const [viewer, nobody, token] = [connect(bed, 'viewer'), connect(bed, 'nobody'), connect(bed, 'adminToken')];
    const status = async (api: KubernetesApi, what: string) => (await api.request(`/api/v1/namespaces/${namespace}/${what}`)).status;
    try {
      expect(await status(viewer, 'pods')).toBe(200);
      expect(await status(viewer, 'secrets')).toBe(403);
      expect(await status(nobody, 'pods')).toBe(403);
      expect(await status(token, 'secrets')).toBe(200);
    } finally {
      await Promise.all([viewer.close(), nobody.close(), token.close()]);
    }
  });

  it('leave a trace in the audit log, which also shows that nothing was written', async () => {
    const viewer = connect(bed, 'viewer');
    await viewer.request(`/api/v1/namespaces/${namespace}/pods?limit=77`);
    await viewer.close();
    const events = auditEvents(bed, (event) => event.user === 'testbed-viewer');
    expect(events.map((event) => event.uri)).toContain(`/api/v1/namespaces/${namespace}/pods?limit=77`);
    expect(events.filter((event) => WRITE_VERBS.has(event.verb))).toEqual([]);
  });
});

describe('the clients', () => {
  it.each([3, 4] as const)('include Helm %i, which lists releases', async (major) => {
    expect(await helm(bed, major, ['list', '--all-namespaces', '--output', 'json'])).toMatchObject({ code: 0, stdout: '[]\n' });
    expect((await helm(bed, major, ['version', '--short'])).stdout).toMatch(new RegExp(`^v${major}\\.`));
  });
});

interface PodOptions {
  readonly command: string;
  readonly memory?: string;
  readonly labels?: Record<string, string>;
  readonly readinessProbe?: Json;
}

/** The manifest of a pod with one shell container on the real node. */
function pod(name: string, { command, memory, labels = {}, readinessProbe }: PodOptions): string {
  const main = {
    name: 'main',
    image: bed.image,
    imagePullPolicy: 'Never',
    command: ['sh', '-c', command],
    ...(memory !== undefined && { resources: { limits: { memory } } }),
    ...(readinessProbe !== undefined && { readinessProbe }),
  };
  const spec = { terminationGracePeriodSeconds: 0, nodeName: bed.node.name, containers: [main] };
  return stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace, labels }, spec });
}

function container(object: Json): Json | undefined {
  return at(object, 'status', 'containerStatuses', 0);
}
