// The views of a list that need whole objects: chosen fields, full objects, groups and orders by path. Read page by page, reduced while reading.

import { parsePath, select } from '../../kit/paths.ts';
import type { Answer } from '../../kit/result.ts';
import { type KubeObject, textAt } from '../../upstream/kubernetes/objects.ts';
import { toReadable, toSafe } from '../../upstream/kubernetes/present.ts';
import { resourceName } from '../../upstream/kubernetes/resources.ts';
import { isConfigMaps, learnNamespace } from './learn-secrets.ts';
import { afterOf, type ListCall, NARROW, parseSort, toHead, toQuery } from './list-call.ts';
import { compareValues, countBy, MAX_SCAN } from './scan.ts';

const FULL_LIMIT = 10;
const PAGE = 500;

const placeOf = (object: KubeObject): string =>
  `${textAt(object, 'metadata', 'namespace') ?? ''}/${textAt(object, 'metadata', 'name') ?? ''}`;
const nameOf = (object: KubeObject): string => textAt(object, 'metadata', 'name') ?? '';

interface Reduced<Value> {
  readonly values: readonly Value[];
  readonly isComplete: boolean;
}

const reduceObjects = async <Value>(call: ListCall, reduce: (object: KubeObject) => Value): Promise<Reduced<Value>> => {
  const values: Value[] = [];
  const end = await call.client.eachPage(call.resource, { ...toQuery(call), pageSize: PAGE, maxItems: MAX_SCAN }, ({ items }) => {
    for (const object of items) if (call.matches === undefined || call.matches(nameOf(object))) values.push(reduce(object));
  });
  return { values, isComplete: end.continue === undefined };
};

/** Values of a path by `namespace/name`, for orders that no column gives. */
export const sortObjects = async (call: ListCall, path: string): Promise<ReadonlyMap<string, unknown>> => {
  const steps = parsePath(path, 'sortBy');
  const { values } = await reduceObjects(call, (object) => [placeOf(object), select(toSafe(object, call.service), steps)] as const);
  return new Map(values);
};

/** How many objects have each value of a path. */
export const countObjects = async (
  call: ListCall,
  path: string,
): Promise<{ total: number; isComplete: boolean; groups: Record<string, number> }> => {
  const steps = parsePath(path, 'groupBy');
  const { values, isComplete } = await reduceObjects(call, (object) => select(toSafe(object, call.service), steps));
  return { total: values.length, isComplete, groups: countBy(values) };
};

interface Entry {
  readonly key: readonly unknown[];
  readonly object: unknown;
}

interface EntryPage {
  readonly entries: readonly Entry[];
  readonly total?: number;
  readonly atLeast?: number;
  readonly end: Readonly<Record<string, unknown>> | undefined;
  readonly state: Readonly<Record<string, unknown>>;
  readonly isComplete: boolean;
}

const isAfter = (key: readonly unknown[], after: readonly unknown[]): boolean => String(key[0]) > String(after[0]);

/** The server's own pages: nothing is read beyond what is shown. */
const readPage = async (call: ListCall, most: number, toEntry: (object: KubeObject) => unknown): Promise<EntryPage> => {
  const { cursor } = call.ctx;
  const state = (typeof cursor === 'object' && cursor !== null ? cursor : {}) as {
    continue?: string;
    after?: readonly unknown[];
    before?: number;
  };
  const page = await call.client.list(call.resource, { ...toQuery(call), limit: most, continue: state.continue });
  const before = state.before ?? 0;
  const all = page.items.map((object) => ({ key: [placeOf(object)], object: toEntry(object) }));
  const { after } = state;
  const counted = before + page.items.length + (page.remaining ?? 0);
  const isCounted = page.continue === undefined || page.remaining !== undefined;
  const total = isCounted
    ? counted
    : await call.client
        .count(call.resource, { ...toQuery(call), maxItems: MAX_SCAN })
        .then(({ total: sum, isExact }) => (isExact ? sum : undefined));
  return {
    entries: after === undefined ? all : all.filter(({ key }) => isAfter(key, after)),
    ...(total === undefined ? { atLeast: counted } : { total }),
    state: { ...(state.continue === undefined ? {} : { continue: state.continue }), before },
    end: page.continue === undefined ? undefined : { continue: page.continue, before: before + page.items.length },
    isComplete: true,
  };
};

