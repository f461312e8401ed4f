// The audit log as a room of its own: what is recorded at which level, in what sizes, and what happens when a storage fails.

import { mkdtemp, readdir, readFile, rm, stat, truncate, utimes } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EncoderPool } from '../kit/encoder.ts';
import { AppError } from '../kit/errors.ts';
import { postWebhook } from '../upstream/webhook.ts';
import { parseLine } from './chain.ts';
import { auditConfig } from './config.ts';
import { openFileReader } from './file-reader.ts';
import { type AuditDeps, type AuditFacts, type AuditLog, openAudit } from './index.ts';
import { Journal } from './journal.ts';
import { openMemory } from './memory.ts';
import type { AuditLine } from './record.ts';
import type { AuditStorage } from './storage.ts';
import { verify } from './verify.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-room-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const log: { level: string; fields: Record<string, unknown>; message: string }[] = [];
const toLogger = (level: string) => (fields: object, message: string) =>
  void log.push({ level, fields: fields as Record<string, unknown>, message });
const logger = { debug: toLogger('debug'), info: toLogger('info'), warn: toLogger('warn'), error: toLogger('error') };

const open = (config: object, deps: Partial<AuditDeps> = {}): Promise<AuditLog> =>
  openAudit(auditConfig.parse(config), { logger, now: Date.now, mask: (text) => text, post: postWebhook, ...deps });

const facts: AuditFacts = {
  action: 'tools/call',
  toolName: 'a_tool',
  serviceName: 'a',
  userId: 'somebody',
  callerIp: '192.0.2.1',
  requestId: 'r',
  traceId: 't',
  input: { password: 'p', n: 1 },
  effect: 'read',
};
const done = { status: 'success' } as const;
const failed = { status: 'failure', error: 'NOT_FOUND: it' } as const;
const everything = { from: 0, to: 8e15, limit: 1000, order: 'asc' } as const;
const statuses = async (audit: AuditLog): Promise<string[]> =>
  (await audit.query(everything)).records.map(({ effect, status }) => `${effect} ${status}`);
const record = async (audit: AuditLog, effect: 'read' | 'write' | 'delete', outcome: typeof done | typeof failed): Promise<void> => {
  const entry = audit.begin({ ...facts, effect });
  await entry.ready;
  await entry.end(outcome);
};

describe('levels and sampling', () => {
  it.each([
    [{ level: 'debug' }, ['read success', 'read failure', 'write success', 'delete failure']],
    [{ level: 'info' }, ['read success', 'read failure', 'write success', 'delete failure']],
    [{ level: 'warn' }, ['read failure', 'write success', 'delete failure']],
    [{ level: 'error' }, ['read failure', 'delete failure']],
    [{ sampling: { enabled: true, rate: 0 } }, ['read failure', 'write success', 'delete failure']],
    [{ sampling: { enabled: true, rate: 1 } }, ['read success', 'read failure', 'write success', 'delete failure']],
    [{ sampling: { enabled: false, rate: 0 } }, ['read success', 'read failure', 'write success', 'delete failure']],
  ])('%o records what it should (GUIDE-AUDIT-01)', async (config, expected) => {
    const audit = await open(config);
    await record(audit, 'read', done);
    await record(audit, 'read', failed);
    await record(audit, 'write', done);
    await record(audit, 'delete', failed);
    expect(await statuses(audit)).toEqual(expected);
    expect(audit.recordsLists).toBe((config as { level?: string }).level === 'debug');
    await audit.close();
  });

  it('sample the share that is asked for', async () => {
    let at = 0;
    const audit = await open({ sampling: { enabled: true, rate: 0.25 } }, { random: () => (at++ % 4) / 4 });
    for (let index = 0; index < 40; index += 1) await record(audit, 'read', done);
    expect(await statuses(audit)).toHaveLength(10);
    await audit.close();
  });
});

