// Reads a snapshot: each kind once, a few at a time, only as much of each object as checks look at.

import type { ProgressUpdate } from '../../../kit/context.ts';
import { type AppError, toAppError } from '../../../kit/errors.ts';
import { inParallel } from '../../../kit/parallel.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import { type KubeObject, mapAt, nameOf, namespaceOf } from '../../../upstream/kubernetes/objects.ts';
import { ADD_ONS, resourceName } from '../../../upstream/kubernetes/resources.ts';
import { reduceManagedFields } from './deprecated.ts';
import { createSnapshot, KINDS, type Plural, type Snapshot } from './snapshot.ts';

const PARALLEL = 6;
/** Objects of one kind. */
const MAX_OBJECTS = 20_000;
const MAX_EVENTS = 5000;
const EVENT_PAGE = 500;

export interface Unread {
  readonly kind: Plural;
  readonly why: string;
}

export interface Reading {
  readonly snapshot: Snapshot;
  /** Kinds that could not be read, and why. */
  readonly unread: readonly Unread[];
  readonly warnings: readonly string[];
}

export interface ReadOptions {
  /** Absent = all. Kinds without namespaces are read whole. */
  readonly namespace: string | undefined;
  readonly signal: AbortSignal;
  readonly progress?: (update: ProgressUpdate) => void;
}

type Part =
  | { readonly plural: Plural; readonly objects: readonly KubeObject[]; readonly isComplete: boolean }
  | { readonly plural: Plural; readonly error: AppError };

/** A certificate is public, a key is not: it is dropped before anything else sees the object. */
const certificateOf = (secret: KubeObject): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: nameOf(secret), namespace: namespaceOf(secret) },
  data: { 'tls.crt': mapAt(secret, 'data')['tls.crt'] ?? '' },
});

const readKind = async (client: KubernetesClient, plural: Plural, { namespace, signal }: ReadOptions): Promise<Part> => {
  const resource = KINDS[plural];
  const isSecret = plural === 'secrets';
  const query = {
    signal,
    maxItems: MAX_OBJECTS,
    ...(resource.namespaced ? { namespace } : {}),
    ...(isSecret ? { fieldSelector: 'type=kubernetes.io/tls' } : {}),
  };
  const objects: KubeObject[] = [];
  const end = await client.eachPage(resource, query, ({ items }) => {
    objects.push(...items.map(isSecret ? certificateOf : reduceManagedFields));
  });
  return { plural, objects, isComplete: end.continue === undefined };
};

const readEvents = async (
  client: KubernetesClient,
  { namespace, signal }: ReadOptions,
): Promise<{ events: readonly KubeEvent[]; isComplete: boolean }> => {
  const events: KubeEvent[] = [];
  let token: string | undefined;
  do {
    const page = await client.events({ namespace, type: 'Warning', limit: EVENT_PAGE, continue: token, signal });
    events.push(...page.events);
    token = page.continue;
  } while (token !== undefined && events.length < MAX_EVENTS);
  return { events, isComplete: token === undefined };
};

/** Only what concerns one kind is survived: a dead or cancelled call is told as what it is. */
const toSurvivable = (thrown: unknown): AppError => {
  const error = toAppError(thrown);
  if (error.code === 'FORBIDDEN' || error.code === 'UNSUPPORTED' || error.code === 'DATA_ERROR') return error;
  throw thrown;
};

const WORDS: Readonly<Record<string, string>> = { FORBIDDEN: 'forbidden', UNSUPPORTED: 'not served' };
const whyOf = ({ code }: AppError): string => WORDS[code] ?? 'unreadable';

/** Cluster-wide kinds alone say nothing about workloads: where no other may be read, the refusal is the answer. */
const throwIfShut = (parts: readonly Part[]): void => {
  const namespaced = parts.filter(({ plural }) => KINDS[plural].namespaced);
  const decisive = namespaced.length > 0 ? namespaced : parts;
  const [first] = decisive;
  if (first !== undefined && 'error' in first && decisive.every((part) => 'error' in part)) throw first.error;
};

/** A cluster that does not serve add-ons lacks nothing, and is not asked. */
const isOptional = (plural: Plural): boolean => Object.hasOwn(ADD_ONS, plural);

const onlyServed = async (client: KubernetesClient, wanted: readonly Plural[], { signal }: ReadOptions): Promise<readonly Plural[]> => {
  if (!wanted.some(isOptional)) return wanted;
  const known = await client.discovery({ signal }).catch((thrown: unknown) => void toSurvivable(thrown));
  const isServed = (plural: Plural): boolean => {
    const versions = known?.groups.find(({ name }) => name === KINDS[plural].group)?.versions ?? [];
    return versions.some(({ version, resources }) => version === KINDS[plural].version && resources.some((one) => one.plural === plural));
  };
  return wanted.filter((plural) => !isOptional(plural) || isServed(plural));
};

/** @throws FORBIDDEN when not one of the kinds may be read */
export const readSnapshot = async (client: KubernetesClient, kinds: readonly Plural[], options: ReadOptions): Promise<Reading> => {
  const wanted = await onlyServed(client, [...new Set(kinds)], options);
  const warnings: string[] = [];
  let events: readonly KubeEvent[] | undefined;
  let done = 0;
  const parts = await inParallel(wanted, PARALLEL, async (plural): Promise<Part> => {
    try {
      if (plural !== 'events') return await readKind(client, plural, options);
      const read = await readEvents(client, options);
      events = read.events;
      return { plural, objects: [], isComplete: read.isComplete };
    } catch (thrown) {
      return { plural, error: toSurvivable(thrown) };
    } finally {
      done += 1;
      options.progress?.({ progress: done, total: wanted.length, message: `read ${resourceName(KINDS[plural])}` });
    }
  });
  const failed = parts.flatMap((part) => ('error' in part ? [part] : []));
  throwIfShut(parts);
  for (const part of parts)
    if ('objects' in part && !part.isComplete)
      warnings.push(`Only the first ${MAX_OBJECTS} ${part.plural} were read: narrow with namespace.`);
  const objects = Object.fromEntries(parts.flatMap((part) => ('objects' in part ? [[part.plural, part.objects] as const] : [])));
  return {
    snapshot: createSnapshot({ objects, events: events ?? [] }),
    unread: failed.map(({ plural, error }) => ({ kind: plural, why: whyOf(error) })),
    warnings,
  };
};
