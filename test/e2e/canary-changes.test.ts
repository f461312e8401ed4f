// Secrets that pass through the change tools, over every transport, searched in everything that comes out of the running program.

import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findLeaks, type Outcome } from '../support/canary.ts';
import { type Ask, askOver, changeSecrets, POLICY, plantChanges, withHalves } from '../support/canary-changes.ts';
import { send } from '../support/http.ts';
import { type Cluster, openCluster, PROGRAM, type Running, startProgram } from '../support/program.ts';

let folder: string;
let collector: Server;
let exported = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'canary-changes-'));
  await writeFile(join(folder, 'config.yaml'), POLICY);
  collector = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => {
      exported += `${request.url} ${chunk.toString('latin1')}`;
    });
    request.on('end', () => response.writeHead(200).end());
  });
  collector.listen(0, '127.0.0.1');
  await once(collector, 'listening');
});
afterAll(async () => {
  collector.closeAllConnections();
  collector.close();
  await rm(folder, { recursive: true, force: true });
});

const toEnv = (name: string): Record<string, string> => ({
  MCP_LOG_LEVEL: 'debug',
  MCP_LOG_JSON: 'true',
  MCP_ALLOW_WRITES: 'true',
  MCP_ALLOW_DESTRUCTIVE: 'true',
  MCP_RATELIMIT_ENABLED: 'false',
  MCP_PROFILES: 'all',
  MCP_AUDIT_LEVEL: 'debug',
  MCP_AUDIT_STORAGE: 'all',
  MCP_AUDIT_FILE_PATH: join(folder, `${name}.log`),
  MCP_AUDIT_DB_SQLITE_PATH: join(folder, `${name}.db`),
  MCP_OTEL_ENABLED: 'true',
  MCP_OTEL_TRACING_SAMPLE_RATE: '1',
  MCP_OTEL_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
  OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
});

interface Door {
  readonly client: Client;
  readonly url?: string;
  readonly stderr: () => string;
  /** Ends the program, when all is written. */
  stop(): Promise<unknown>;
}

const openDoor = async (name: string, cluster: Cluster): Promise<Door> => {
  const args = ['--config', join(folder, 'config.yaml'), '--kubeconfig', cluster.kubeconfig];
  const client = new Client({ name: 'canary', version: '1' });
  if (name === 'stdio') {
    const env = { PATH: process.env['PATH'] ?? '', HOME: tmpdir(), ...toEnv(name) };
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [PROGRAM, '--mode', 'stdio', ...args],
      env,
      stderr: 'pipe',
    });
    let stderr = '';
    transport.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    await client.connect(transport);
    return { client, stderr: () => stderr, stop: () => client.close() };
  }
  const server: Running = await startProgram(args, toEnv(name));
  const url = (path: string): URL => new URL(path, server.url);
  const transport =
    name === 'sse' ? new SSEClientTransport(url('/api/aggregate/sse')) : new StreamableHTTPClientTransport(url('/mcp?profile=all'));
  await client.connect(transport);
  return {
    client,
    url: server.url,
    stderr: server.stderr,
    async stop() {
      await client.close();
      await server.stop();
    },
  };
};

describe.each(['streamable-http', 'sse', 'stdio'])('over %s, no secret that passes through a change is found', (name) => {
  it('in answers, log lines, audit rows, spans or metrics (RULE-01)', { timeout: 60_000 }, async () => {
    const cluster = await openCluster();
    const planted = plantChanges();
    const outcomes: Outcome[] = [];
    const door = await openDoor(name, cluster);
    exported = '';
    const ask: Ask = async (tool, args) => {
      const result = await door.client.callTool({ name: tool, arguments: args });
      outcomes.push({ where: `${tool} ${outcomes.length}`, text: JSON.stringify(result) });
      return result.structuredContent as Record<string, unknown>;
    };
    await changeSecrets(ask, cluster.embedded, planted);
    if (door.url !== undefined)
      for (const path of ['/metrics', '/health/detailed', '/api/audit/logs?limit=1000', '/api/audit/stats'])
        outcomes.push({ where: path, text: (await send(`${door.url}${path}`)).body });
    await door.stop();
    await cluster.close();
    for (const file of [`${name}.log`, `${name}.db`]) {
      const text = (await readFile(join(folder, file))).toString('latin1');
      expect(text, file).toContain('kubernetes_exec_pod');
      outcomes.push({ where: file, text });
    }
    expect(door.stderr()).toContain('"message":"tool call"');
    outcomes.push({ where: 'log', text: door.stderr() });
    for (const word of ['/v1/traces', 'kubernetes_patch_resource']) expect(exported).toContain(word);
    outcomes.push({ where: 'exports', text: exported });
    expect(findLeaks(outcomes, withHalves(planted))).toEqual([]);
  });
});

it('a task tells none either, while it runs and when it is done (RULE-01)', async () => {
  const cluster = await openCluster();
  const planted = plantChanges();
  const outcomes: Outcome[] = [];
  const server = await startProgram(['--config', join(folder, 'config.yaml'), '--kubeconfig', cluster.kubeconfig], toEnv('tasks'));
  const ask = askOver(server.url, outcomes);
  await changeSecrets(ask, cluster.embedded, planted);
  const META = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': { extensions: { 'io.modelcontextprotocol/tasks': {} } },
  };
  const request = async (method: string, params: object, name: string): Promise<Record<string, unknown>> => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      'mcp-name': name,
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta: META } });
    const { body: text } = await send(`${server.url}/mcp?profile=all`, { method: 'POST', headers, body });
    outcomes.push({ where: method, text });
    return (JSON.parse(text) as { result: Record<string, unknown> }).result;
  };
  const args = { kind: 'pod', name: planted.behind, namespace: 'shop', condition: 'exists', timeout: '2s' };
  const begun = await request('tools/call', { name: 'kubernetes_wait_for_resource', arguments: args }, 'kubernetes_wait_for_resource');
  expect(begun).toMatchObject({ resultType: 'task' });
  const taskId = String(begun['taskId']);
  await expect.poll(async () => (await request('tasks/get', { taskId }, taskId))['status'], { timeout: 20_000 }).not.toBe('working');
  expect(outcomes.at(-1)?.text).toContain('***');
  await server.stop();
  await cluster.close();
  outcomes.push({ where: 'log', text: server.stderr() });
  expect(findLeaks(outcomes, withHalves(planted))).toEqual([]);
});
