// The object store: what etcd and its watch cache are to a real API server. Objects are replaced, never changed in place, so a reader may keep one.
import { isEqual } from './json.ts';
import { inMapOrder } from './map-order.ts';
import { type KubernetesObject, keyOf, toKey } from './object.ts';
import { expired } from './status.ts';

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

export interface Change {
  readonly type: ChangeType;
  /** `<plural>.<group>`, as in `deployments.apps`; the plural alone in the core group. */
  readonly resource: string;
  readonly key: string;
  readonly revision: number;
  /** After a deletion: the last state, with the revision of the deletion. */
  readonly object: KubernetesObject;
  readonly previous?: KubernetesObject;
}

export interface Listing {
  readonly objects: readonly KubernetesObject[];
  readonly revision: number;
}

export interface ObjectStoreOptions {
  /** The revision before the first change: a cluster that has lived has a large one. */
  readonly firstRevision?: number;
  /** How many changes are kept for watches and for lists at an older revision. */
  readonly historyLimit?: number;
}

interface Collection {
  readonly objects: Map<string, KubernetesObject>;
  /** Sorted view, made when it is asked for and dropped at the next change. */
  sorted: readonly KubernetesObject[] | undefined;
}

type Listener = (change: Change) => void;

/** One empty list, so that who compares lists sees no change where there was none. */
const NONE: readonly KubernetesObject[] = [];

const byText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0);

export class ObjectStore {
  readonly #collections = new Map<string, Collection>();
  readonly #listeners = new Set<Listener>();
  readonly #historyLimit: number;
  #history: Change[] = [];
  #revision: number;
  #compacted: number;

  constructor({ firstRevision = 80_000, historyLimit = 20_000 }: ObjectStoreOptions = {}) {
    this.#revision = firstRevision;
    this.#compacted = firstRevision;
    this.#historyLimit = historyLimit;
  }

  /** The newest revision; it only grows. */
  get revision(): number {
    return this.#revision;
  }

  get(resource: string, namespace: string, name: string): KubernetesObject | undefined {
    return this.#collections.get(resource)?.objects.get(toKey(namespace, name));
  }

  /** Objects in key order, of one namespace or ('') of all. */
  all(resource: string, namespace = ''): readonly KubernetesObject[] {
    const collection = this.#collections.get(resource);
    if (collection === undefined) return NONE;
    collection.sorted ??= [...collection.objects.entries()].sort(([left], [right]) => byText(left, right)).map(([, object]) => object);
    return namespace === '' ? collection.sorted : inNamespace(collection.sorted, namespace);
  }

  /** The objects as they were at a revision; 410 when that is older than the history kept. */
  allAt(resource: string, namespace: string, revision: number): readonly KubernetesObject[] {
    if (revision >= this.#revision) return this.all(resource, namespace);
    this.#refuseCompacted(revision);
    const objects = new Map(this.#collections.get(resource)?.objects ?? []);
    for (const change of this.#history.toReversed()) {
      if (change.revision <= revision) break;
      if (change.resource !== resource) continue;
      if (change.previous === undefined) objects.delete(change.key);
      else objects.set(change.key, change.previous);
    }
    const sorted = [...objects.entries()].sort(([left], [right]) => byText(left, right)).map(([, object]) => object);
    return namespace === '' ? sorted : inNamespace(sorted, namespace);
  }

  /** Creates or replaces; an equal object changes nothing, as in a real server. Returns what is stored. */
  put(resource: string, given: KubernetesObject): KubernetesObject {
    const object = inMapOrder(given);
    const key = keyOf(object);
    const previous = this.#collections.get(resource)?.objects.get(key);
    if (previous !== undefined && isEqual(withRevision(object, previous.metadata.resourceVersion), previous)) return previous;
    this.#revision += 1;
    const stored = withRevision(object, String(this.#revision));
    const collection = this.#collectionOf(resource);
    collection.objects.set(key, stored);
    collection.sorted = undefined;
    const type = previous === undefined ? 'ADDED' : 'MODIFIED';
    this.#tell({ type, resource, key, revision: this.#revision, object: stored, ...(previous === undefined ? {} : { previous }) });
    return stored;
  }

  remove(resource: string, namespace: string, name: string): KubernetesObject | undefined {
    const collection = this.#collections.get(resource);
    const key = toKey(namespace, name);
    const previous = collection?.objects.get(key);
    if (collection === undefined || previous === undefined) return undefined;
    this.#revision += 1;
    collection.objects.delete(key);
    collection.sorted = undefined;
    const object = withRevision(previous, String(this.#revision));
    this.#tell({ type: 'DELETED', resource, key, revision: this.#revision, object, previous });
    return object;
  }

  /** Changes of one resource after a revision, oldest first; 410 when some of them are no longer kept. */
  changesSince(resource: string, revision: number): readonly Change[] {
    if (revision < this.#compacted) throw expired(`too old resource version: ${revision} (${this.#compacted})`);
    return this.#history.filter((change) => change.resource === resource && change.revision > revision);
  }

  /** Calls the listener at every later change until the returned function is called. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Forgets the changes up to now, as etcd does every few minutes: older tokens and revisions then answer 410. */
  compact(): void {
    this.#history = [];
    this.#compacted = this.#revision;
  }

  #collectionOf(resource: string): Collection {
    const known = this.#collections.get(resource);
    if (known !== undefined) return known;
    const collection: Collection = { objects: new Map(), sorted: undefined };
    this.#collections.set(resource, collection);
    return collection;
  }

  #refuseCompacted(revision: number): void {
    if (revision < this.#compacted) throw expired('The resourceVersion for the provided list is too old.');
  }

  #tell(change: Change): void {
    this.#history.push(change);
    if (this.#history.length > this.#historyLimit) {
      const dropped = this.#history.splice(0, Math.ceil(this.#historyLimit / 10));
      this.#compacted = dropped.at(-1)?.revision ?? this.#compacted;
    }
    for (const listener of [...this.#listeners]) listener(change);
  }
}

const withRevision = (object: KubernetesObject, resourceVersion: string | undefined): KubernetesObject => {
  const { name, generateName, namespace, uid, resourceVersion: _old, ...rest } = object.metadata;
  const metadata = {
    name,
    ...(generateName === undefined ? {} : { generateName }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...rest,
  };
  return { ...object, metadata };
};

/** The slice of a namespace: the keys are sorted, so it is found by halving. */
const inNamespace = (sorted: readonly KubernetesObject[], namespace: string): readonly KubernetesObject[] => {
  const prefix = `${namespace}/`;
  const start = firstAtOrAfter(sorted, prefix);
  return sorted.slice(start, firstAtOrAfter(sorted, `${namespace}0`));
};

/** The place of the first object whose key is not before the given one ('0' is the character after '/'). */
export const firstAtOrAfter = (sorted: readonly KubernetesObject[], key: string): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const object = sorted[middle];
    if (object !== undefined && keyOf(object) < key) low = middle + 1;
    else high = middle;
  }
  return low;
};
