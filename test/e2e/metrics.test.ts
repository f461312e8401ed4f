// /metrics through the front door: what is counted, once each, under which bounded labels; where it is served.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRICS } from '../../src/observability/metrics-table.ts';
import { type Cluster, openCluster, PROGRAM, type Running, startProgram } from '../support/program.ts';
import { Scrape, scrape } from '../support/prometheus-text.ts';

let cluster: Cluster;
let server: Running;
beforeAll(async () => {
  cluster = await openCluster();
  server = await startProgram(['--kubeconfig', cluster.kubeconfig]);
});
afterAll(async () => {
  await server.stop();
  await cluster.close();
});

const read = (): Promise<Scrape> => scrape(`${server.url}/metrics`);

const rpc = async (path: string, method: string, params: Record<string, unknown> = {}): Promise<unknown> => {
  const answer = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return answer.json();
};
const call = (name: string, args: Record<string, unknown> = {}): Promise<unknown> =>
  rpc('/api/aggregate/http', 'tools/call', { name, arguments: args });

/** By how much each sample rose while the work ran. */
const rise = async (work: () => Promise<unknown>): Promise<(name: string, labels?: Record<string, string>) => number> => {
  const before = await read();
  await work();
  const after = await read();
  return (name, labels) => after.value(name, labels) - before.value(name, labels);
};

describe('/metrics', () => {
  it('is Prometheus text with every metric of the table in its type (SEED-METRIC-01)', async () => {
    const answer = await fetch(`${server.url}/metrics`);
    expect(answer.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    const { types, samples } = new Scrape(await answer.text());
    expect(Object.fromEntries(Object.keys(METRICS).map((name) => [name, types.get(name)]))).toEqual(
      Object.fromEntries(Object.entries(METRICS).map(([name, { type }]) => [name, type])),
    );
    expect(samples.find(({ name }) => name === 'process_start_time_seconds')?.value).toBeGreaterThan(1e9);
    expect(types.get('nodejs_eventloop_lag_p99_seconds')).toBe('gauge');
  });

  it('answers HEAD without a body, and other methods with 405', async () => {
    const head = await fetch(`${server.url}/metrics`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await fetch(`${server.url}/metrics`, { method: 'POST', body: '{}' })).status).toBe(405);
  });

  it('says what runs, how, and which services are up', async () => {
    const { all } = await read().then((found) => ({ all: found.all.bind(found) }));
    expect(all('build_info')[0]).toMatchObject({
      labels: { version: '0.1.0', go_version: process.version, runtime_version: process.version },
      value: 1,
    });
    expect(all('server_info')[0]?.labels).toEqual({ mode: 'sse', addr: new URL(server.url).host });
    expect(all('service_status').map(({ labels, value }) => [labels['service_name'], value])).toEqual([
      ['platform', 1],
      ['kubernetes', 1],
      ['helm', 1],
    ]);
  });
});

