// The audit log through the front door: every operation on every transport, in every storage of this machine.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { callTool, getRecords, NOTES, rpc } from '../support/audit.ts';
import { type Cluster, openCluster, PROGRAM, type Running, runProgram, startProgram } from '../support/program.ts';

const SIGNING_KEY = 'canary-signing-key-0123456789abcdef0123';
const info = { name: 'audited', version: '1.0.0' };

let folder: string;
let cluster: Cluster;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'));
  cluster = await openCluster();
});
afterAll(async () => {
  await cluster.close();
  await rm(folder, { recursive: true, force: true });
});

const STORAGES = ['memory', 'file', 'database', 'all'] as const;

const toEnv = (storage: string, name = storage): Record<string, string> => ({
  MCP_AUDIT_STORAGE: storage,
  MCP_AUDIT_FILE_PATH: join(folder, name, 'audit.log'),
  MCP_AUDIT_DB_SQLITE_PATH: join(folder, name, 'audit.db'),
  MCP_PLUGINS: NOTES,
  MCP_SIGNING_KEY: SIGNING_KEY,
});

const SHARED_KEYS = ['action', 'caller_ip', 'duration_ms', 'hash', 'input_params', 'prev_hash', 'request_id', 'service_name'];
const RECORD_KEYS = [...SHARED_KEYS, 'effect', 'status', 'timestamp', 'tool_name', 'trace_id', 'user_id'];

