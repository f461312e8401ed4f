// One tool call, whatever the transport: name to tool, arguments parsed once, the ordered steps, the service.

import { randomUUID } from 'node:crypto';
import { type Ambient, getAmbient, withAmbient } from '../kit/ambient.ts';
import type { ChangePort } from '../kit/change.ts';
import { compose, type Step } from '../kit/compose.ts';
import type { CallContext, Caller, Logger, ProgressUpdate, Question, QuestionAnswer } from '../kit/context.ts';
import type { Directory } from '../kit/directory.ts';
import { AppError } from '../kit/errors.ts';
import type { Answer, FinalAnswer } from '../kit/result.ts';
import { type Sealer, toBinding } from '../kit/seal.ts';
import type { ToolInfo } from '../kit/tool.ts';
import type { Tracing } from '../kit/trace.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Policy } from '../policy/policy.ts';
import type { Manager } from './manager.ts';
import type { Selection } from './profiles.ts';
import { admit } from './steps/admit.ts';
import { type AuditStepDeps, audit } from './steps/audit.ts';
import { budget } from './steps/budget.ts';
import { type CacheDeps, cache } from './steps/cache.ts';
import { deadline } from './steps/deadline.ts';
import { logCall } from './steps/log-call.ts';
import { metrics } from './steps/metrics.ts';
import { permit, toPermit } from './steps/permit.ts';
import { maskError, redact } from './steps/redact.ts';
import { trace, traced } from './steps/trace.ts';

const CURSOR_LIFE_MS = 15 * 60_000;

/** A call as a transport hands it over. */
export interface CallRequest {
  readonly tool: string;
  readonly args: unknown;
  readonly caller: Caller;
  readonly selection: Selection;
  readonly signal: AbortSignal;
  readonly requestId?: string;
  /** The trace that the caller sent with this call; absent = that of the request around it. */
  readonly trace?: Ambient;
  readonly progress?: (update: ProgressUpdate) => void;
  readonly ask?: (question: Question) => Promise<QuestionAnswer>;
  readonly protocol?: unknown;
  /** What was asked for, where that was no tool: it is recorded instead of the arguments. */
  readonly origin?: { readonly action: 'resources/read'; readonly input: unknown };
}

interface Owned {
  readonly tool: ToolInfo;
  readonly service: string;
}

/** A call on its way through the steps. */
export interface Call {
  readonly request: CallRequest;
  readonly tool: ToolInfo;
  readonly service: string;
  readonly args: Readonly<Record<string, unknown>>;
  readonly ctx: CallContext;
  /** Seals the state of a cursor to caller, tool and arguments. */
  readonly sealCursor: (state: Readonly<Record<string, unknown>>) => string;
}

/** Read with every call: they change while the server runs. */
export interface CallLimits {
  /** Deadline of a call, ms. */
  readonly callMs: number;
  /** Upper bound for tools that wait, ms. */
  readonly maxCallMs: number;
  /** Normal ceiling of an answer, tokens. */
  readonly maxTokens: number;
  /** What a call may ask for at most, tokens. */
  readonly maxTokensCeiling: number;
  /** Hard limit of an answer, bytes. */
  readonly maxResponseBytes: number;
  /** Whether an answer above it is cut; else it fails. */
  readonly cutsLarge: boolean;
  /** Calls of one caller that run at once. */
  readonly concurrentCalls: number;
}

export interface CallDeps {
  readonly manager: Manager;
  readonly logger: Logger;
  readonly now: () => number;
  readonly sealer: Sealer;
  readonly limits: CallLimits;
  readonly directory: (request: Omit<CallRequest, 'tool' | 'args'>) => Directory;
  readonly mask: (text: string) => string;
  /** Aborted when the grace time of a shutdown is over. */
  readonly stopping: AbortSignal;
  readonly changes?: ChangePort;
  /** The policy as it is now. */
  readonly policy: () => Policy;
  /** Absent = switched off. */
  readonly cache?: CacheDeps | undefined;
  readonly metrics: Metrics;
  /** Absent = no traces: no step is wrapped. */
  readonly tracing?: Tracing | undefined;
  /** Absent when the audit log is off. */
  readonly audit?: AuditStepDeps;
}

