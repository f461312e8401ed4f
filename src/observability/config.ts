// Keys of metrics and of the server's own telemetry.

import { z } from 'zod';
import { address, described, section } from '../kit/config.ts';

const seconds = (least: number, usual: number) => z.number().min(least).max(3600).default(usual);

export const observabilityConfig = {
  metrics: section({
    addr: described(
      address.optional(),
      'MCP_METRICS_ADDR',
      'Separate listener for /metrics, host:port, also on stdio. Absent = the main listener.',
    ),
  }),
  otel: section({
    enabled: described(z.boolean().default(false), 'MCP_OTEL_ENABLED', 'Send traces and metrics of this server over OTLP.'),
    serviceName: described(
      z.string().min(1).default('cloud-native-mcp-server'),
      'MCP_OTEL_SERVICE_NAME',
      'Resource attribute service.name.',
    ),
    serviceVersion: described(
      z.string().min(1).optional(),
      'MCP_OTEL_SERVICE_VERSION',
      'Resource attribute service.version. Absent = the build.',
    ),
    environment: described(
      z.string().min(1).default('production'),
      'MCP_OTEL_ENVIRONMENT',
      'Resource attribute deployment.environment.name.',
    ),
    endpoint: described(
      z.string().min(1).default('localhost:4317'),
      'MCP_OTEL_ENDPOINT',
      'Collector. OTLP over gRPC; a URL with http://, or port 4318, means OTLP over HTTP.',
    ),
    insecure: described(z.boolean().default(false), 'MCP_OTEL_INSECURE', 'No TLS, where the endpoint names no scheme.'),
    tracing: section({
      enabled: described(z.boolean().default(true), 'MCP_OTEL_TRACING_ENABLED', 'Send traces.'),
      sampleRate: described(
        z.number().min(0).max(1).default(0.1),
        'MCP_OTEL_TRACING_SAMPLE_RATE',
        'Share of traces begun here that are kept; a caller that sends a trace decides itself.',
      ),
      exportTimeoutSec: described(seconds(0.1, 30), 'MCP_OTEL_TRACING_EXPORT_TIMEOUT', 'Longest export, seconds.'),
      batchTimeoutSec: described(seconds(0.05, 5), 'MCP_OTEL_TRACING_BATCH_TIMEOUT', 'Longest wait of a finished span, seconds.'),
      maxExportBatchSize: described(z.int().min(1).max(2048).default(512), 'MCP_OTEL_TRACING_MAX_BATCH_SIZE', 'Most spans of one export.'),
    }),
    metrics: section({
      enabled: described(z.boolean().default(true), 'MCP_OTEL_METRICS_ENABLED', 'Send metrics.'),
      exportIntervalSec: described(seconds(0.1, 15), 'MCP_OTEL_METRICS_EXPORT_INTERVAL', 'Time between exports, seconds.'),
      exportTimeoutSec: described(
        seconds(0.1, 30),
        'MCP_OTEL_METRICS_EXPORT_TIMEOUT',
        'Longest export, seconds; the interval bounds it too.',
      ),
      temporality: described(
        z.enum(['cumulative', 'delta']).default('cumulative'),
        'MCP_OTEL_METRICS_TEMPORALITY',
        'Counters since the start, or since the last export.',
      ),
    }),
  }),
} as const;