describe.each(STORAGES)('storage %s (GUIDE-AUDIT-01)', (storage) => {
  let server: Running;
  beforeAll(async () => {
    server = await startProgram(['--kubeconfig', cluster.kubeconfig, '--allow-writes'], toEnv(storage));
  });
  afterAll(() => server.stop());
  const newest = async (query = ''): Promise<AuditRecord> => (await getRecords(server.url, query))[0] as AuditRecord;

  it('records a call with who, what, how long and with what outcome (SEED-MW-02, SEED-CALL-08, SEED-REQ-10, GUIDE-DEPLOY-02)', async () => {
    const headers = { 'x-request-id': 'req-17', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };
    await callTool(server.url, 'kubernetes_list_resources', { kind: 'pods', namespace: 'shop', view: 'count' }, headers);
    const record = await newest('?tool_name=kubernetes_list_resources');
    expect(record).toMatchObject({
      caller_ip: '127.0.0.1',
      user_id: 'local',
      tool_name: 'kubernetes_list_resources',
      service_name: 'kubernetes',
      action: 'tools/call',
      input_params: { kind: 'pods', namespace: 'shop' },
      output: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/), size: expect.any(Number) },
      duration_ms: expect.any(Number),
      status: 'success',
      request_id: 'req-17',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      effect: 'read',
      cluster: 'demo',
      namespace: 'shop',
    });
    expect(Object.keys(record).sort()).toEqual([...RECORD_KEYS, 'cluster', 'namespace', 'output'].sort());
    expect(Date.now() - Date.parse(record.timestamp)).toBeLessThan(60_000);
  });

  it('records refusals: of names, arguments, rights, and by the backend', async () => {
    expect((await rpc(server.url, 'tools/call', { name: `fly_${'x'.repeat(500)}`, arguments: {} })).error).toMatchObject({ code: -32602 });
    const unknown = await newest('?tool_name=other');
    expect(unknown).toMatchObject({
      status: 'failure',
      service_name: 'other',
      error_msg: expect.stringMatching(/^INVALID_ARGUMENT: Unknown tool: fly_x/),
    });
    expect(unknown.error_msg?.length).toBeLessThan(200);
    await callTool(server.url, 'kubernetes_get_logs', { name: { password: 'hunter22' }, nope: 1 });
    expect(await newest('?tool_name=kubernetes_get_logs')).toMatchObject({
      status: 'failure',
      error_msg: expect.stringContaining('INVALID_ARGUMENT'),
      input_params: { name: { password: '***REDACTED***' }, nope: 1 },
    });
    await callTool(server.url, 'kubernetes_get_resource', { kind: 'pods', name: 'nothing-here', namespace: 'shop' });
    expect(await newest('?tool_name=kubernetes_get_resource')).toMatchObject({
      status: 'failure',
      error_msg: expect.stringContaining('NOT_FOUND'),
    });
  });

  it('records prompts and resources, known and unknown', async () => {
    await rpc(server.url, 'prompts/get', { name: 'kubernetes_workload_diagnosis', arguments: { target: 'web' } });
    expect(await newest('?tool_name=kubernetes_workload_diagnosis')).toMatchObject({
      action: 'prompts/get',
      status: 'success',
      service_name: 'kubernetes',
      input_params: { target: 'web' },
    });
    await rpc(server.url, 'prompts/get', { name: 'no_such_prompt' });
    expect(await newest('?tool_name=other')).toMatchObject({
      action: 'prompts/get',
      status: 'failure',
      error_msg: 'Unknown prompt: no_such_prompt',
    });
    await rpc(server.url, 'resources/read', { uri: 'platform://status' });
    expect(await newest('?service_name=platform')).toMatchObject({
      action: 'resources/read',
      status: 'success',
      tool_name: 'platform_status',
      input_params: { uri: 'platform://status' },
    });
    await rpc(server.url, 'resources/read', { uri: 'nowhere://x' });
    expect(await newest('?tool_name=other')).toMatchObject({
      action: 'resources/read',
      status: 'failure',
      input_params: { uri: 'nowhere://x' },
    });
  });

  it('records a change: its plan, who approved it, and the versions before and after', async () => {
    const planned = await callTool(server.url, 'notes_set_text', { id: 'first', text: 'good bye' });
    const plan = String(planned.structuredContent['plan']);
    const asked = await newest('?tool_name=notes_set_text');
    expect(asked).toMatchObject({ status: 'success', effect: 'write', plan_hash: expect.any(String) });
    expect(asked.objects).toEqual([{ ref: 'note://first', operation: 'update', before: '1' }]);
    const done = await callTool(server.url, 'notes_set_text', { id: 'first', text: 'good bye', apply: plan });
    expect(done.structuredContent).toMatchObject({ phase: 'applied' });
    const record = await newest('?tool_name=notes_set_text');
    expect(record).toMatchObject({ status: 'success', approved_by: 'caller:local', plan_hash: asked.plan_hash });
    expect(record.objects).toEqual([
      {
        ref: 'note://first',
        operation: 'update',
        before: '1',
        after: '2',
        changes: [{ path: 'text', before: 'hello', after: 'good bye' }],
      },
    ]);
    expect(JSON.stringify(await getRecords(server.url, '?limit=1000'))).not.toContain(plan);
  });

  it('sums up, for a range of time', async () => {
    const stats = (await (await fetch(`${server.url}/api/audit/stats`)).json()) as Record<string, unknown>;
    expect(stats).toMatchObject({ tools_used: { kubernetes_list_resources: 1, other: 3 }, services_used: { notes: 2 }, denied_count: 0 });
    expect(stats['total_logs']).toBe(Number(stats['success_count']) + Number(stats['failure_count']));
    const early = new Date(Date.now() - 3_600_000).toISOString();
    expect(await (await fetch(`${server.url}/api/audit/stats?end=${early}`)).json()).toMatchObject({ total_logs: 0, tools_used: {} });
  });

  it('pages through the records, newest first, none twice and none left out', async () => {
    const all = await getRecords(server.url, '?limit=1000');
    expect(all.map(({ timestamp }) => timestamp)).toEqual(
      all
        .map(({ timestamp }) => timestamp)
        .sort()
        .reverse(),
    );
    const seen: AuditRecord[] = [];
    let path: string | undefined = '/api/audit/logs?limit=3';
    while (path !== undefined) {
      const response: Response = await fetch(`${server.url}${path}`);
      expect(response.headers.get('x-total-count')).toBe(String(all.length));
      seen.push(...((await response.json()) as AuditRecord[]));
      path = /^<([^>]+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
    }
    expect(seen).toEqual(all);
    expect(await getRecords(server.url, '?limit=1000&order=asc')).toEqual([...all].reverse());
    const [last] = all;
    expect(await getRecords(server.url, `?from=${last?.timestamp}&status=${last?.status}`)).toContainEqual(last);
  });

  it('keeps no secret that the server knows', async () => {
    await callTool(server.url, 'notes_get_text', { id: `key ${SIGNING_KEY}` });
    await rpc(server.url, 'prompts/get', { name: SIGNING_KEY });
    const text = JSON.stringify(await getRecords(server.url, '?limit=1000'));
    expect(text).toContain('key ***');
    expect(text).not.toContain(SIGNING_KEY);
    expect(text).not.toContain('hunter22');
  });
});

