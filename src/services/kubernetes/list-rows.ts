// The light views of a list: the table that kubectl prints, names, counts, several kinds at once.

import type { CallContext } from '../../kit/context.ts';
import { AppError, toAppError } from '../../kit/errors.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { Answer, ListPart } from '../../kit/result.ts';
import type { TableColumn } from '../../upstream/kubernetes/lists.ts';
import { resourceName } from '../../upstream/kubernetes/resources.ts';
import { afterOf, type ListCall, NARROW, parseSort, toHead, toQuery } from './list-call.ts';
import { countObjects, sortObjects } from './list-objects.ts';
import { compareValues, createCounter, findColumn, MAX_SCAN, type Row, type Scan, scanRows, scanTable } from './scan.ts';

/** Wide columns that are worth their tokens. */
const KEPT_WIDE: Readonly<Record<string, readonly string[]>> = { pods: ['Node'] };

const isPath = (key: string): boolean => /^[{$]|^(?:metadata|spec|status|data|type|subsets|webhooks|rules|roleRef|subjects)\b/.test(key);

type Columns = readonly TableColumn[];

/** How rows are ordered, and the key of each that a cursor remembers. */
interface Order {
  readonly keyOf: (row: Row) => readonly unknown[];
  readonly compare: (a: Row, b: Row) => number;
  readonly isAfter: (row: Row, key: readonly unknown[]) => boolean;
}

const compareText = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);
const namespaceOf = ({ namespace }: Row): string => namespace ?? '';
const comparePlace = (a: Row, b: Row): number => compareText(namespaceOf(a), namespaceOf(b)) || compareText(a.name, b.name);
/** Cursors end in namespace and name, whatever stands before. */
const comparePlaceTo = (row: Row, key: readonly unknown[]): number =>
  compareText(namespaceOf(row), key.at(-2)) || compareText(row.name, key.at(-1));

const BY_PLACE: Order = {
  keyOf: (row) => [namespaceOf(row), row.name],
  compare: comparePlace,
  isAfter: (row, key) => comparePlaceTo(row, key) > 0,
};

const byValue = (toValue: (row: Row) => unknown, direction: 1 | -1): Order => ({
  keyOf: (row) => [toValue(row), namespaceOf(row), row.name],
  compare: (a, b) => compareValues(toValue(a), toValue(b)) * direction || comparePlace(a, b),
  isAfter: (row, key) => (compareValues(toValue(row), key[0]) * direction || comparePlaceTo(row, key)) > 0,
});

/** A word such as `status` may be a column or a path: the server's columns decide. */
const isColumn = async (call: ListCall, key: string): Promise<boolean> => {
  if (!/^\w+$/.test(key)) return false;
  const { columns } = await call.client.listTable(call.resource, { ...toQuery(call), limit: 1 });
  return findColumn(columns, key) >= 0;
};

/** The order that is asked for, once the columns are known. What it needs besides is read before the rows are. */
const toOrder = async (call: ListCall): Promise<(columns: Columns) => Order> => {
  const sort = parseSort(call.sortBy);
  if (sort === undefined) return () => BY_PLACE;
  const values = isPath(sort.key) && !(await isColumn(call, sort.key)) ? await sortObjects(call, sort.key) : undefined;
  if (values !== undefined) return () => byValue((row) => values.get(`${namespaceOf(row)}/${row.name}`) ?? '', sort.direction);
  return (columns) => {
    const column = findColumn(columns, sort.key);
    if (column < 0) throw unknownColumn(sort.key, columns, 'sortBy');
    return byValue(({ cells }) => cells[column] ?? '', sort.direction);
  };
};

const unknownColumn = (key: string, columns: readonly TableColumn[], argument: string): AppError => {
  const names = columns.map(({ name }) => name.toUpperCase());
  return new AppError('INVALID_ARGUMENT', `${argument} names no column: ${key.slice(0, 80)}.`, {
    details: {
      argument,
      nearest: nearestNames(key, names),
      choices: names,
      expected: 'a column as printed, or a path such as metadata.creationTimestamp',
    },
  });
};

/** Reads all rows once; those that match are counted, and looked at while their page is there. */
const readRows = async (call: ListCall, start: (columns: Columns) => (row: Row) => void): Promise<{ scan: Scan; total: number }> => {
  let total = 0;
  const scan = await scanRows(call.client, call.resource, toQuery(call), (columns) => {
    const look = start(columns);
    return (row) => {
      if (call.matches !== undefined && !call.matches(row.name)) return;
      total += 1;
      look(row);
    };
  });
  return { scan, total };
};

/** How many rows more than those that are shown may be kept before the last ones are dropped. */
const SLACK = 1000;

/** The first rows of an order behind a cursor, of any number that pass by. */
const createShelf = ({ compare, isAfter }: Order, { most, after }: { most: number; after: readonly unknown[] | undefined }) => {
  let rows: Row[] = [];
  const sort = (): Row[] => {
    rows = rows.sort(compare).slice(0, most);
    return rows;
  };
  return {
    put(row: Row): void {
      if (after !== undefined && !isAfter(row, after)) return;
      rows.push(row);
      if (rows.length >= most + SLACK) sort();
    },
    sort,
  };
};

