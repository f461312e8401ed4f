// Traces and metrics over OTLP. Loaded only when it is switched on; a collector that is dead or hangs costs a warning and nothing else.

import { AsyncLocalStorage } from 'node:async_hooks';
import { resourceFromAttributes } from '@opentelemetry/resources';
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { SpanExporter } from '@opentelemetry/sdk-trace';
import type { Logger } from '../kit/context.ts';
import type { Tracing } from '../kit/trace.ts';
import { within } from '../kit/within.ts';
import { type Endpoint, toEndpoint, toResourceAttributes, toSampleRate } from './endpoint.ts';
import type { Exposition } from './exposition.ts';
import type { ObservabilityOptions } from './index.ts';

export interface TelemetryOptions extends ObservabilityOptions {
  readonly exposition: () => Promise<Exposition>;
}

export interface Telemetry {
  readonly tracing: Tracing | undefined;
  /** Sends what is gathered, within a bound. */
  close(): Promise<void>;
}

const CLOSE_MS = 3000;
const WARN_EVERY_MS = 60_000;

/** Loads the exporter of one protocol; gRPC brings a large library. */
const openTraceExporter = async ({ protocol, url }: Endpoint, timeoutMillis: number): Promise<SpanExporter> => {
  const { OTLPTraceExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-trace-otlp-grpc')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter({ url, timeoutMillis });
};

const openMetricExporter = async ({ protocol, url }: Endpoint, timeoutMillis: number): Promise<PushMetricExporter> => {
  const { OTLPMetricExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-metrics-otlp-grpc')
      : await import('@opentelemetry/exporter-metrics-otlp-proto');
  return new OTLPMetricExporter({ url, timeoutMillis });
};

interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

/** Tells failed exports, seldom, without the collector's own words, which may hold anything. */
const watched = <Exporter extends { export(items: never, done: (result: ExportResult) => void): void }>(
  exporter: Exporter,
  { signal, logger }: { signal: string; logger: Logger },
): Exporter => {
  let toldAt = Number.NEGATIVE_INFINITY;
  let failed = 0;
  const send = exporter.export.bind(exporter) as (items: unknown, done: (result: ExportResult) => void) => void;
  // An export runs in the wake of whatever request came before it; its words belong to none.
  const outside = AsyncLocalStorage.snapshot();
  const tell = ({ error }: ExportResult): void => {
    failed += 1;
    if (performance.now() - toldAt < WARN_EVERY_MS) return;
    toldAt = performance.now();
    const code = (error as { code?: unknown } | undefined)?.code;
    logger.warn(
      { signal, failed_exports: failed, ...(typeof code === 'string' || typeof code === 'number' ? { reason: String(code) } : {}) },
      'telemetry does not reach its collector',
    );
    failed = 0;
  };
  exporter.export = ((items: unknown, done: (result: ExportResult) => void) =>
    send(items, (result) => {
      if (result.code !== 0) outside(tell, result);
      done(result);
    })) as Exporter['export'];
  return exporter;
};

/** Starts what is switched on. Nothing is sent, and no collector is waited for, before there is something to send. */
export const startTelemetry = async (options: TelemetryOptions): Promise<Telemetry> => {
  const { config, given, env, logger, mask, exposition, version } = options;
  const { otel } = config;
  if (env['OTEL_SDK_DISABLED'] === 'true') return { tracing: undefined, close: async () => {} };
  const resource = resourceFromAttributes(toResourceAttributes(otel, { given, env, version }));
  const closers: (() => Promise<unknown>)[] = [];
  let tracing: Tracing | undefined;
  if (otel.tracing.enabled) {
    const { createTracing } = await import('./tracing.ts');
    const timeoutMs = otel.tracing.exportTimeoutSec * 1000;
    const exporter = await openTraceExporter(toEndpoint(otel, { signal: 'traces', given, env }), timeoutMs);
    const made = createTracing({
      exporter: watched(exporter as SpanExporter & { export(items: never, done: (result: ExportResult) => void): void }, {
        signal: 'traces',
        logger,
      }),
      resource,
      version,
      mask,
      sampleRate: toSampleRate(otel.tracing.sampleRate, { given, env }),
      maxBatch: otel.tracing.maxExportBatchSize,
      delayMs: otel.tracing.batchTimeoutSec * 1000,
      timeoutMs,
    });
    tracing = made.tracing;
    closers.push(made.close);
  }
  if (otel.metrics.enabled) {
    const { startMetricExport } = await import('./metric-export.ts');
    const intervalMs = otel.metrics.exportIntervalSec * 1000;
    const timeoutMs = Math.min(otel.metrics.exportTimeoutSec * 1000, intervalMs);
    const exporter = await openMetricExporter(toEndpoint(otel, { signal: 'metrics', given, env }), timeoutMs);
    const close = startMetricExport({
      exporter: watched(exporter as PushMetricExporter & { export(items: never, done: (result: ExportResult) => void): void }, {
        signal: 'metrics',
        logger,
      }),
      resource,
      version,
      exposition: await exposition(),
      intervalMs,
      timeoutMs,
      temporality: otel.metrics.temporality,
    });
    closers.push(close);
  }
  return { tracing, close: () => within(CLOSE_MS, Promise.allSettled(closers.map((close) => close()))) };
};
