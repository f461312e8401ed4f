// Release records: found by their labels, read and decoded when one is shown, remembered by (uid, resourceVersion).

import { LRUCache } from 'lru-cache';
import { AppError } from '../../../kit/errors.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import { inParallel } from '../../../kit/parallel.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { textAt } from '../../../upstream/kubernetes/objects.ts';
import { decodeRelease, type Release } from './record.ts';
import { listRevisions, type Revision, STORAGES } from './revisions.ts';

/** Of the packed payloads; unpacked they take some ten times as much. */
const MAX_CACHED_BYTES = 8 * 1024 * 1024;
const MAX_FACTS = 5000;
const PARALLEL = 5;
const DAY_MS = 86_400_000;

/** What lists need of a payload. */
export interface ReleaseFacts {
  readonly chart: string;
  readonly chartVersion: string;
  readonly appVersion: string | undefined;
  readonly description: string;
  readonly lastDeployed: string | undefined;
  /** How often the release was read back instead of fetched stands in `stats`. */
  readonly status: string;
}

export interface Storage {
  /** Reads one record. Whoever may list the object may have it from memory. */
  read(client: KubernetesClient, revision: Revision, signal: AbortSignal): Promise<Release>;
  /** The few facts of many, some at a time; a record that cannot be read is undefined. */
  facts(client: KubernetesClient, revisions: readonly Revision[], signal: AbortSignal): Promise<(ReleaseFacts | AppError)[]>;
  /** All revisions of one release, newest first. NOT_FOUND tells where else that name is, and near names. */
  history(client: KubernetesClient, release: { name: string; namespace: string }, signal: AbortSignal): Promise<Revision[]>;
  readonly stats: () => { readonly records: number; readonly hits: number; readonly misses: number };
}

const toFacts = (release: Release): ReleaseFacts => ({
  chart: release.chart.name,
  chartVersion: release.chart.version,
  appVersion: release.chart.appVersion,
  description: release.description,
  lastDeployed: release.lastDeployed,
  status: release.status,
});

/** `action.ReleaseName` of Helm: at most 53 characters, so that the names of hooks and labels fit. */
const RELEASE_NAME = /^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/;

/** @throws INVALID_ARGUMENT: what is no name could change the meaning of a selector or a command */
export const checkReleaseName = (name: string): string => {
  if (name.length <= 53 && RELEASE_NAME.test(name)) return name;
  throw new AppError('INVALID_ARGUMENT', 'This is no name of a Helm release.', {
    details: { argument: 'name', expected: 'at most 53 characters: a-z, 0-9, "-" and ".", beginning and ending with a letter or digit' },
  });
};

const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;

export const checkNamespace = (namespace: string): string => {
  if (namespace.length <= 63 && NAMESPACE.test(namespace)) return namespace;
  throw new AppError('INVALID_ARGUMENT', 'This is no name of a namespace.', {
    details: { argument: 'namespace', expected: 'at most 63 characters: a-z, 0-9 and "-"' },
  });
};

const fetchPayload = async (client: KubernetesClient, { storage, object, namespace }: Revision, signal: AbortSignal): Promise<string> => {
  const stored = await client.get(STORAGES[storage], { name: object, namespace, signal });
  const text = textAt(stored, 'data', 'release') ?? '';
  // A Secret has the base64 of Kubernetes around that of Helm.
  return storage === 'secret' ? Buffer.from(text, 'base64').toString('latin1') : text;
};

/** Other places and near names, as far as the caller may list them. */
const explainAbsence = async (client: KubernetesClient, name: string, namespace: string, signal: AbortSignal): Promise<AppError> => {
  const others = await listRevisions(client, { signal }).then(
    ({ revisions }) => revisions,
    () => undefined,
  );
  const elsewhere = [...new Set(others?.filter((one) => one.name === name).map((one) => one.namespace))].sort();
  const here = others ?? (await listRevisions(client, { namespace, signal })).revisions;
  const nearest = nearestNames(
    name,
    here.filter((one) => one.namespace === namespace).map((one) => one.name),
  );
  const hint = elsewhere.length > 0 ? ` The name exists in: ${elsewhere.slice(0, 10).join(', ')}.` : '';
  return new AppError('NOT_FOUND', `There is no release ${name} in namespace ${namespace}.${hint}`, {
    details: {
      ref: `helm://${client.target.name}/${namespace}/${name}`,
      ...(nearest.length > 0 ? { nearest } : {}),
      ...(elsewhere.length > 0 ? { namespaces: elsewhere.slice(0, 10) } : {}),
    },
  });
};

export const createStorage = (): Storage => {
  const records = new LRUCache<string, { release: Release; bytes: number }>({
    maxSize: MAX_CACHED_BYTES,
    sizeCalculation: ({ bytes }) => Math.max(1, bytes),
    ttl: DAY_MS,
  });
  const facts = new LRUCache<string, ReleaseFacts>({ max: MAX_FACTS });
  let hits = 0;
  let misses = 0;
  const keyOf = ({ uid, resourceVersion }: Revision): string => `${uid}:${resourceVersion}`;

  const read: Storage['read'] = async (client, revision, signal) => {
    signal.throwIfAborted();
    const known = records.get(keyOf(revision));
    if (known !== undefined) {
      hits += 1;
      return known.release;
    }
    misses += 1;
    const payload = await fetchPayload(client, revision, signal);
    const release = await decodeRelease(payload, `${STORAGES[revision.storage].plural}/${revision.object}`);
    records.set(keyOf(revision), { release, bytes: payload.length });
    facts.set(keyOf(revision), toFacts(release));
    return release;
  };
  return {
    read,
    facts: (client, revisions, signal) =>
      inParallel(
        revisions,
        PARALLEL,
        async (revision): Promise<ReleaseFacts | AppError> =>
          facts.get(keyOf(revision)) ?? read(client, revision, signal).then(toFacts, toUnreadable),
      ),
    async history(client, { name, namespace }, signal) {
      const { revisions } = await listRevisions(client, { namespace, labelSelector: `name=${checkReleaseName(name)}`, signal });
      const own = revisions.filter((one) => one.name === name).sort((a, b) => b.revision - a.revision);
      if (own.length === 0) throw await explainAbsence(client, name, namespace, signal);
      return own;
    },
    stats: () => ({ records: records.size, hits, misses }),
  };
};

/** One record that is broken or has just gone must not hide the others. */
const toUnreadable = (thrown: unknown): AppError => {
  if (thrown instanceof AppError && (thrown.code === 'DATA_ERROR' || thrown.code === 'NOT_FOUND')) return thrown;
  throw thrown;
};
