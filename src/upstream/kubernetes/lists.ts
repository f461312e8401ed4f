// Lists: whole objects, metadata alone, or the table that kubectl prints; one page, or all pages up to a bound.
import { AppError } from '../../kit/errors.ts';
import { statusOf } from '../kube.ts';
import type { Slots } from '../slots.ts';
import { type Api, apiLabel, type CallOptions } from './api.ts';
import { type Fields, type KubeObject, listAt, numberAt, textAt, valueAt } from './objects.ts';
import { apiVersionOf, type ResourceRef } from './resources.ts';

export interface ListOptions extends CallOptions {
  /** Absent = all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** Only fields that the kind supports; others are refused with INVALID_ARGUMENT. */
  readonly fieldSelector?: string | undefined;
  /** Most items of this page; absent = all at once. */
  readonly limit?: number | undefined;
  /** `continue` of the page before; all else stays the same. A token that is too old is CURSOR_EXPIRED. */
  readonly continue?: string | undefined;
  /** `0` allows an answer from the server's cache. */
  readonly resourceVersion?: string | undefined;
  /** Bound of one page on the wire after unpacking: 64 MiB. */
  readonly maxBytes?: number | undefined;
}

export interface PageInfo {
  /** Token of the next page; absent = this is the last. */
  readonly continue: string | undefined;
  /** Items after this page: 0 on the last, undefined where the server does not count (with selectors). */
  readonly remaining: number | undefined;
  readonly resourceVersion: string;
  readonly warnings: readonly string[];
  /** The pages before were of an older state: the server had dropped it, items may be missing or doubled. */
  readonly isInconsistent: boolean;
}

export interface ListPage extends PageInfo {
  readonly items: readonly KubeObject[];
}

/** What a table row carries of its object. `None` is 24 to 36 times faster; without it a row of a list over all namespaces does not know its namespace. */
export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface TableOptions extends ListOptions {
  readonly includeObject?: IncludeObject | undefined;
}

export interface TableColumn {
  /** As the server writes it: `Name`, `Nominated Node`. */
  readonly name: string;
  readonly type: string;
  readonly format: string;
  /** 0 = shown by `kubectl get`, above = with `-o wide`. */
  readonly priority: number;
}

export interface TableRow {
  readonly cells: readonly unknown[];
  readonly object: KubeObject | undefined;
}

export interface TablePage extends PageInfo {
  /** Empty on later pages of some servers: keep those of the first. */
  readonly columns: readonly TableColumn[];
  readonly rows: readonly TableRow[];
}

export interface ScanOptions {
  /** 500. */
  readonly pageSize?: number | undefined;
  /** The walk ends after the page that reaches this: 20,000. Then the last page still has its `continue`. */
  readonly maxItems?: number | undefined;
}

export interface Count {
  readonly total: number;
  /** False: the scan stopped at its bound, there are more. */
  readonly isExact: boolean;
}

export interface Lists {
  /** Whole objects, with `apiVersion` and `kind` on each. */
  list(resource: ResourceRef, options: ListOptions): Promise<ListPage>;
  /** apiVersion, kind and metadata only. Cheaper for the server, hardly smaller: managedFields dominate. */
  listMetadata(resource: ResourceRef, options: ListOptions): Promise<ListPage>;
  /** The columns that kubectl prints, for custom kinds too. */
  listTable(resource: ResourceRef, options: TableOptions): Promise<TablePage>;
  /**
   * All pages, one after the other, each given to `take` and then forgotten; gives what the last one says of the list, and all warnings. `limit` is
   * ignored. An expired token goes on inconsistently where the server offers it.
   */
  eachPage(resource: ResourceRef, options: ListOptions & ScanOptions, take: (page: ListPage) => void): Promise<PageInfo>;
  eachMetadataPage(resource: ResourceRef, options: ListOptions & ScanOptions, take: (page: ListPage) => void): Promise<PageInfo>;
  eachTablePage(resource: ResourceRef, options: TableOptions & ScanOptions, take: (page: TablePage) => void): Promise<PageInfo>;
  /** Everything of a small kind in one list, pages joined. */
  listAll(resource: ResourceRef, options: ListOptions & ScanOptions): Promise<ListPage>;
  /** How many match: one request without selectors, a scan of light rows with them. */
  count(resource: ResourceRef, options: ListOptions & ScanOptions): Promise<Count>;
}

