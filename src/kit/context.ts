// What every call carries with it: who asks, how long it may take, and the ways to report and to ask others.

import type { ChangePort } from './change.ts';
import type { Directory } from './directory.ts';
import type { Answer } from './result.ts';

export type Effect = 'read' | 'write' | 'delete';

/** Structured logging as rooms need it; implemented in logging/. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Whether such an entry would be written: for fields that cost something. */
  writes?(level: 'debug' | 'info', service?: string): boolean;
}

/** The verified identity of the caller. On stdio it is the person who started the process. */
export interface Caller {
  readonly id: string;
  readonly groups: readonly string[];
  /** Granted scopes (`read`, `write`, `destructive`, `admin`, each optionally `<scope>:<service>`). */
  readonly scopes: readonly string[];
  /** Services that its credential is limited to; `scopes` is narrowed to them already. Absent = all. */
  readonly services?: readonly string[];
  /** Namespaces that its credential is limited to. Absent = all. */
  readonly namespaces?: readonly string[];
  /** Where the request came from; behind trusted proxies the client's own address. */
  readonly address?: string;
}

export interface ProgressUpdate {
  readonly progress: number;
  readonly total?: number;
  readonly message?: string;
}

/** A yes-or-no question to the person behind the client (elicitation). */
export interface Question {
  readonly key: string;
  readonly message: string;
}

/** `unavailable`: this client cannot ask its user. */
export type QuestionAnswer = 'accepted' | 'declined' | 'unavailable';

/** A tool's view of the call it answers. */
export interface CallContext {
  /** Aborted by the client, by the deadline, or when the server stops; `reason` is an AppError. */
  readonly signal: AbortSignal;
  readonly caller: Caller;
  readonly requestId: string;
  readonly traceId: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly logger: Logger;
  readonly directory: Directory;
  /** State of `cursor`, opened and verified; undefined on a first page. */
  readonly cursor: unknown;
  /** Reports progress; a no-op when the client did not ask for it. `progress` must rise. */
  progress(update: ProgressUpdate): void;
  /** Asks the user. The call is run again from its start when the answer arrives, so nothing may have changed before. */
  ask(question: Question): Promise<QuestionAnswer>;
  /** Calls another tool with the caller's rights, through every step of a call. */
  call(tool: string, args: Readonly<Record<string, unknown>>): Promise<Answer>;
  /** Tokens, single execution and records of changes; absent where changes are off. */
  readonly changes?: ChangePort;
  /** What the protocol layer alone needs: the raw request of the transport. Product tools do not touch it. */
  readonly protocol?: unknown;
}
