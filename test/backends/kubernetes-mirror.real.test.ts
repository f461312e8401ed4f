import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Json } from './backend.ts';
import { runCommand } from './command.ts';
import { at, KubernetesApi, listAt, textAt } from './kubernetes/api.ts';
import { readMirror } from './kubernetes/bed.ts';
import { loadObjects, type MirrorObject } from './kubernetes/mirror-objects.ts';

const mirror = readMirror();
const api = new KubernetesApi(mirror.kubeconfig);
const objects = shop();

beforeAll(async () => {
  await loadObjects(mirror, objects);
});

afterAll(async () => {
  await api.close();
});

describe('the mirror', () => {
  it('shows every object with the uid, times, managed fields and status that it was given', async () => {
    for (const object of objects) {
      const shown = await api.json(pathOf(object));
      expect(shown, pathOf(object)).toMatchObject(JSON.parse(JSON.stringify(object)));
      expect(textAt(shown, 'metadata', 'resourceVersion')).toMatch(/^\d+$/);
    }
  });

  it('shows no object more, and none of the warnings that a repaired address would leave', async () => {
    const names = async (path: string) => listAt(await api.json(path), 'items').map((item) => textAt(item, 'metadata', 'name'));
    expect(await names('/api/v1/pods')).toEqual(['payment-7c9', 'web-0']);
    expect(await names('/api/v1/services')).toEqual(['kubernetes', 'web']);
    expect(await names('/apis/rbac.authorization.k8s.io/v1/clusterroles')).toEqual(['shop-reader']);
    expect(await names('/api/v1/events')).toEqual(['payment-7c9.backoff']);
  });

  it('lets kubectl tell the status and the age of a pod whose container crashes', async () => {
    const [header, line] = await table('get', 'pods', '-n', 'shop', 'payment-7c9');
    expect(header).toEqual(['NAME', 'READY', 'STATUS', 'RESTARTS', 'AGE']);
    expect(line?.join(' ')).toMatch(/^payment-7c9 0\/1 CrashLoopBackOff 9 \(\d+m ago\) 5d$/);
  });

  it('lets kubectl show nodes, deployments and custom resources by their own columns', async () => {
    expect((await table('get', 'node', 'node-1'))[1]).toEqual(['node-1', 'Ready', '<none>', '30d', 'v1.37.2']);
    expect((await table('get', 'deployment', '-n', 'shop', 'payment'))[1]).toEqual(['payment', '0/1', '1', '0', '5d']);
    expect((await table('get', 'certificates', '-n', 'shop'))[1]).toEqual(['tls', 'shop.example.test', '5d']);
  });

  it('numbers the objects in the order in which they were given', async () => {
    const versions = await Promise.all(
      objects
        .filter((object) => object.kind === 'Pod')
        .map(async (object) => Number(textAt(await api.json(pathOf(object)), 'metadata', 'resourceVersion'))),
    );
    expect(versions).toEqual(versions.toSorted((left, right) => left - right));
    expect(new Set(versions).size).toBe(versions.length);
  });

  it('takes back the objects of an earlier set, and keeps them if told to', async () => {
    const extra = configMap('later');
    await loadObjects(mirror, [extra], { keep: true });
    expect((await api.request(pathOf(configMap('settings')))).status).toBe(200);
    await loadObjects(mirror, [configMap('alone')]);
    for (const path of ['/api/v1/pods', '/api/v1/events', '/apis/apps/v1/deployments'])
      expect(listAt(await api.json(path), 'items')).toEqual([]);
    await loadObjects(mirror, objects);
    expect((await api.request(pathOf(extra))).status).toBe(404);
  });

  it('refuses an object that the API server would not show', async () => {
    const unknown = { apiVersion: 'example.test/v9', kind: 'Nothing', metadata: { name: 'x' } };
    await expect(loadObjects(mirror, [unknown])).rejects.toThrow('/apis/example.test/v9');
    const { namespace: _, ...metadata } = configMap('lost').metadata;
    await expect(loadObjects(mirror, [{ ...configMap('lost'), metadata }])).rejects.toThrow('has no namespace');
  });

  it('accepts writes, which no admission plugin changes', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'new' },
      spec: { containers: [{ name: 'main', image: 'example.test/a:1' }] },
    };
    const made = await api.json('/api/v1/namespaces/shop/pods?dryRun=All', { method: 'POST', body: pod });
    expect(at(made, 'spec', 'serviceAccountName')).toBeUndefined();
    expect(at(made, 'spec', 'tolerations')).toBeUndefined();
  });
});

