// Drift: what the cluster has beside what the release says. The server itself applies each object as a dry run, so that its defaults and
// normal forms are no drift; where it may not be asked, the fields of the manifest are compared as they stand.

import { AppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { Kubernetes } from '../../../upstream/kubernetes/kubernetes.ts';
import { type Fields, fieldsAt, isObject, type KubeObject, listAt, nameOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { toReadable } from '../../../upstream/kubernetes/present.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { type Difference, diff } from './diff.ts';
import type { ManifestObject } from './manifest.ts';
import { inParallel, type LiveObject, readLive } from './resources.ts';

export interface DriftEntry {
  readonly ref: string;
  readonly path: string;
  readonly expected?: unknown;
  readonly actual?: unknown;
  /** Who wrote the field last, and when. */
  readonly manager?: string;
  readonly at?: string;
  /** Set when it is meant to be so. */
  readonly note?: string;
}

export interface Drift {
  readonly drift: readonly DriftEntry[];
  readonly missing: readonly string[];
  /** Objects that could not be compared, and why. */
  readonly unknown: readonly { readonly ref: string; readonly reason: string }[];
  readonly warnings: readonly string[];
}

/** Fields that the server alone writes. */
const comparable = (object: KubeObject, service: Kubernetes): Fields => {
  const { status: _, ...rest } = toReadable(object, service);
  const { creationTimestamp: __, generation: ___, ...metadata } = fieldsAt(rest, 'metadata');
  return { ...rest, metadata };
};

type Segment = { readonly key: string } | { readonly item: string; readonly value: string } | { readonly index: number };

const SEGMENT = /\.?([^.[\]]+)|\["([^"]*)"\]|\[([A-Za-z]+)=([^\]]*)\]|\[(\d+)\]/g;

const toSegments = (path: string): Segment[] =>
  [...path.matchAll(SEGMENT)].map(([, key, odd, item, value, index]) => {
    if (item !== undefined) return { item, value: value ?? '' };
    return index === undefined ? { key: key ?? odd ?? '' } : { index: Number(index) };
  });

/** Follows a path in `fieldsV1` (structured-merge-diff): `f:key`, `k:{"name":"x"}`. */
const owns = (fields: unknown, [segment, ...rest]: readonly Segment[]): boolean => {
  if (segment === undefined) return true;
  if (!isObject(fields)) return false;
  if ('key' in segment) return Object.hasOwn(fields, `f:${segment.key}`) && owns(fields[`f:${segment.key}`], rest);
  // Lists without keys are owned as a whole.
  if ('index' in segment) return Object.keys(fields).every((key) => key === '.');
  const found = Object.keys(fields).find(
    (key) => key.startsWith('k:') && key.includes(`"${segment.item}":`) && key.includes(segment.value),
  );
  return found !== undefined && owns(fields[found], rest);
};

const findManager = (live: KubeObject, path: string): { manager?: string; at?: string } => {
  const segments = toSegments(path);
  const entries = listAt(live, 'metadata', 'managedFields').filter((entry) => owns(entry['fieldsV1'], segments));
  const last = entries.toSorted((a, b) => ((textAt(a, 'time') ?? '') < (textAt(b, 'time') ?? '') ? 1 : -1))[0];
  const [manager, at] = [textAt(last, 'manager'), textAt(last, 'time')];
  return { ...(manager === undefined ? {} : { manager }), ...(at === undefined ? {} : { at }) };
};

/** INTERNAL: a server that knows no server-side apply refuses the form of the request. */
const REFUSALS: readonly string[] = ['FORBIDDEN', 'INVALID_ARGUMENT', 'CONFLICT', 'UNSUPPORTED', 'FAILED_PRECONDITION', 'INTERNAL'];

/** What the object would be if its manifest were applied over it, whoever owns its fields now. */
const dryRun = async (
  client: KubernetesClient,
  { wanted, resource, live }: LiveObject,
  signal: AbortSignal,
): Promise<KubeObject | AppError> => {
  if (resource === undefined || live === undefined) throw new AppError('INTERNAL', 'Nothing to compare with.');
  const scope = resource.namespaced ? { namespace: wanted.namespace } : {};
  const object = { ...wanted.object, metadata: { ...fieldsAt(wanted.object, 'metadata'), ...scope } };
  try {
    return (await client.apply(resource, { name: wanted.name, ...scope, object, force: true, dryRun: true, signal })).object;
  } catch (thrown) {
    if (thrown instanceof AppError && REFUSALS.includes(thrown.code)) return thrown;
    throw thrown;
  }
};

/** The live object with the fields of the manifest alone: what the manifest does not name cannot drift. */
const narrowTo = (wanted: unknown, live: unknown): unknown => {
  if (isObject(wanted) && isObject(live))
    return Object.fromEntries(
      Object.keys(wanted).flatMap((key) => (live[key] === undefined ? [] : [[key, narrowTo(wanted[key], live[key])]])),
    );
  if (!Array.isArray(wanted) || !Array.isArray(live)) return live;
  const byName = new Map(live.filter(isObject).map((item) => [item['name'], item]));
  const isNamed = wanted.every((item) => isObject(item) && byName.has(item['name']));
  return isNamed ? wanted.map((item) => narrowTo(item, byName.get((item as Fields)['name']))) : live;
};

const toStructural = (one: LiveObject, service: Kubernetes): Difference[] => {
  const expected = comparable(one.wanted.object, service);
  return diff(expected, narrowTo(expected, comparable(one.live ?? {}, service)));
};

/** Replicas that an autoscaler sets are as they should be. */
const findAutoscaler = async (client: KubernetesClient, { wanted }: LiveObject, signal: AbortSignal): Promise<string | undefined> => {
  const page = await client
    .list(RESOURCES.horizontalpodautoscalers, { namespace: wanted.namespace, limit: 500, signal })
    .catch((thrown: unknown) => {
      if (thrown instanceof AppError && thrown.code === 'FORBIDDEN') return undefined;
      throw thrown;
    });
  const found = page?.items.find(
    (item) =>
      textAt(item, 'spec', 'scaleTargetRef', 'kind') === wanted.kind && textAt(item, 'spec', 'scaleTargetRef', 'name') === wanted.name,
  );
  return found === undefined ? undefined : nameOf(found);
};

const toEntry = ({ wanted, live }: LiveObject, { path, before, after }: Difference): DriftEntry => ({
  ref: wanted.ref,
  path,
  ...(before === undefined ? {} : { expected: before }),
  ...(after === undefined ? {} : { actual: after }),
  ...(live === undefined ? {} : findManager(live, path)),
});

export const readDrift = async (
  client: KubernetesClient,
  objects: readonly ManifestObject[],
  { service, signal }: { service: Kubernetes; signal: AbortSignal },
): Promise<Drift> => {
  const all = await readLive(client, objects, signal);
  const present = all.filter(({ live }) => live !== undefined);
  const structural: string[] = [];
  const lists = await inParallel(present, async (one) => {
    const result = await dryRun(client, one, signal);
    if (result instanceof AppError)
      structural.push(`${one.wanted.ref} (${result.code === 'FORBIDDEN' ? 'no right to patch' : 'refused as a dry run'})`);
    const found =
      result instanceof AppError
        ? toStructural(one, service)
        : diff(comparable({ ...result, kind: one.wanted.kind }, service), comparable(one.live ?? {}, service));
    const scaler = found.some(({ path }) => path === 'spec.replicas') ? await findAutoscaler(client, one, signal) : undefined;
    return found.map((difference) => ({
      ...toEntry(one, difference),
      ...(difference.path === 'spec.replicas' && scaler !== undefined
        ? { note: `expected: set by HorizontalPodAutoscaler ${scaler}` }
        : {}),
    }));
  });
  const words = 'compared field by field, without the defaults and normal forms of the server: differences may be no drift';
  return {
    drift: lists.flat(),
    missing: all
      .filter(({ live, problem, resource }) => live === undefined && problem === undefined && resource !== undefined)
      .map(({ wanted }) => wanted.ref),
    unknown: all
      .filter(({ problem, resource }) => problem !== undefined || resource === undefined)
      .map(({ wanted, problem }) => ({ ref: wanted.ref, reason: problem?.message ?? 'kind not served' })),
    warnings: structural.length === 0 ? [] : [`${structural.length} objects were ${words}: ${structural.slice(0, 5).join(', ')}.`],
  };
};
