import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSecretManager, type SecretManager, type SecretReaders } from './manager.ts';
import { createRedactor } from './redactor.ts';

let time = 1_800_000_000_000;
let folder: string;
const log: string[] = [];
const redactor = createRedactor();
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'secrets-'));
});
afterAll(() => rm(folder, { recursive: true }));

const record = (fields: object, message: string): void => void log.push(redactor.mask(JSON.stringify({ ...fields, message })));
const create = (readers: SecretReaders = {}): SecretManager => {
  log.length = 0;
  return createSecretManager({
    now: () => time,
    logger: { debug: record, info: record, warn: record, error: record },
    learn: redactor.learn,
    readers,
    checkSec: 3600,
    overlapSec: 300,
    warnBeforeSec: 86_400,
  });
};
const judge = (secrets: SecretManager, name: string, candidate: string): string => secrets.get(name).judge(secrets.digest(candidate));

describe('the secret manager', () => {
  it('gives a value by its name only, and shows it nowhere (SEED-SECRET-01)', async () => {
    const secrets = create();
    const handle = secrets.define('auth.apiKey', 'canary-8d1f4b7e2c');
    expect(await secrets.get('auth.apiKey').current()).toBe('canary-8d1f4b7e2c');
    expect(() => secrets.get('auth.other')).toThrow('There is no secret auth.other.');
    expect(() => secrets.define('auth.apiKey', 'again')).toThrow(/declared twice/);
    const shown = [
      JSON.stringify({ secrets, handle, status: secrets.status() }),
      inspect({ secrets, handle }, { depth: 10, showHidden: true }),
      String(handle),
    ];
    secrets.rotate('auth.apiKey', 'canary-next-9e2a');
    expect([...shown, ...log].join('\n')).not.toContain('canary');
    expect(redactor.mask('before canary-8d1f4b7e2c after')).toBe('before *** after');
    expect(secrets.status()).toEqual([{ name: 'auth.apiKey', source: 'literal', version: 2 }]);
    secrets.close();
  });

  it('keeps no value in errors, not even in their causes (SEED-SECRET-01)', async () => {
    const secrets = create();
    const refused = ((): unknown => {
      try {
        secrets.define('auth.apiKey', 'canary-weak', {
          check: () => {
            throw new Error('too weak');
          },
        });
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    secrets.define('old', 'canary-expired-value', { expires: time - 1 });
    const expired = await secrets
      .get('old')
      .current()
      .catch((thrown: unknown) => thrown);
    expect(expired).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining('old has expired') });
    expect(inspect([refused, expired], { depth: 10 })).not.toContain('canary');
    secrets.close();
  });

  it('a new version is active at once; the old one is accepted until its overlap ends, then refused (SEED-SECRET-02)', async () => {
    const secrets = create();
    secrets.define('key', 'first-value-of-key');
    const changes: string[] = [];
    const stop = secrets.get('key').onChange(() => changes.push('changed'));
    secrets.rotate('key', 'second-value-of-key');
    expect(await secrets.get('key').current()).toBe('second-value-of-key');
    expect([judge(secrets, 'key', 'first-value-of-key'), judge(secrets, 'key', 'second-value-of-key')]).toEqual(['accepted', 'accepted']);
    time += 299_000;
    expect(judge(secrets, 'key', 'first-value-of-key')).toBe('accepted');
    time += 2000;
    expect(judge(secrets, 'key', 'first-value-of-key')).toBe('expired');
    await secrets.refresh();
    expect(judge(secrets, 'key', 'first-value-of-key')).toBe('unknown');
    secrets.rotate('key', 'third-value-of-key', { overlapSec: 0 });
    expect(judge(secrets, 'key', 'second-value-of-key')).not.toBe('accepted');
    stop();
    secrets.rotate('key', 'fourth-value-of-key');
    expect(changes).toEqual(['changed', 'changed']);
    secrets.close();
  });

  it('holds no more versions than it needs, however often a secret rotates', () => {
    const secrets = create();
    secrets.define('key', 'value-0-of-the-key');
    for (let count = 1; count <= 50; count += 1) secrets.rotate('key', `value-${count}-of-the-key`);
    const accepted = Array.from({ length: 51 }, (_, count) => judge(secrets, 'key', `value-${count}-of-the-key`)).filter(
      (one) => one === 'accepted',
    );
    expect(accepted.length).toBe(8);
    expect(judge(secrets, 'key', 'value-50-of-the-key')).toBe('accepted');
    secrets.close();
  });

  it('refuses an expired secret, warns once before, and tells the remaining time (SEED-SECRET-04)', async () => {
    const secrets = create();
    secrets.define('key', 'value-that-expires', { expires: time + 2 * 86_400_000 });
    expect(secrets.status()[0]).toMatchObject({ remainingSec: 172_800 });
    await secrets.refresh();
    expect(log).toEqual([]);
    time += 86_400_000 + 1000;
    await secrets.refresh();
    await secrets.refresh();
    expect(log).toEqual([expect.stringContaining('a secret expires in')]);
    expect(judge(secrets, 'key', 'value-that-expires')).toBe('accepted');
    time += 86_400_000;
    expect(judge(secrets, 'key', 'value-that-expires')).toBe('expired');
    await expect(secrets.get('key').current()).rejects.toThrow(/has expired/);
    expect(secrets.status()[0]?.remainingSec).toBeLessThan(0);
    secrets.close();
  });

  it('reads a file, and reads it again when it or the link to it changes (SEED-SECRET-02)', async () => {
    const [path, first, second] = ['link', 'a', 'b'].map((name) => join(folder, name)) as [string, string, string];
    await writeFile(first, 'value in the first file\n');
    await writeFile(second, 'value in the second file');
    await symlink(first, path);
    const secrets = create();
    const handle = secrets.define('key', `file:${path}`);
    expect(await handle.current()).toBe('value in the first file');
    await rm(path);
    await secrets.refresh();
    // A file that is away for a moment takes nothing from anyone, and is told once.
    expect(await handle.current()).toBe('value in the first file');
    await secrets.refresh();
    expect(log.filter((line) => line.includes('the last value stays in use')).length).toBe(1);
    await symlink(second, path);
    await secrets.refresh();
    expect(await handle.current()).toBe('value in the second file');
    expect(judge(secrets, 'key', 'value in the first file')).toBe('accepted');
    secrets.close();
  });

  it('keeps the old value when a rotation brings one that must not be used', async () => {
    const path = join(folder, 'checked');
    await writeFile(path, 'a value that is long enough');
    const secrets = create();
    const check = (value: string): void => {
      if (value.length < 16) throw new Error('weak');
    };
    const handle = secrets.define('key', `file:${path}`, { check });
    await handle.ready();
    await writeFile(path, 'weak');
    await secrets.refresh();
    expect([judge(secrets, 'key', 'weak'), judge(secrets, 'key', 'a value that is long enough')]).toEqual(['unknown', 'accepted']);
    secrets.close();
  });

  it.each([
    ['a file that is not there', 'file:/nowhere/at/all', /cannot be read/],
    ['a folder', 'file:/', /cannot be read/],
    ['an endless file', 'file:/dev/zero', /larger than|is empty|cannot be read/],
  ])('says what is wrong with %s', async (_, reference, words) => {
    const secrets = create();
    await expect(secrets.define('key', reference).ready()).rejects.toThrow(words);
    secrets.close();
  });

  it.each([
    'file:',
    'kubernetes:shop/name',
    'kubernetes:Shop/name/key',
    'kubernetes:a/b/c/d',
    'vault:path',
    'vault:#field',
    'vault:../x#y',
    'vault:a/./b#y',
    'vault:a?b#c',
  ])('refuses the reference %s', (reference) => {
    expect(() => create().define('key', reference)).toThrow(/reference/);
  });

  it('asks one source once for many who wait, and again after it failed', async () => {
    let asked = 0;
    const secrets = create({
      vault: async () => {
        asked += 1;
        if (asked === 1) throw new Error('down');
        return 'value from elsewhere';
      },
    });
    const handle = secrets.define('key', 'vault:team/key#value');
    const first = await Promise.allSettled([handle.current(), handle.current()]);
    expect([first.map(({ status }) => status), asked]).toEqual([['rejected', 'rejected'], 1]);
    expect(await Promise.all([handle.current(), handle.current()])).toEqual(['value from elsewhere', 'value from elsewhere']);
    expect(asked).toBe(2);
    secrets.close();
  });
});