describe('transports', () => {
  it('are all recorded: three HTTP families and stdio, in one file, by several processes (SEED-MW-02)', async () => {
    const env = toEnv('file', 'transports');
    const server = await startProgram([], env);
    const open = {
      sse: () => new SSEClientTransport(new URL('/api/aggregate/sse', server.url)),
      streamable: () => new StreamableHTTPClientTransport(new URL('/api/aggregate/streamable-http', server.url)),
      mcp: () => new StreamableHTTPClientTransport(new URL('/mcp?profile=all', server.url)),
      stdio: () => new StdioClientTransport({ command: process.execPath, args: [PROGRAM, '--profile', 'all'], env, stderr: 'ignore' }),
    };
    for (const [name, transport] of Object.entries(open)) {
      const client = new Client(info);
      await client.connect(transport());
      await client.callTool({ name: 'notes_get_text', arguments: { id: name } });
      await client.close();
    }
    await callTool(server.url, 'notes_get_text', { id: 'http' });
    await runProgram(['call', 'notes_get_text', '--id', 'command'], env);
    const records = await getRecords(server.url, '?tool_name=notes_get_text&order=asc');
    expect(records.map(({ input_params, caller_ip }) => [(input_params as { id: string }).id, caller_ip])).toEqual([
      ['sse', '127.0.0.1'],
      ['streamable', '127.0.0.1'],
      ['mcp', '127.0.0.1'],
      ['stdio', ''],
      ['http', '127.0.0.1'],
      ['command', ''],
    ]);
    await server.stop();
    const verdict = await runProgram(['audit', 'verify'], env);
    expect(verdict).toMatchObject({ code: 0, stdout: expect.stringContaining('file: intact, 12 lines of 3 writers') });
  });
});