export interface CallEngine {
  /** Gives an answer within its budget, or throws an AppError. */
  call(request: CallRequest): Promise<FinalAnswer>;
  /** Runs work beside tools with the caller's rights in one service, such as completions. */
  beside<Result>(
    request: Omit<CallRequest, 'tool' | 'args'>,
    service: string,
    work: (ctx: CallContext) => Promise<Result>,
  ): Promise<Result>;
}

/** The ordered list: first in, last out. Budgeted answers leave at the top, raw ones come from the bottom. */
type Steps<Result> = Readonly<Record<string, Step<Call, Result>>>;

/** Those that see every call, also of tools that do not exist or are hidden. */
const observingSteps = (deps: CallDeps): Steps<FinalAnswer> => ({
  ...(deps.audit === undefined ? {} : { audit: audit(deps.audit) }),
  log: logCall(deps),
  metrics: metrics(deps.metrics),
});
const outerSteps = (deps: CallDeps): Steps<FinalAnswer> => {
  const waiting = deps.metrics.families.mcp_queue_depth.labels('calls');
  return {
    ...observingSteps(deps),
    permit: permit(deps.policy),
    deadline: deadline(deps.limits, deps.stopping),
    admit: admit({ limits: deps.limits, onWaiting: (count) => waiting.set(count) }),
  };
};
const innerSteps = (deps: CallDeps): Steps<Answer> => ({
  ...(deps.cache === undefined ? {} : { cache: cache(deps.cache) }),
  redact: redact(deps.mask),
});

/** The steps in their order; with tracing on, each in a span of its own. */
const toList = <Result>({ tracing }: CallDeps, steps: Steps<Result>): Step<Call, Result>[] =>
  Object.entries(steps).map(([name, step]) => (tracing === undefined ? step : traced(tracing, name, step)));

/** Below the span of the whole call. */
const withTrace = (deps: CallDeps, steps: Steps<FinalAnswer>): Step<Call, FinalAnswer>[] => [
  ...(deps.tracing === undefined ? [] : [trace(deps.tracing)]),
  ...toList(deps, steps),
];

const UNKNOWN_TOOL: ToolInfo = {
  name: 'other',
  title: 'Unknown',
  description: '',
  effect: 'read',
  hints: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input: {},
  output: {},
  cacheForMs: 0,
  task: false,
};

/** Arguments that were refused, as they came. */
const toRawArguments = (args: unknown): Readonly<Record<string, unknown>> =>
  typeof args === 'object' && args !== null && !Array.isArray(args) ? (args as Readonly<Record<string, unknown>>) : { value: args };

const openCursor = (request: CallRequest, args: Readonly<Record<string, unknown>>, binding: () => string, deps: CallDeps): unknown => {
  const token = args['cursor'];
  if (typeof token !== 'string') return undefined;
  const opened = deps.sealer.open('cursor', binding(), token, deps.now());
  if ('value' in opened) return opened.value;
  const { cursor: _, ...restart } = args;
  if (opened.refused === 'expired') throw new AppError('CURSOR_EXPIRED', 'This cursor is too old.', { details: { restart } });
  throw new AppError(
    'INVALID_ARGUMENT',
    'This cursor does not belong to this call: pass page.next of the answer before and leave all other arguments as they were.',
    {
      details: { argument: 'cursor', tool: request.tool },
    },
  );
};

