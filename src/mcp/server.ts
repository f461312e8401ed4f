// Protocol in: a bare Server per request with the shared tables hung on it. Nothing is built here that could be built once.

import {
  type AuthInfo,
  type CallToolResult,
  CLIENT_CAPABILITIES_META_KEY,
  type McpRequestContext,
  ProtocolError,
  Server,
  type ServerContext,
  type ServerEventBus,
} from '@modelcontextprotocol/server';
import { type AuditFacts, type AuditLog, toCallerFacts, toOutcome } from '../audit/index.ts';
import { getAmbient } from '../kit/ambient.ts';
import type { Caller } from '../kit/context.ts';
import type { ToolInfo } from '../kit/tool.ts';
import type { CallEngine } from '../manager/call.ts';
import type { Manager } from '../manager/manager.ts';
import type { Metrics } from '../observability/metrics.ts';
import { completeArgument } from './completions.ts';
import { type Confirmations, InputNeeded } from './confirm.ts';
import { createPlainCalls, type PlainCalls } from './plain-call.ts';
import { createProgress } from './progress.ts';
import { getPrompt } from './prompts.ts';
import { readResource } from './resources.ts';
import { toCallResult, toErrorResult } from './result.ts';
import { followChanges } from './subscriptions.ts';
import type { Surface } from './surfaces.ts';
import { registerTasks, startTask, type Tasks } from './tasks.ts';
import { toTrace } from './trace.ts';

export const INVALID_PARAMS = -32602;
const METHOD_NOT_FOUND = -32601;
const INTERNAL_ERROR = -32603;
const LIST_TTL_MS = 300_000;

export interface McpDeps {
  readonly calls: CallEngine;
  readonly manager: Manager;
  readonly confirmations: Confirmations;
  readonly tasks: Tasks;
  readonly serverInfo: { readonly name: string; readonly title: string; readonly version: string };
  /** Change events, shared by all routes. */
  readonly bus: ServerEventBus;
  /** Who calls, from the verified credentials of the transport. */
  readonly toCaller: (authInfo: AuthInfo | undefined) => Caller;
  /** Lists differ between callers, so no cache may share them. */
  readonly isPrivate: boolean;
  /** Masks known secret values. */
  readonly mask: (text: string) => string;
  readonly report: (error: unknown, method: string) => void;
  readonly metrics: Metrics;
  /** Absent when the audit log is off. */
  readonly audit?: AuditLog;
}

type Message = ServerContext['mcpReq'];

/** The part of the library's context that handlers use. */
export interface RequestContext {
  readonly mcpReq: Pick<Message, 'method' | '_meta' | 'envelope' | 'inputResponses' | 'requestState' | 'signal' | 'notify'>;
  readonly http?: { readonly authInfo?: AuthInfo | undefined } | undefined;
}

/** What a handler needs of its request, whatever the method. */
export interface Exchange {
  readonly c: RequestContext;
  readonly caller: Caller;
  readonly surface: Surface;
  readonly deps: McpDeps;
  /** What the client declared. */
  readonly capabilities: Readonly<Record<string, unknown>>;
}

const invalidCursor = (): ProtocolError => new ProtocolError(INVALID_PARAMS, 'Invalid cursor');

const pageOf = <Item>(
  table: { page(cursor: string | undefined): { items: readonly Item[]; nextCursor?: string } | undefined },
  cursor: string | undefined,
) => {
  const page = table.page(cursor);
  if (page === undefined) throw invalidCursor();
  return { items: [...page.items], ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }) };
};

/** Client capabilities: from the envelope (modern) or the handshake (legacy connections). */
const capabilitiesOf = (c: RequestContext, server?: Server): Readonly<Record<string, unknown>> => {
  const envelope: Readonly<Record<string, unknown>> = c.mcpReq.envelope ?? {};
  const declared = envelope[CLIENT_CAPABILITIES_META_KEY] ?? server?.getClientCapabilities();
  return (declared ?? {}) as Readonly<Record<string, unknown>>;
};

