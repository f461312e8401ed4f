// A real API server full of real pods, and nothing else on it that could disturb a measurement: a whole cluster makes 500 pods and their
// events, then goes; its objects are shown by an API server alone, as they are, or copied under other names where more are wanted.

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Json } from '../../test/backends/backend.ts';
import { backendOf } from '../../test/backends/backends.ts';
import { KubernetesApi, textAt } from '../../test/backends/kubernetes/api.ts';
import { type KubernetesMirror, readMirror } from '../../test/backends/kubernetes/bed.ts';
import { loadObjects, type MirrorObject } from '../../test/backends/kubernetes/mirror-objects.ts';
import { bringUp, execute, takeDown } from '../../test/backends/lifecycle.ts';
import { timed as told } from '../../test/backends/log.ts';
import { Run } from '../../test/backends/run.ts';
import type { Collected } from './collect.ts';

/** The light form of a list: what kubectl prints, without the objects. */
export const LIGHT_TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

export interface BenchCluster {
  readonly kubeconfig: string;
  /** The folder of kubectl, for peers that need it. */
  readonly tools: string;
  /** An administrator's way past every server: the floor of all comparisons. */
  readonly api: KubernetesApi;
  readonly events: number;
  /** The namespace with as many pods; it is filled when first asked for. */
  pods(count: number): Promise<string>;
  /** The name of some pod of that namespace. */
  somePod(count: number): Promise<string>;
  close(): Promise<void>;
}

const REAL_PODS = 500;
const NAMESPACE = 'bench';

const anObject = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().exactOptional() }),
});

const toObject = (value: Json, kind: string): MirrorObject =>
  anObject.parse({ apiVersion: 'v1', kind, ...z.record(z.string(), z.unknown()).parse(value) });

/** The numbered copy of a pod: another name, uid and address, otherwise the same. */
const copyPod = (pod: Json, index: number, namespace: string): MirrorObject => {
  const round = Math.floor(index / REAL_PODS);
  const oldName = textAt(pod, 'metadata', 'name');
  const name = round === 0 ? oldName : `${oldName.slice(0, -5)}${(index + 36 ** 4).toString(36).slice(-5)}`;
  const text = JSON.stringify(pod)
    .replaceAll(textAt(pod, 'metadata', 'uid'), randomUUID())
    .replaceAll(`"${oldName}"`, `"${name}"`)
    .replace(`"namespace":"${NAMESPACE}"`, `"namespace":"${namespace}"`);
  return toObject(JSON.parse(text), 'Pod');
};

const namespaceObject = (name: string): MirrorObject =>
  toObject({ metadata: { name, uid: randomUUID() }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } }, 'Namespace');

/** Real pods and events, from a cluster that lives no longer than this. */
const collect = async (): Promise<Collected> => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-objects-'));
  const file = join(folder, 'objects.json');
  const run = await bringUp([backendOf('kubernetes')], {});
  try {
    run.setReady(process.pid);
    const script = join(import.meta.dirname, 'collect.ts');
    const code = await execute(run, [process.execPath, script, file, NAMESPACE, String(REAL_PODS)]);
    if (code !== 0) throw new Error('the pods could not be made; see above');
    const { pods, events }: Collected = JSON.parse(readFileSync(file, 'utf8'));
    return { pods, events };
  } finally {
    await takeDown(Run.open(run.id));
    await rm(folder, { recursive: true, force: true });
  }
};

const fill = async (mirror: KubernetesMirror, objects: readonly MirrorObject[], what: string): Promise<void> =>
  told(`filling ${what}`, () => loadObjects(mirror, objects, { keep: true }));

/** Starts everything; `close` leaves nothing. */
export const openCluster = async (): Promise<BenchCluster> => {
  const { pods, events } = await collect();
  const run = await bringUp([backendOf('kubernetes-mirror')], {});
  const close = (): Promise<void> => takeDown(Run.open(run.id));
  try {
    run.setReady(process.pid);
    process.env['CNMCP_TEST_KUBERNETES_MIRROR'] = run.factsFile('kubernetes-mirror');
    const mirror = readMirror();
    const namespaces = new Map<number, Promise<string>>();
    const make = async (count: number): Promise<string> => {
      const namespace = count === REAL_PODS ? NAMESPACE : `${NAMESPACE}-${count}`;
      const copies = Array.from({ length: count }, (_, index) => copyPod(pods[index % pods.length] ?? null, index, namespace));
      const own = count === REAL_PODS ? events.map((event) => toObject(event, 'Event')) : [];
      await fill(mirror, [namespaceObject(namespace), ...copies, ...own], `${namespace} with ${count} pods`);
      return namespace;
    };
    const api = new KubernetesApi(mirror.kubeconfig);
    const podsOf = (count: number): Promise<string> => {
      const known = namespaces.get(count) ?? make(count);
      namespaces.set(count, known);
      return known;
    };
    return {
      kubeconfig: mirror.kubeconfig,
      tools: join(mirror.kubectl, '..'),
      api,
      events: events.length,
      pods: podsOf,
      async somePod(count) {
        await podsOf(count);
        return textAt(pods[Math.floor(Math.min(count, pods.length) / 2)], 'metadata', 'name');
      },
      async close() {
        await api.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
};
