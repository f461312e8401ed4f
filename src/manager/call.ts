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
import { toOutcome } from './outcome.ts';
import type { Selection } from './profiles.ts';
import { admit } from './steps/admit.ts';
import { budget } from './steps/budget.ts';
import { type CacheDeps, cache } from './steps/cache.ts';
import { deadline } from './steps/deadline.ts';
import { logCall } from './steps/log-call.ts';
import { metrics } from './steps/metrics.ts';
import { permit, toPermit } from './steps/permit.ts';
import { redact } from './steps/redact.ts';
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

export interface CallLimits {
  /** Deadline of a call, ms. */
  readonly callMs: number;
  /** Upper bound for tools that wait, ms. */
  readonly maxCallMs: number;
  /** Normal ceiling of an answer, tokens. */
  readonly maxTokens: number;
  /** What a call may ask for at most, tokens. */
  readonly maxTokensCeiling: number;
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
const outerSteps = (deps: CallDeps): Step<Call, FinalAnswer>[] => {
  const waiting = deps.metrics.families.mcp_queue_depth.labels('calls');
  return withTraces(deps.tracing, {
    log: logCall(deps),
    metrics: metrics(deps.metrics),
    permit: permit(deps.policy),
    deadline: deadline(deps.limits, deps.stopping),
    admit: admit({ ...deps.limits, onWaiting: (count) => waiting.set(count) }),
  });
};
const innerSteps = (deps: CallDeps): Step<Call, Answer>[] =>
  toSteps(deps.tracing, { ...(deps.cache === undefined ? {} : { cache: cache(deps.cache) }), redact: redact(deps.mask) });

/** The steps in their order; with tracing on, each in a span of its own. */
const toSteps = <Result>(tracing: Tracing | undefined, steps: Readonly<Record<string, Step<Call, Result>>>): Step<Call, Result>[] =>
  Object.entries(steps).map(([name, step]) => (tracing === undefined ? step : traced(tracing, name, step)));

const withTraces = (tracing: Tracing | undefined, steps: Readonly<Record<string, Step<Call, FinalAnswer>>>): Step<Call, FinalAnswer>[] =>
  tracing === undefined ? Object.values(steps) : [trace(tracing), ...toSteps(tracing, steps)];

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
  const execute = compose<Call, Answer>(innerSteps(deps), async ({ tool, service, args, ctx }) =>
    (await deps.manager.service(service)).callTool(tool.name, args, ctx),
  );
  const outer = outerSteps(deps);
  const run = compose<Call, FinalAnswer>(outer, budget(deps.limits, execute));
  // Refused arguments pass the outer steps too, so that they are logged and counted like any other failure.
  const refuse = (error: AppError): ((call: Call) => Promise<FinalAnswer>) =>
    compose<Call, FinalAnswer>(outer, () => Promise.reject(error));

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
      ask: request.ask ?? (async () => 'unavailable'),
      call: async (name, args) => callInner({ ...request, tool: name, args }),
      ...(deps.changes === undefined ? {} : { changes: deps.changes }),
      ...(request.protocol === undefined ? {} : { protocol: request.protocol }),
    };
  };

  const find = (request: CallRequest): Owned => {
    const tool = request.selection.tools.find(({ name }) => name === request.tool);
    const service = deps.manager.ownerOf(request.tool);
    if (tool !== undefined && service !== undefined) return { tool, service };
    const hidden = request.selection.hidden.get(request.tool);
    if (hidden !== undefined)
      throw new AppError('FORBIDDEN', `${request.tool} is not offered: ${hidden.why}`, {
        details: { by: hidden.by, missing: hidden.missing ?? request.tool },
      });
    throw new AppError('INVALID_ARGUMENT', `Unknown tool: ${request.tool.slice(0, 80)}`, { details: { argument: 'name' } });
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
    const call = await prepare(request, find(request));
    const use = { tool: call.tool.name, service: call.service, effect: call.tool.effect };
    return withAmbient({ permit: toPermit(deps.policy(), request.caller, use) }, () => execute(call));
  };

  /** Names that are unknown or not offered have no tool to walk the steps with; they count all the same. */
  const findCounted = (request: CallRequest): Owned => {
    try {
      return find(request);
    } catch (thrown) {
      const { error, status } = toOutcome(thrown);
      const service = deps.manager.ownerOf(request.tool);
      const tool = service === undefined ? 'other' : request.tool;
      deps.metrics.call(service ?? 'other', tool, { status, ms: 0, ...(error === undefined ? {} : { code: error.code }) });
      deps.logger.info({ service: service ?? 'other', tool, duration_ms: 0, status, error_code: error?.code }, 'tool call');
      throw thrown;
    }
  };

  const answer = async (request: CallRequest): Promise<FinalAnswer> => {
    const owned = findCounted(request);
    const prepared = await prepare(request, owned).catch((thrown: unknown) => {
      if (thrown instanceof AppError) return thrown;
      throw thrown;
    });
    if (!(prepared instanceof AppError)) return run(prepared);
    return refuse(prepared)({ request, ...owned, args: {}, ctx: toContext(request), sealCursor: () => '' });
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
