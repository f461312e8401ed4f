// Every metric of this server: name, type, labels, buckets and words. `/metrics`, OTLP, docs/metrics.md, the dashboard and the alerts follow this table.

/** Seconds; the usual eleven. */
export const DURATION_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const;
/** Bytes, 100 B to 100 MB by tens. */
export const SIZE_BUCKETS = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8] as const;

export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
  /** Histograms: upper bounds, rising. */
  readonly buckets?: readonly number[];
}

const counter = <const Labels extends readonly string[]>(help: string, ...labels: Labels) => ({ type: 'counter', help, labels }) as const;
const gauge = <const Labels extends readonly string[]>(help: string, ...labels: Labels) => ({ type: 'gauge', help, labels }) as const;
const seconds = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ type: 'histogram', help, labels, buckets: DURATION_BUCKETS }) as const;
const bytes = <const Labels extends readonly string[]>(help: string, ...labels: Labels) =>
  ({ type: 'histogram', help, labels, buckets: SIZE_BUCKETS }) as const;

export const METRICS = {
  mcp_requests_total: counter(
    'Finished MCP requests: `method` is the full tool name, else the MCP method; refusals and cache hits count too.',
    'method',
    'status',
  ),
  mcp_request_duration_seconds: seconds('Time of an MCP request, from arguments to answer.', 'method'),
  mcp_errors_total: counter('Failed tool calls by error code in lower case.', 'type'),
  mcp_result_bytes: bytes('Text of a tool answer.'),
  mcp_result_truncated_total: counter('Tool answers that were cut to their limit.'),
  mcp_cache_hits_total: counter('Tool calls answered from the cache.', 'service'),
  mcp_cache_misses_total: counter('Tool calls that the cache could not answer.', 'service'),
  mcp_cache_hit_rate: gauge('Hits of all lookups since the start, 0 to 1.', 'service'),
  mcp_cache_bytes: gauge('Size of all cached values.'),
  mcp_active_connections: gauge('HTTP connections in use and open streams; a stdio client counts as one.'),
  mcp_total_connections: counter('Connections accepted since the start.'),
  mcp_connection_duration_seconds: seconds('Life of a connection, from accepted to closed.'),
  mcp_stream_count: gauge('Open event streams.'),
  mcp_ratelimited_total: counter('Requests refused by the rate limit.', 'by'),
  mcp_auth_failures_total: counter('Requests refused for their credentials.', 'reason'),
  mcp_queue_depth: gauge('Calls waiting for their turn.', 'queue'),
  mcp_audit_buffered: gauge('Audit records not yet written.'),
  mcp_audit_dropped_total: counter('Audit records that could not be written.'),
  mcp_log_dropped_total: counter('Log lines dropped because their reader does not keep up.'),
  mcp_secret_expires_seconds: gauge('Until a secret or an API key with an end expires; negative afterwards.', 'secret'),
  build_info: gauge('What runs here; always 1.', 'version', 'commit', 'go_version', 'runtime_version'),
  server_info: gauge('How it runs; always 1.', 'mode', 'addr'),
  service_status: gauge('1 up, 0 disabled or down.', 'service_name'),
  http_requests_total: counter('Answered HTTP requests; `path` is the route pattern.', 'method', 'path', 'status_code', 'service'),
  http_request_duration_seconds: seconds(
    'Time of an HTTP request until its answer is out; of a stream, until it is closed.',
    'method',
    'path',
    'status_code',
    'service',
  ),
  http_response_size_bytes: bytes('Body of an answer as sent.', 'method', 'path', 'status_code', 'service'),
  http_request_size_bytes: bytes('Body of a request as announced.', 'method', 'path', 'service'),
  http_connections_refused_total: counter(
    'Connections closed without an answer to a request: `max_connections`, or bytes that make none: `unreadable`, `too_large`, `timeout`.',
    'reason',
  ),
  http_connections_active: gauge('Open HTTP connections, idle ones too.'),
  tool_calls_total: counter('Finished tool calls; names outside the registry are `other`.', 'service_name', 'tool_name', 'status'),
  tool_call_duration_seconds: seconds('Time of a tool call.', 'service_name', 'tool_name', 'status'),
  external_api_calls_total: counter(
    'Requests to backends, repetitions included; `api_name` is the endpoint pattern, `status` the HTTP status or `error`.',
    'service_name',
    'api_name',
    'status',
  ),
  external_api_call_duration_seconds: seconds('Time to the first byte of a backend.', 'service_name', 'api_name', 'status'),
  cache_hits_total: counter('As mcp_cache_hits_total, by kind of cache.', 'service_name', 'cache_type'),
  cache_misses_total: counter('As mcp_cache_misses_total, by kind of cache.', 'service_name', 'cache_type'),
  circuit_breaker_state: gauge('0 closed, 1 open, 2 half open.', 'service_name', 'circuit_breaker_name'),
  circuit_breaker_failures_total: counter('Failures that a circuit breaker counted.', 'service_name', 'circuit_breaker_name'),
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;