/** What protocol fixtures need beside the call: the raw request, and a state that `verify` accepts. */
export const toProtocol = ({ confirmations }: McpDeps, c: RequestContext): { c: RequestContext; mint: (value: unknown) => string } => ({
  c,
  mint: (value) => confirmations.mint(value, c),
});

/** What the audit log keeps of an operation that is no tool call. */
export const toAuditFacts = (
  { c, caller }: Pick<Exchange, 'c' | 'caller'>,
  operation: Pick<AuditFacts, 'action' | 'toolName' | 'serviceName' | 'input'>,
): AuditFacts => {
  const around = getAmbient();
  const { traceId } = toTrace(c);
  return { ...operation, ...toCallerFacts(caller), requestId: around.requestId ?? traceId, traceId };
};

const callTool = async (
  { c, caller, surface, deps, capabilities }: Exchange,
  name: string,
  args: unknown,
  signal = c.mcpReq.signal,
): Promise<CallToolResult> => {
  const trace = toTrace(c);
  const progress = createProgress(c);
  try {
    const answer = await deps.calls.call({
      tool: name,
      args,
      caller,
      selection: surface.selection,
      signal,
      trace,
      ...(progress === undefined ? {} : { progress: progress.report }),
      ask: deps.confirmations.asker(c, capabilities['elicitation'] !== undefined, { tool: name, args, caller: caller.id }),
      protocol: toProtocol(deps, c),
    });
    return toCallResult(answer);
  } catch (thrown) {
    if (thrown instanceof InputNeeded) return thrown.result as unknown as CallToolResult;
    if (thrown instanceof ProtocolError) throw thrown;
    return toErrorResult(thrown, trace.traceId);
  } finally {
    await progress?.done();
  }
};

interface CallParams {
  readonly name: string;
  readonly arguments?: unknown;
}

const answerCall = async (call: Exchange, params: CallParams): Promise<CallToolResult> => {
  if (!isKnown(call.surface, params.name)) {
    // An error of the protocol; the engine refuses it too, and so logs and records it.
    await callTool(call, params.name, params.arguments);
    throw new ProtocolError(INVALID_PARAMS, `Unknown tool: ${call.deps.mask(params.name).slice(0, 80)}`);
  }
  const task = startTask(call, params.name, (signal) => callTool(call, params.name, params.arguments, signal));
  return (task ?? (await callTool(call, params.name, params.arguments))) as CallToolResult;
};

const isKnown = ({ selection }: Surface, name: string): boolean =>
  selection.hidden.has(name) || selection.tools.some((tool) => tool.name === name);

/** Recorded where they are carried out, whatever becomes of them. */
const RECORDED: ReadonlySet<string> = new Set(['tools/call', 'resources/read', 'prompts/get']);

/** What was refused before anything could be carried out leaves a record too. */
const recordRefused = (deps: McpDeps, c: RequestContext, action: AuditFacts['action'], thrown: unknown): void => {
  const operation = { action, toolName: '', serviceName: '', input: {} };
  void deps.audit?.begin(toAuditFacts({ c, caller: deps.toCaller(c.http?.authInfo) }, operation)).end(toOutcome(thrown));
};

/** Counts and records what is refused outside of a guarded handler. @param begun as `performance.now()` said */
export const noteRefused = (deps: McpDeps, c: RequestContext, { thrown, begun }: { thrown: unknown; begun: number }): void => {
  const { method } = c.mcpReq;
  deps.metrics.request(method, { status: 'denied', ms: performance.now() - begun });
  recordRefused(deps, c, method, thrown);
};

