// What the audit log keeps when things break: a kill in a storm of calls, a full disk, a storage that comes back.

import { mkdtemp, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditRecord } from '../../src/audit/index.ts';
import { callTool, getRecords, NOTES } from '../support/audit.ts';
import { type Running, runProgram, startProgram } from '../support/program.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-durability-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const toEnv = (storage: 'file' | 'database', name: string): Record<string, string> => ({
  MCP_AUDIT_STORAGE: storage,
  MCP_AUDIT_FILE_PATH: join(folder, name, 'audit.log'),
  MCP_AUDIT_DB_SQLITE_PATH: join(folder, name, 'audit.db'),
  MCP_PLUGINS: NOTES,
  // A storm is what these tests are about.
  MCP_RATELIMIT_ENABLED: 'false',
  MCP_SIGNING_KEY: 'a-key-of-the-durability-tests-0123456789',
});

/** Plans and applies one change; the number is in its text, so that it can be found again. */
const change = async ({ url }: Running, number: number): Promise<boolean> => {
  const args = { id: 'first', text: `text ${number}` };
  const planned = await callTool(url, 'notes_set_text', args);
  const answer = await callTool(url, 'notes_set_text', { ...args, apply: planned.structuredContent['plan'] });
  return answer.structuredContent['phase'] === 'applied';
};

const queryAll = async (env: Record<string, string>): Promise<AuditRecord[]> => {
  const { stdout } = await runProgram(['audit', 'query', '--tool', 'notes_set_text', '--limit', '1000', '--json'], env);
  return JSON.parse(stdout) as AuditRecord[];
};
const verify = (env: Record<string, string>, ...args: string[]) => runProgram(['audit', 'verify', ...args], env);

describe.each(['file', 'database'] as const)('a process that is killed, storage %s', (storage) => {
  it('has every change on disk that it acknowledged, and an intact chain (SEED-REQ-06)', async () => {
    const env = toEnv(storage, `kill-${storage}`);
    const server = await startProgram(['--allow-writes'], env);
    const acknowledged: number[] = [];
    let next = 0;
    const storm = async (): Promise<void> => {
      for (;;) {
        const number = next;
        next += 1;
        // Others change the note in between: a conflict is no change.
        if (await change(server, number)) acknowledged.push(number);
        if (acknowledged.length === 40) server.child.kill('SIGKILL');
      }
    };
    const reading = async (): Promise<void> => {
      for (;;) await callTool(server.url, 'notes_get_text', { id: 'first' });
    };
    await Promise.allSettled([storm(), storm(), storm(), reading(), reading()]);
    expect(await server.ended).toMatchObject({ signal: 'SIGKILL' });
    const records = await queryAll(env);
    const applied = records.filter(({ status, approved_by }) => status === 'success' && approved_by !== undefined);
    const texts = new Set(applied.map(({ input_params }) => (input_params as { text: string }).text));
    expect(acknowledged.filter((number) => !texts.has(`text ${number}`))).toEqual([]);
    expect(await verify(env)).toMatchObject({ code: 0, stdout: expect.stringContaining('intact') });
    // The next process goes on where this one ended.
    const again = await startProgram(['--allow-writes'], env);
    expect(await change(again, 100_000)).toBe(true);
    await again.stop();
    expect(await verify(env)).toMatchObject({ code: 0, stdout: expect.stringMatching(/intact, \d+ lines of 2 writers/) });
  });

  it('leaves a started record of the call that it was killed in (SEED-REQ-06)', async () => {
    const env = toEnv(storage, `started-${storage}`);
    const server = await startProgram([], env);
    const pausing = callTool(server.url, 'notes_pause', { duration: '60000ms' }).catch(() => 'gone');
    // The endpoint stores what waits before it answers.
    let record: AuditRecord | undefined;
    while (record === undefined) [record] = await getRecords(server.url, '?tool_name=notes_pause');
    expect(record).toMatchObject({ status: 'started', input_params: { duration: '60000ms' } });
    server.child.kill('SIGKILL');
    expect(await pausing).toBe('gone');
    const { stdout } = await runProgram(['audit', 'query', '--status', 'started', '--json'], env);
    expect(JSON.parse(stdout)).toEqual([record]);
    expect((await runProgram(['audit', 'query'], env)).stdout).toMatch(/local +notes_pause +started/);
  });
});

