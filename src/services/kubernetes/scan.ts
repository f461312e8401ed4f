// Reads all rows of a kind, light form first, up to a bound; filters, groups and sorts them here because the API cannot.

import { toMilliseconds } from '../../kit/duration.ts';
import type { Matcher } from '../../kit/match.ts';
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
  readonly rows: readonly Row[];
  /** False: stopped at the bound, there are more. */
  readonly isComplete: boolean;
  readonly resourceVersion: string;
  readonly warnings: readonly string[];
}

export type ScanQuery = Pick<ListOptions, 'namespace' | 'labelSelector' | 'fieldSelector' | 'signal'>;

export const MAX_SCAN = 20_000;
/** Up to this many objects, one request with their metadata tells their namespaces. */
const FIRST_PAGE = 500;
/** Up to this many namespaces, a light list of each is cheaper than the metadata of all objects. */
const MAX_NAMESPACES = 50;
const PARALLEL = 6;
const PAGE = 5000;

const toName = (columns: readonly TableColumn[], row: TableRow): string => {
  const at = columns.findIndex(({ format }) => format === 'name');
  return String(row.cells[Math.max(at, 0)] ?? textAt(row.object, 'metadata', 'name') ?? '');
};

const toRows = (pages: readonly TablePage[], namespace: string | undefined): Pick<Scan, 'columns' | 'rows'> => {
  const columns = pages.find((page) => page.columns.length > 0)?.columns ?? [];
  const rows = pages.flatMap((page) =>
    page.rows.map((row) => ({
      namespace: namespace ?? textAt(row.object, 'metadata', 'namespace'),
      name: toName(columns, row),
      cells: row.cells,
    })),
  );
  return { columns, rows };
};

const readPages = async (
  client: KubernetesClient,
  resource: ResourceRef,
  query: ScanQuery,
  includeObject: 'None' | 'Metadata',
): Promise<Scan> => {
  const pages: TablePage[] = [];
  for await (const page of client.tablePages(resource, { ...query, includeObject, pageSize: PAGE, maxItems: MAX_SCAN })) pages.push(page);
  const last = pages.at(-1);
  return {
    ...toRows(pages, query.namespace),
    isComplete: last?.continue === undefined,
    resourceVersion: pages[0]?.resourceVersion ?? '',
    warnings: [...new Set(pages.flatMap(({ warnings }) => warnings))],
  };
};

/** Work on many items, a few at a time; results in the order of the items. */
export const inParallel = async <Item, Result>(
  items: readonly Item[],
  most: number,
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> => {
  const results: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const at = next++;
      results[at] = await work(items[at] as Item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  return results;
};

const readNamespaces = async (client: KubernetesClient, { signal }: ScanQuery): Promise<readonly string[] | undefined> => {
  // Without the right to list namespaces the heavier form is the only one.
  const page = await client.listTable(RESOURCES.namespaces, { signal, limit: MAX_NAMESPACES + 1 }).catch(() => undefined);
  return page === undefined || page.rows.length > MAX_NAMESPACES ? undefined : page.rows.map((row) => toName(page.columns, row));
};

/** A row of a light list over all namespaces does not know its namespace; each way around that is cheapest for some size. */
const scanAllNamespaces = async (client: KubernetesClient, resource: ResourceRef, query: ScanQuery): Promise<Scan> => {
  const first = await client.listTable(resource, { ...query, includeObject: 'Metadata', limit: FIRST_PAGE });
  if (first.continue === undefined) {
    return { ...toRows([first], undefined), isComplete: true, resourceVersion: first.resourceVersion, warnings: first.warnings };
  }
  const namespaces = await readNamespaces(client, query);
  if (namespaces === undefined) return readPages(client, resource, query, 'Metadata');
  const scans = await inParallel(namespaces, PARALLEL, (namespace) => readPages(client, resource, { ...query, namespace }, 'None'));
  const rows = scans.flatMap((scan) => scan.rows);
  return {
    columns: scans.find(({ columns }) => columns.length > 0)?.columns ?? first.columns,
    rows: rows.slice(0, MAX_SCAN),
    isComplete: rows.length <= MAX_SCAN && scans.every(({ isComplete }) => isComplete),
    resourceVersion: first.resourceVersion,
    warnings: first.warnings,
  };
};

/** All rows in the server's order: by namespace, then by name. */
export const scanTable = (client: KubernetesClient, resource: ResourceRef, query: ScanQuery): Promise<Scan> =>
  resource.namespaced && query.namespace === undefined
    ? scanAllNamespaces(client, resource, query)
    : readPages(client, resource, query, 'None');

export const filterByName = (rows: readonly Row[], matches: Matcher | undefined): readonly Row[] =>
  matches === undefined ? rows : rows.filter(({ name }) => matches(name));

/** Index of a column by its printed name; -1 when there is none. */
export const findColumn = (columns: readonly TableColumn[], name: string): number => {
  const wanted = name.toLowerCase().replaceAll('_', '-');
  return columns.findIndex((column) => [column.name, column.name.replaceAll(' ', '-')].some((text) => text.toLowerCase() === wanted));
};

export const countBy = (values: Iterable<unknown>): Record<string, number> => {
  const counts = new Map<string, number>();
  for (const value of values) {
    const key =
      value === undefined || value === null || value === '' ? '<none>' : typeof value === 'object' ? JSON.stringify(value) : String(value);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1]));
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
