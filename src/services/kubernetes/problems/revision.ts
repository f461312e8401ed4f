// What the newest revision of a Deployment changed in a container: often the cause of what its pods suffer from.

import { humanDuration } from '../../../upstream/kubernetes/duration.ts';
import { controllerOf, fieldsAt, mapAt, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import { diffFields } from '../revisions.ts';
import { groupBy, type Ref } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

const REVISION = 'deployment.kubernetes.io/revision';
/** An older revision has proven itself. */
const RECENT_MS = 7 * 24 * 3_600_000;
const MAX_CHANGES = 4;

/** Paths whose values may be shown: commands and environment may hold secrets, there only the path is. */
const isOpen = (path: string): boolean => /^(image|resources\.)/.test(path);

/** `revision 8, 42m ago, changed resources.limits.memory 512Mi -> 256Mi`; undefined when it is old or changed nothing there. */
export const describeRevision = (cluster: Snapshot, owner: Ref, container: string, now: number): string | undefined => {
  if (owner.kind !== 'deployment') return undefined;
  const [current, before] = setsOf(cluster, owner);
  const createdAt = current === undefined ? undefined : metadataOf(current.set).createdAt;
  if (current === undefined || before === undefined || createdAt === undefined || now - createdAt > RECENT_MS) return undefined;
  const prefix = `spec.containers.${container}.`;
  const changes = diffFields(fieldsAt(before.set, 'spec', 'template'), fieldsAt(current.set, 'spec', 'template')).flatMap((change) => {
    const isOwn = change.path.startsWith(prefix);
    if (!isOwn && !change.path.startsWith('metadata.annotations.')) return [];
    const path = isOwn ? change.path.slice(prefix.length) : change.path.replace('metadata.annotations.', 'annotation ');
    return [isOwn && isOpen(path) ? toChange(path, toWord(change.before), toWord(change.after)) : path];
  });
  if (changes.length === 0) return undefined;
  // What limits a container stands before what it is called.
  const sorted = changes.toSorted((a, b) => Number(b.startsWith('resources.')) - Number(a.startsWith('resources.')));
  return `revision ${current.revision}, ${humanDuration(now - createdAt)} ago, changed ${sorted.slice(0, MAX_CHANGES).join(', ')}`;
};

/** Of an image that only got another tag, the tag is enough. */
const toChange = (path: string, before: string, after: string): string => {
  const at = before.lastIndexOf(':') + 1;
  const isTag = path === 'image' && at > 0 && before.slice(0, at) === after.slice(0, at) && !after.slice(at).includes('/');
  return isTag ? `image tag ${before.slice(at)} -> ${after.slice(at)}` : `${path} ${before} -> ${after}`;
};

const toWord = (value: unknown): string => (value === undefined ? 'none' : typeof value === 'string' ? value : JSON.stringify(value));

const indexes = new WeakMap<Snapshot, ReturnType<typeof indexSets>>();

const indexSets = (cluster: Snapshot) =>
  groupBy(cluster.list('replicasets'), (set) => `${metadataOf(set).namespace}/${controllerOf(set)?.name}`);

/** ReplicaSets of a Deployment, the newest revision first. */
const setsOf = (cluster: Snapshot, { name, namespace }: Ref) => {
  const index = indexes.get(cluster) ?? indexSets(cluster);
  indexes.set(cluster, index);
  return (index.get(`${namespace}/${name}`) ?? [])
    .map((set) => ({ set, revision: Number(mapAt(set, 'metadata', 'annotations')[REVISION] ?? 0) }))
    .sort((a, b) => b.revision - a.revision);
};
