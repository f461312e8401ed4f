// Watching: the present state, then every change, over broken connections and forgotten versions.
import { AppError, toAppError } from '../../kit/errors.ts';
import { pause } from '../../kit/pause.ts';
import { readLines } from '../http.ts';
import { parseStatus } from '../kube.ts';
import { type Api, apiLabel, type CallOptions } from './api.ts';
import type { Lists } from './lists.ts';
import { fieldsAt, type KubeObject, textAt } from './objects.ts';
import { apiVersionOf, type ResourceRef } from './resources.ts';

export interface WatchOptions extends Omit<CallOptions, 'timeoutMs'> {
  /** Absent = all namespaces. */
  readonly namespace?: string | undefined;
  /** One object. */
  readonly name?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Start after this version instead of with the present state. */
  readonly resourceVersion?: string | undefined;
}

/**
 * `STATE`: this is all there is now; comes first (without `resourceVersion`), and again whenever the server has forgotten where we were.
 * The others are changes since then.
 */
export type WatchEvent =
  | { readonly type: 'STATE'; readonly items: readonly KubeObject[]; readonly resourceVersion: string }
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: KubeObject }
  | { readonly type: 'BOOKMARK'; readonly resourceVersion: string };

export interface Watches {
  /**
   * Runs until the signal fires (then it throws its reason), the reader leaves the loop, or the server refuses for good (FORBIDDEN, UNSUPPORTED
   * ...). A server that does not answer is asked again with growing pauses; after six failures in a row the failure is thrown.
   */
  watch(resource: ResourceRef, options: WatchOptions): AsyncIterable<WatchEvent>;
}

/** The server ends a watch after this; bookmarks come every minute, so longer silence means a dead connection. */
const SERVER_SECONDS = 240;
const IDLE_MS = 150_000;
const FIRST_PAUSE_MS = 250;
const MOST_FAILURES = 6;
const PASSING: ReadonlySet<string> = new Set(['SERVICE_UNAVAILABLE', 'RATE_LIMITED', 'DATA_ERROR']);

export const createWatches = (api: Api, lists: Lists): Watches => {
  const readChanges = async function* (
    resource: ResourceRef,
    options: WatchOptions,
    from: string,
  ): AsyncGenerator<WatchEvent, void, undefined> {
    const { namespace, labelSelector, signal } = options;
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      timeoutSeconds: SERVER_SECONDS,
      resourceVersion: from,
      labelSelector,
      fieldSelector: toFieldSelector(options),
    };
    const path = api.collectionPath(resource, namespace);
    const { body } = await api.stream({
      path,
      query,
      accept: 'application/json',
      idleMs: IDLE_MS,
      signal,
      api: apiLabel('watch', resource),
    });
    for await (const line of readLines(body, { maxLine: 16 * 1024 * 1024 })) {
      if (line !== '') yield toEvent(line, resource);
    }
  };
  return {
    watch: async function* (resource, options) {
      const { signal } = options;
      let from = options.resourceVersion;
      for (let failures = 0; ; ) {
        try {
          if (from === undefined) {
            const { items, resourceVersion } = await lists.listAll(resource, {
              ...options,
              fieldSelector: toFieldSelector(options),
              maxItems: Number.POSITIVE_INFINITY,
            });
            from = resourceVersion;
            failures = 0;
            yield { type: 'STATE', items, resourceVersion };
          }
          for await (const event of readChanges(resource, options, from)) {
            failures = 0;
            from = versionOf(event) ?? from;
            yield event;
          }
        } catch (error) {
          const { code } = toAppError(error);
          if (signal.aborted || !(PASSING.has(code) || code === 'CURSOR_EXPIRED')) throw error;
          failures += 1;
          if (failures >= MOST_FAILURES) throw error;
          if (code === 'CURSOR_EXPIRED') from = undefined;
          // A first "expired" is a normal end of a quiet watch: list again at once.
          if (code !== 'CURSOR_EXPIRED' || failures > 1) await pause(FIRST_PAUSE_MS * 2 ** failures, signal);
        }
      }
    },
  };
};

const toFieldSelector = ({ name, fieldSelector }: WatchOptions): string | undefined => {
  const parts = [
    ...(name === undefined ? [] : [`metadata.name=${name}`]),
    ...(fieldSelector === undefined || fieldSelector === '' ? [] : [fieldSelector]),
  ];
  return parts.length === 0 ? undefined : parts.join(',');
};

const versionOf = (event: WatchEvent): string | undefined => {
  if (event.type === 'BOOKMARK' || event.type === 'STATE') return event.resourceVersion;
  return textAt(event.object, 'metadata', 'resourceVersion');
};

const toEvent = (line: string, resource: ResourceRef): WatchEvent => {
  const parsed = parseLine(line);
  const type = textAt(parsed, 'type');
  const object = fieldsAt(parsed, 'object');
  if (type === 'BOOKMARK') return { type, resourceVersion: textAt(object, 'metadata', 'resourceVersion') ?? '' };
  if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED')
    return { type, object: { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object } };
  const status = parseStatus(object);
  if (status?.code === 410) throw new AppError('CURSOR_EXPIRED', 'Kubernetes no longer has the state that this watch continues.');
  throw new AppError('SERVICE_UNAVAILABLE', 'Kubernetes ended a watch with a failure.', {
    details: { service: 'kubernetes', reason: status?.reason, retry_after: '1s' },
  });
};

const parseLine = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new AppError('DATA_ERROR', 'Kubernetes sent a watch event that cannot be read.', {
      details: { service: 'kubernetes' },
      cause: error,
    });
  }
};
