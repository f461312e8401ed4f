// Spans of this server. The context of a span is the ambient one of kit/: there is no second way in which a trace follows a request.

import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SamplingDecision,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  RandomIdGenerator,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { type Ambient, getAmbient, withAmbient } from '../kit/ambient.ts';
import { AppError } from '../kit/errors.ts';
import type { OpenSpan, SpanOptions, Tracing } from '../kit/trace.ts';

/** The tracer's name is a promise: dashboards filter by it. */
export const TRACER = 'cloud-native-mcp-server';

export interface TracingOptions {
  readonly exporter: SpanExporter;
  readonly resource: Resource;
  readonly version: string;
  readonly mask: (text: string) => string;
  /** Share of traces begun here, 0 to 1. */
  readonly sampleRate: number;
  readonly maxBatch: number;
  readonly delayMs: number;
  readonly timeoutMs: number;
}

/** Spans that wait for a collector; what comes after them is dropped. */
const MAX_QUEUE = 2048;
const MAX_VALUE = 1024;
const SAMPLED = 1;
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const;
const UNRECORDED: OpenSpan = { set: () => {}, fail: () => {} };

const toParent = ({ traceId, spanId, traceFlags = '00' }: Ambient): Context => {
  if (traceId === undefined || spanId === undefined) return ROOT_CONTEXT;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: Number.parseInt(traceFlags, 16) & 0xff, isRemote: true });
};

/** Somebody before us decided that this trace is not kept: its context goes on as it came, and no span is made. */
const isUnsampled = ({ spanId, traceFlags }: Ambient): boolean =>
  spanId !== undefined && (Number.parseInt(traceFlags ?? '00', 16) & SAMPLED) === 0;

const toFlags = (flags: number): string => flags.toString(16).padStart(2, '0');

export const createTracing = (options: TracingOptions): { readonly tracing: Tracing; close(): Promise<void> } => {
  const { mask } = options;
  const random = new RandomIdGenerator();
  const root = new TraceIdRatioBasedSampler(options.sampleRate);
  const provider = new TracerProvider({
    resource: options.resource,
    sampler: new ParentBasedSampler({ root }),
    spanLimits: { attributeValueLengthLimit: MAX_VALUE },
    // A trace begun here takes the id under which the logs already know the request.
    idGenerator: { generateSpanId: () => random.generateSpanId(), generateTraceId: () => getAmbient().traceId ?? random.generateTraceId() },
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: options.exporter,
        maxQueueSize: MAX_QUEUE,
        maxExportBatchSize: Math.min(options.maxBatch, MAX_QUEUE),
        scheduledDelayMillis: options.delayMs,
        exportTimeoutMillis: options.timeoutMs,
      }),
    ],
  });
  const tracer = provider.getTracer(TRACER, options.version);

  const cleanValue = (value: string | number | boolean): string | number | boolean => (typeof value === 'string' ? mask(value) : value);
  const cleanAll = (attributes: SpanOptions['attributes'] = () => ({})): Attributes => {
    const cleaned: Attributes = {};
    for (const [name, value] of Object.entries(attributes())) if (value !== undefined) cleaned[name] = cleanValue(value);
    return cleaned;
  };
  const toOpenSpan = (span: Span): OpenSpan => ({
    set: (name, value) => void span.setAttribute(name, cleanValue(value)),
    fail(type, message) {
      span.setAttribute('error.type', mask(type));
      span.setStatus({ code: SpanStatusCode.ERROR, ...(message === undefined ? {} : { message: mask(message).slice(0, MAX_VALUE) }) });
    },
  });
  /** Words meant for callers are told; those of an unknown fault are not, and no stack is. */
  const noteFailure = (open: OpenSpan, thrown: unknown): void => {
    if (thrown instanceof AppError) open.fail(thrown.code, thrown.message);
    else open.fail(thrown instanceof Error ? thrown.name : 'unknown');
  };

  /** The decision for a trace begun here, before anything is made for it. */
  const isLeftOut = ({ traceId }: Ambient): boolean =>
    traceId !== undefined && root.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.NOT_RECORD;

  const record = async <Result>(
    name: string,
    { kind, attributes }: SpanOptions,
    work: (span: OpenSpan) => Promise<Result>,
  ): Promise<Result> => {
    const around = getAmbient();
    const span = tracer.startSpan(name, { kind: KINDS[kind], attributes: cleanAll(attributes) }, toParent(around));
    const { traceId, spanId, traceFlags } = span.spanContext();
    const open = toOpenSpan(span);
    try {
      return await withAmbient({ traceId, spanId, traceFlags: toFlags(traceFlags) }, () => work(open));
    } catch (thrown) {
      noteFailure(open, thrown);
      throw thrown;
    } finally {
      span.end();
    }
  };
  const tracing: Tracing = {
    span(name, spanOptions, work) {
      const around = getAmbient();
      if (isUnsampled(around)) return work(UNRECORDED);
      if (around.spanId !== undefined || !isLeftOut(around)) return record(name, spanOptions, work);
      return withAmbient({ spanId: random.generateSpanId(), traceFlags: '00' }, () => work(UNRECORDED));
    },
  };
  return { tracing, close: () => provider.shutdown() };
};