const countPart = ({ isComplete }: Scan, total: number): Pick<ListPart, 'total' | 'atLeast'> =>
  isComplete ? { total } : { atLeast: total };

interface Page {
  readonly scan: Scan;
  readonly total: number;
  /** Empty where the kind has no status. */
  readonly states: Readonly<Record<string, number>>;
  readonly toList: (toItem: (row: Row) => unknown) => Omit<ListPart, 'key'>;
}

const stateColumn = (columns: Columns): number => findColumn(columns, 'status');

/** One page of ordered rows, with a cursor behind every row. */
const readPage = async (call: ListCall): Promise<Page> => {
  const orderFor = await toOrder(call);
  const states = createCounter();
  let order = BY_PLACE;
  let shelf = createShelf(order, { most: 0, after: undefined });
  const { scan, total } = await readRows(call, (columns) => {
    order = orderFor(columns);
    // One more than is shown tells whether there are more.
    shelf = createShelf(order, { most: call.limit + 1, after: afterOf(call) });
    const column = stateColumn(columns);
    return (row) => {
      shelf.put(row);
      if (column >= 0) states.add(row.cells[column]);
    };
  });
  const rest = shelf.sort();
  const shown = rest.slice(0, call.limit);
  const last = shown.at(-1);
  const toList: Page['toList'] = (toItem) => ({
    items: shown.map(toItem),
    ...countPart(scan, total),
    resume: {
      state: {},
      after: shown.map(order.keyOf),
      ...(rest.length > shown.length && last !== undefined ? { end: { after: order.keyOf(last) } } : {}),
    },
    ...(scan.isComplete ? {} : { reason: 'scan_limit' as const }),
    narrow: scan.isComplete ? NARROW : `Only the first ${MAX_SCAN} objects were read. ${NARROW}`,
  });
  return { scan, total, states: states.toRecord(), toList };
};

const toStates = (states: Readonly<Record<string, number>>): Record<string, unknown> =>
  Object.keys(states).length === 0 ? {} : { states };

const countWords = (scan: Scan, count: number, call: ListCall): string =>
  `${scan.isComplete ? '' : 'at least '}${count} ${resourceName(call.resource)}`;

const stateWords = (states: Readonly<Record<string, number>>): string => {
  const words = Object.entries(states).map(([state, count]) => `${count} ${state}`);
  return words.length === 0 ? '' : `: ${words.join(', ')}`;
};

export const answerTable = async (call: ListCall): Promise<Answer> => {
  const { scan, total, states, toList } = await readPage(call);
  const wide = KEPT_WIDE[resourceName(call.resource)] ?? [];
  const shown = scan.columns.flatMap((column, index) => (column.priority === 0 || wide.includes(column.name) ? [index] : []));
  const withNamespace = call.resource.namespaced && call.namespace === undefined;
  const columns = [...(withNamespace ? ['NAMESPACE'] : []), ...shown.map((index) => (scan.columns[index]?.name ?? '').toUpperCase())];
  return {
    summary: countWords(scan, total, call) + stateWords(states),
    head: { ...toHead(call), ...toStates(states) },
    list: {
      key: 'rows',
      columns,
      optional: wide.map((name) => name.toUpperCase()),
      ...toList((row) => [...(withNamespace ? [namespaceOf(row)] : []), ...shown.map((index) => row.cells[index] ?? '')]),
    },
    ...(scan.warnings.length > 0 ? { warnings: scan.warnings } : {}),
  };
};

export const answerNames = async (call: ListCall): Promise<Answer> => {
  const { scan, total, toList } = await readPage(call);
  const withNamespace = call.resource.namespaced && call.namespace === undefined;
  return {
    summary: countWords(scan, total, call),
    head: toHead(call),
    list: { key: 'names', ...toList((row) => (withNamespace ? `${row.namespace}/${row.name}` : row.name)) },
  };
};

interface Groups {
  readonly total: number;
  readonly isComplete: boolean;
  readonly groups: Record<string, number>;
}

/** Counts rows by what a row gives; undefined where the columns do not give it. */
const countRows = async (call: ListCall, look: (columns: Columns) => ((row: Row) => unknown) | undefined): Promise<Groups | undefined> => {
  const counter = createCounter();
  let isCounted = true;
  const { scan, total } = await readRows(call, (columns) => {
    const toValue = look(columns);
    isCounted = toValue !== undefined;
    return (row) => counter.add(toValue?.(row));
  });
  return isCounted ? { total, isComplete: scan.isComplete, groups: counter.toRecord() } : undefined;
};

const groupRows = async (call: ListCall, groupBy: string): Promise<Groups> => {
  if (!/^namespace$/i.test(groupBy) && (isPath(groupBy) || /[./]/.test(groupBy)))
    return countObjects(call, isPath(groupBy) ? groupBy : `metadata.labels["${groupBy}"]`);
  const counted = await countRows(call, (columns) => {
    if (/^namespace$/i.test(groupBy)) return namespaceOf;
    const column = findColumn(columns, groupBy);
    return column < 0 ? undefined : ({ cells }) => cells[column];
  });
  return counted ?? countObjects(call, `metadata.labels["${groupBy}"]`);
};

