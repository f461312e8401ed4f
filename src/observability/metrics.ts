// The metrics of one application: the families of the table, the observers that rooms count with, and what is looked up when they are read.

import type { CircuitChange } from '../kit/service.ts';
import { createFamilies, type Families } from './instruments.ts';

/** Waits for nothing longer than a scrape may take. */
type Collector = () => void | Promise<void>;

/** How a tool call ended. */
export type CallStatus = 'success' | 'error' | 'denied' | 'cancelled';

export interface CallOutcome {
  readonly status: CallStatus;
  readonly ms: number;
  /** Error code; absent on success. */
  readonly code?: string;
}

/** One finished attempt to reach a backend, as ServiceDeps.onUpstreamCall tells it. */
export interface UpstreamCall {
  readonly service: string;
  readonly api: string;
  readonly status: string;
  readonly ms: number;
}

/** What the cache tells; `type` is the kind of cache (`lru`, `segmented`). */
export interface CacheObserver {
  hit(service: string, type: string): void;
  miss(service: string, type: string): void;
}

export interface Metrics {
  readonly families: Families;
  /** Asked before every read: sets gauges that nobody counts. */
  onCollect(collector: Collector): void;
  collect(): Promise<void>;
  /** Counts a tool call; `tool` is a full name of the registry, or `other`. */
  call(service: string, tool: string, outcome: CallOutcome): void;
  /** Counts an MCP request that is no tool call. */
  request(method: string, outcome: Pick<CallOutcome, 'status' | 'ms'>): void;
  upstream(call: UpstreamCall): void;
  circuit(change: CircuitChange): void;
  readonly cache: CacheObserver;
}

const CIRCUIT_STATES = { closed: 0, open: 1, half_open: 2 } as const;
/** Methods of the protocol that handlers of ours answer; all others count as `other`. */
const MCP_METHODS: ReadonlySet<string> = new Set([
  'tools/list',
  'tools/call',
  'prompts/list',
  'prompts/get',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'completion/complete',
]);
const MAX_KEPT = 5000;

/** Keeps what `make` gave for a key: series are found once and counted often. */
const remember = <Value>(
  make: (key: string, ...parts: readonly string[]) => Value,
): ((key: string, ...parts: readonly string[]) => Value) => {
  const kept = new Map<string, Value>();
  return (key, ...parts) => {
    const known = kept.get(key);
    if (known !== undefined) return known;
    const made = make(key, ...parts);
    if (kept.size < MAX_KEPT) kept.set(key, made);
    return made;
  };
};

const createCallObserver = (families: Families): Metrics['call'] => {
  const toSeries = (service: string, tool: string, status: string) => ({
    requests: families.mcp_requests_total.labels(tool, status),
    requestSeconds: families.mcp_request_duration_seconds.labels(tool),
    calls: families.tool_calls_total.labels(service, tool, status),
    callSeconds: families.tool_call_duration_seconds.labels(service, tool, status),
  });
  const success = remember((tool, service = 'other') => toSeries(service, tool, 'success'));
  return (service, tool, { status, ms, code }) => {
    const series = status === 'success' ? success(tool, service) : toSeries(service, tool, status);
    series.requests.inc();
    series.calls.inc();
    series.requestSeconds.observe(ms / 1000);
    series.callSeconds.observe(ms / 1000);
    if (code !== undefined) families.mcp_errors_total.labels(code.toLowerCase()).inc();
  };
};

const createUpstreamObserver = (families: Families): Metrics['upstream'] => {
  const find = remember((_, service = 'other', api = 'other', status = 'error') => ({
    calls: families.external_api_calls_total.labels(service, api, status),
    seconds: families.external_api_call_duration_seconds.labels(service, api, status),
  }));
  return ({ service, api, status, ms }) => {
    const series = find(`${service} ${api} ${status}`, service, api, status);
    series.calls.inc();
    series.seconds.observe(ms / 1000);
  };
};

const createCacheObserver = (families: Families): CacheObserver => {
  const find = remember((_, service = 'other', type = 'other') => ({
    hits: [families.mcp_cache_hits_total.labels(service), families.cache_hits_total.labels(service, type)],
    misses: [families.mcp_cache_misses_total.labels(service), families.cache_misses_total.labels(service, type)],
  }));
  const count = (service: string, type: string, kind: 'hits' | 'misses'): void => {
    for (const counter of find(`${service} ${type}`, service, type)[kind]) counter.inc();
  };
  return { hit: (service, type) => count(service, type, 'hits'), miss: (service, type) => count(service, type, 'misses') };
};

/** Hits of all lookups, per service that was looked up at least once. */
const setHitRates = (families: Families): void => {
  for (const { values, child } of families.mcp_cache_misses_total.all()) {
    const service = values[0] ?? 'other';
    const hits = families.mcp_cache_hits_total.labels(service).value;
    const lookups = hits + child.value;
    if (lookups > 0) families.mcp_cache_hit_rate.labels(service).set(hits / lookups);
  }
};

export const createMetrics = (): Metrics => {
  const families = createFamilies();
  const collectors: Collector[] = [() => setHitRates(families)];
  return {
    families,
    onCollect: (collector) => void collectors.push(collector),
    collect: async () => void (await Promise.allSettled(collectors.map(async (collector) => collector()))),
    call: createCallObserver(families),
    request: (method, { status, ms }) => {
      const known = MCP_METHODS.has(method) ? method : 'other';
      families.mcp_requests_total.labels(known, status).inc();
      families.mcp_request_duration_seconds.labels(known).observe(ms / 1000);
    },
    upstream: createUpstreamObserver(families),
    circuit: ({ service, name, state, failures }) => {
      families.circuit_breaker_state.labels(service, name).set(CIRCUIT_STATES[state]);
      families.circuit_breaker_failures_total.labels(service, name).inc(failures);
    },
    cache: createCacheObserver(families),
  };
};