describe('requests', () => {
  it('move counters and histograms by exactly one each (SEED-MW-05, SEED-REQ-11, SEED-RES-05, SEED-METRIC-02, SEED-METRIC-03)', async () => {
    const tool = 'kubernetes_list_resources';
    const rose = await rise(() => call(tool, { kind: 'pods', namespace: 'shop' }));
    expect(rose('mcp_requests_total', { method: tool, status: 'success' })).toBe(1);
    expect(rose('mcp_request_duration_seconds_count', { method: tool })).toBe(1);
    expect(rose('mcp_request_duration_seconds_bucket', { method: tool, le: '+Inf' })).toBe(1);
    expect(rose('mcp_request_duration_seconds_sum', { method: tool })).toBeGreaterThan(0);
    expect(rose('tool_calls_total', { service_name: 'kubernetes', tool_name: tool, status: 'success' })).toBe(1);
    expect(rose('tool_call_duration_seconds_count')).toBe(1);
    expect(rose('mcp_result_bytes_count')).toBe(1);
    const route = { method: 'POST', path: '/api/aggregate/http', status_code: '200', service: 'aggregate' };
    expect(rose('http_requests_total', route)).toBe(1);
    expect(rose('http_request_duration_seconds_count', route)).toBe(1);
    expect(rose('http_response_size_bytes_sum', route)).toBeGreaterThan(1000);
    expect(rose('http_request_size_bytes_sum', { path: '/api/aggregate/http' })).toBeGreaterThan(100);
    expect(rose('external_api_calls_total', { service_name: 'kubernetes', api_name: 'list-table pods', status: '200' })).toBe(1);
    expect(rose('external_api_call_duration_seconds_count', { api_name: 'list-table pods' })).toBe(1);
  });

  it('count by their MCP method when they are no tool calls', async () => {
    const rose = await rise(() => rpc('/api/aggregate/http', 'tools/list'));
    expect(rose('mcp_requests_total', { method: 'tools/list', status: 'success' })).toBe(1);
    expect(rose('mcp_requests_total')).toBe(1);
    expect(rose('tool_calls_total')).toBe(0);
  });

  it('that fail count by their status and their error code', async () => {
    const rose = await rise(async () => {
      await call('kubernetes_get_resource', { kind: 'pod', name: 'nobody', namespace: 'shop' });
      await call('kubernetes_list_resources', { kind: 7 });
    });
    expect(rose('mcp_errors_total', { type: 'not_found' })).toBe(1);
    expect(rose('mcp_errors_total', { type: 'invalid_argument' })).toBe(1);
    expect(rose('mcp_requests_total', { status: 'error' })).toBe(2);
  });

  it('that were cut to their limit are counted', async () => {
    const rose = await rise(() => call('kubernetes_list_resources', { kind: 'pods', namespace: 'shop', maxTokens: 300 }));
    expect(rose('mcp_result_truncated_total')).toBe(1);
  });

  it('with made-up tools, paths and methods make no new series', async () => {
    const fly = (index: number) => call(`kubernetes_fly_${index}`);
    const wander = (index: number) => fetch(`${server.url}/nowhere/${index}?token=x`);
    const invent = (index: number) =>
      new Promise((resolve, reject) => {
        const { hostname, port } = new URL(server.url);
        const sent = request({ hostname, port, path: '/health', method: index % 2 === 0 ? 'PURGE' : 'LOCK' }, (answer) => {
          answer.resume();
          answer.once('end', resolve);
        });
        sent.once('error', reject).end();
      });
    await Promise.all([fly(0), wander(0), invent(0)]);
    const before = await read();
    const rose = await rise(() =>
      Promise.all(Array.from({ length: 20 }, (_, index) => Promise.all([fly(index), wander(index), invent(index)]))),
    );
    const own = ({ samples }: Scrape): number => samples.filter(({ name }) => !/^(nodejs|process)_/.test(name)).length;
    expect(own(await read())).toBe(own(before));
    expect(rose('tool_calls_total', { service_name: 'other', tool_name: 'other', status: 'error' })).toBe(20);
    expect(rose('http_requests_total', { path: 'other', status_code: '404', method: 'GET' })).toBe(20);
    expect(rose('http_requests_total', { path: '/health', method: 'other', status_code: '405' })).toBe(20);
  });

  it('that are cancelled count as cancelled', async () => {
    const stop = new AbortController();
    const before = await read();
    const body = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'kubernetes_wait_for_resource',
        arguments: { kind: 'pod', name: 'never', namespace: 'shop', condition: 'exists', timeout: '5m' },
      },
    };
    const answer = fetch(`${server.url}/api/aggregate/streamable-http`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      body: JSON.stringify(body),
      signal: stop.signal,
    }).then(
      (response) => response.text(),
      () => 'left',
    );
    await until(async () => (await read()).value('external_api_calls_total') > before.value('external_api_calls_total'));
    stop.abort();
    await answer.catch(() => 'left');
    await until(async () => (await read()).value('mcp_requests_total', { status: 'cancelled' }) === 1);
  });
});

