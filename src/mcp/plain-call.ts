// A call in its plainest form: one known tool, no stream, nothing to continue. The protocol library builds a server, a transport and a dozen schemas' worth
// of checks for each request; here the same answer is made without them. Whatever is unusual in any way is left to the library, which alone says what is wrong with it.

import {
  type AuthInfo,
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  ProtocolError,
  SERVER_INFO_META_KEY,
  TRACEPARENT_META_KEY,
  TRACESTATE_META_KEY,
} from '@modelcontextprotocol/server';
import { LRUCache } from 'lru-cache';
import type { RequestContext } from './server.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What a handler makes of a call: a result of the protocol, or a ProtocolError. */
export type PlainHandler = (request: { params: { name: string; arguments?: unknown } }, c: RequestContext) => Promise<object>;

export interface PlainCallsOptions {
  readonly serverInfo: object;
  /** The handler of a tool that the caller is offered, and whose answers need nothing of the request but its arguments. */
  readonly find: (name: string, authInfo: AuthInfo | undefined) => PlainHandler | undefined;
}

export interface PlainCalls {
  /** @param body as parsed @param byLibrary what answers everything else */
  serve(
    body: unknown,
    request: Pick<Request, 'headers' | 'signal'>,
    options: { readonly authInfo?: AuthInfo | undefined; readonly byLibrary: () => Promise<Response> },
  ): Promise<Response>;
}

interface PlainCall {
  readonly id: string | number;
  readonly params: { readonly name: string; readonly arguments?: Fields };
  readonly meta: Fields;
  /** What the client says of itself with every request, as text. */
  readonly envelope: string;
}

const METHOD = 'tools/call';
const MESSAGE_KEYS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);
const PARAMS_KEYS: ReadonlySet<string> = new Set(['name', 'arguments', '_meta']);
const ENVELOPE_KEYS = [PROTOCOL_VERSION_META_KEY, CLIENT_INFO_META_KEY, CLIENT_CAPABILITIES_META_KEY, LOG_LEVEL_META_KEY];
const META_KEYS: ReadonlySet<string> = new Set([...ENVELOPE_KEYS, TRACEPARENT_META_KEY, TRACESTATE_META_KEY]);

/** Envelopes that the library has accepted: clients send the same one with every request. */
const MAX_ENVELOPES = 256;
const MAX_ENVELOPE_CHARS = 2048;

/** Not plain is what continues something, and what asks for progress. */
const nothing = (): undefined => undefined;
const unsent = async (): Promise<void> => {};

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);
const hasOnly = (value: Fields, keys: ReadonlySet<string>): boolean => Object.keys(value).every((key) => keys.has(key));
const isId = (id: unknown): id is string | number => typeof id === 'string' || Number.isSafeInteger(id);

/** The call, when there is nothing about it that needs a second look. */
const toPlainCall = (body: unknown, headers: Headers): PlainCall | undefined => {
  if (!isFields(body) || !hasOnly(body, MESSAGE_KEYS)) return undefined;
  const { jsonrpc, id, method, params } = body;
  if (jsonrpc !== '2.0' || method !== METHOD || !isId(id) || !isFields(params) || !hasOnly(params, PARAMS_KEYS)) return undefined;
  const { name, arguments: args, _meta: meta } = params;
  if (typeof name !== 'string' || !isFields(meta) || !hasOnly(meta, META_KEYS)) return undefined;
  if (args !== undefined && (!isFields(args) || Object.hasOwn(args, '__proto__'))) return undefined;
  const isNamed =
    headers.get('mcp-method') === method &&
    headers.get('mcp-name') === name &&
    headers.get('mcp-protocol-version') === meta[PROTOCOL_VERSION_META_KEY];
  if (!isNamed) return undefined;
  const envelope = JSON.stringify(ENVELOPE_KEYS.map((key) => meta[key]));
  if (envelope.length > MAX_ENVELOPE_CHARS) return undefined;
  return { id, params: { name, ...(args === undefined ? {} : { arguments: args }) }, meta, envelope };
};

export const createPlainCalls = ({ serverInfo, find }: PlainCallsOptions): PlainCalls => {
  const accepted = new LRUCache<string, true>({ max: MAX_ENVELOPES });
  const stamp = { [SERVER_INFO_META_KEY]: serverInfo };

  const answer = async (
    { params, meta }: PlainCall,
    handle: PlainHandler,
    around: { readonly signal: AbortSignal; readonly authInfo: AuthInfo | undefined },
  ): Promise<object> => {
    const { signal, authInfo } = around;
    const mcpReq = { method: METHOD, _meta: meta, envelope: meta, signal, requestState: nothing, notify: unsent };
    const c: RequestContext = { mcpReq, http: { authInfo } };
    try {
      return { result: { resultType: 'complete', ...(await handle({ params }, c)), _meta: stamp } };
    } catch (thrown) {
      if (!(thrown instanceof ProtocolError)) throw thrown;
      const { code, message, data } = thrown;
      return { error: { code, message, ...(data === undefined ? {} : { data }) } };
    }
  };

  return {
    async serve(body, { headers, signal }, { authInfo, byLibrary }) {
      const call = toPlainCall(body, headers);
      const handle = call === undefined ? undefined : find(call.params.name, authInfo);
      if (call === undefined || handle === undefined) return byLibrary();
      if (accepted.get(call.envelope) === undefined) {
        const response = await byLibrary();
        if (response.status === 200) accepted.set(call.envelope, true);
        return response;
      }
      return Response.json({ ...(await answer(call, handle, { signal, authInfo })), jsonrpc: '2.0', id: call.id });
    },
  };
};