describe('storage memory', () => {
  it('keeps the newest records, and shows calls that still run', async () => {
    const audit = await open({ maxLogs: 3 });
    const running = audit.begin({ ...facts, toolName: 'slow' });
    for (const toolName of ['b', 'c', 'd']) audit.begin({ ...facts, toolName }).end(done);
    const tools = async () => (await audit.query(everything)).records.map(({ tool_name, status }) => `${tool_name} ${status}`);
    expect(await tools()).toEqual(['b success', 'c success', 'd success']);
    running.end(done);
    expect(await tools()).toEqual(['slow success', 'c success', 'd success']);
    expect((await audit.query({ ...everything, status: 'success' })).total).toBe(3);
    await audit.close();
  });

  it('masks by name when masking is on, and with the value that is configured', async () => {
    const input = async (config: object): Promise<unknown> => {
      const audit = await open(config);
      audit.begin(facts).end(done);
      const { records } = await audit.query(everything);
      await audit.close();
      return records[0]?.input_params;
    };
    expect(await input({})).toEqual({ password: '***REDACTED***', n: 1 });
    expect(await input({ masking: { enabled: false } })).toEqual({ password: 'p', n: 1 });
    expect(await input({ masking: { fields: 'n, m', maskValue: '-' } })).toEqual({ password: 'p', n: '-' });
    expect(await input({ masking: { fields: ['n'] } })).toEqual({ password: 'p', n: '***REDACTED***' });
  });

  it('takes refusals that never became a call', async () => {
    const audit = await open({});
    audit.refused({ address: '192.0.2.7', action: 'POST /mcp', code: 'UNAUTHENTICATED', message: 'no key', requestId: 'q' });
    const { records } = await audit.query(everything);
    expect(records).toMatchObject([
      { caller_ip: '192.0.2.7', user_id: '', action: 'POST /mcp', status: 'denied', error_msg: 'UNAUTHENTICATED: no key', request_id: 'q' },
    ]);
    await audit.close();
  });

  it('takes names of any length and kind', async () => {
    const audit = await open({});
    audit
      .begin({ ...facts, userId: `a\0${'b'.repeat(500)}`, toolName: '"\n', requestId: 'é'.repeat(300) })
      .end({ status: 'failure', error: 'x'.repeat(9000) });
    const [found] = (await audit.query({ ...everything, toolName: '"\n' })).records;
    expect(found?.user_id).toBe(`a${'b'.repeat(196)}...`);
    expect(found?.error_msg?.length).toBeLessThan(510);
    expect((await audit.query({ ...everything, userId: found?.user_id ?? '' })).total).toBe(1);
    await audit.close();
  });

  it('limits queries by the newer names of the keys, then the older ones, then their defaults', async () => {
    const limits = async (config: object) => {
      const audit = await open(config);
      await audit.close();
      return audit.limits;
    };
    const DAY = 86_400_000;
    expect(await limits({})).toEqual({ maxResults: 1000, rangeMs: 90 * DAY });
    expect(await limits({ maxResults: 5, timeRange: 2 })).toEqual({ maxResults: 5, rangeMs: 2 * DAY });
    expect(await limits({ maxResults: 5, timeRange: 2, query: { maxResults: 7, timeRange: 3 } })).toEqual({
      maxResults: 7,
      rangeMs: 3 * DAY,
    });
  });
});

const toFile = (name: string, file: object = {}, more: object = {}): { storage: 'file'; file: { path: string } } => ({
  storage: 'file',
  ...more,
  file: { path: join(folder, name, 'audit.log'), ...file },
});
const readerOf = ({ file }: { file: { path: string } }) => openFileReader({ path: file.path, maxLogs: 10_000, format: 'json' });