const PAGE_SIZE = 500;
/** Later pages may be larger. Most lists end here, and for those that do not this much alone is held while they wait for their turn. */
const FIRST_PAGE = 500;
const MAX_ITEMS = 20_000;
const MAX_BYTES = 64 * 1024 * 1024;
const META = 'v=v1;g=meta.k8s.io';

/** `longReads`: how many lists of more than one page are read at once; each holds what it has read so far. */
export const createLists = (api: Api, longReads: Slots): Lists => {
  const fetchPage = async (
    resource: ResourceRef,
    options: ListOptions,
    { accept, verb, includeObject }: { accept: string; verb: string; includeObject?: IncludeObject },
  ) => {
    const { namespace, labelSelector, fieldSelector, limit, resourceVersion, maxBytes = MAX_BYTES, signal, timeoutMs } = options;
    const query = { labelSelector, fieldSelector, limit, continue: options.continue, resourceVersion, includeObject };
    const path = api.collectionPath(resource, namespace);
    const { body, warnings } = await api.json({ path, query, accept, maxBytes, signal, timeoutMs, api: apiLabel(verb, resource) });
    return { body, page: toPageInfo(body, warnings) };
  };
  const list = async (resource: ResourceRef, options: ListOptions): Promise<ListPage> => {
    const { body, page } = await fetchPage(resource, options, { accept: 'application/json', verb: 'list' });
    return { ...page, items: toItems(body, resource) };
  };
  const listMetadata = async (resource: ResourceRef, options: ListOptions): Promise<ListPage> => {
    const accept = `application/json;as=PartialObjectMetadataList;${META},application/json`;
    const { body, page } = await fetchPage(resource, options, { accept, verb: 'list-metadata' });
    return { ...page, items: toItems(body, resource) };
  };
  const listTable = async (resource: ResourceRef, { includeObject = 'None', ...options }: TableOptions): Promise<TablePage> => {
    const { body, page } = await fetchPage(resource, options, { accept: TABLE, verb: 'list-table', includeObject });
    return { ...page, ...toTable(body, resource) };
  };
  const eachPage: Lists['eachPage'] = (resource, options, take) =>
    walk((step) => list(resource, { ...options, ...step }), { ...options, longReads, take, size: ({ items }) => items.length });
  const eachTablePage: Lists['eachTablePage'] = (resource, options, take) =>
    walk((step) => listTable(resource, { ...options, ...step }), { ...options, longReads, take, size: ({ rows }) => rows.length });
  return {
    list,
    listMetadata,
    listTable,
    eachPage,
    eachTablePage,
    eachMetadataPage: (resource, options, take) =>
      walk((step) => listMetadata(resource, { ...options, ...step }), { ...options, longReads, take, size: ({ items }) => items.length }),
    listAll: async (resource, options) => {
      const items: KubeObject[] = [];
      const end = await eachPage(resource, options, (page) => void items.push(...page.items));
      return { ...end, items };
    },
    count: async (resource, options) => {
      const hasSelector = (options.labelSelector ?? options.fieldSelector ?? '') !== '';
      if (!hasSelector) {
        const { rows, remaining } = await listTable(resource, { ...options, limit: 1 });
        if (remaining !== undefined) return { total: rows.length + remaining, isExact: true };
      }
      let total = 0;
      const end = await eachTablePage(resource, options, ({ rows }) => {
        total += rows.length;
      });
      return { total, isExact: end.continue === undefined && !end.isInconsistent };
    },
  };
};

/** Accepts the plain form, too: aggregated APIs need not know tables. */
export const TABLE = `application/json;as=Table;${META},application/json`;

const toPageInfo = (body: unknown, warnings: readonly string[]): PageInfo => {
  const next = textAt(body, 'metadata', 'continue');
  return {
    continue: next,
    remaining: next === undefined ? 0 : numberAt(body, 'metadata', 'remainingItemCount'),
    resourceVersion: textAt(body, 'metadata', 'resourceVersion') ?? '',
    warnings,
    isInconsistent: false,
  };
};

