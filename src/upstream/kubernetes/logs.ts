// Text that streams: container logs, and what a pod or service answers through the API server's proxy.
import { AppError } from '../../kit/errors.ts';
import { type Query, type ResponseHeaders, readLines, type UpstreamResponse, type UpstreamStream } from '../http.ts';
import { createToKubeError } from '../kube.ts';
import type { Api, CallOptions } from './api.ts';
import { RESOURCES } from './resources.ts';

export interface LogOptions extends CallOptions {
  readonly name: string;
  readonly namespace?: string | undefined;
  /** A pod with several containers needs it: INVALID_ARGUMENT without. */
  readonly container?: string | undefined;
  /** The last terminated run; INVALID_ARGUMENT when there is none. */
  readonly previous?: boolean | undefined;
  readonly tailLines?: number | undefined;
  /** RFC 3339. */
  readonly sinceTime?: string | undefined;
  /** Bound of the whole stream, 10 MiB. The kubelet counts from the first line it sends: with `tailLines` the newest lines are those cut. */
  readonly limitBytes?: number | undefined;
  readonly follow?: boolean | undefined;
}

export interface LogLine {
  /** RFC 3339 with nanoseconds; absent on lines that the node itself wrote. */
  readonly at: string | undefined;
  readonly text: string;
}

/** Lines as they arrive. `bytesRead` and `isCut` are final when the loop has ended. */
export interface LogStream {
  readonly lines: AsyncIterable<LogLine>;
  readonly bytesRead: number;
  /** The bound ended the stream: there is more. */
  readonly isCut: boolean;
}

export interface ProxyOptions extends CallOptions {
  readonly kind: 'pods' | 'services';
  readonly name: string;
  readonly namespace?: string | undefined;
  /** Number or name. */
  readonly port: string;
  readonly scheme?: 'http' | 'https' | undefined;
  /** With its query: `/metrics?x=1`. */
  readonly path: string;
  /** What is read of the body at most: 1 MiB. */
  readonly maxBytes?: number | undefined;
}

export interface ProxyAnswer {
  /** The pod's own status, whatever it is. */
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly contentType: string | undefined;
  readonly body: Buffer;
  readonly isCut: boolean;
}

export interface Logs {
  podLogs(options: LogOptions): Promise<LogStream>;
  /** GET through the proxy; `timeoutMs` holds for the whole of it. The server's own refusals throw (NOT_FOUND, FORBIDDEN, SERVICE_UNAVAILABLE without endpoints); redirects are not followed. */
  proxyGet(options: ProxyOptions): Promise<ProxyAnswer>;
}

export const LOG_BYTES = 10 * 1024 * 1024;
const PROXY_BYTES = 1024 * 1024;
const MAX_LINE = 256 * 1024;
/** Between the lines of a log that is followed, hours may pass. */
const NO_IDLE_LIMIT = 0;
export const IDLE_MS = 60_000;

export const createLogs = (api: Api): Logs => ({
  podLogs: async (options) => {
    const { signal, timeoutMs, name, namespace, container, previous, tailLines, sinceTime, follow, limitBytes = LOG_BYTES } = options;
    const path = api.objectPath(RESOURCES.pods, { name, namespace, subresource: 'log' });
    const query = {
      container,
      previous: previous || undefined,
      tailLines,
      sinceTime,
      limitBytes,
      follow: follow || undefined,
      timestamps: true,
    };
    const stream = await api.stream({ path, query, signal, timeoutMs, api: 'get pods/log', idleMs: follow ? NO_IDLE_LIMIT : IDLE_MS });
    return toLogStream(stream, { limitBytes, split: splitTimestamp });
  },
  proxyGet: async (options) => {
    const { signal, timeoutMs, kind, name, namespace, port, scheme, maxBytes = PROXY_BYTES } = options;
    // `https:name:port`; a plain name is the first port.
    const address = [...(scheme === 'https' ? ['https'] : []), name, port].join(':');
    const root = api.objectPath(RESOURCES[kind], { name: address, namespace, subresource: 'proxy' });
    const { path, query } = splitPath(options.path);
    const request = { path: [...root, ...path].join('/'), query, signal, timeoutMs, maxBytes, accept: '*/*', expect: EVERY_STATUS };
    const { status, headers, body, isCut } = await api.start({ ...request, api: `get ${kind}/proxy` });
    refuseOwnStatus({ status, headers, body });
    return { status, headers, contentType: toOne(headers['content-type']), body, isCut };
  },
});

const EVERY_STATUS: readonly number[] = Array.from({ length: 300 }, (_, index) => 300 + index);
export const toOne = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** Counts what is read and ends at the bound, whatever the server does. */
export const toLogStream = (
  stream: UpstreamStream,
  { limitBytes, split }: { limitBytes: number; split: (line: string) => LogLine },
): LogStream => {
  let bytesRead = 0;
  const counted = async function* () {
    for await (const chunk of stream.body) {
      bytesRead += chunk.byteLength;
      // Not every server keeps the bound it was given.
      yield bytesRead > limitBytes ? chunk.subarray(0, chunk.byteLength - (bytesRead - limitBytes)) : chunk;
      if (bytesRead >= limitBytes) return;
    }
  };
  const isCut = () => bytesRead >= limitBytes;
  const lines = async function* () {
    for await (const line of readLines(counted(), { maxLine: MAX_LINE, isCut })) yield split(line);
  };
  return {
    lines: lines(),
    get bytesRead() {
      return Math.min(bytesRead, limitBytes);
    },
    get isCut() {
      return isCut();
    },
  };
};

const splitTimestamp = (line: string): LogLine => {
  const [, at, text] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) ?(.*)$/s.exec(line) ?? [];
  return at === undefined ? { at: undefined, text: line } : { at, text: text ?? '' };
};

/** A Status is the API server's own answer: the pod was not asked, or could not be reached. */
const refuseOwnStatus = ({ status, headers, body }: UpstreamResponse<Buffer>): void => {
  if (status < 400 || !/^application\/json/.test(toOne(headers['content-type']) ?? '')) return;
  const text = body.toString();
  if (/^\s*\{\s*"kind":\s*"Status",\s*"apiVersion":\s*"v1"/.test(text)) throw toKubeError(status, headers, text);
};

const toKubeError = createToKubeError({ service: 'kubernetes' });

/** Decoded here, because every segment is encoded again on its way out. */
const splitPath = (text: string): { path: readonly string[]; query: Query } => {
  const [path = '', search = ''] = text.split(/\?(.*)/s);
  const segments = path.replace(/^\//, '').split('/').map(decodeSegment);
  const query: Record<string, string[]> = {};
  for (const [key, value] of new URLSearchParams(search)) query[key] = [...(query[key] ?? []), value];
  return { path: segments, query };
};

const decodeSegment = (segment: string): string => {
  try {
    const decoded = decodeURIComponent(segment);
    if (!decoded.includes('/')) return decoded;
  } catch {
    // Told below.
  }
  throw new AppError('INVALID_ARGUMENT', 'The path has a percent-encoding that cannot be sent through the proxy.', {
    details: { argument: 'path' },
  });
};
