// What a tool gives back. A tool hands over everything it has, in order of rank; the budget step cuts, the renderer words it.

/** Why not everything is shown. */
export type PageReason = 'limit' | 'budget' | 'scan_limit' | 'upstream_limit';

export type EmptyReason = 'no_match' | 'window_empty' | 'forbidden' | 'api_absent' | 'not_configured';

/** A call worth making next. */
export interface NextCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly why: string;
}

/** How a list goes on. Plain data, so that a cached answer can be continued too. */
export interface Resume {
  /** Cursor state of this page; at item `i` the cursor is `{ ...state, skip: (state.skip ?? 0) + i }`, or with `after` `{ ...state, after: after[i - 1] }`. */
  readonly state: Readonly<Record<string, unknown>>;
  /** Key of each item, where the list goes on behind a key: nothing is shown twice while items come and go. */
  readonly after?: readonly unknown[];
  /** Cursor state after the last item; absent = the list ends there. */
  readonly end?: Readonly<Record<string, unknown>>;
}

/** The one part of an answer that may be paged and cut. */
export interface ListPart {
  /** Name of the array in the answer, such as `rows`. */
  readonly key: string;
  /** In rank order. Objects, strings, or arrays when `columns` is given. */
  readonly items: readonly unknown[];
  readonly columns?: readonly string[];
  /** Columns or properties that may go when the budget is full; the first goes first. */
  readonly optional?: readonly string[];
  /** Which end is worth more when not all fit: `last` for logs, whose newest lines stand at the end. */
  readonly keep?: 'first' | 'last';
  /** Exact number of matches over all pages. */
  readonly total?: number;
  /** Instead of `total`, when the backend cannot count. */
  readonly atLeast?: number;
  readonly resume?: Resume;
  /** Why the tool itself does not show all. */
  readonly reason?: PageReason;
  /** One sentence with the argument that narrows best. */
  readonly narrow?: string;
}

/** A part of a single-object answer; the first is the most important, the last goes first. */
export interface Section {
  readonly key: string;
  readonly value: unknown;
}

/** Raw content blocks of the protocol, beside the text block. */
export type ContentBlock = Readonly<Record<string, unknown>> & { readonly type: string };

export interface Answer {
  /** First line of the text block; made from the scope and counts when absent. */
  readonly summary?: string;
  /** Facts that always stand: the scope really used, counts, states. */
  readonly head?: Readonly<Record<string, unknown>>;
  readonly list?: ListPart;
  readonly sections?: readonly Section[];
  readonly empty?: { readonly reason: EmptyReason; readonly detail: string };
  readonly warnings?: readonly string[];
  readonly next?: readonly NextCall[];
  readonly links?: readonly { readonly title: string; readonly url: string }[];
  /** True when text from workloads or third parties is inside. */
  readonly untrusted?: boolean;
  /** Set by the cache: how long ago this was read, ms. */
  readonly cachedMs?: number;
  /** Extra blocks (pictures, resource links). */
  readonly content?: readonly ContentBlock[];
  /** Replaces the rendered text block and the structured content altogether: for protocol fixtures and gateways. */
  readonly raw?: Readonly<Record<string, unknown>>;
}

/** The answer as it leaves: within its budget, in both forms. */
export interface FinalAnswer {
  readonly structured: Readonly<Record<string, unknown>>;
  readonly text: string;
  readonly content?: readonly ContentBlock[];
  /** Something was left out to keep the limit. */
  readonly isCut?: boolean;
  /** Size as JSON; told only where it may be above the limit. */
  readonly bytes?: number;
  readonly raw?: Readonly<Record<string, unknown>>;
}
