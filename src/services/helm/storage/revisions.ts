// Which releases there are, read from labels alone: a list of metadata, without the payloads that may be 1 MB each.

import { toAppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type KubeObject, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';

/** Where Helm keeps records that the API can show. `HELM_DRIVER=sql` keeps them in a database, `memory` nowhere. */
export const STORAGES = { secret: RESOURCES.secrets, configmap: RESOURCES.configmaps } as const;
export type StorageKind = keyof typeof STORAGES;

export interface Revision {
  readonly storage: StorageKind;
  /** Name of the Secret or ConfigMap. */
  readonly object: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly name: string;
  readonly namespace: string;
  readonly revision: number;
  readonly status: string;
  /** Milliseconds: the last change of the record, else its creation. */
  readonly changedAt: number | undefined;
}

export interface RevisionList {
  readonly revisions: readonly Revision[];
  readonly warnings: readonly string[];
  /** The scan stopped at its bound: there are more. */
  readonly isCut: boolean;
}

export interface RevisionQuery {
  /** Absent = all namespaces that may be reached. */
  readonly namespace?: string | undefined;
  /** In Kubernetes' syntax, beside `owner=helm`. */
  readonly labelSelector?: string | undefined;
  readonly signal: AbortSignal;
}

const OBJECT_NAME = /^sh\.helm\.release\.v1\.(.+)\.v(\d+)$/;
const MAX_ITEMS = 20_000;

const toSeconds = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) * 1000 : undefined;

/** Undefined: an object that only bears the label. The name is the truth where labels were lost. */
const toRevision = (object: KubeObject, storage: StorageKind): Revision | undefined => {
  const { name, namespace = '', uid, resourceVersion, labels, createdAt } = metadataOf(object);
  const [, release, number] = OBJECT_NAME.exec(name) ?? [];
  if (release === undefined) return undefined;
  return {
    storage,
    object: name,
    uid,
    resourceVersion,
    name: release,
    namespace,
    revision: Number(number),
    status: labels['status'] ?? 'unknown',
    changedAt: toSeconds(labels['modifiedAt']) ?? toSeconds(labels['createdAt']) ?? createdAt,
  };
};

const scan = async (client: KubernetesClient, storage: StorageKind, query: RevisionQuery): Promise<RevisionList> => {
  const { namespace, labelSelector, signal } = query;
  const selector = ['owner=helm', ...(labelSelector === undefined || labelSelector === '' ? [] : [labelSelector])].join(',');
  const revisions: Revision[] = [];
  const options = { namespace, labelSelector: selector, maxItems: MAX_ITEMS, signal };
  const end = await client.eachMetadataPage(STORAGES[storage], options, ({ items }) => {
    revisions.push(...items.map((item) => toRevision(item, storage)).filter((item) => item !== undefined));
  });
  return { revisions, warnings: [], isCut: end.continue !== undefined };
};

/** The operator may allow some namespaces only: then these are "all", one after the other. */
const toScopes = (client: KubernetesClient, namespace: string | undefined): readonly (string | undefined)[] =>
  namespace === undefined && client.allowedNamespaces.length > 0 ? client.allowedNamespaces : [namespace];

const scanAll = async (client: KubernetesClient, storage: StorageKind, query: RevisionQuery): Promise<RevisionList> => {
  const lists: RevisionList[] = [];
  for (const namespace of toScopes(client, query.namespace)) lists.push(await scan(client, storage, { ...query, namespace }));
  return { revisions: lists.flatMap(({ revisions }) => revisions), warnings: [], isCut: lists.some(({ isCut }) => isCut) };
};

/** Both storages at once. One that may not be read is a warning; when the other has nothing either, the refusal of the Secrets is thrown. */
export const listRevisions = async (client: KubernetesClient, query: RevisionQuery): Promise<RevisionList> => {
  const [secrets, configMaps] = await Promise.allSettled([scanAll(client, 'secret', query), scanAll(client, 'configmap', query)]);
  if (secrets.status === 'rejected') {
    const error = toAppError(secrets.reason);
    // Nothing in ConfigMaps: then the releases are where we may not look.
    if (error.code !== 'FORBIDDEN' || configMaps.status === 'rejected' || configMaps.value.revisions.length === 0) throw secrets.reason;
    const warning = `Releases in Secrets are left out: ${error.message}`;
    return { ...configMaps.value, warnings: [warning] };
  }
  if (configMaps.status === 'fulfilled')
    return {
      revisions: [...secrets.value.revisions, ...configMaps.value.revisions],
      warnings: [],
      isCut: secrets.value.isCut || configMaps.value.isCut,
    };
  const error = toAppError(configMaps.reason);
  if (error.code !== 'FORBIDDEN') throw configMaps.reason;
  return { ...secrets.value, warnings: [`Releases in ConfigMaps (HELM_DRIVER=configmap) are left out: ${error.message}`] };
};

/** The newest revision of each release; numbers, not texts: 10 comes after 9. */
export const newestOf = (revisions: readonly Revision[]): Revision[] => {
  const newest = new Map<string, Revision>();
  for (const revision of revisions) {
    const key = `${revision.namespace}/${revision.name}`;
    if ((newest.get(key)?.revision ?? -1) < revision.revision) newest.set(key, revision);
  }
  return [...newest.values()];
};

export const isPending = (status: string): boolean => status.startsWith('pending-');
/** An operation of Helm waits at most as long as its timeout, by default 5 min: after this nobody is at work any more. */
export const STUCK_MS = 10 * 60_000;