describe('a full disk', () => {
  it('refuses changes before anything happens, lets reads go on with an alarm, and recovers', async () => {
    const env = toEnv('file', 'full');
    const path = env['MCP_AUDIT_FILE_PATH'] as string;
    const server = await startProgram(['--allow-writes'], env);
    const text = async (): Promise<unknown> => (await callTool(server.url, 'notes_get_text', { id: 'first' })).structuredContent['text'];
    const plan = (await callTool(server.url, 'notes_set_text', { id: 'first', text: 'new' })).structuredContent['plan'];
    await rename(path, `${path}.aside`);
    await symlink('/dev/full', path);
    const refused = await callTool(server.url, 'notes_set_text', { id: 'first', text: 'new', apply: plan });
    expect(refused).toMatchObject({
      isError: true,
      structuredContent: { error: { code: 'SERVICE_UNAVAILABLE', details: { service: 'audit', storage: 'file' } } },
    });
    expect(await text()).toBe('hello');
    await expect.poll(() => server.stderr()).toMatch(/the audit log cannot be written.*reason=ENOSPC/);
    expect(server.stderr()).not.toContain('plan=');
    await rm(path);
    await rename(`${path}.aside`, path);
    const done = await callTool(server.url, 'notes_set_text', { id: 'first', text: 'new', apply: plan });
    expect(done.structuredContent).toMatchObject({ phase: 'applied' });
    await expect.poll(() => server.stderr()).toContain('the audit log is written again');
    await server.stop();
    // What could not be stored then is stored now: the refusal too.
    expect((await queryAll(env)).map(({ status, error_msg }) => [status, error_msg?.split(':')[0]])).toEqual([
      ['success', undefined],
      ['failure', 'SERVICE_UNAVAILABLE'],
      ['success', undefined],
    ]);
    expect(await verify(env)).toMatchObject({ code: 0 });
  });
});

