// What a node says through the API server's proxy: the logs of its services, and the kubelet's statistics.
import { AppError } from '../../kit/errors.ts';
import { cleanText, type Query, type UpstreamStream } from '../http.ts';
import type { Api, CallOptions } from './api.ts';
import { IDLE_MS, LOG_BYTES, type LogLine, type LogStream, toLogStream, toOne } from './logs.ts';
import { type Fields, isObject } from './objects.ts';
import { RESOURCES } from './resources.ts';

export interface NodeLogStream extends LogStream {
  /** The service logs to a file: all of it came, and `sinceTime`, `untilTime`, `tailLines` and `pattern` are left to the reader. */
  readonly isFile: boolean;
}

export interface NodeLogOptions extends CallOptions {
  readonly node: string;
  /** A service (`kubelet`, `containerd`). */
  readonly query: string;
  readonly sinceTime?: string | undefined;
  readonly untilTime?: string | undefined;
  readonly tailLines?: number | undefined;
  /** PCRE, matched by the node. */
  readonly pattern?: string | undefined;
  readonly limitBytes?: number | undefined;
}

export interface Nodes {
  /** Needs the NodeLogQuery feature on the node and get on nodes/proxy (nodes/log with fine-grained kubelet rights): UNSUPPORTED, FORBIDDEN. NOT_FOUND for an unknown service. */
  nodeLogs(options: NodeLogOptions): Promise<NodeLogStream>;
  /** The kubelet's `/stats/summary`: tens of thousands of tokens, to be reduced by the caller. */
  nodeSummary(options: CallOptions & { readonly node: string }): Promise<Fields>;
}

const SUMMARY_BYTES = 32 * 1024 * 1024;

export const createNodes = (api: Api): Nodes => ({
  nodeLogs: async ({ node, query, signal, timeoutMs, limitBytes = LOG_BYTES, ...choice }) => {
    const path = `/${[...api.objectPath(RESOURCES.nodes, { name: node, subresource: 'proxy' }), 'logs'].join('/')}/`;
    const read = async (parameters: Query, { isFile }: { isFile: boolean }) => {
      const body = await api.stream({ path, query: parameters, signal, timeoutMs, api: 'get nodes/proxy logs', idleMs: IDLE_MS });
      refusePage(body, node);
      const stream = toLogStream(body, { limitBytes, split: (text) => ({ at: undefined, text }) });
      const { complaint, lines } = await readHead(stream);
      return { complaint, stream: toNodeStream(stream, { lines, isFile }) };
    };
    const part = await read({ query, ...choice }, { isFile: false });
    // A service that logs to a file cannot be asked for a part of it.
    const { complaint, stream } = /^options present/.test(part.complaint ?? '') ? await read({ query }, { isFile: true }) : part;
    if (complaint === undefined) return stream;
    throw new AppError('NOT_FOUND', `The node ${node} has no log of ${query}.`, {
      details: { service: 'kubernetes', upstream: cleanText(complaint) },
    });
  },
  nodeSummary: async ({ node, signal, timeoutMs }) => {
    const path = [...api.objectPath(RESOURCES.nodes, { name: node, subresource: 'proxy' }), 'stats', 'summary'];
    const { body } = await api.json({ path, signal, timeoutMs, api: 'get nodes/proxy stats/summary', maxBytes: SUMMARY_BYTES });
    if (isObject(body)) return body;
    throw new AppError('DATA_ERROR', `The kubelet of ${node} answered a summary that is none.`, { details: { service: 'kubernetes' } });
  },
});

const toNodeStream = (stream: LogStream, { lines, isFile }: { lines: AsyncIterable<LogLine>; isFile: boolean }): NodeLogStream => ({
  lines,
  isFile,
  get bytesRead() {
    return stream.bytesRead;
  },
  get isCut() {
    return stream.isCut;
  },
});

/** Without the feature, the kubelet ignores the query and lists /var/log as a page. */
const refusePage = (stream: UpstreamStream, node: string): void => {
  if (!/html/i.test(toOne(stream.headers['content-type']) ?? '')) return;
  stream.close();
  throw new AppError('UNSUPPORTED', `The node ${node} does not offer the logs of its services.`, {
    details: { needs: 'NodeLogQuery and enableSystemLogQuery on the kubelet' },
  });
};

/** The kubelet writes its complaints into the log, with status 200: an empty line, then one of these. */
const COMPLAINT =
  /^(options present and query resolved|log not found for|error getting log for|failed to get logging cmd|error: journal output)/;

const readHead = async (stream: LogStream): Promise<{ complaint: string | undefined; lines: AsyncIterable<LogLine> }> => {
  const lines = stream.lines[Symbol.asyncIterator]();
  const head = [await lines.next()];
  if (head[0]?.done !== true && head[0]?.value.text === '') head.push(await lines.next());
  const text = head[1]?.done === false ? head[1].value.text : '';
  if (!COMPLAINT.test(text)) return { complaint: undefined, lines: putBack(head, lines) };
  await lines.return?.();
  return { complaint: text, lines: stream.lines };
};

async function* putBack(head: readonly IteratorResult<LogLine>[], lines: AsyncIterator<LogLine>): AsyncGenerator<LogLine, void, undefined> {
  try {
    for (const part of head) if (part.done !== true) yield part.value;
    for (let part = await lines.next(); part.done !== true; part = await lines.next()) yield part.value;
  } finally {
    await lines.return?.();
  }
}