/** Exact counts; one request where the server counts by itself. */
export const answerCount = async (call: ListCall): Promise<Answer> => {
  if (call.groupBy === undefined && call.matches === undefined) {
    const { total, isExact } = await call.client.count(call.resource, { ...toQuery(call), maxItems: MAX_SCAN });
    return {
      summary: `${isExact ? '' : 'at least '}${total} ${resourceName(call.resource)}`,
      head: { ...toHead(call), ...(isExact ? { total } : { atLeast: total }) },
    };
  }
  if (call.groupBy === undefined) {
    const { scan, total, states } = await readPage({ ...call, sortBy: undefined, limit: 0 });
    return { summary: countWords(scan, total, call), head: { ...toHead(call), ...countPart(scan, total), ...toStates(states) } };
  }
  const { total, isComplete, groups } = await groupRows(call, call.groupBy);
  return {
    summary: `${isComplete ? '' : 'at least '}${total} ${resourceName(call.resource)} by ${call.groupBy}`,
    head: { ...toHead(call), ...(isComplete ? { total } : { atLeast: total }) },
    sections: [{ key: 'groups', value: groups }],
    ...(isComplete ? {} : { warnings: [`Only the first ${MAX_SCAN} objects were read.`] }),
  };
};

interface KindRows {
  readonly kind: string;
  readonly rows: readonly (readonly unknown[])[];
  readonly count: number;
  readonly isComplete: boolean;
  readonly error?: { readonly kind: string; readonly code: string; readonly message: string };
}

const readKind = async (word: string, toCall: (word: string) => Promise<ListCall>): Promise<KindRows> => {
  try {
    const call = await toCall(word);
    const scan = await scanTable(call.client, call.resource, toQuery(call));
    const rows = scan.rows.filter(({ name }) => call.matches?.(name) ?? true);
    const kind = resourceName(call.resource);
    const status = ['status', 'ready', 'phase'].map((name) => findColumn(scan.columns, name)).find((column) => column >= 0) ?? -1;
    const age = findColumn(scan.columns, 'age');
    return {
      kind,
      count: rows.length,
      isComplete: scan.isComplete,
      rows: rows.map(({ namespace, name, cells }) => [kind, namespace ?? '', name, cells[status] ?? '', cells[age] ?? '']),
    };
  } catch (thrown) {
    const error = toAppError(thrown);
    // A word that names no kind is the caller's mistake; a kind that may not be read, or is not served, leaves the others.
    if (error.code === 'INVALID_ARGUMENT' || error.code === 'CANCELLED' || error.code === 'INTERNAL') throw thrown;
    return { kind: word, rows: [], count: 0, isComplete: true, error: { kind: word, code: error.code, message: error.message } };
  }
};

/** Several kinds in one table of kind, name, status and age; a forbidden kind is told beside the others. */
export const answerKinds = async (
  words: readonly string[],
  toCall: (word: string) => Promise<ListCall>,
  { cluster, namespace, limit, ctx }: { cluster: string; namespace: string | undefined; limit: number; ctx: CallContext },
): Promise<Answer> => {
  const kinds = await Promise.all(words.map((word) => readKind(word, toCall)));
  const errors = kinds.flatMap(({ error }) => (error === undefined ? [] : [error]));
  if (errors.length === kinds.length)
    throw new AppError(errors[0]?.code as 'FORBIDDEN', errors.map(({ kind, message }) => `${kind}: ${message}`).join(' '), {
      details: { errors },
    });
  const rows = kinds.flatMap((kind) => kind.rows);
  const state = ctx.cursor as { skip?: number } | undefined;
  const skip = state?.skip ?? 0;
  const shown = rows.slice(skip, skip + limit);
  return {
    summary: kinds.map(({ kind, count, error }) => (error === undefined ? `${count} ${kind}` : `${kind} ${error.code}`)).join(', '),
    head: { cluster, namespace: namespace ?? 'all', ...(errors.length > 0 ? { errors } : {}) },
    list: {
      key: 'rows',
      columns: ['KIND', 'NAMESPACE', 'NAME', 'STATUS', 'AGE'],
      items: shown,
      optional: namespace === undefined ? [] : ['NAMESPACE'],
      ...(kinds.every(({ isComplete }) => isComplete) ? { total: rows.length } : { atLeast: rows.length }),
      resume: { state: { skip }, ...(skip + limit < rows.length ? { end: { skip: skip + limit } } : {}) },
      narrow: NARROW,
    },
    ...(errors.length > 0 ? { warnings: errors.map(({ kind, message }) => `Missing ${kind}: ${message}`) } : {}),
    ...(rows.length === 0 ? { empty: { reason: 'no_match' as const, detail: 'None of these kinds has a matching object.' } } : {}),
  };
};