/** Asks until it is so; the test's own time limit ends it. */
const until = async (isSo: () => Promise<boolean>): Promise<void> => {
  while (!(await isSo())) await delay(20);
};

/** A stream on a socket of its own; resolves when it has begun. */
const openStream = (path: string, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const sent = request(new URL(path, server.url), { signal, agent: false }, (answer) => {
      answer.on('error', () => {}).resume();
      resolve();
    });
    sent.once('error', reject).end();
  });

describe('connections (SEED-OBS-04)', () => {
  it('in use rise and fall with streams, the total only rises', async () => {
    const streams = [new AbortController(), new AbortController()];
    const before = await read();
    await Promise.all(streams.map(({ signal }) => openStream('/api/kubernetes/sse', signal)));
    const open = await read();
    expect(open.value('mcp_active_connections') - before.value('mcp_active_connections')).toBe(2);
    expect(open.value('mcp_stream_count') - before.value('mcp_stream_count')).toBe(2);
    const accepted = open.value('mcp_total_connections') - before.value('mcp_total_connections');
    expect(accepted).toBe(2);
    for (const stream of streams) stream.abort();
    await until(async () => (await read()).value('mcp_stream_count') === before.value('mcp_stream_count'));
    const closed = await read();
    expect(closed.value('mcp_active_connections')).toBe(before.value('mcp_active_connections'));
    expect(closed.value('mcp_total_connections')).toBeGreaterThanOrEqual(open.value('mcp_total_connections'));
  });

  it('that end without a request are counted with their life', async () => {
    const before = await read();
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.destroy();
    await until(
      async () => (await read()).value('mcp_connection_duration_seconds_count') > before.value('mcp_connection_duration_seconds_count'),
    );
  });
});

describe('metrics.addr', () => {
  it('moves /metrics to a listener of its own', async () => {
    const own = await startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_METRICS_ADDR: '127.0.0.1:0' });
    const url = /metrics_url=(\S+)/.exec(own.stderr())?.[1] ?? '';
    expect((await fetch(`${own.url}/metrics`)).status).toBe(404);
    expect((await scrape(url)).value('server_info')).toBe(1);
    expect((await fetch(url.replace('/metrics', '/'))).status).toBe(404);
    expect((await fetch(url, { method: 'DELETE' })).status).toBe(405);
    expect(await (await fetch(url, { method: 'HEAD' })).text()).toBe('');
    expect((await own.stop()).code).toBe(0);
  });

  it('serves a server on stdio too, and does not keep it alive', async () => {
    const child = spawn(process.execPath, [PROGRAM, '--kubeconfig', cluster.kubeconfig], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', MCP_METRICS_ADDR: '127.0.0.1:0' },
    });
    let told = '';
    for await (const chunk of child.stderr) {
      told += String(chunk);
      if (told.includes('metrics_url=')) break;
    }
    const url = /metrics_url=(\S+)/.exec(told)?.[1] ?? '';
    child.stdin.write(
      `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } } })}\n`,
    );
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`);
    child.stdin.write(
      `${JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'platform_status', arguments: {} } })}\n`,
    );
    await until(async () => (await scrape(url)).value('tool_calls_total', { tool_name: 'platform_status', status: 'success' }) === 1);
    expect((await scrape(url)).all('server_info')[0]?.labels).toEqual({ mode: 'stdio', addr: 'stdio' });
    expect((await scrape(url)).value('mcp_active_connections')).toBe(1);
    const ended = once(child, 'close');
    child.stdin.end();
    expect((await ended)[0]).toBe(0);
  });

  it('that cannot be had stops the start with words', async () => {
    const { runProgram } = await import('../support/program.ts');
    const taken = new URL(server.url).host;
    const { code, stderr } = await runProgram(['--mode', 'http', '--addr', '127.0.0.1:0'], { MCP_METRICS_ADDR: taken });
    expect([code, stderr]).toEqual([2, expect.stringContaining(`Cannot listen for metrics on ${taken}: EADDRINUSE`)]);
  });
});