describe('storage file', () => {
  it('writes with the encoders it is given, of the size and number that the configuration says (GUIDE-CONF-04)', async () => {
    for (const [kept, idle] of [
      [0, 0],
      [3, 1],
    ] as const) {
      const encoders = new EncoderPool(kept, 256);
      const audit = await open(toFile(`encoders-${kept}.log`), { encoders });
      await record(audit, 'write', done);
      await audit.close();
      expect(encoders.idle).toBe(idle);
    }
  });

  it('rotates by size, compresses, removes the oldest, and the chain stays intact (GUIDE-AUDIT-01)', async () => {
    const config = toFile('rotate', { maxSizeMB: 0.005, maxBackups: 3 });
    for (let start = 0; start < 3; start += 1) {
      const audit = await open(config);
      for (let index = 0; index < 40; index += 1) await record(audit, 'write', done);
      await audit.close();
      expect(await verify(readerOf(config))).not.toHaveProperty('flaw');
    }
    const names = (await readdir(join(folder, 'rotate'))).filter((name) => /\d/.test(name)).sort();
    expect(names).toHaveLength(3);
    expect(names.every((name) => name.endsWith('.gz'))).toBe(true);
    expect((await readerOf(config).anchors()).length).toBeGreaterThan(0);
    const verdict = await verify(readerOf(config));
    expect(verdict).toMatchObject({ torn: 0, lines: expect.any(Number) });
    expect(verdict.lines).toBeLessThan(240);
    const page = await readerOf(config).query({ ...everything, status: 'success' });
    expect(page.total).toBeGreaterThan(3);
    // Neither is a packed file that was cut, nor one that was removed by hand, retention.
    const first = join(folder, 'rotate', names[0] ?? '');
    const { size } = await stat(first);
    await truncate(first, size - 20);
    expect(await verify(readerOf(config))).toMatchObject({ flaw: { kind: 'altered' } });
    await rm(first);
    expect(await verify(readerOf(config))).toMatchObject({ flaw: { kind: 'removed' } });
  });

  it('removes what is too old, and keeps it plain when it should', async () => {
    const config = toFile('age', { maxSizeMB: 0.002, maxAgeDays: 2, compress: false, maxBackups: 0 });
    const first = await open(config);
    for (let index = 0; index < 10; index += 1) await record(first, 'write', done);
    await first.close();
    const rotated = async () => (await readdir(join(folder, 'age'))).filter((name) => /\.\d{6}$/.test(name)).sort();
    const before = await rotated();
    expect(before.length).toBeGreaterThan(3);
    const old = new Date(Date.now() - 3 * 86_400_000);
    for (const name of before.slice(0, 2)) await utimes(join(folder, 'age', name), old, old);
    const second = await open(config);
    await second.close();
    expect(await rotated()).toEqual(before.slice(2));
    expect(await verify(readerOf(config))).not.toHaveProperty('flaw');
  });

  it('writes lines for people and shippers in the text format, with a chain but without queries', async () => {
    const config = toFile('text', {}, { format: 'text' });
    const audit = await open(config);
    await record(audit, 'write', failed);
    await expect(audit.query(everything)).rejects.toMatchObject({ code: 'UNSUPPORTED', details: { key: 'audit.format' } });
    await expect(audit.stats({ from: 0, to: 1 })).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await audit.close();
    const [, second = ''] = (await readFile(config.file.path, 'utf8')).split('\n');
    expect(second).toMatch(
      /^id=\w+-000000001 timestamp=\S+ caller_ip=192\.0\.2\.1 user_id=somebody tool_name=a_tool .*error_msg="NOT_FOUND: it"/,
    );
    expect(second).toMatch(/ seq=2 prev_hash=[0-9a-f]{64} hash=[0-9a-f]{64}$/);
    expect(parseLine(second)).toMatchObject({ seq: 2, isWhole: true });
    expect(parseLine(second.replace('somebody', 'nobody__'))).toMatchObject({ isWhole: false });
    expect(await verify(readerOf(config))).toMatchObject({ lines: 2, writers: 1 });
  });

  it('looks at the newest records only', async () => {
    const config = toFile('window', { maxLogs: 5, maxSizeMB: 0.002 });
    const audit = await open(config);
    for (let index = 0; index < 12; index += 1) {
      audit.begin({ ...facts, toolName: `t${index}` }).end(done);
      await audit.flush();
    }
    const { records } = await audit.query(everything);
    expect(records.map(({ tool_name }) => tool_name)).toEqual(['t7', 't8', 't9', 't10', 't11']);
    await audit.close();
  });

  it('loses no record to a query while rotated files are compressed beside it', async () => {
    const config = toFile('racing', { maxLogs: 1000, maxSizeMB: 0.002, maxBackups: 0 });
    const audit = await open(config);
    for (let index = 0; index < 60; index += 1) {
      audit.begin({ ...facts, toolName: `t${index}` }).end(done);
      await audit.flush();
      expect((await audit.query(everything)).total).toBe(index + 1);
    }
    await audit.close();
  });

  it('is written to by several at once, whole lines each, through rotations', async () => {
    const config = toFile('several', { maxSizeMB: 0.02, maxBackups: 0 });
    const logs = await Promise.all([open(config), open(config), open(config)]);
    await Promise.all(
      logs.map(async (audit) => {
        for (let index = 0; index < 50; index += 1) await record(audit, index % 2 === 0 ? 'write' : 'read', done);
      }),
    );
    await Promise.all(logs.map((audit) => audit.close()));
    expect(await verify(readerOf(config))).toMatchObject({ lines: 300, writers: 3, torn: 0 });
    expect(await verify(readerOf(config))).not.toHaveProperty('flaw');
  });
});