/** All matches in order, for names and orders that the server cannot do. */
const readOrdered = async (call: ListCall, most: number, toEntry: (object: KubeObject) => unknown): Promise<EntryPage> => {
  const sort = parseSort(call.sortBy);
  const path =
    sort === undefined
      ? undefined
      : parsePath(
          /^(name|age)$/i.test(sort.key) ? (/^name$/i.test(sort.key) ? 'metadata.name' : 'metadata.creationTimestamp') : sort.key,
          'sortBy',
        );
  const { values, isComplete } = await reduceObjects(
    call,
    (object): Entry => ({
      key: [path === undefined ? '' : (select(toSafe(object, call.service), path) ?? ''), placeOf(object)],
      object: toEntry(object),
    }),
  );
  const compare = (a: readonly unknown[], b: readonly unknown[]): number =>
    compareValues(a[0], b[0]) * (sort?.direction ?? 1) || (String(a[1]) < String(b[1]) ? -1 : String(a[1]) > String(b[1]) ? 1 : 0);
  const after = afterOf(call);
  const rest = values.toSorted((a, b) => compare(a.key, b.key)).filter(({ key }) => after === undefined || compare(key, after) > 0);
  const entries = rest.slice(0, most);
  const last = entries.at(-1);
  return {
    entries,
    ...(isComplete ? { total: values.length } : { atLeast: values.length }),
    state: {},
    end: rest.length > entries.length && last !== undefined ? { after: last.key } : undefined,
    isComplete,
  };
};

const readEntries = (call: ListCall, most: number, toEntry: (object: KubeObject) => unknown): Promise<EntryPage> =>
  call.matches === undefined && call.sortBy === undefined ? readPage(call, most, toEntry) : readOrdered(call, most, toEntry);

const toAnswer = (call: ListCall, page: EntryPage, key: string, columns: readonly string[] | undefined): Answer => ({
  summary: `${page.total ?? `at least ${page.atLeast}`} ${resourceName(call.resource)}`,
  head: toHead(call),
  list: {
    key,
    ...(columns === undefined ? {} : { columns }),
    items: page.entries.map(({ object }) => object),
    ...(page.total === undefined ? { atLeast: page.atLeast ?? 0 } : { total: page.total }),
    resume: { state: page.state, after: page.entries.map((entry) => entry.key), ...(page.end === undefined ? {} : { end: page.end }) },
    ...(page.isComplete ? {} : { reason: 'scan_limit' as const }),
    narrow: NARROW,
  },
});

/** Over all namespaces it would be all Secrets of the cluster: then only those are masked that were seen before. */
const learnBefore = async ({ resource, namespace, client, service, ctx }: ListCall): Promise<void> => {
  if (isConfigMaps(resource) && namespace !== undefined) await learnNamespace(namespace, client, service, ctx);
};

/** Chosen paths instead of the printed columns. */
export const answerFields = async (call: ListCall): Promise<Answer> => {
  const paths = (call.fields ?? []).map((text) => ({ text, path: parsePath(text) }));
  const withNamespace = call.resource.namespaced && call.namespace === undefined;
  const toEntry = (object: KubeObject): unknown => {
    const safe = toSafe(object, call.service);
    return [
      ...(withNamespace ? [textAt(object, 'metadata', 'namespace') ?? ''] : []),
      nameOf(object),
      ...paths.map(({ path }) => select(safe, path) ?? ''),
    ];
  };
  await learnBefore(call);
  const page = await readEntries(call, call.limit, toEntry);
  return asUntrusted(toAnswer(call, page, 'rows', [...(withNamespace ? ['NAMESPACE'] : []), 'NAME', ...paths.map(({ text }) => text)]));
};

/** Whole objects, few at a time. */
export const answerFull = async (call: ListCall): Promise<Answer> => {
  const paths = call.fields?.map((text) => ({ text, path: parsePath(text) }));
  const toEntry = (object: KubeObject): unknown => {
    if (paths === undefined) return toReadable(object, call.service);
    const safe = toSafe(object, call.service);
    return { name: nameOf(object), ...Object.fromEntries(paths.map(({ text, path }) => [text, select(safe, path)])) };
  };
  await learnBefore(call);
  return asUntrusted(toAnswer(call, await readEntries(call, Math.min(call.limit, FULL_LIMIT), toEntry), 'items', undefined));
};

/** Any field may hold what a workload or a third party wrote: annotations, messages of conditions, environment. */
const asUntrusted = (answer: Answer): Answer => (answer.list?.items.length === 0 ? answer : { ...answer, untrusted: true });