/** The lines of what kubectl prints, cut where two spaces or more stand. */
async function table(...args: readonly string[]): Promise<string[][]> {
  const { stdout, stderr } = await runCommand(mirror.kubectl, args, { env: { KUBECONFIG: mirror.kubeconfig } });
  const lines = stdout.trim().split('\n');
  if (lines.length < 2) throw new Error(stderr || stdout);
  return lines.map((line) => line.trim().split(/ {2,}/));
}

function pathOf({ apiVersion, kind, metadata }: MirrorObject): string {
  const plurals: Record<string, string> = {
    Endpoints: 'endpoints',
    Ingress: 'ingresses',
    NetworkPolicy: 'networkpolicies',
    IPAddress: 'ipaddresses',
    StorageClass: 'storageclasses',
  };
  const plural = plurals[kind] ?? `${kind.toLowerCase()}s`;
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return `${base}${metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`}/${plural}/${metadata.name}`;
}

/** A time some minutes ago, as the API writes times. */
function ago(minutes: number): string {
  return new Date(Date.now() - minutes * 60_000).toISOString().replace(/\.\d+Z$/, 'Z');
}

function made(apiVersion: string, kind: string, name: string, rest: { [key: string]: Json }, days = 5) {
  const managedFields = [
    {
      manager: 'deploy-bot',
      operation: 'Update',
      apiVersion,
      time: ago(days * 1440),
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:metadata': { 'f:labels': {} } },
    },
  ];
  const clusterWide = [
    'Namespace',
    'Node',
    'ClusterRole',
    'ClusterRoleBinding',
    'PersistentVolume',
    'StorageClass',
    'IPAddress',
    'CustomResourceDefinition',
    'PriorityClass',
  ];
  const place = clusterWide.includes(kind) ? {} : { namespace: 'shop' };
  return { apiVersion, kind, metadata: { name, ...place, uid: randomUUID(), creationTimestamp: ago(days * 1440), managedFields }, ...rest };
}

function configMap(name: string) {
  return made('v1', 'ConfigMap', name, { data: { color: 'blue' } });
}

/** A few objects of many kinds, one of them in trouble. */
function shop(): MirrorObject[] {
  const labels = { app: 'payment' };
  const rbac = 'rbac.authorization.k8s.io';
  const backend = { service: { name: 'web', port: { number: 80 } } };
  return [
    made('v1', 'Namespace', 'default', { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }, 30),
    made('v1', 'Namespace', 'shop', { spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }, 30),
    made('v1', 'Node', 'node-1', nodeParts(), 30),
    made('apiextensions.k8s.io/v1', 'CustomResourceDefinition', 'certificates.cert.example.test', definitionParts()),
    made('cert.example.test/v1', 'Certificate', 'tls', { spec: { host: 'shop.example.test' } }),
    made('v1', 'Pod', 'web-0', podParts('web', { running: { startedAt: ago(7000) } }, 0)),
    made('v1', 'Pod', 'payment-7c9', podParts('payment', { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s' } }, 9)),
    made('apps/v1', 'Deployment', 'payment', {
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: 'payment', image: 'example.test/payment:1' }] } },
      },
      status: { replicas: 1, updatedReplicas: 1, unavailableReplicas: 1, observedGeneration: 1 },
    }),
    {
      ...made('v1', 'Service', 'kubernetes', serviceParts('10.96.0.1', undefined)),
      metadata: { ...made('v1', 'Service', 'kubernetes', {}, 30).metadata, namespace: 'default' },
    },
    made('v1', 'Service', 'web', serviceParts('10.96.7.7', { app: 'web' })),
    made('v1', 'Endpoints', 'web', { subsets: [{ addresses: [{ ip: '10.244.1.5' }], ports: [{ port: 8080, protocol: 'TCP' }] }] }),
    made('discovery.k8s.io/v1', 'EndpointSlice', 'web-x1', {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.244.1.5'] }],
      ports: [{ port: 8080, protocol: 'TCP', name: '' }],
    }),
    made('networking.k8s.io/v1', 'Ingress', 'web', {
      spec: { defaultBackend: backend },
      status: { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } },
    }),
    made('networking.k8s.io/v1', 'NetworkPolicy', 'closed', { spec: { podSelector: {}, policyTypes: ['Ingress'] } }),
    configMap('settings'),
    made('v1', 'Secret', 'database', { type: 'Opaque', data: { password: Buffer.from('not a real one').toString('base64') } }),
    made('v1', 'ServiceAccount', 'payment', {}),
    made('v1', 'PersistentVolumeClaim', 'data', {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      status: { phase: 'Pending' },
    }),
    made('storage.k8s.io/v1', 'StorageClass', 'fast', { provisioner: 'example.test/disk' }),
    made('batch/v1', 'CronJob', 'report', {
      spec: {
        schedule: '0 3 * * *',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'a', image: 'example.test/a:1' }] } } } },
      },
    }),
    made('autoscaling/v2', 'HorizontalPodAutoscaler', 'web', {
      spec: { maxReplicas: 5, scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' } },
    }),
    made('policy/v1', 'PodDisruptionBudget', 'web', {
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'web' } } },
      status: { currentHealthy: 1, desiredHealthy: 1, disruptionsAllowed: 0, expectedPods: 1 },
    }),
    made(`${rbac}/v1`, 'ClusterRole', 'shop-reader', { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }),
    made(`${rbac}/v1`, 'RoleBinding', 'readers', {
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'shop-reader' },
      subjects: [{ kind: 'User', apiGroup: rbac, name: 'alice' }],
    }),
    made('v1', 'Event', 'payment-7c9.backoff', {
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'payment-7c9', namespace: 'shop' },
      reason: 'BackOff',
      message: 'Back-off restarting failed container payment',
      type: 'Warning',
      count: 120,
      firstTimestamp: ago(36),
      lastTimestamp: ago(1),
    }),
  ];
}

function podParts(name: string, state: Json, restartCount: number): { [key: string]: Json } {
  const ready = restartCount === 0;
  const lastState = ready ? {} : { terminated: { exitCode: 137, reason: 'OOMKilled', startedAt: ago(11), finishedAt: ago(10) } };
  return {
    spec: { nodeName: 'node-1', containers: [{ name, image: `example.test/${name}:1` }] },
    status: {
      phase: 'Running',
      podIP: '10.244.1.5',
      startTime: ago(7000),
      conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(10) }],
      containerStatuses: [{ name, image: `example.test/${name}:1`, imageID: 'sha256:0', ready, restartCount, state, lastState }],
    },
  };
}

function nodeParts(): { [key: string]: Json } {
  const times = { lastHeartbeatTime: ago(1), lastTransitionTime: ago(40_000) };
  return {
    spec: { podCIDR: '10.244.1.0/24' },
    status: {
      capacity: { cpu: '4', memory: '16Gi', pods: '110' },
      conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status', ...times }],
      addresses: [{ type: 'InternalIP', address: '10.0.0.11' }],
      nodeInfo: {
        kubeletVersion: 'v1.37.2',
        kernelVersion: '6.12',
        osImage: 'Linux',
        architecture: 'amd64',
        operatingSystem: 'linux',
        containerRuntimeVersion: 'containerd://2.1.0',
        machineID: 'a',
        systemUUID: 'b',
        bootID: 'c',
        kubeProxyVersion: '',
      },
    },
  };
}

function serviceParts(address: string, selector: Json | undefined): { [key: string]: Json } {
  const spec = {
    type: 'ClusterIP',
    clusterIP: address,
    clusterIPs: [address],
    ...(selector !== undefined && { selector }),
    ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
  };
  return { spec: { ...spec, ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack', sessionAffinity: 'None' }, status: { loadBalancer: {} } };
}

function definitionParts(): { [key: string]: Json } {
  const names = { plural: 'certificates', singular: 'certificate', kind: 'Certificate', listKind: 'CertificateList' };
  const schema = {
    openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { host: { type: 'string' } } } } },
  };
  const columns = [
    { name: 'Host', type: 'string', jsonPath: '.spec.host' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ];
  const time = ago(7000);
  return {
    spec: {
      group: 'cert.example.test',
      names,
      scope: 'Namespaced',
      versions: [{ name: 'v1', served: true, storage: true, schema, additionalPrinterColumns: columns }],
    },
    status: {
      acceptedNames: names,
      storedVersions: ['v1'],
      conditions: [
        { type: 'NamesAccepted', status: 'True', reason: 'NoConflicts', message: 'no conflicts found', lastTransitionTime: time },
        {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
          lastTransitionTime: time,
        },
      ],
    },
  };
}
