// For the tests beside: a client of handle() that speaks as a user, and a clock that is moved by hand.
import type { UserName } from './authentication.ts';
import { createEmbeddedKubernetes, type EmbeddedKubernetes, type EmbeddedKubernetesOptions } from './index.ts';
import { type Json, listAt, objectAt, objectsAt, parseJson, textAt } from './json.ts';

export const T0 = Date.parse('2026-11-22T12:00:00Z');

export const ACCEPT = {
  table: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  partial: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json',
  partialList: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json',
} as const;

export const TYPE = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body read as JSON; null when it is none. */
  readonly body: Json;
}

export interface Question {
  readonly method?: string;
  readonly user?: UserName;
  readonly accept?: string;
  readonly type?: string;
  readonly body?: Json | string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

const read = (text: string): Json => {
  try {
    return parseJson(text);
  } catch {
    return null;
  }
};

export const toRequest = (kubernetes: EmbeddedKubernetes, path: string, question: Question = {}): Request => {
  const { method = 'GET', user = 'admin', accept, type = 'application/json', body, headers, signal } = question;
  return new Request(`http://kubernetes${path}`, {
    method,
    headers: {
      authorization: `Bearer ${kubernetes.token(user)}`,
      ...(accept === undefined ? {} : { accept }),
      ...(body === undefined ? {} : { 'content-type': type }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
};

export type Ask = (path: string, question?: Question) => Promise<Answer>;

export const askerOf =
  (kubernetes: EmbeddedKubernetes): Ask =>
  async (path, question) => {
    const response = await kubernetes.handle(toRequest(kubernetes, path, question));
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: read(text) };
  };

export interface Bed {
  readonly kubernetes: EmbeddedKubernetes;
  readonly ask: Ask;
  /** Moves the clock on. */
  pass(milliseconds: number): void;
}

/** A cluster whose clock stands at T0 until it is moved. */
export const openBed = (options: Omit<EmbeddedKubernetesOptions, 'clock'> = {}): Bed => {
  let now = T0;
  const kubernetes = createEmbeddedKubernetes({ ...options, clock: () => now });
  return {
    kubernetes,
    ask: askerOf(kubernetes),
    pass: (milliseconds) => {
      now += milliseconds;
    },
  };
};

/** What matters of an answered Status. */
export const statusOf = ({ status, body }: Answer): { code: number; reason: string; message: string } => ({
  code: status,
  reason: textAt(body, 'reason'),
  message: textAt(body, 'message'),
});

export const namesOf = ({ body }: Answer): string[] => objectsAt(body, 'items').map((item) => textAt(item, 'metadata', 'name'));

/** The cells of a Table answer, one row per line of kubectl; only the first columns when a number is given. */
export const rowsOf = ({ body }: Answer, columns?: number): string[][] =>
  objectsAt(body, 'rows').map((row) => listAt(row, 'cells').slice(0, columns).map(String));

export const columnsOf = ({ body }: Answer): string[] => objectsAt(body, 'columnDefinitions').map((column) => textAt(column, 'name'));

/** The events of a watch, one after another, as they come. */
export const eventsOf = async function* (response: Response): AsyncGenerator<{ type: string; object: Json }> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = parseJson(line);
      yield { type: textAt(event, 'type'), object: objectAt(event, 'object') };
    }
  }
};
