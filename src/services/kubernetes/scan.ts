// Reads all rows of a kind, light form first, up to a bound; filters, groups and sorts them here because the API cannot.

import { toMilliseconds } from '../../kit/duration.ts';
import { inParallel } from '../../kit/parallel.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import type { ListOptions, TableColumn, TablePage, TableRow } from '../../upstream/kubernetes/lists.ts';
import { textAt } from '../../upstream/kubernetes/objects.ts';
import { RESOURCES, type ResourceRef } from '../../upstream/kubernetes/resources.ts';

export interface Row {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly cells: readonly unknown[];
}

export interface Scan {
  readonly columns: readonly TableColumn[];
  /** False: stopped at the bound, there are more. */
  readonly isComplete: boolean;
  readonly warnings: readonly string[];
}

/** Given the columns, once, says what becomes of each row: what it does not keep is forgotten with its page. */
export type RowTaker = (columns: readonly TableColumn[]) => (row: Row) => void;

export type ScanQuery = Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector' | 'signal'>;

export const MAX_SCAN = 20_000;
/** Up to this many objects, one request with their metadata tells their namespaces. */
const FIRST_PAGE = 500;
/** Up to this many namespaces, a light list of each is cheaper than the metadata of all objects. */
const MAX_NAMESPACES = 50;
const PARALLEL = 6;
const PAGE = 2500;

const nameColumn = (columns: readonly TableColumn[]): number =>
  Math.max(
    columns.findIndex(({ format }) => format === 'name'),
    0,
  );

const toName = ({ cells, object }: TableRow, column: number): string => String(cells[column] ?? textAt(object, 'metadata', 'name') ?? '');

/** Hands on the rows of pages one after the other. Later pages of some servers have no columns: those of the first count. */
const createReader = (start: RowTaker) => {
  let columns: readonly TableColumn[] | undefined;
  let column = 0;
  let take: (row: Row) => void = () => {};
  return {
    get columns() {
      return columns ?? [];
    },
    read(page: TablePage, namespace: string | undefined): void {
      if (columns === undefined) {
        columns = page.columns;
        column = nameColumn(columns);
        take = start(columns);
      }
      for (const row of page.rows)
        take({
          namespace: namespace ?? textAt(row.object, 'metadata', 'namespace'),
          name: toName(row, column),
          cells: row.cells,
        });
    },
  };
};

type Reader = ReturnType<typeof createReader>;

const readPages = async (
  client: KubernetesClient,
  resource: ResourceRef,
  query: ScanQuery,
  { reader, includeObject }: { reader: Reader; includeObject: 'None' | 'Metadata' },
): Promise<Scan> => {
  const end = await client.eachTablePage(resource, { ...query, includeObject, pageSize: PAGE, maxItems: MAX_SCAN }, (page) =>
    reader.read(page, query.namespace),
  );
  return { columns: reader.columns, isComplete: end.continue === undefined, warnings: end.warnings };
};

const readNamespaces = async (client: KubernetesClient, { signal }: ScanQuery): Promise<readonly string[] | undefined> => {
  // Without the right to list namespaces the heavier form is the only one.
  const page = await client.listTable(RESOURCES.namespaces, { signal, limit: MAX_NAMESPACES + 1 }).catch(() => undefined);
  if (page === undefined || page.rows.length > MAX_NAMESPACES) return undefined;
  const column = nameColumn(page.columns);
  return page.rows.map((row) => toName(row, column));
};

/** A row of a light list over all namespaces does not know its namespace; each way around that is cheapest for some size. */
const scanAllNamespaces = async (client: KubernetesClient, resource: ResourceRef, query: ScanQuery, reader: Reader): Promise<Scan> => {
  const first = await client.listTable(resource, { ...query, includeObject: 'Metadata', limit: FIRST_PAGE });
  const { columns, warnings } = first;
  if (first.continue === undefined) {
    reader.read(first, undefined);
    return { columns, warnings, isComplete: true };
  }
  const namespaces = await readNamespaces(client, query);
  if (namespaces === undefined) return readPages(client, resource, query, { reader, includeObject: 'Metadata' });
  const scans = await inParallel(namespaces, PARALLEL, (namespace) =>
    readPages(client, resource, { ...query, namespace }, { reader, includeObject: 'None' }),
  );
  return { columns, warnings, isComplete: scans.every(({ isComplete }) => isComplete) };
};

/** All rows, handed on page by page: within a namespace in the server's order, by name. */
export const scanRows = (client: KubernetesClient, resource: ResourceRef, query: ScanQuery, start: RowTaker): Promise<Scan> => {
  const reader = createReader(start);
  return resource.namespaced && query.namespace === undefined
    ? scanAllNamespaces(client, resource, query, reader)
    : readPages(client, resource, query, { reader, includeObject: 'None' });
};

/** All rows of a kind that is small, or of which the names alone are wanted. */
export const scanTable = async (
  client: KubernetesClient,
  resource: ResourceRef,
  query: ScanQuery,
): Promise<Scan & { readonly rows: readonly Row[] }> => {
  const rows: Row[] = [];
  const scan = await scanRows(client, resource, query, () => (row) => void rows.push(row));
  return { ...scan, rows };
};

/** Index of a column by its printed name; -1 when there is none. */
export const findColumn = (columns: readonly TableColumn[], name: string): number => {
  const wanted = name.toLowerCase().replaceAll('_', '-');
  return columns.findIndex((column) => [column.name, column.name.replaceAll(' ', '-')].some((text) => text.toLowerCase() === wanted));
};

/** How often each value passed by. */
export const createCounter = () => {
  const counts = new Map<string, number>();
  return {
    add(value: unknown): void {
      const key =
        value === undefined || value === null || value === ''
          ? '<none>'
          : typeof value === 'object'
            ? JSON.stringify(value)
            : String(value);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    /** The most frequent first. */
    toRecord: (): Record<string, number> => Object.fromEntries([...counts].sort((a, b) => b[1] - a[1])),
  };
};

export const countBy = (values: Iterable<unknown>): Record<string, number> => {
  const counter = createCounter();
  for (const value of values) counter.add(value);
  return counter.toRecord();
};

/** Ages (`5d2h`), counts (`7 (12m ago)`), quantities and words, each compared as what it is. */
const toComparable = (value: unknown): number | string => {
  if (typeof value === 'number') return value;
  const text = String(value ?? '');
  const days = text.replace(/(\d+)y/, (_, years: string) => `${Number(years) * 365}d`);
  const age = toMilliseconds(days);
  if (age !== undefined) return age;
  const [, lead] = /^(-?\d+(?:\.\d+)?)(?:$|[\s/%(])/.exec(text) ?? [];
  return lead === undefined ? text : Number(lead);
};

/** -1, 0 or 1; numbers before words. */
export const compareValues = (a: unknown, b: unknown): number => {
  const left = toComparable(a);
  const right = toComparable(b);
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (typeof left === 'number') return -1;
  return typeof right === 'number' ? 1 : left < right ? -1 : left > right ? 1 : 0;
};