describe('audit verify', () => {
  const env = (): Record<string, string> => toEnv('file', 'verify');
  const path = (): string => join(folder, 'verify', 'audit.log');
  let original: string;
  beforeAll(async () => {
    const server = await startProgram([], env());
    for (const id of ['first', 'second', 'third', 'fourth']) await callTool(server.url, 'notes_get_text', { id });
    await server.stop();
    original = await readFile(path(), 'utf8');
  });
  const lines = (): string[] => original.trimEnd().split('\n');
  const write = (changed: readonly string[]): Promise<void> => writeFile(path(), `${changed.join('\n')}\n`);

  it('says intact, and what the newest place is', async () => {
    expect(await verify(env())).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^file: intact, 8 lines of 1 writers\nfile: newest \w{12}:8:\w{64}\n$/),
    });
  });

  it.each<[string, (all: string[]) => string[], RegExp]>([
    ['a changed status', (all) => all.with(3, all[3]?.replace('"failure"', '"success"') ?? ''), /\w{12}:4 was altered \(line 4/],
    ['a removed line', (all) => all.toSpliced(2, 1), /\w{12}:3 was removed \(line 3/],
    ['a removed beginning', (all) => all.slice(2), /\w{12}:1 was removed/],
    ['two lines that changed places', (all) => all.with(4, all[5] ?? '').with(5, all[4] ?? ''), /\w{12}:5 was reordered/],
    ['a line that is there twice', (all) => all.toSpliced(3, 0, all[2] ?? ''), /\w{12}:3 was reordered/],
    ['a line of somebody else', (all) => all.toSpliced(3, 0, '{"status":"success"}'), /\w{12}:4 was altered \(line 4: it is no line/],
    ['an empty line', (all) => all.toSpliced(3, 0, ''), /was altered/],
  ])('finds %s', async (_, tamper, words) => {
    await write(tamper(lines()));
    const { code, stdout } = await verify(env());
    expect(stdout).toMatch(words);
    expect(code).toBe(1);
    await writeFile(path(), original);
  });

  it('finds that the end is missing when its place was kept elsewhere', async () => {
    const head = /newest (\S+)/.exec((await verify(env())).stdout)?.[1] ?? '';
    expect(await verify(env(), '--expect', head)).toMatchObject({ code: 0 });
    await write(lines().slice(0, -1));
    expect(await verify(env())).toMatchObject({ code: 0 });
    expect(await verify(env(), '--expect', head)).toMatchObject({ code: 1, stdout: expect.stringContaining('was removed') });
    await writeFile(path(), original);
  });

  it('tells a line that a crash cut off from tampering, and the next start goes on behind it', async () => {
    await truncate(path(), Buffer.byteLength(original) - 40);
    expect(await verify(env())).toMatchObject({ code: 0, stdout: expect.stringMatching(/intact, 7 lines[\s\S]*cut off after \d+ bytes/) });
    const server = await startProgram([], env());
    expect(server.stderr()).toContain('was cut off and is removed');
    await callTool(server.url, 'notes_get_text', { id: 'fifth' });
    await server.stop();
    expect(await verify(env(), '--json')).toMatchObject({ code: 0, stdout: expect.stringContaining('"writers":2') });
    await writeFile(path(), original);
  });

  it('finds in a later start that the end of the one before was removed', async () => {
    const server = await startProgram([], env());
    await callTool(server.url, 'notes_get_text', { id: 'sixth' });
    await server.stop();
    const all = (await readFile(path(), 'utf8')).trimEnd().split('\n');
    expect(all).toHaveLength(10);
    await write([...all.slice(0, 6), ...all.slice(8)]);
    expect(await verify(env())).toMatchObject({ code: 1, stdout: expect.stringMatching(/\w{12}:8 was removed/) });
    await write(all.slice(8));
    expect(await verify(env())).toMatchObject({ code: 1 });
    await writeFile(path(), original);
  });

  it('finds a changed row of a database, in a column as in a line', async () => {
    const { DatabaseSync } = await import('node:sqlite');
    const inDatabase = toEnv('database', 'verify');
    const server = await startProgram([], inDatabase);
    for (const id of ['first', 'second']) await callTool(server.url, 'notes_get_text', { id });
    await server.stop();
    const database = new DatabaseSync(inDatabase['MCP_AUDIT_DB_SQLITE_PATH'] as string);
    expect(await verify(inDatabase)).toMatchObject({ code: 0, stdout: expect.stringContaining('sqlite: intact, 4 lines') });
    database.exec("UPDATE audit_logs SET user_id = 'nobody' WHERE seq = 2");
    expect(await verify(inDatabase)).toMatchObject({ code: 1, stdout: expect.stringContaining(':2 was altered') });
    database.exec("UPDATE audit_logs SET user_id = 'local' WHERE seq = 2; DELETE FROM audit_logs WHERE seq = 3");
    expect(await verify(inDatabase)).toMatchObject({ code: 1, stdout: expect.stringContaining(':3 was removed') });
    database.close();
  });

  it('needs a storage to read, and a word that it knows', async () => {
    const nothing = await runProgram(['audit', 'verify'], {});
    expect(nothing).toMatchObject({ code: 2, stderr: expect.stringContaining('audit.storage is memory') });
    expect(await runProgram(['audit', 'burn'], env())).toMatchObject({ code: 2, stderr: expect.stringContaining('verify, query') });
    expect(await runProgram(['audit', 'query', '--status', 'good'], env())).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('status'),
    });
    expect(await runProgram(['audit', '--help'], {})).toMatchObject({ code: 0, stdout: expect.stringContaining('audit verify') });
  });
});
