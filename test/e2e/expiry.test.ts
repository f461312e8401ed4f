// Credentials that come to their end: told before, in the log and in a metric; and a signing key that is exchanged while plans are open.

import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AppError } from '../../src/kit/errors.ts';
import { NOTES } from '../support/audit.ts';
import { send } from '../support/http.ts';
import { backend, resetNotes } from '../support/notes-service.ts';
import { openApp } from '../support/shop.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'expiry-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(resetNotes);

const DAY_MS = 86_400_000;

describe('API keys with an end', () => {
  it('are warned about a week before, by value and by hash, and counted down (SEED-SECRET-04)', async () => {
    const start = Date.parse('2026-01-01T00:00:00Z');
    let passed = 0;
    const keys = { value: 'cnm_value_Zk3v9Qp7Lw2Xr8Tn5Yb1', hash: 'cnm_hash_Hd6Jf4Gs0Va3Kp8Rt5', free: 'cnm_free_Tn5Yb1Zk3v9Qp7Lw2Xr8' };
    const expires = '2026-01-31T00:00:00Z';
    const hash = `sha256:${createHash('sha256').update(keys.hash).digest('hex')}`;
    const { app, log, close } = await openApp(
      {
        'auth.enabled': true,
        'auth.apiKeys': [
          { name: 'value', key: keys.value, expires, scopes: ['admin', 'read'] },
          { name: 'hash', hash, expires },
          { name: 'free', key: keys.free, scopes: ['admin', 'read'] },
        ],
        'secrets.rotation.checkSec': 1,
      },
      () => start + passed,
    );
    const { url } = await app.openHttp({ port: 0 });
    const read = async (): Promise<string[]> => {
      const { body } = await send(`${url}/metrics`, { headers: { 'x-api-key': keys.free } });
      return [...body.matchAll(/^mcp_secret_expires_seconds\{secret="([^"]+)"\} (\S+)$/gm)].map(([, name, left]) => `${name} ${left}`);
    };
    const tell = (name: string): string[] => log.filter((line) => line.includes(`"secret":"auth.apiKeys.${name}"`));
    expect(await read()).toEqual([`auth.apiKeys.value ${30 * 86_400}`, `auth.apiKeys.hash ${30 * 86_400}`]);
    expect([tell('value'), tell('hash')]).toEqual([[], []]);
    passed = 24 * DAY_MS;
    await expect.poll(() => tell('hash').length + tell('value').length, { timeout: 10_000 }).toBe(2);
    for (const [line] of [tell('hash'), tell('value')]) expect(line).toContain('a secret expires in 6d');
    passed = 31 * DAY_MS;
    expect(await read()).toEqual(['auth.apiKeys.value -86400', 'auth.apiKeys.hash -86400']);
    const late = await send(`${url}/metrics`, { headers: { 'x-api-key': keys.hash } });
    expect([late.status, late.body]).toEqual([401, expect.stringContaining('expired')]);
    await close();
  });
});

describe('a signing key that is exchanged', () => {
  const open = async (file: string, now?: () => number) => {
    const flags = { 'security.signingKey': `file:${file}`, 'secrets.rotation.checkSec': 1, 'security.allowWrites': true, plugins: [NOTES] };
    return openApp(flags, now);
  };
  const CHANGE = { id: 'first', text: 'good bye' };

  it('opens what the old one sealed until that ends, and takes no weak one (SEED-SECRET-02)', async () => {
    const file = join(folder, 'signing-key');
    await writeFile(file, 'the first key of this test, 0123456789abcdef');
    let late = 0;
    const { call, log, close } = await open(file, () => Date.now() + late);
    const rotated = (): number => log.filter((line) => line.includes('secret rotated')).length;
    const plan = (await call('notes_set_text', CHANGE)).structured['plan'];
    await writeFile(file, 'too short');
    await expect.poll(() => log.join('\n'), { timeout: 10_000 }).toContain('must have at least 32');
    await writeFile(file, 'the second key of this test, 0123456789abcdef');
    await expect.poll(rotated, { timeout: 10_000 }).toBe(1);

    const other = await open(file);
    const refused = await other.call('notes_set_text', { ...CHANGE, apply: plan }).catch((thrown: AppError) => thrown.code);
    // Another process never knew the first key.
    expect(refused).toBe('FAILED_PRECONDITION');
    const applied = await call('notes_set_text', { ...CHANGE, apply: plan });
    expect([applied.structured['phase'], backend.writes]).toEqual(['applied', 1]);
    // The record of the change too, which was sealed before: it is found and can be planned back.
    const { changeId } = applied.structured;
    expect((await call('platform_undo_change', { changeId })).structured['plan']).toMatch(/^pl_/);

    const second = (await call('notes_set_text', { ...CHANGE, text: 'hello again' })).structured['plan'];
    expect((await other.call('notes_set_text', { ...CHANGE, text: 'hello again', apply: second })).structured['phase']).toBe('applied');
    late = 25 * 3_600_000;
    expect(await call('notes_set_text', { ...CHANGE, apply: plan }).catch((thrown: AppError) => thrown.code)).toBe('FAILED_PRECONDITION');
    await other.close();
    await close();
  });
});