/** Items of a list come without their kind. */
const toItems = (body: unknown, resource: ResourceRef): readonly KubeObject[] => {
  const items = valueAt(body, 'items');
  // An empty list of metadata has no items: Go writes null.
  const isEmpty = items === null && textAt(body, 'kind')?.endsWith('List') === true;
  if (!Array.isArray(items) && !isEmpty) throw toNoList(resource);
  const head = { apiVersion: apiVersionOf(resource), kind: resource.kind };
  return listAt(body, 'items').map((item) => ({ ...item, ...head }));
};

const toNoList = ({ kind }: ResourceRef): AppError =>
  new AppError('DATA_ERROR', `Kubernetes answered something that is not a list of ${kind} objects.`, {
    details: { service: 'kubernetes' },
  });

/** A server that does not make tables of this kind answers the list: then a table of names and times is made here. */
export const toTable = (body: unknown, resource: ResourceRef): { columns: readonly TableColumn[]; rows: readonly TableRow[] } => {
  if (textAt(body, 'kind') !== 'Table') {
    const objects = Array.isArray(valueAt(body, 'items')) ? toItems(body, resource) : [toObject(body, resource)];
    return {
      columns: PLAIN_COLUMNS,
      rows: objects.map((object) => ({
        object,
        cells: [textAt(object, 'metadata', 'name'), textAt(object, 'metadata', 'creationTimestamp')],
      })),
    };
  }
  return { columns: listAt(body, 'columnDefinitions').map(toColumn), rows: listAt(body, 'rows').map(toRow) };
};

const toObject = (body: unknown, resource: ResourceRef): KubeObject => {
  if (textAt(body, 'metadata', 'name') === undefined) throw toNoList(resource);
  return body as KubeObject;
};

const toColumn = (column: Fields): TableColumn => ({
  name: textAt(column, 'name') ?? '',
  type: textAt(column, 'type') ?? 'string',
  format: textAt(column, 'format') ?? '',
  priority: numberAt(column, 'priority') ?? 0,
});

const toRow = (row: Fields): TableRow => {
  const { cells, object } = row as { cells?: unknown; object?: unknown };
  return { cells: Array.isArray(cells) ? cells : [], object: textAt(object, 'kind') === undefined ? undefined : (object as KubeObject) };
};

const PLAIN_COLUMNS: readonly TableColumn[] = [
  { name: 'Name', type: 'string', format: 'name', priority: 0 },
  { name: 'Created At', type: 'date', format: '', priority: 0 },
];

interface Walk<Page> extends ScanOptions {
  readonly size: (page: Page) => number;
  readonly take: (page: Page) => void;
  readonly longReads: Slots;
  readonly signal: AbortSignal;
}

interface Step {
  readonly limit: number;
  readonly continue: string | undefined;
}

const walk = async <Page extends PageInfo>(
  fetchPage: (step: Step) => Promise<Page>,
  { pageSize = PAGE_SIZE, maxItems = MAX_ITEMS, size, take, longReads, signal }: Walk<Page>,
): Promise<PageInfo> => {
  const warnings = new Set<string>();
  let isInconsistent = false;
  let seen = 0;
  // A page lives in here alone: none is held while its successor, or a turn, is waited for.
  const read = async (step: Step): Promise<PageInfo> => {
    const page = await fetchPage(step).catch((error: unknown) => {
      const token = statusOf(error)?.continueToken;
      if (token === undefined || token === step.continue) throw error;
      isInconsistent = true;
      return fetchPage({ ...step, continue: token });
    });
    seen += size(page);
    for (const warning of page.warnings) warnings.add(warning);
    take(page);
    const { continue: next, remaining, resourceVersion } = page;
    return { continue: next, remaining, resourceVersion, warnings: [...warnings], isInconsistent };
  };
  let last = await read({ limit: Math.min(FIRST_PAGE, pageSize, maxItems), continue: undefined });
  const goesOn = (): boolean => last.continue !== undefined && seen < maxItems;
  if (!goesOn()) return last;
  const leave = await longReads.enter(signal);
  try {
    while (goesOn()) last = await read({ limit: Math.min(pageSize, maxItems - seen), continue: last.continue });
    return last;
  } finally {
    leave();
  }
};
