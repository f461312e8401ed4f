import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { withLock } from './lock.ts';

const cache = mkdtempSync(join(tmpdir(), 'cnmcp-lock-'));

beforeAll(() => void vi.stubEnv('XDG_CACHE_HOME', cache));

afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
});

it('lets one holder work at a time', async () => {
  const name = `test-${randomUUID()}`;
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  const entered = Promise.withResolvers<void>();
  const one = withLock(name, async () => {
    entered.resolve();
    await first.promise;
    order.push('first');
  });
  await entered.promise;
  const two = withLock(name, async () => void order.push('second'));
  first.resolve();
  await Promise.all([one, two]);
  expect(order).toEqual(['first', 'second']);
});

it('is free again after a failure', async () => {
  const name = `test-${randomUUID()}`;
  await expect(withLock(name, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await withLock(name, async () => 'free')).toBe('free');
});

it('is free again when its holder was killed', async () => {
  const name = `test-${randomUUID()}`;
  const module = JSON.stringify(join(import.meta.dirname, 'lock.ts'));
  const script = `import { withLock } from ${module}; await withLock('${name}', () => { process.stdout.write('held'); return new Promise(() => setInterval(() => 0, 1000)); });`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(holder.stdout, 'data');
  holder.kill('SIGKILL');
  expect(await withLock(name, async () => 'free')).toBe('free');
});