/** Thrown text never reaches the client: on the low-level server it would be sent as it is. */
const guarded =
  <Params, Result>(
    deps: McpDeps,
    method: string,
    handle: (params: Params, c: RequestContext) => Promise<Result> | Result,
    isRecorded = RECORDED.has(method),
  ) =>
  async (request: { params?: Params | undefined }, c: RequestContext): Promise<Result> => {
    const started = performance.now();
    // What becomes a tool call is counted there, once, under the name of the tool.
    const isCall = method === 'tools/call' || method === 'resources/read';
    try {
      const result = await handle((request.params ?? {}) as Params, c);
      if (!isCall) deps.metrics.request(method, { status: 'success', ms: performance.now() - started });
      return result;
    } catch (thrown) {
      if (!isCall) deps.metrics.request(method, { status: 'error', ms: performance.now() - started });
      if (!isRecorded) recordRefused(deps, c, method, thrown);
      if (thrown instanceof ProtocolError) throw thrown;
      deps.report(thrown, method);
      throw new ProtocolError(INTERNAL_ERROR, 'Internal error');
    }
  };

/** Guarded, and recorded where lists and pings are. */
const quiet = <Params extends object, Result>(deps: McpDeps, method: string, handle: (params: Params) => Result) => {
  const { audit } = deps;
  if (audit?.recordsLists !== true) return guarded<Params, Result>(deps, method, handle);
  const observe = (params: Params, c: RequestContext): Promise<Result> => {
    const operation = { action: method, toolName: '', serviceName: '', input: params };
    return audit.observe(toAuditFacts({ c, caller: deps.toCaller(c.http?.authInfo) }, operation), async () => handle(params));
  };
  return guarded<Params, Result>(deps, method, observe, true);
};

const registerLists = (server: Server, { tables }: Surface, deps: McpDeps): void => {
  type Cursor = { cursor?: string | undefined };
  server.setRequestHandler(
    'tools/list',
    quiet(deps, 'tools/list', ({ cursor }: Cursor) => {
      const { items, ...rest } = pageOf(tables.tools, cursor);
      return { tools: items, ...rest };
    }),
  );
  server.setRequestHandler(
    'prompts/list',
    quiet(deps, 'prompts/list', ({ cursor }: Cursor) => {
      const { items, ...rest } = pageOf(tables.prompts, cursor);
      return { prompts: items, ...rest };
    }),
  );
  server.setRequestHandler(
    'resources/list',
    quiet(deps, 'resources/list', ({ cursor }: Cursor) => {
      const { items, ...rest } = pageOf(tables.resources, cursor);
      return { resources: items, ...rest };
    }),
  );
  server.setRequestHandler(
    'resources/templates/list',
    quiet(deps, 'resources/templates/list', ({ cursor }: Cursor) => {
      const { items, ...rest } = pageOf(tables.templates, cursor);
      return { resourceTemplates: items, ...rest };
    }),
  );
  // The library answers pings by itself; they are taken over only to be recorded.
  if (deps.audit?.recordsLists === true)
    server.setRequestHandler(
      'ping',
      quiet(deps, 'ping', () => ({})),
    );
};

/** A method that does not exist is counted and recorded like any other request that is refused; in the modern era as an HTTP request, by its 404. */
const unknownMethod = (deps: McpDeps): NonNullable<Server['fallbackRequestHandler']> => {
  const refuse = guarded<unknown, never>(deps, 'other', () => {
    throw new ProtocolError(METHOD_NOT_FOUND, 'Method not found');
  });
  return (request, c) => refuse(request, c as RequestContext);
};

export interface ServerFactory {
  /** `live`: the instance serves a connection, not one request, and hears of changes itself. */
  (ctx: McpRequestContext & { readonly live?: boolean }): Server;
  /** The short way for plain calls over HTTP. */
  readonly plain: PlainCalls;
}

/** The library refuses before a handler runs. */
const verifyState =
  (deps: McpDeps): Confirmations['verify'] =>
  (state, c) => {
    const begun = performance.now();
    try {
      return deps.confirmations.verify(state, c);
    } catch (thrown) {
      noteRefused(deps, c, { thrown, begun });
      throw thrown;
    }
  };