/** Arguments that do not decide what a cursor continues. */
const toCursorBinding = (request: CallRequest, args: Readonly<Record<string, unknown>>): string => {
  const { cursor: _, limit: __, maxTokens: ___, ...rest } = args;
  return toBinding(
    request.caller.id,
    request.tool,
    Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
};

/** Makes the one engine through which every call goes, stdio too. */
export const createCallEngine = (deps: CallDeps): CallEngine => {
  const execute = compose<Call, Answer>(toList(deps, innerSteps(deps)), async ({ tool, service, args, ctx }) =>
    (await deps.manager.service(service)).callTool(tool.name, args, ctx),
  );
  const outer = withTrace(deps, outerSteps(deps));
  const observing = withTrace(deps, observingSteps(deps));
  const run = compose<Call, FinalAnswer>(outer, budget(deps.limits, execute));
  // Refused arguments pass the outer steps too, so that they are logged and counted like any other failure.
  const refuse = (error: unknown, call: Omit<Call, 'sealCursor'>, steps = outer): Promise<FinalAnswer> =>
    compose<Call, FinalAnswer>(steps, () => Promise.reject(maskError(error, deps.mask)))({ ...call, sealCursor: () => '' });

  const toContext = (request: Omit<CallRequest, 'tool' | 'args'>, cursor?: unknown): CallContext => {
    const around = getAmbient();
    const requestId = request.requestId ?? around.requestId ?? randomUUID();
    return {
      signal: request.signal,
      caller: request.caller,
      requestId,
      traceId: request.trace?.traceId ?? around.traceId ?? requestId.replaceAll('-', ''),
      now: deps.now,
      logger: deps.logger,
      directory: deps.directory(request),
      cursor,
      progress: request.progress ?? (() => {}),
      // A question leaves the server like an answer does.
      ask: async (question) => (await request.ask?.({ ...question, message: deps.mask(question.message) })) ?? 'unavailable',
      call: async (name, args) => callInner({ ...request, tool: name, args }),
      ...(deps.changes === undefined ? {} : { changes: deps.changes }),
      ...(request.protocol === undefined ? {} : { protocol: request.protocol }),
    };
  };

  const find = (request: CallRequest): Owned | AppError => {
    const tool = request.selection.tools.find(({ name }) => name === request.tool);
    const service = deps.manager.ownerOf(request.tool);
    if (tool !== undefined && service !== undefined) return { tool, service };
    const hidden = request.selection.hidden.get(request.tool);
    if (hidden !== undefined)
      return new AppError('FORBIDDEN', `${request.tool} is not offered: ${hidden.why}`, {
        details: { by: hidden.by, missing: hidden.missing ?? request.tool },
      });
    return new AppError('INVALID_ARGUMENT', `Unknown tool: ${deps.mask(request.tool).slice(0, 80)}`, { details: { argument: 'name' } });
  };

  /** A tool that is hidden keeps its name in logs and records; one that does not exist is called `other`, so that names stay few. */
  const toUnoffered = ({ tool: name }: CallRequest): Owned => {
    const service = deps.manager.ownerOf(name);
    const known = deps.manager.catalogues.find((catalogue) => catalogue.name === service)?.tools.find((tool) => tool.name === name);
    return service === undefined || known === undefined ? { service: 'other', tool: UNKNOWN_TOOL } : { service, tool: known };
  };

  const prepare = async (request: CallRequest, { tool, service }: Owned): Promise<Call> => {
    const live = await deps.manager.service(service);
    const args = live.parseArguments(tool.name, request.args);
    const binding = (): string => toCursorBinding(request, args);
    const ctx = toContext(request, openCursor(request, args, binding, deps));
    return {
      request,
      tool,
      service,
      args,
      ctx,
      sealCursor: (state) => deps.sealer.seal('cursor', binding(), state, deps.now() + CURSOR_LIFE_MS),
    };
  };

  /** A tool asking another: same rights and redaction, no second log line, no cutting. */
  const callInner = async (request: CallRequest): Promise<Answer> => {
    const owned = find(request);
    if (owned instanceof AppError) throw owned;
    const call = await prepare(request, owned);
    const use = { tool: call.tool.name, service: call.service, effect: call.tool.effect };
    return withAmbient({ permit: toPermit(deps.policy(), request.caller, use) }, () => execute(call));
  };

  const answer = async (request: CallRequest): Promise<FinalAnswer> => {
    const owned = find(request);
    if (owned instanceof AppError) {
      const { tool, service } = toUnoffered(request);
      return refuse(owned, { request, tool, service, args: toRawArguments(request.args), ctx: toContext(request) }, observing);
    }
    const prepared = await prepare(request, owned).catch((refused: unknown) => ({ refused }));
    if (!('refused' in prepared)) return run(prepared);
    return refuse(prepared.refused, { request, ...owned, args: toRawArguments(request.args), ctx: toContext(request) });
  };

  return {
    beside: (request, service, work) => {
      const use = { tool: 'a completion', service, effect: 'read' } as const;
      const { id } = request.caller;
      return withAmbient({ principal: id, permit: toPermit(deps.policy(), request.caller, use) }, () => work(toContext(request)));
    },
    call(request) {
      const around = getAmbient();
      const requestId = request.requestId ?? around.requestId ?? randomUUID();
      const trace = request.trace ?? (around.traceId === undefined ? { traceId: randomUUID().replaceAll('-', '') } : {});
      return withAmbient({ requestId, principal: request.caller.id, ...trace }, () => answer(request));
    },
  };
};
