// The audit log in a real PostgreSQL: two replicas in one table, a server that dies and comes back, retention, verification.

import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { callTool, getRecords, NOTES } from '../support/audit.ts';
import { findLeaks } from '../support/canary.ts';
import { askOver, changeSecrets, POLICY, plantChanges, withHalves } from '../support/canary-changes.ts';
import { openCluster, type Running, runProgram, startProgram } from '../support/program.ts';

const { connectionString, host, port } = JSON.parse(readFileSync(process.env['CNMCP_TEST_POSTGRES'] ?? '', 'utf8')) as {
  connectionString: string;
  host: string;
  port: number;
};
const client = new pg.Client({ connectionString });
beforeAll(() => client.connect());
afterAll(() => client.end());

const toEnv = (table: string, more: Record<string, string> = {}): Record<string, string> => ({
  MCP_AUDIT_STORAGE: 'database',
  MCP_AUDIT_DB_TYPE: 'postgresql',
  MCP_AUDIT_DB_CONNECTION_STRING: connectionString,
  MCP_AUDIT_DB_TABLE_NAME: table,
  MCP_PLUGINS: NOTES,
  MCP_SIGNING_KEY: 'a-key-of-the-postgres-tests-0123456789',
  ...more,
});
const verify = (env: Record<string, string>, ...args: string[]) => runProgram(['audit', 'verify', ...args], env);

