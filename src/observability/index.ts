// The door of this room: metrics that are always counted, and on request their listener, their text, and traces and metrics over OTLP.

import type { z } from 'zod';
import type { Logger } from '../kit/context.ts';
import type { Tracing } from '../kit/trace.ts';
import type { observabilityConfig } from './config.ts';
import type { Exposition } from './exposition.ts';
import type { MetricsListener } from './listener.ts';
import { createMetrics, type Metrics } from './metrics.ts';

export type ObservabilityConfig = z.infer<z.ZodObject<typeof observabilityConfig>>;

export interface ObservabilityOptions {
  readonly config: ObservabilityConfig;
  /** Keys that were set, not defaulted: the standard OTEL_* variables stand in for the others. */
  readonly given: ReadonlySet<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly mask: (text: string) => string;
  readonly version: string;
}

export interface Observability {
  readonly metrics: Metrics;
  /** Absent when traces are off: the pipelines are then built without them. */
  readonly tracing: Tracing | undefined;
  /** prom-client is loaded with the first call. */
  exposition(): Promise<Exposition>;
  /** Opens the listener of `metrics.addr`, when there is one. */
  open(): Promise<void>;
  /** Says how the server runs. */
  describe(how: { readonly mode: string; readonly addr: string }): void;
  /** What is looked up at each read: the state of the services, the lines that logs had to drop, the secrets that expire. */
  watch(sources: {
    readonly status: (signal: AbortSignal) => Promise<readonly { readonly service: string; readonly state: string }[]>;
    readonly dropped: () => number;
    /** Secrets, and how long those that expire are good for, seconds. */
    readonly secrets: () => readonly { readonly name: string; readonly remainingSec?: number }[];
  }): void;
  close(): Promise<void>;
}

const STATUS_MS = 2500;

/** Loads nothing heavy unless `otel.enabled` or `metrics.addr` asks for it. */
export const createObservability = async (options: ObservabilityOptions): Promise<Observability> => {
  const { config, logger, version } = options;
  const metrics = createMetrics();
  metrics.families.build_info.labels(version, 'unknown', process.version, process.version).set(1);
  let made: Promise<Exposition> | undefined;
  const exposition: Observability['exposition'] = () => {
    made ??= import('./exposition.ts').then(({ createExposition }) => createExposition(metrics));
    return made;
  };
  const telemetry = config.otel.enabled ? await (await import('./otlp.ts')).startTelemetry({ ...options, exposition }) : undefined;
  let listener: Promise<MetricsListener> | undefined;
  return {
    metrics,
    tracing: telemetry?.tracing,
    exposition,
    async open() {
      const { addr: own } = config.metrics;
      if (own === undefined) return;
      listener ??= import('./listener.ts').then(async ({ openMetricsListener }) => openMetricsListener(own, await exposition()));
      const { url } = await listener;
      logger.info({ metrics_url: url }, 'metrics listen');
    },
    describe({ mode, addr }) {
      metrics.families.server_info.labels(mode, addr).set(1);
      if (mode !== 'stdio') return;
      // The one client of this process.
      metrics.families.mcp_active_connections.labels().add(1);
      metrics.families.mcp_total_connections.labels().inc();
    },
    watch({ status, dropped, secrets }) {
      metrics.onCollect(async () => {
        for (const { service, state } of await status(AbortSignal.timeout(STATUS_MS)))
          metrics.families.service_status.labels(service).set(state === 'up' || state === 'degraded' ? 1 : 0);
      });
      metrics.onCollect(() => {
        metrics.families.mcp_log_dropped_total.labels().value = dropped();
        for (const { name, remainingSec } of secrets())
          if (remainingSec !== undefined) metrics.families.mcp_secret_expires_seconds.labels(name).set(remainingSec);
      });
    },
    async close() {
      await (await listener?.catch(() => undefined))?.close();
      await telemetry?.close();
    },
  };
};
