// Fits an answer into its token budget: optional columns go, long strings are cut, then fewer items by rank. Never inside JSON, never silently.

import { formatDuration } from './duration.ts';
import { renderText } from './render.ts';
import type { Answer, FinalAnswer, ListPart, PageReason } from './result.ts';
import { estimateTokens } from './tokens.ts';

export interface BudgetOptions {
  readonly maxTokens: number;
  /** Of the whole answer as JSON, both forms together; absent = no limit but that in tokens. */
  readonly maxBytes?: number | undefined;
  /** Whether an answer above `maxBytes` is cut like one above `maxTokens`; else its size is only told. */
  readonly cutsLarge?: boolean | undefined;
  /** Seals the state of a cursor. */
  readonly seal: (state: Readonly<Record<string, unknown>>) => string;
}

interface Cut {
  readonly items: number;
  readonly sections: number;
  /** How many of the optional columns are gone. */
  readonly dropped: number;
  readonly maxString: number;
}

type Draft = FinalAnswer & { readonly fits: boolean };

/** What the protocol writes around an answer, generously. */
const ENVELOPE_BYTES = 512;
/** A character as JSON within JSON: `\\\\u001f` for control characters, else at most three bytes of UTF-8. */
const MAX_BYTES_PER_CHAR = 7;

const STRING_LIMITS = [1000, 300, 120];

const cutStrings = (value: unknown, most: number): unknown => {
  if (typeof value === 'string') return value.length > most + 20 ? `${value.slice(0, most)}…(+${value.length - most} chars)` : value;
  if (Array.isArray(value)) return value.map((item) => cutStrings(item, most));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cutStrings(item, most)]));
};

const withoutKeys = (item: unknown, gone: ReadonlySet<string>): unknown =>
  typeof item === 'object' && item !== null && !Array.isArray(item)
    ? Object.fromEntries(Object.entries(item).filter(([key]) => !gone.has(key)))
    : item;

const toItems = (list: ListPart, cut: Cut): Record<string, unknown> => {
  const gone = new Set((list.optional ?? []).slice(0, cut.dropped));
  const items = list.keep === 'last' ? list.items.slice(Math.max(0, list.items.length - cut.items)) : list.items.slice(0, cut.items);
  const { columns } = list;
  if (columns === undefined)
    return { [list.key]: cutStrings(gone.size > 0 ? items.map((item) => withoutKeys(item, gone)) : items, cut.maxString) };
  const kept = columns.flatMap((column, index) => (gone.has(column) ? [] : [index]));
  const pick = (row: unknown): unknown => (Array.isArray(row) ? kept.map((index) => row[index]) : row);
  return { columns: kept.map((index) => columns[index]), [list.key]: cutStrings(items.map(pick), cut.maxString) };
};

const toNextState = (list: ListPart, shown: number): Readonly<Record<string, unknown>> | undefined => {
  if (list.resume === undefined) return undefined;
  if (shown >= list.items.length) return list.resume.end;
  const { state, after } = list.resume;
  if (after !== undefined) return { ...state, after: after[shown - 1] };
  return { ...state, skip: Number(state['skip'] ?? 0) + shown };
};

const toPage = (list: ListPart, cut: Cut, options: BudgetOptions): Record<string, unknown> => {
  const shown = Math.min(cut.items, list.items.length);
  const next = toNextState(list, shown);
  const reason: PageReason | undefined = shown < list.items.length ? 'budget' : (list.reason ?? (next === undefined ? undefined : 'limit'));
  const isCut = reason !== undefined;
  return {
    ...(list.total === undefined ? (list.atLeast === undefined ? {} : { atLeast: list.atLeast }) : { total: list.total }),
    shown,
    ...(next === undefined ? {} : { next: options.seal(next) }),
    ...(isCut ? { reason } : {}),
    ...(isCut && list.narrow !== undefined ? { narrow: list.narrow } : {}),
  };
};

const compact = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== null));

const draftOf = (answer: Answer, cut: Cut, options: BudgetOptions): Draft => {
  const sections = (answer.sections ?? []).slice(0, cut.sections);
  const leftOut = (answer.sections ?? []).slice(cut.sections).map((section) => section.key);
  const dropped = (answer.list?.optional ?? []).slice(0, cut.dropped);
  const warnings = [
    ...(answer.warnings ?? []),
    ...(leftOut.length > 0 ? [`Left out for the budget: ${leftOut.join(', ')}. Ask with fields, or with more maxTokens.`] : []),
    ...(dropped.length > 0 ? [`Columns left out for the budget: ${dropped.join(', ')}.`] : []),
  ];
  const structured = compact({
    ...answer.head,
    ...(answer.list === undefined ? {} : toItems(answer.list, cut)),
    ...(cutStrings(Object.fromEntries(sections.map((section) => [section.key, section.value])), cut.maxString) as Record<string, unknown>),
    page: answer.list === undefined ? undefined : toPage(answer.list, cut, options),
    empty: answer.empty,
    warnings: warnings.length > 0 ? warnings : undefined,
    next: answer.next !== undefined && answer.next.length > 0 ? answer.next.slice(0, 3) : undefined,
    links: answer.links,
    untrusted: answer.untrusted === true ? true : undefined,
    cached: answer.cachedMs === undefined ? undefined : `${formatDuration(answer.cachedMs)} ago`,
  });
  const text = renderText(structured, answer.summary);
  const { content } = answer;
  const final = { structured, text, ...(content === undefined ? {} : { content }) };
  const json = JSON.stringify(structured);
  const tokens = Math.max(estimateTokens(text), estimateTokens(json));
  const bytes = isSurelySmall(final, json.length, options) ? undefined : toBytes(final);
  const isLarge = bytes !== undefined && bytes > (options.maxBytes ?? Number.POSITIVE_INFINITY);
  return {
    ...final,
    ...(bytes === undefined ? {} : { bytes }),
    fits: tokens <= options.maxTokens && !(isLarge && options.cutsLarge === true),
  };
};