/** Between the server and the database: it can be cut, and it can fall silent. */
const openProxy = async () => {
  const sockets = new Set<Socket>();
  let state: 'open' | 'closed' | 'silent' = 'open';
  const server = createServer((near) => {
    if (state === 'closed') return void near.destroy();
    const far = connect(port, host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (chunk) => {
        if (state === 'open') to.write(chunk);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const local = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    url: connectionString.replace(`:${port}/`, `:${local}/`),
    set(next: typeof state) {
      state = next;
      if (next === 'closed') for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};

const plan = async ({ url }: Running, text: string): Promise<Record<string, unknown>> => {
  const args = { id: 'first', text };
  return { ...args, apply: (await callTool(url, 'notes_set_text', args)).structuredContent['plan'] };
};

describe('two replicas in one table (GUIDE-AUDIT-01)', () => {
  it('are one log for queries, and a chain each', async () => {
    const env = toEnv('two');
    const servers = await Promise.all([startProgram(['--allow-writes'], env), startProgram(['--allow-writes'], env)]);
    await Promise.all(
      servers.flatMap((server, replica) =>
        Array.from({ length: 100 }, (_, index) => callTool(server.url, 'notes_get_text', { id: `${replica}-${index}` })),
      ),
    );
    for (const server of servers) await callTool(server.url, 'notes_set_text', await plan(server, `new ${server.url}`));
    await Promise.all(servers.map(({ stop }) => stop()));
    const third = await startProgram([], env);
    const records = await getRecords(third.url, '?limit=1000');
    expect(new Set(records.map(({ hash }) => hash)).size).toBe(204);
    const response = await fetch(`${third.url}/api/audit/logs?tool_name=notes_set_text&status=success&limit=3`);
    expect([response.headers.get('x-total-count'), response.headers.get('link')]).toEqual(['4', expect.stringContaining('rel="next"')]);
    expect(((await response.json()) as AuditRecord[])[0]).toMatchObject({
      approved_by: 'caller:local',
      objects: [{ before: '1', after: '2' }],
    });
    expect(await (await fetch(`${third.url}/api/audit/stats`)).json()).toMatchObject({
      total_logs: 204,
      success_count: 4,
      failure_count: 200,
      tools_used: { notes_get_text: 200, notes_set_text: 4 },
    });
    await third.stop();
    expect(await verify(env)).toMatchObject({ code: 0, stdout: expect.stringContaining('postgresql: intact, 408 lines of 2 writers') });
    const people = await runProgram(['audit', 'query', '--tool', 'notes_set_text', '--limit', '1'], env);
    expect(people.stdout).toMatch(/notes_set_text +success[\s\S]*1 of 4 records; more with --cursor/);
    await client.query('DELETE FROM two WHERE id = (SELECT id FROM two ORDER BY id LIMIT 1 OFFSET 77)');
    expect(await verify(env)).toMatchObject({ code: 1, stdout: expect.stringContaining('was removed') });
  });
});

describe('a database that dies', () => {
  it.each(['closed', 'silent'] as const)(
    '%s: changes are refused before anything happens, reads go on, and all is there when it is back',
    async (how) => {
      const proxy = await openProxy();
      const env = toEnv(`dead_${how}`, { MCP_AUDIT_DB_CONNECTION_STRING: proxy.url });
      const server = await startProgram(['--allow-writes'], env);
      const change = await plan(server, 'new');
      proxy.set(how);
      expect(await callTool(server.url, 'notes_set_text', change)).toMatchObject({
        isError: true,
        structuredContent: { error: { code: 'SERVICE_UNAVAILABLE', details: { storage: 'postgresql' } } },
      });
      expect((await callTool(server.url, 'notes_get_text', { id: 'first' })).structuredContent).toEqual({ text: 'hello' });
      expect(server.stderr()).toContain('the audit log cannot be written');
      proxy.set('closed');
      proxy.set('open');
      const done = await callTool(server.url, 'notes_set_text', change);
      expect(done.structuredContent).toMatchObject({ phase: 'applied' });
      const records = await getRecords(server.url, '?order=asc');
      expect(records.map(({ tool_name, status }) => [tool_name, status])).toEqual([
        ['notes_set_text', 'success'],
        ['notes_set_text', 'failure'],
        ['notes_get_text', 'success'],
        ['notes_set_text', 'success'],
      ]);
      await server.stop();
      expect(await verify(toEnv(`dead_${how}`))).toMatchObject({ code: 0 });
      await proxy.close();
    },
  );
});

describe('a process that is killed', () => {
  it('has every change in the table that it acknowledged', async () => {
    const env = toEnv('killed');
    const server = await startProgram(['--allow-writes'], env);
    const acknowledged: string[] = [];
    const storm = async (worker: number): Promise<void> => {
      for (let number = 0; ; number += 1) {
        const text = `${worker}-${number}`;
        const answer = await callTool(server.url, 'notes_set_text', await plan(server, text));
        if (answer.structuredContent['phase'] === 'applied') acknowledged.push(text);
        if (acknowledged.length === 30) server.child.kill('SIGKILL');
      }
    };
    await Promise.allSettled([storm(1), storm(2)]);
    const { rows } = await client.query<{ line: string }>("SELECT line FROM killed WHERE phase = 'completed' AND status = 'success'");
    const applied = new Set(
      rows
        .map(({ line }) => JSON.parse(line) as AuditRecord)
        .flatMap(({ approved_by, input_params }) => (approved_by === undefined ? [] : [(input_params as { text: string }).text])),
    );
    expect(acknowledged.filter((text) => !applied.has(text))).toEqual([]);
    expect(await verify(env)).toMatchObject({ code: 0 });
  });
});

describe('retention', () => {
  it('removes the oldest records, and the chain stays intact (GUIDE-AUDIT-01)', async () => {
    const env = toEnv('kept', { MCP_AUDIT_DB_MAX_RECORDS: '20' });
    const first = await startProgram([], env);
    for (let index = 0; index < 50; index += 1) await callTool(first.url, 'notes_get_text', { id: String(index) });
    await first.stop();
    const second = await startProgram([], env);
    // The next start removes what is too much, soon after it. The database is asked, for the server limits how often it may be.
    const count = async (): Promise<number> =>
      Number((await client.query<{ count: string }>("SELECT count(*) FROM kept WHERE phase = 'completed'")).rows[0]?.count);
    await vi.waitUntil(async () => (await count()) <= 20, { timeout: 20_000, interval: 20 });
    const records = await getRecords(second.url, '?limit=1000');
    expect(records.at(-1)).toMatchObject({ input_params: { id: '30' } });
    await second.stop();
    expect(await verify(env)).toMatchObject({ code: 0, stdout: expect.stringContaining('intact, 40 lines') });
    await client.query('DELETE FROM kept WHERE id = (SELECT MIN(id) FROM kept)');
    expect(await verify(env)).toMatchObject({ code: 1, stdout: expect.stringContaining('was removed') });
  });
});

describe('a table of somebody else', () => {
  it('stops the start', async () => {
    await client.query('CREATE TABLE foreign_table (id BIGSERIAL, message TEXT)');
    const ended = await runProgram(['--addr', '127.0.0.1:0'], toEnv('foreign_table'));
    expect(ended).toMatchObject({ code: 2, stderr: expect.stringContaining('audit.database') });
  });
});

it('no row holds a secret that passed through a change (RULE-01)', { timeout: 60_000 }, async () => {
  const cluster = await openCluster();
  const folder = await mkdtemp(join(tmpdir(), 'postgres-canary-'));
  await writeFile(join(folder, 'config.yaml'), POLICY);
  const args = ['--config', join(folder, 'config.yaml'), '--kubeconfig', cluster.kubeconfig, '--allow-writes', '--allow-destructive'];
  const server = await startProgram(args, toEnv('canary_changes', { MCP_AUDIT_LEVEL: 'debug', MCP_RATELIMIT_ENABLED: 'false' }));
  const planted = plantChanges();
  await changeSecrets(askOver(server.url, []), cluster.embedded, planted);
  await server.stop();
  await cluster.close();
  await rm(folder, { recursive: true });
  const { rows } = await client.query('select row_to_json(t)::text as text from canary_changes t');
  expect(rows.length).toBeGreaterThan(20);
  const outcomes = rows.map(({ text }: { text: string }, at) => ({ where: `row ${at}`, text }));
  expect(findLeaks(outcomes, withHalves(planted))).toEqual([]);
});
