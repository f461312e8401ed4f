// Watches: the changes of a collection as a stream of events, one JSON object per line.
import type { ResourceContext } from './context.ts';
import { encodeObject } from './encode.ts';
import type { Json, JsonObject } from './json.ts';
import { parseSingleRevision, type Selection, tooLarge, toSelection, validateListOptions } from './list.ts';
import type { KubernetesObject } from './object.ts';
import { toEncodeContext } from './read.ts';
import { toGroupVersion } from './resources.ts';
import { badRequest, StatusError } from './status.ts';
import type { Change, ChangeType } from './store.ts';

/** The server ends a watch after 30 to 60 minutes unless the client says otherwise. */
const DEFAULT_TIMEOUT = 45 * 60_000;
/** How often a quiet watch tells the newest revision; a real server does so about once a minute. */
const BOOKMARK_INTERVAL = 60_000;

interface WatchEvent {
  readonly type: ChangeType;
  readonly object: KubernetesObject;
}

/** An object that comes to match is an addition to the watcher, one that ceases to match a deletion. */
const toEvent = ({ type, object, previous }: Change, { matches }: Selection): WatchEvent | undefined => {
  const isMatch = type !== 'DELETED' && matches(object);
  const wasMatch = previous !== undefined && matches(previous);
  if (isMatch) return { type: wasMatch ? 'MODIFIED' : 'ADDED', object };
  if (!wasMatch) return undefined;
  if (type === 'DELETED') return { type: 'DELETED', object };
  return {
    type: 'DELETED',
    object: { ...previous, metadata: { ...previous.metadata, resourceVersion: object.metadata.resourceVersion ?? '' } },
  };
};

const parseTimeout = (query: URLSearchParams): number => {
  const text = query.get('timeoutSeconds');
  if (text === null || text === '') return DEFAULT_TIMEOUT;
  if (!/^[-+]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text) * 1000 || DEFAULT_TIMEOUT;
};

/** Kinds whose empty form still has parts that Go always writes. */
const EMPTY_FORMS: Readonly<Record<string, JsonObject>> = { Pod: { spec: { containers: null }, status: {} } };

class WatchStream {
  readonly #context: ResourceContext;
  readonly #selection: Selection;
  readonly #namespace: string;
  /** Of the old path form `/watch/.../<name>`. */
  readonly #name: string;
  #hasHeaders = true;

  constructor(context: ResourceContext) {
    this.#context = context;
    this.#selection = toSelection(context.info.query, context.resource);
    this.#namespace = context.resource.namespaced ? context.info.namespace : '';
    this.#name = context.info.name;
  }

  get matches(): (object: KubernetesObject) => boolean {
    return (object) => this.isInNamespace(object) && this.#selection.matches(object);
  }

  isInNamespace({ metadata }: KubernetesObject): boolean {
    return (this.#namespace === '' || metadata.namespace === this.#namespace) && (this.#name === '' || metadata.name === this.#name);
  }

  encodeChange(change: Change): string {
    if (change.resource !== this.#context.resource.storage || !this.isInNamespace(change.object)) return '';
    const event = toEvent(change, this.#selection);
    return event === undefined ? '' : this.encodeEvent(event.type, event.object);
  }

  encodeEvent(type: string, object: KubernetesObject): string {
    const text = encodeObject(object, toEncodeContext(this.#context), this.#hasHeaders);
    this.#hasHeaders = false;
    return `{"type":"${type}","object":${text}}\n`;
  }

  encodeBookmark(revision: number, annotations?: Record<string, string>): string {
    const { resource } = this.#context;
    const metadata: Json = { resourceVersion: String(revision), ...(annotations === undefined ? {} : { annotations }) };
    const bookmark = {
      kind: resource.kind,
      apiVersion: toGroupVersion(resource.group, resource.version),
      metadata,
      ...EMPTY_FORMS[resource.kind],
    };
    return `{"type":"BOOKMARK","object":${JSON.stringify(bookmark)}}\n`;
  }
}

const INITIAL_EVENTS_END = { 'k8s.io/initial-events-end': 'true' };

/** What the watcher must be told at once: the present objects, or the changes since the revision it knows. */
const firstEvents = (context: ResourceContext, stream: WatchStream): string => {
  const { server, resource, info } = context;
  const { query } = info;
  const revision = parseSingleRevision(query.get('resourceVersion') ?? '');
  if (revision > server.store.revision) throw tooLarge(revision, server.store.revision);
  const wantsInitial = query.get('sendInitialEvents') === 'true';
  const startsNow = query.get('sendInitialEvents') === 'false' && revision === 0;
  if (startsNow) return '';
  if (revision > 0 && !wantsInitial)
    return server.store
      .changesSince(resource.storage, revision)
      .map((change) => stream.encodeChange(change))
      .join('');
  const present = server.store.all(resource.storage, resource.namespaced ? info.namespace : '').filter(stream.matches);
  const events = present.map((object) => stream.encodeEvent('ADDED', object)).join('');
  const hasBookmark = query.get('allowWatchBookmarks') === 'true';
  return hasBookmark ? `${events}${stream.encodeBookmark(server.store.revision, INITIAL_EVENTS_END)}` : events;
};

/** A revision that is no longer kept is told inside the stream: the watch itself has begun. */
const firstChunk = (context: ResourceContext, stream: WatchStream): { readonly text: string; readonly isOver: boolean } => {
  try {
    return { text: firstEvents(context, stream), isOver: false };
  } catch (error) {
    if (!(error instanceof StatusError) || error.code !== 410) throw error;
    return { text: `{"type":"ERROR","object":${JSON.stringify(error.toStatus())}}\n`, isOver: true };
  }
};

/** GET with `watch=true`. */
export const watchObjects = async (context: ResourceContext): Promise<Response> => {
  const { server, request, info } = context;
  validateListOptions(info.query, true);
  const stream = new WatchStream(context);
  const timeout = parseTimeout(info.query);
  const hasBookmarks = info.query.get('allowWatchBookmarks') === 'true';
  const { text, isOver } = firstChunk(context, stream);
  const encoder = new TextEncoder();
  let stop = (): void => {};
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const send = (line: string): void => {
        if (line !== '') controller.enqueue(encoder.encode(line));
      };
      send(text);
      if (isOver) {
        controller.close();
        return;
      }
      const unsubscribe = server.store.subscribe((change) => send(stream.encodeChange(change)));
      const release = server.streams.open(() => end());
      const bookmarks = hasBookmarks ? setInterval(() => send(stream.encodeBookmark(server.store.revision)), BOOKMARK_INTERVAL) : undefined;
      const timer = setTimeout(() => end(), timeout);
      let isEnded = false;
      stop = () => {
        isEnded = true;
        clearTimeout(timer);
        clearInterval(bookmarks);
        unsubscribe();
        release();
      };
      const end = (): void => {
        if (isEnded) return;
        stop();
        controller.close();
      };
      request.signal.addEventListener('abort', end, { once: true });
    },
    cancel: () => stop(),
  });
  const type = context.representation.format === 'yaml' ? 'application/yaml' : 'application/json';
  return new Response(body, { headers: { 'cache-control': 'no-cache, private', 'content-type': type } });
};