describe('storage database', () => {
  it('removes the oldest records at every interval, and the chain stays intact (GUIDE-AUDIT-01)', async () => {
    const path = join(folder, 'kept.db');
    const config = { storage: 'database', database: { sqlitePath: path, maxRecords: 20, cleanupInterval: 0.00005 } };
    const audit = await open(config);
    for (let index = 0; index < 100; index += 1) await record(audit, 'write', done);
    let total = 100;
    while (total > 20) {
      ({ total } = await audit.query(everything));
      // A query of SQLite never leaves this turn by itself.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(total).toBe(20);
    await audit.close();
    const { openSqliteReader } = await import('./sqlite.ts');
    const reader = openSqliteReader({ path, table: 'audit_logs' });
    expect(await verify(reader)).toMatchObject({ lines: 40, writers: 1 });
    expect(await verify(reader)).not.toHaveProperty('flaw');
    expect(await reader.anchors()).toMatchObject([{ seq: 160 }]);
    await reader.close();
  });

  it('is one log for several processes, each with its chain', async () => {
    const config = { storage: 'database', database: { sqlitePath: join(folder, 'several.db') } };
    const logs = await Promise.all([open(config), open(config)]);
    await Promise.all(
      logs.map(async (audit) => {
        for (let index = 0; index < 30; index += 1) await record(audit, 'write', done);
      }),
    );
    expect((await logs[0]?.query(everything))?.total).toBe(60);
    await Promise.all(logs.map((audit) => audit.close()));
  });
});

/** A storage whose writes can be made to fail or to wait. */
const openFragile = () => {
  const memory = openMemory(10_000);
  const written: AuditLine[] = [];
  let fault: (() => Promise<void>) | undefined;
  const storage: AuditStorage = {
    ...memory,
    name: 'file',
    async write(lines) {
      await fault?.();
      written.push(...lines);
    },
  };
  return { storage, written, break: (next: typeof fault) => (fault = next) };
};
const line = { record: 'r', phase: 'started', at: 0, userId: '', serviceName: '', toolName: '', status: 'started' } as const;
const fail = async (): Promise<void> => {
  throw Object.assign(new Error('/secret/path'), { code: 'ENOSPC' });
};

describe('a storage that fails', () => {
  const openJournal = (limits: object) => {
    const fragile = openFragile();
    const counts = { failures: 0, dropped: 0 };
    const journal = new Journal({
      storage: fragile.storage,
      logger,
      limits: { retryMs: 5, ...limits },
      onFailure: () => (counts.failures += 1),
      onDropped: () => (counts.dropped += 1),
    });
    return { ...fragile, journal, counts };
  };

  it('refuses what must be recorded, drops what need not beyond the bound, counts it, and stores the rest when it works again', async () => {
    log.length = 0;
    const { journal, written, counts, break: breakIt } = openJournal({ waiting: 20_000, batch: 4 });
    breakIt(fail);
    expect(journal.append('{"a":1', line)).toBe(true);
    const refused = await journal.commit().catch((error: AppError) => error);
    expect(refused).toBeInstanceOf(AppError);
    expect(refused).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { service: 'audit', retry_after: '30s' } });
    expect((refused as AppError).message).not.toContain('/secret/path');
    let taken = 1;
    for (let index = 0; index < 1000; index += 1) if (journal.append('{"a":1', line)) taken += 1;
    expect(taken).toBeLessThan(120);
    expect(counts.dropped).toBe(1001 - taken);
    expect(counts.failures).toBeGreaterThan(0);
    // A change that runs already is never lost.
    expect(journal.append('{"a":2', line, true)).toBe(true);
    // One alarm at once, not one per line.
    expect(log.filter(({ message }) => message === 'the audit log cannot be written')).toHaveLength(1);
    breakIt(undefined);
    await journal.commit();
    expect(written).toHaveLength(taken + 1);
    expect(written.map(({ seq }) => seq)).toEqual(written.map((_, index) => index + 1));
    expect(log.at(-1)).toMatchObject({ message: 'the audit log is written again', fields: { lost: 1001 - taken } });
    await journal.close();
  });

  it('does not hold a change for ever when it does not answer', async () => {
    const { journal, break: breakIt } = openJournal({ commitMs: 20 });
    let release = (): void => {};
    breakIt(() => new Promise((resolve) => (release = resolve)));
    journal.append('{"a":1', line);
    await expect(journal.commit()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
    release();
    breakIt(undefined);
    await journal.close();
  });

  it('lets reads wait for room while it is only slow', async () => {
    const { journal, written, break: breakIt } = openJournal({ waiting: 1000, roomMs: 10_000 });
    breakIt(async () => {});
    while (!journal.isFull) journal.append('{"a":1', line);
    await journal.room();
    expect(journal.isFull).toBe(false);
    expect(written.length).toBeGreaterThan(0);
    await journal.close();
  });

  it('shares one write among those that wait at once', async () => {
    const { journal, written, break: breakIt } = openJournal({});
    let writes = 0;
    breakIt(async () => {
      writes += 1;
    });
    await Promise.all(
      Array.from({ length: 100 }, () => {
        journal.append('{"a":1', line);
        return journal.commit();
      }),
    );
    expect(written).toHaveLength(100);
    expect(writes).toBeLessThan(5);
    await journal.close();
  });

  it('tells what could not be stored at the end', async () => {
    log.length = 0;
    const { journal, break: breakIt } = openJournal({});
    breakIt(fail);
    journal.append('{"a":1', line);
    await journal.close();
    expect(log).toContainEqual({ level: 'error', fields: { storage: 'file', lines: 1 }, message: 'audit lines could not be stored' });
  });
});