describe('the endpoints', () => {
  let server: Running;
  beforeAll(async () => {
    server = await startProgram([], toEnv('memory'));
  });
  afterAll(() => server.stop());

  it.each([
    ['/api/audit/logs?user=x', 'user', 'user_id'],
    ['/api/audit/logs?status=success&status=failure', 'status', undefined],
    ['/api/audit/logs?status=good', 'status', undefined],
    ['/api/audit/logs?limit=0', 'limit', undefined],
    ['/api/audit/logs?limit=1001', 'limit', undefined],
    ['/api/audit/logs?limit=ten', 'limit', undefined],
    ['/api/audit/logs?from=yesterday', 'from', undefined],
    ['/api/audit/logs?from=2026-13-41T00:00:00Z', 'from', undefined],
    ['/api/audit/logs?from=1999-01-01T00:00:00Z', 'from', undefined],
    ['/api/audit/logs?cursor=abc', 'cursor', undefined],
    ['/api/audit/logs?order=newest', 'order', undefined],
    ['/api/audit/logs?tool_name=', 'tool_name', undefined],
    [`/api/audit/logs?tool_name=${'x'.repeat(300)}`, 'tool_name', undefined],
    ['/api/audit/stats?from=2026-01-01T00:00:00Z', 'from', undefined],
    ['/api/audit/stats?start=1', 'start', undefined],
  ])('%s is 400 in the error shape (SEED-ROUTE-04)', async (path, argument, nearest) => {
    const response = await fetch(`${server.url}${path}`);
    expect(response.status).toBe(400);
    const { error } = (await response.json()) as { error: { code: string; details: { argument: string; nearest?: string[] } } };
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { argument } });
    if (nearest !== undefined) expect(error.details.nearest).toContain(nearest);
  });

  it.each(['session=a', 'sessionId=a&sessionId=b', `sessionId=${'x'.repeat(300)}`, 'sessionId=', ''])(
    'a message of the event stream with ?%s is 400 in the error shape (SEED-ROUTE-04)',
    async (query) => {
      const response = await fetch(`${server.url}/api/aggregate/sse/message?${query}`, { method: 'POST', body: '{}' });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: { code: 'INVALID_ARGUMENT', details: { argument: expect.stringMatching(/^session/) } },
      });
    },
  );

  it('records lists and pings too when the level is debug', async () => {
    const chatty = await startProgram([], { ...toEnv('memory'), MCP_AUDIT_LEVEL: 'debug' });
    const methods = ['tools/list', 'prompts/list', 'resources/list', 'resources/templates/list', 'ping'];
    for (const method of methods) expect(await rpc(chatty.url, method, {})).toHaveProperty('result');
    expect((await getRecords(chatty.url, '?order=asc')).map(({ action }) => action)).toEqual(methods);
    await chatty.stop();
    await rpc(server.url, 'tools/list', {});
    expect((await getRecords(server.url)).filter(({ action }) => action === 'tools/list')).toEqual([]);
  });

  it('tells of calls that are hidden from the caller', async () => {
    await callTool(server.url, 'notes_set_text', { id: 'first', text: 'x' });
    const [record] = await getRecords(server.url, '?status=denied');
    expect(record).toMatchObject({ tool_name: 'notes_set_text', effect: 'write', error_msg: expect.stringContaining('FORBIDDEN') });
  });

  it('are not there when they are switched off, and neither is a record when all is', async () => {
    const quiet = await startProgram([], { ...toEnv('file', 'off'), MCP_AUDIT_ENABLED: 'false' });
    expect((await fetch(`${quiet.url}/api/audit/logs`)).status).toBe(404);
    await quiet.stop();
    await expect(readFile(join(folder, 'off', 'audit.log'))).rejects.toMatchObject({ code: 'ENOENT' });
    const silent = await startProgram([], { ...toEnv('memory'), MCP_AUDIT_QUERY_ENABLED: 'false' });
    expect((await fetch(`${silent.url}/api/audit/stats`)).status).toBe(404);
    await silent.stop();
  });
});

describe('a start', () => {
  it.each([
    [{ MCP_AUDIT_DB_TYPE: 'mysql' }, 'mysql is not offered'],
    [{ MCP_AUDIT_ALERTS_METHOD: 'email' }, 'email is not offered'],
    [{ MCP_AUDIT_ALERTS_ENABLED: 'on', MCP_AUDIT_ALERTS_METHOD: 'webhook' }, 'audit.alerts.webhookURL'],
    [{ MCP_AUDIT_DB_TABLE_NAME: 'a; drop table b' }, 'audit.database.tableName'],
    [{ MCP_AUDIT_STORAGE: 'file', MCP_AUDIT_FILE_PATH: join(PROGRAM, 'audit.log') }, 'audit.file.path'],
    [{ MCP_AUDIT_STORAGE: 'database', MCP_AUDIT_DB_SQLITE_PATH: join(PROGRAM, 'audit.db') }, 'audit.database.sqlitePath'],
    [{ MCP_AUDIT_STORAGE: 'database', MCP_AUDIT_DB_TYPE: 'postgresql' }, 'audit.database.connectionString'],
    [
      { MCP_AUDIT_STORAGE: 'all', MCP_AUDIT_DB_TYPE: 'postgres', MCP_AUDIT_DB_CONNECTION_STRING: 'postgres://u:canary-pw@127.0.0.1:1/x' },
      'audit.database.connectionString',
    ],
  ])('is stopped by %o, with the key to look at', async (env, words) => {
    const ended = await runProgram(['--addr', '127.0.0.1:0'], {
      MCP_AUDIT_FILE_PATH: join(folder, 'start', 'audit.log'),
      ...env,
    } as Record<string, string>);
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining(words) });
    expect(ended.stderr).not.toContain('canary-pw');
  });

  it('warns when changes are allowed and records do not survive', async () => {
    const server = await startProgram(['--allow-writes'], toEnv('memory'));
    expect(server.stderr()).toContain('do not survive this process');
    await server.stop();
  });
});
