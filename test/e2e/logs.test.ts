// Logs of the running program: one line per call and per request, nothing secret, nothing lost at the end.

import { spawn } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, openCluster, PROGRAM, type Running, startProgram } from '../support/program.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await openCluster();
});
afterAll(() => cluster.close());

type Entry = Readonly<Record<string, unknown>>;
const toEntries = (text: string): Entry[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Entry);

const call = (server: Running, args: Record<string, unknown>, headers: Record<string, string> = {}, query = ''): Promise<Response> =>
  fetch(`${server.url}/api/kubernetes/http${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'kubernetes_list_resources', arguments: args } }),
  });

/** The program with JSON logs. */
const start = async (env: Record<string, string> = {}): Promise<Running> =>
  startProgram(['--kubeconfig', cluster.kubeconfig], { MCP_LOG_JSON: 'true', ...env });

describe('a tool call', () => {
  it('is one line with the promised fields, and one of its request (SEED-OBS-05)', async () => {
    const server = await start();
    const trace = '0af7651916cd43dd8448eb211c80319c';
    await call(
      server,
      { kind: 'pods', namespace: 'shop' },
      { 'x-request-id': 'req-1', traceparent: `00-${trace}-b7ad6b7169203331-01` },
      '?token=canary-in-query',
    );
    await server.stop();
    const entries = toEntries(server.stderr());
    const [line, ...more] = entries.filter(({ message }) => message === 'tool call');
    expect(more).toEqual([]);
    expect(line).toEqual({
      level: 'info',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      message: 'tool call',
      service: 'kubernetes',
      tool: 'list_resources',
      duration_ms: expect.any(Number),
      status: 'success',
      request_id: 'req-1',
      trace_id: trace,
      span_id: 'b7ad6b7169203331',
      principal: 'local',
    });
    const [access] = entries.filter(({ message }) => message === 'http request');
    expect(access).toMatchObject({
      method: 'POST',
      path: '/api/kubernetes/http',
      status: 200,
      size: expect.any(Number),
      duration_ms: expect.any(Number),
      client_ip: '127.0.0.1',
      request_id: 'req-1',
      trace_id: trace,
    });
  });

  it('never shows arguments, answers, header values, queries or bodies, not even at debug', async () => {
    const server = await start({ MCP_LOG_LEVEL: 'debug' });
    await call(
      server,
      { kind: 'pods', namespace: 'canary-argument' },
      { authorization: 'Bearer canary-header', 'x-api-key': 'canary-key' },
      '?x=canary-query',
    );
    await fetch(`${server.url}/mcp`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"canary-body' });
    await fetch(`${server.url}/canary-path?canary-query`);
    await call(server, { kind: 'pods', namespace: 'shop' });
    await server.stop();
    expect(server.stderr()).not.toMatch(/canary-|payment-/);
    const sizes = toEntries(server.stderr()).find(({ argument_sizes: found }) => found !== undefined);
    expect(sizes).toMatchObject({ argument_sizes: { kind: 6, namespace: 17 } });
  });
});

describe('lines', () => {
  it('of a burst are all there when the program is asked to stop', async () => {
    const server = await start();
    await Promise.all(Array.from({ length: 100 }, () => fetch(`${server.url}/nowhere`).then((answer) => answer.arrayBuffer())));
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    const entries = toEntries(server.stderr());
    expect(entries.filter(({ path, status }) => path === 'other' && status === 404)).toHaveLength(100);
  });

  it.each([
    ['a fault that nobody caught', "setTimeout(() => { throw new Error('boom'); }, 0)", 70],
    ['an exit in the middle', 'setTimeout(() => process.exit(3), 0)', 3],
  ])('are not lost at %s', async (_, code, exit) => {
    // The fault comes from outside, by a module that is loaded before the program.
    const later = `process.on('SIGUSR2', () => { ${code} });`;
    const child = spawn(
      process.execPath,
      [
        '--import',
        `data:text/javascript,${encodeURIComponent(later)}`,
        PROGRAM,
        '--addr',
        '127.0.0.1:0',
        '--kubeconfig',
        cluster.kubeconfig,
      ],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env['PATH'] ?? '', MCP_LOG_JSON: 'true' },
      },
    );
    let told = '';
    const ended = new Promise((resolve) => child.once('close', resolve));
    const url = await new Promise<string>((resolve) =>
      child.stderr.on('data', (chunk: Buffer) => {
        told += chunk.toString();
        const found = /"url":"(http:[^"]+)"/.exec(told)?.[1];
        if (found !== undefined) resolve(found);
      }),
    );
    await Promise.all(Array.from({ length: 20 }, () => fetch(`${url}/nowhere`).then((answer) => answer.arrayBuffer())));
    child.kill('SIGUSR2');
    expect(await ended).toBe(exit);
    expect(toEntries(told).filter(({ path }) => path === 'other')).toHaveLength(20);
    if (exit === 70) expect(toEntries(told).at(-1)).toMatchObject({ level: 'error', fault: { message: 'boom' } });
  });

  it('go to stderr alone', async () => {
    const server = await start();
    let stdout = '';
    server.child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    await call(server, { kind: 'pods' });
    await server.stop();
    expect(stdout).toBe('');
  });
});