/** Almost every answer is far below the limit: then its bytes are not counted. */
const isSurelySmall = ({ text, content }: FinalAnswer, jsonLength: number, { maxBytes }: BudgetOptions): boolean =>
  maxBytes === undefined || (content === undefined && ENVELOPE_BYTES + (text.length + jsonLength) * MAX_BYTES_PER_CHAR <= maxBytes);

const toBytes = ({ raw, text, structured, content }: FinalAnswer): number =>
  ENVELOPE_BYTES + Buffer.byteLength(JSON.stringify(raw ?? [text, structured, content]));

/** Largest count in 0..most for which `fits`, assuming that fewer always fit better. */
const largest = (most: number, fits: (count: number) => boolean): number => {
  let low = 0;
  let high = most;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
};

/** Shrinks arrays and strings inside one value until it is small: the last resort for a single huge section. */
const shrink = (value: unknown, items: number, most: number): unknown => {
  if (typeof value === 'string') return cutStrings(value, most);
  if (Array.isArray(value)) {
    const kept: unknown[] = value.slice(0, items).map((item) => shrink(item, items, most));
    return value.length > items ? [...kept, `…(+${value.length - items} items)`] : kept;
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value);
  const kept = entries.slice(0, items * 4).map(([key, item]) => [key, shrink(item, items, most)] as const);
  return Object.fromEntries(entries.length > kept.length ? [...kept, ['…', `+${entries.length - kept.length} keys`]] : kept);
};

const shrinkFirst = (answer: Answer, items: number, most: number): Answer => ({
  ...answer,
  head: shrink(answer.head ?? {}, items, most) as Record<string, unknown>,
  ...(answer.sections === undefined
    ? {}
    : { sections: answer.sections.map(({ key, value }) => ({ key, value: shrink(value, items, most) })) }),
  warnings: [...(answer.warnings ?? []), 'Shortened for the budget: ask with fields or a narrower view.'],
});

const whole = (answer: Answer): Cut => ({
  items: answer.list?.items.length ?? 0,
  sections: answer.sections?.length ?? 0,
  dropped: 0,
  maxString: Number.POSITIVE_INFINITY,
});

/** The answer in both forms, within `maxTokens`; what is `raw` is never cut. `bytes` is told when it may be above `maxBytes`. */
export const fitAnswer = (answer: Answer, options: BudgetOptions): FinalAnswer => {
  if (answer.raw !== undefined) {
    const final = { structured: {}, text: '', raw: answer.raw };
    return options.maxBytes === undefined ? final : { ...final, bytes: toBytes(final) };
  }
  const draft = draftOf(answer, whole(answer), options);
  return draft.fits ? draft : { ...cutAnswer(answer, draft, options), isCut: true };
};

const cutAnswer = (answer: Answer, uncut: Draft, options: BudgetOptions): Draft => {
  const all = answer.list?.items.length ?? 0;
  const sections = answer.sections?.length ?? 0;
  let cut = whole(answer);
  let draft: Draft = uncut;
  const tryCut = (change: Partial<Cut>): boolean => {
    cut = { ...cut, ...change };
    draft = draftOf(answer, cut, options);
    return draft.fits;
  };
  for (let dropped = 1; dropped <= (answer.list?.optional?.length ?? 0); dropped++) if (tryCut({ dropped })) return draft;
  for (const maxString of STRING_LIMITS) if (tryCut({ maxString })) return draft;
  if (sections > 1) {
    const kept = Math.max(
      1,
      largest(sections, (count) => draftOf(answer, { ...cut, sections: count, items: Math.min(cut.items, 1) }, options).fits),
    );
    if (tryCut({ sections: kept })) return draft;
  }
  if (all > 1) {
    const kept = Math.max(
      1,
      largest(all, (items) => draftOf(answer, { ...cut, items }, options).fits),
    );
    if (tryCut({ items: kept })) return draft;
  }
  for (const [items, most] of [
    [20, 120],
    [8, 80],
    [3, 40],
    [1, 20],
  ] as const) {
    draft = draftOf(shrinkFirst(answer, items, most), { ...cut, items: Math.min(cut.items, 1) }, options);
    if (draft.fits) return draft;
  }
  return draft;
};
