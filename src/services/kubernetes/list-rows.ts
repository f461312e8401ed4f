// The light views of a list: the table that kubectl prints, names, counts, several kinds at once.

import type { CallContext } from '../../kit/context.ts';
import { AppError, toAppError } from '../../kit/errors.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { Answer, ListPart } from '../../kit/result.ts';
import type { TableColumn } from '../../upstream/kubernetes/lists.ts';
import { resourceName } from '../../upstream/kubernetes/resources.ts';
import { afterOf, type ListCall, NARROW, parseSort, toHead, toQuery } from './list-call.ts';
import { countObjects, sortObjects } from './list-objects.ts';
import { compareValues, countBy, filterByName, findColumn, MAX_SCAN, type Row, type Scan, scanTable } from './scan.ts';

/** Wide columns that are worth their tokens. */
const KEPT_WIDE: Readonly<Record<string, readonly string[]>> = { pods: ['Node'] };

const isPath = (key: string): boolean => /^[{$]|^(?:metadata|spec|status|data|type|subsets|webhooks|rules|roleRef|subjects)\b/.test(key);

/** The keys by which rows are ordered, compared from the first to the last. */
interface Ordered {
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => readonly unknown[];
  readonly compare: (a: readonly unknown[], b: readonly unknown[]) => number;
}

const compareText = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0);

const order = async (scan: Scan, rows: readonly Row[], call: ListCall): Promise<Ordered> => {
  const sort = parseSort(call.sortBy);
  const place = (row: Row): readonly unknown[] => [row.namespace ?? '', row.name];
  const comparePlace = (a: readonly unknown[], b: readonly unknown[]): number =>
    compareText(a.at(-2), b.at(-2)) || compareText(a.at(-1), b.at(-1));
  if (sort === undefined) return { rows: rows.toSorted((a, b) => comparePlace(place(a), place(b))), keyOf: place, compare: comparePlace };
  const column = findColumn(scan.columns, sort.key);
  if (column < 0 && !isPath(sort.key)) throw unknownColumn(sort.key, scan.columns, 'sortBy');
  const values = column < 0 ? await sortObjects(call, sort.key) : undefined;
  const sortValue = (row: Row): unknown =>
    (values === undefined ? row.cells[column] : values.get(`${row.namespace ?? ''}/${row.name}`)) ?? '';
  const keyOf = (row: Row): readonly unknown[] => [sortValue(row), ...place(row)];
  const compare = (a: readonly unknown[], b: readonly unknown[]): number =>
    compareValues(a[0], b[0]) * sort.direction || comparePlace(a, b);
  return { rows: rows.toSorted((a, b) => compare(keyOf(a), keyOf(b))), keyOf, compare };
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

const readRows = async (call: ListCall): Promise<{ scan: Scan; rows: readonly Row[] }> => {
  const scan = await scanTable(call.client, call.resource, toQuery(call));
  return { scan, rows: filterByName(scan.rows, call.matches) };
};

const countPart = ({ isComplete }: Scan, count: number): Pick<ListPart, 'total' | 'atLeast'> =>
  isComplete ? { total: count } : { atLeast: count };

/** One page of ordered rows, with a cursor behind every row. */
const toPage = ({ rows, keyOf, compare }: Ordered, call: ListCall, scan: Scan, toItem: (row: Row) => unknown): Omit<ListPart, 'key'> => {
  const after = afterOf(call);
  const rest = after === undefined ? rows : rows.filter((row) => compare(keyOf(row), after) > 0);
  const shown = rest.slice(0, call.limit);
  const last = shown.at(-1);
  return {
    items: shown.map(toItem),
    ...countPart(scan, rows.length),
    resume: {
      state: {},
      after: shown.map(keyOf),
      ...(rest.length > shown.length && last !== undefined ? { end: { after: keyOf(last) } } : {}),
    },
    ...(scan.isComplete ? {} : { reason: 'scan_limit' as const }),
    narrow: scan.isComplete ? NARROW : `Only the first ${MAX_SCAN} objects were read. ${NARROW}`,
  };
};

const stateColumn = ({ columns }: Scan): number => findColumn(columns, 'status');

const toStates = (scan: Scan, rows: readonly Row[]): Record<string, unknown> => {
  const column = stateColumn(scan);
  return column < 0 || rows.length === 0 ? {} : { states: countBy(rows.map(({ cells }) => cells[column])) };
};

const countWords = (scan: Scan, count: number, call: ListCall): string =>
  `${scan.isComplete ? '' : 'at least '}${count} ${resourceName(call.resource)}`;

const stateWords = (states: unknown): string =>
  typeof states === 'object' && states !== null
    ? `: ${Object.entries(states)
        .map(([state, count]) => `${count} ${state}`)
        .join(', ')}`
    : '';

export const answerTable = async (call: ListCall): Promise<Answer> => {
  const { scan, rows } = await readRows(call);
  const ordered = await order(scan, rows, call);
  const wide = KEPT_WIDE[resourceName(call.resource)] ?? [];
  const shown = scan.columns.flatMap((column, index) => (column.priority === 0 || wide.includes(column.name) ? [index] : []));
  const withNamespace = call.resource.namespaced && call.namespace === undefined;
  const columns = [...(withNamespace ? ['NAMESPACE'] : []), ...shown.map((index) => (scan.columns[index]?.name ?? '').toUpperCase())];
  const { states } = toStates(scan, rows);
  return {
    summary: countWords(scan, rows.length, call) + stateWords(states),
    head: { ...toHead(call), ...(states === undefined ? {} : { states }) },
    list: {
      key: 'rows',
      columns,
      optional: wide.map((name) => name.toUpperCase()),
      ...toPage(ordered, call, scan, (row) => [
        ...(withNamespace ? [row.namespace ?? ''] : []),
        ...shown.map((index) => row.cells[index] ?? ''),
      ]),
    },
    ...(scan.warnings.length > 0 ? { warnings: scan.warnings } : {}),
  };
};

export const answerNames = async (call: ListCall): Promise<Answer> => {
  const { scan, rows } = await readRows(call);
  const ordered = await order(scan, rows, call);
  const withNamespace = call.resource.namespaced && call.namespace === undefined;
  return {
    summary: countWords(scan, rows.length, call),
    head: toHead(call),
    list: { key: 'names', ...toPage(ordered, call, scan, (row) => (withNamespace ? `${row.namespace}/${row.name}` : row.name)) },
  };
};

const groupRows = async (
  call: ListCall,
  groupBy: string,
): Promise<{ total: number; isComplete: boolean; groups: Record<string, number> }> => {
  if (/^namespace$/i.test(groupBy)) {
    const { scan, rows } = await readRows(call);
    return { total: rows.length, isComplete: scan.isComplete, groups: countBy(rows.map(({ namespace }) => namespace)) };
  }
  if (isPath(groupBy) || /[./]/.test(groupBy)) return countObjects(call, isPath(groupBy) ? groupBy : `metadata.labels["${groupBy}"]`);
  const { scan, rows } = await readRows(call);
  const column = findColumn(scan.columns, groupBy);
  if (column < 0) return countObjects(call, `metadata.labels["${groupBy}"]`);
  return { total: rows.length, isComplete: scan.isComplete, groups: countBy(rows.map(({ cells }) => cells[column])) };
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
    const { scan, rows } = await readRows(call);
    return {
      summary: countWords(scan, rows.length, call),
      head: { ...toHead(call), ...(scan.isComplete ? { total: rows.length } : { atLeast: rows.length }), ...toStates(scan, rows) },
    };
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
    const { scan, rows } = await readRows(call);
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