describe('alerts', () => {
  const openWebhook = async (answer: number | 'never') => {
    const bodies: Record<string, unknown>[] = [];
    let arrived = (): void => {};
    const server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        bodies.push(JSON.parse(text) as Record<string, unknown>);
        if (answer !== 'never') response.writeHead(answer).end();
        arrived();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    return {
      url: `http://127.0.0.1:${port}/hook`,
      bodies,
      next: () => new Promise<void>((resolve) => (arrived = resolve)),
      async close() {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      },
    };
  };

  it.each([
    ['webhook', ['error_msg', 'failures', 'interval_seconds', 'text', 'tool_name']],
    ['slack', ['text']],
  ])('tell of failures once per interval, by %s (GUIDE-AUDIT-01)', async (method, keys) => {
    const hook = await openWebhook(200);
    let now = 1_000_000;
    const alerts = { enabled: true, method, webhookURL: hook.url, failureThreshold: 3, checkIntervalSec: 10 };
    const audit = await open({ alerts }, { now: () => now });
    const arrival = hook.next();
    for (let index = 0; index < 10; index += 1) audit.begin(facts).end(failed);
    await arrival;
    expect(hook.bodies.map((body) => Object.keys(body).sort())).toEqual([keys]);
    expect(hook.bodies[0]?.['text']).toContain('3 calls failed within 10 s. The last: a_tool, NOT_FOUND: it');
    now += 10_000;
    for (let index = 0; index < 2; index += 1) audit.begin(facts).end(failed);
    now += 10_000;
    audit.begin(facts).end(failed);
    audit.begin(facts).end(done);
    await audit.close();
    expect(hook.bodies).toHaveLength(1);
    await hook.close();
  });

  it('hold up nothing, and end with the server, when nobody answers', async () => {
    const hook = await openWebhook('never');
    const audit = await open({ alerts: { enabled: true, method: 'webhook', webhookURL: hook.url, failureThreshold: 1 } });
    const arrival = hook.next();
    audit.begin(facts).end(failed);
    await arrival;
    await audit.close();
    await hook.close();
  });

  it('are warned about when they are refused', async () => {
    log.length = 0;
    const hook = await openWebhook(500);
    const audit = await open({ alerts: { enabled: true, method: 'webhook', webhookURL: hook.url, failureThreshold: 1 } });
    const arrival = hook.next();
    audit.begin(facts).end(failed);
    await arrival;
    await audit.close();
    expect(log.map(({ message }) => message).some((message) => message.startsWith('the audit alert'))).toBe(true);
    expect(JSON.stringify(log)).not.toContain('/hook');
    await hook.close();
  });
});
