// The planted faults that real controllers bring about by themselves: only what a person would apply is planted, all else is theirs.

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { stringify } from 'yaml';
import { at, KubernetesApi, textAt } from '../backends/kubernetes/api.ts';
import { apply, deleteNamespace, kubectl, readBed } from '../backends/kubernetes/bed.ts';
import { KWOK_NODE_LABEL } from '../backends/kubernetes/kwok.ts';
import { openApp, type Shop } from '../support/shop.ts';
import { FAULTS, namespaceOf, toNamespace } from './faults/index.ts';
import type { Fields, Planted } from './faults/objects.ts';
import { askAbout, check, checkField } from './faults.suite.ts';

const bed = readBed();
const RUN = randomBytes(2).toString('hex');
const NODE = `fault-kwok-${RUN}`;
const LIVE = FAULTS.filter(({ isLive }) => isLive === true);

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

/** Pods go to a node that only says that they run: their images exist nowhere. */
const onKwok = (spec: unknown): unknown => {
  const template = isFields(spec) ? spec['template'] : undefined;
  const pod = isFields(template) ? template['spec'] : undefined;
  if (!isFields(spec) || !isFields(template) || !isFields(pod)) return spec;
  const nodeSelector = { ...KWOK_NODE_LABEL, ...(isFields(pod['nodeSelector']) ? pod['nodeSelector'] : {}) };
  return { ...spec, template: { ...template, spec: { ...pod, nodeSelector } } };
};

/** What a person would apply: no status, no owner, no events, nothing that controllers make. */
const toManifest = ({ metadata, kind, apiVersion, status: _, ...body }: Planted): readonly object[] => {
  const isMade = metadata['ownerReferences'] !== undefined || ['Event', 'EndpointSlice', 'CustomResourceDefinition'].includes(kind);
  if (isMade) return [];
  const { name, namespace, labels, annotations } = metadata;
  const spec = isFields(body['spec']) ? body['spec'] : undefined;
  const { clusterIP: __, clusterIPs: ___, ...rest } = spec ?? {};
  return [
    {
      apiVersion,
      kind,
      metadata: { name, namespace, labels, annotations },
      ...body,
      ...(spec === undefined ? {} : { spec: onKwok(rest) }),
    },
  ];
};

describe('planted faults brought about by real controllers', () => {
  const api = new KubernetesApi(bed.kubeconfigs.admin);
  let now: Omit<Shop, 'embedded'>;
  let later: Omit<Shop, 'embedded'>;

  beforeAll(async () => {
    const size = { cpu: '32', memory: '128Gi', pods: '250', 'ephemeral-storage': '200Gi' };
    const labels = { ...KWOK_NODE_LABEL, 'kubernetes.io/os': 'linux', 'kubernetes.io/hostname': NODE };
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE, labels }, status: { capacity: size, allocatable: size } };
    await api.json('/api/v1/nodes', { method: 'POST', body: node });
    await api.watchUntil('/api/v1/nodes', (object) => JSON.stringify(object).includes(`"name":"${NODE}"`));
    const ingressClass = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: 'fault-nginx' },
      spec: { controller: 'example.test/x' },
    };
    const spaces = LIVE.map((fault) => toNamespace(namespaceOf(fault))).flatMap(toManifest);
    await apply(bed, [ingressClass, ...spaces].map((one) => stringify(one)).join('---\n'));
    // What limits pods is there, and counted, before the first of them is made. Service accounts of the new namespaces come a moment
    // later: controllers try again by themselves.
    const planted = LIVE.flatMap((fault) => fault.plant(namespaceOf(fault)));
    const applyAll = (objects: readonly Planted[]) =>
      apply(
        bed,
        objects
          .flatMap(toManifest)
          .map((one) => stringify(one))
          .join('---\n'),
      );
    await applyAll(planted.filter(({ kind }) => kind !== 'Deployment'));
    const quotas = new Set(planted.flatMap(({ kind, metadata }) => (kind === 'ResourceQuota' ? [metadata.namespace ?? ''] : [])));
    await api.watchUntil('/api/v1/resourcequotas', (quota) => {
      if (at(quota, 'status', 'used') !== undefined) quotas.delete(textAt(quota, 'metadata', 'namespace'));
      return quotas.size === 0;
    });
    await applyAll(planted.filter(({ kind }) => kind === 'Deployment'));
    const flags = { 'kubernetes.kubeconfig': bed.kubeconfigs.admin, 'kubernetes.qps': 5000, 'kubernetes.burst': 5000 };
    now = await openApp(flags);
    later = await openApp(flags, () => Date.now() + 15 * 60_000);
  });

  afterAll(async () => {
    await now?.close();
    await later?.close();
    await Promise.all(LIVE.map((fault) => deleteNamespace(api, namespaceOf(fault))));
    await kubectl(bed, ['delete', 'node', NODE]);
    await api.close();
  });

  it.each(LIVE)('$name', async (fault) => {
    const namespace = namespaceOf(fault);
    const server = fault.later === undefined ? now : later;
    const item = await vi.waitFor(async () => check(await askAbout(server, fault, namespace), fault), { timeout: 60_000, interval: 1000 });
    await checkField(server, item, namespace);
    expect(item.detail.length).toBeGreaterThan(10);
  });
});
