// The built program and a real OpenTelemetry Collector: spans and metrics arrive, over both protocols, and a dead collector costs nothing.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import buildProgram from '../support/build.ts';
import { type Cluster, openCluster, type Running, startProgram } from '../support/program.ts';

const facts = z
  .object({ grpc: z.string(), http: z.string(), traces: z.string(), metrics: z.string() })
  .parse(JSON.parse(readFileSync(process.env['CNMCP_TEST_COLLECTOR'] ?? '', 'utf8')));

let cluster: Cluster;
beforeAll(async () => {
  buildProgram();
  cluster = await openCluster();
});
afterAll(() => cluster.close());

interface Attribute {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes?: readonly Attribute[];
  readonly scope: string;
  readonly resource: Readonly<Record<string, unknown>>;
}

const toAttributes = (list: readonly Attribute[] = []): Record<string, unknown> =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]));

const readLines = (file: string): Record<string, never>[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => JSON.parse(line) as Record<string, never>);

/** Everything the collector has written of one trace. */
const spansOf = (traceId: string): WireSpan[] =>
  readLines(facts.traces).flatMap((line) =>
    (
      (line['resourceSpans'] ?? []) as {
        resource: { attributes: Attribute[] };
        scopeSpans: { scope: { name: string }; spans: WireSpan[] }[];
      }[]
    ).flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ scope, spans }) =>
        spans
          .filter((span) => span.traceId === traceId)
          .map((span) => ({ ...span, scope: scope.name, resource: toAttributes(resource.attributes) })),
      ),
    ),
  );

interface WireMetric {
  readonly name: string;
  readonly unit?: string;
  readonly sum?: {
    readonly aggregationTemporality: number;
    readonly isMonotonic: boolean;
    readonly dataPoints: readonly { asDouble: number; attributes: Attribute[] }[];
  };
  readonly histogram?: {
    readonly aggregationTemporality: number;
    readonly dataPoints: readonly {
      count: string;
      sum: number;
      bucketCounts: string[];
      explicitBounds: number[];
      attributes: Attribute[];
    }[];
  };
  readonly gauge?: object;
}

/** Every export of one metric by one instance, in order. */
const metricsOf = (environment: string, name: string): WireMetric[] =>
  readLines(facts.metrics).flatMap((line) =>
    ((line['resourceMetrics'] ?? []) as { resource: { attributes: Attribute[] }; scopeMetrics: { metrics: WireMetric[] }[] }[])
      .filter(({ resource }) => toAttributes(resource.attributes)['deployment.environment.name'] === environment)
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics.filter((metric) => metric.name === name))),
  );

const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await delay(50);
};