const toOptions = ({ tables }: Surface, deps: McpDeps) => {
  const { isPrivate } = deps;
  const cacheHint = { ttlMs: LIST_TTL_MS, cacheScope: isPrivate ? 'private' : 'public' } as const;
  const options = {
    instructions: tables.instructions,
    cacheHints: {
      'tools/list': cacheHint,
      'prompts/list': cacheHint,
      'resources/list': cacheHint,
      'resources/templates/list': cacheHint,
      'server/discover': cacheHint,
      'resources/read': { ttlMs: 0, cacheScope: 'private' },
    },
    requestState: { verify: verifyState(deps) },
  } as const;
  const listChanged = tables.dynamic ? { listChanged: true } : {};
  const shared = { tools: listChanged, prompts: listChanged, resources: { subscribe: true, ...listChanged }, completions: {} };
  const capabilities = {
    modern: { ...shared, extensions: { 'io.modelcontextprotocol/tasks': {} } },
    // Deprecated, but clients of 2025 set a level and must get an answer.
    legacy: { ...shared, logging: {} },
  };
  return { modern: { ...options, capabilities: capabilities.modern }, legacy: { ...options, capabilities: capabilities.legacy } };
};

/** Changes ask and are watched, tasks outlive their request, fixtures look at it: the others need nothing but their arguments. */
const isPlain = ({ effect, task, readsRequest }: ToolInfo): boolean => effect === 'read' && !task && readsRequest !== true;

const toPlain = (surfaceFor: (caller: Caller) => Surface, deps: McpDeps): PlainCalls => {
  return createPlainCalls({
    serverInfo: deps.serverInfo,
    find(name, authInfo) {
      const caller = deps.toCaller(authInfo);
      const surface = surfaceFor(caller);
      const tool = surface.selection.tools.find((item) => item.name === name);
      if (tool === undefined || !isPlain(tool)) return undefined;
      return guarded(deps, 'tools/call', (params: CallParams, c) =>
        answerCall({ c, deps, surface, caller, capabilities: capabilitiesOf(c) }, params),
      );
    },
  });
};

/** A factory for one route. What it makes is used once per request (HTTP) or per connection (stdio, SSE, sessions). */
export const createServerFactory = (surfaceFor: (caller: Caller) => Surface, deps: McpDeps): ServerFactory => {
  const prepared = new WeakMap<Surface, ReturnType<typeof toOptions>>();
  const refuseMethod = unknownMethod(deps);
  const create = (ctx: Parameters<ServerFactory>[0]): Server => {
    const surface = surfaceFor(deps.toCaller(ctx.authInfo));
    const options = prepared.get(surface) ?? toOptions(surface, deps);
    prepared.set(surface, options);
    const server = new Server(deps.serverInfo, options[ctx.era]);
    const exchange = (c: RequestContext): Exchange => {
      return { c, surface, deps, caller: deps.toCaller(c.http?.authInfo), capabilities: capabilitiesOf(c, server) };
    };
    registerLists(server, surface, deps);
    server.setRequestHandler(
      'tools/call',
      guarded(deps, 'tools/call', (params: CallParams, c) => answerCall(exchange(c), params)),
    );
    server.setRequestHandler(
      'prompts/get',
      guarded(deps, 'prompts/get', (params: { name: string; arguments?: Record<string, string> | undefined }, c) =>
        getPrompt(exchange(c), params),
      ),
    );
    server.setRequestHandler(
      'resources/read',
      guarded(deps, 'resources/read', (params: { uri: string }, c) => readResource(exchange(c), params.uri)),
    );
    server.setRequestHandler(
      'completion/complete',
      guarded(deps, 'completion/complete', (params: Parameters<typeof completeArgument>[1], c) => completeArgument(exchange(c), params)),
    );
    if (ctx.era === 'modern') registerTasks(server, exchange);
    else server.fallbackRequestHandler = refuseMethod;
    if (ctx.live === true) followChanges(server, deps.bus, surface.tables.dynamic, ctx.era);
    return server;
  };
  return Object.assign(create, { plain: toPlain(surfaceFor, deps) });
};