const call = (server: Running, traceId: string): Promise<Response> =>
  fetch(`${server.url}/api/kubernetes/http`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-b7ad6b7169203331-01` },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'kubernetes_list_resources', arguments: { kind: 'pods', namespace: 'shop' } },
    }),
  });

const start = (env: Record<string, string>): Promise<Running> =>
  startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_OTEL_ENABLED: 'true', MCP_OTEL_TRACING_BATCH_TIMEOUT: '0.1', ...env });

describe.each([
  ['gRPC', facts.grpc, { MCP_OTEL_INSECURE: 'true' }, 'a'],
  ['HTTP', facts.http, {}, 'b'],
] as const)('over %s', (_, endpoint, env, digit) => {
  const traceId = `${digit}af7651916cd43dd8448eb211c80319c`;

  it('a call arrives as one trace: request, tool, steps, backend requests (SEED-TRACE-01, SEED-TRACE-03)', async () => {
    const server = await start({ MCP_OTEL_ENDPOINT: endpoint, MCP_OTEL_ENVIRONMENT: `traces-${digit}`, ...env });
    await call(server, traceId);
    await until(() => spansOf(traceId).some(({ name }) => name === 'POST /api/kubernetes/http'));
    expect((await server.stop()).code).toBe(0);
    const spans = spansOf(traceId);
    const byName = (name: string): WireSpan | undefined => spans.find((span) => span.name === name);
    for (const span of spans) {
      expect(span.scope).toBe('cloud-native-mcp-server');
      expect(span.resource).toMatchObject({ 'service.name': 'cloud-native-mcp-server', 'service.version': '0.1.0' });
    }
    const request = byName('POST /api/kubernetes/http');
    const tool = byName('list_resources');
    expect(request?.parentSpanId).toBe('b7ad6b7169203331');
    expect(tool?.parentSpanId).toBe(request?.spanId);
    expect(toAttributes(tool?.attributes)).toMatchObject({
      service: 'kubernetes',
      tool: 'list_resources',
      status: 'success',
      'mcp.method.name': 'tools/call',
    });
    expect(byName('step permit')).toBeDefined();
    const backend = spans.filter(({ name }) => name === 'GET kubernetes');
    expect(backend.length).toBeGreaterThan(0);
    for (const span of backend)
      expect([span.kind, toAttributes(span.attributes)]).toEqual([3, expect.objectContaining({ 'http.response.status_code': '200' })]);
  });

  it('metrics arrive with the numbers of /metrics, and rise', async () => {
    const environment = `metrics-${digit}`;
    const server = await start({
      MCP_OTEL_ENDPOINT: endpoint,
      MCP_OTEL_ENVIRONMENT: environment,
      MCP_OTEL_METRICS_EXPORT_INTERVAL: '0.3',
      ...env,
    });
    await call(server, traceId);
    await until(() => metricsOf(environment, 'tool_calls_total').some(({ sum }) => sum?.dataPoints[0]?.asDouble === 1));
    await call(server, traceId);
    await server.stop();
    const last = metricsOf(environment, 'tool_calls_total').at(-1);
    expect(last?.sum).toMatchObject({ aggregationTemporality: 2, isMonotonic: true });
    expect(last?.sum?.dataPoints[0]?.asDouble).toBe(2);
    const duration = metricsOf(environment, 'tool_call_duration_seconds').at(-1)?.histogram?.dataPoints[0];
    expect(duration).toMatchObject({ count: '2', explicitBounds: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });
    expect(duration?.bucketCounts.reduce((sum, count) => sum + Number(count), 0)).toBe(2);
    expect(metricsOf(environment, 'process_resident_memory_bytes').at(-1)).toMatchObject({ unit: 'By', gauge: expect.anything() });
  });
});

it('deltas tell what came since the last export', async () => {
  const server = await start({
    MCP_OTEL_ENDPOINT: facts.http,
    MCP_OTEL_ENVIRONMENT: 'delta',
    MCP_OTEL_METRICS_EXPORT_INTERVAL: '0.3',
    MCP_OTEL_METRICS_TEMPORALITY: 'delta',
  });
  const told = (): number =>
    metricsOf('delta', 'tool_calls_total').reduce((sum, metric) => sum + (metric.sum?.dataPoints[0]?.asDouble ?? 0), 0);
  await call(server, 'c'.repeat(32));
  await until(() => told() === 1);
  await call(server, 'c'.repeat(32));
  await until(() => told() === 2);
  await server.stop();
  expect(told()).toBe(2);
  expect(metricsOf('delta', 'tool_calls_total').at(-1)?.sum?.aggregationTemporality).toBe(1);
});

it('the standard variables apply where no key of ours is set', async () => {
  const traceId = 'd'.repeat(32);
  const server = await start({
    OTEL_EXPORTER_OTLP_ENDPOINT: facts.http,
    OTEL_SERVICE_NAME: 'named-by-otel',
    OTEL_RESOURCE_ATTRIBUTES: 'team=payments%20eu,deployment.environment.name=standard',
  });
  await call(server, traceId);
  await server.stop();
  expect(spansOf(traceId)[0]?.resource).toMatchObject({
    'service.name': 'named-by-otel',
    team: 'payments eu',
    'deployment.environment.name': 'standard',
  });
});

describe('a collector', () => {
  it.each(['dead', 'hanging'])('that is %s costs one warning, no call, and no long end', async (kind) => {
    const hanging = createServer((socket) => void socket.on('error', () => {}).resume());
    await new Promise<void>((resolve) => hanging.listen(0, '127.0.0.1', resolve));
    const { port } = hanging.address() as { port: number };
    if (kind === 'dead') await new Promise((resolve) => hanging.close(resolve));
    const server = await start({
      MCP_OTEL_ENDPOINT: `http://127.0.0.1:${port}`,
      MCP_OTEL_TRACING_EXPORT_TIMEOUT: '0.5',
      MCP_OTEL_METRICS_EXPORT_INTERVAL: '0.5',
    });
    for (let index = 0; index < 5; index += 1) expect((await call(server, 'e'.repeat(32))).status).toBe(200);
    await until(() => server.stderr().includes('signal=traces'));
    for (let index = 0; index < 5; index += 1) expect((await call(server, 'e'.repeat(32))).status).toBe(200);
    expect((await server.stop()).code).toBe(0);
    expect(server.stderr().match(/signal=traces/g)).toHaveLength(1);
    hanging.close();
  });
});
