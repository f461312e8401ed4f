// Rules that hold for the whole tree: generated files are fresh, nothing is switched off, versions agree, no host names of registries.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { NAME, VERSION } from '../src/version.ts';

const tracked = execFileSync('git', ['ls-files'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '');
const read = (file: string): string => readFileSync(file, 'utf8');

describe('the tree', () => {
  it('has fresh generated files', () => {
    expect(execFileSync(process.execPath, ['scripts/generate.ts', '--check'], { encoding: 'utf8' })).toBe('');
  });

  it('says the version of package.json', () => {
    const { name, version } = JSON.parse(read('package.json')) as { name: string; version: string };
    expect({ name, version }).toEqual({ name: NAME, version: VERSION });
  });

  it('has no test that is switched off', () => {
    const switchedOff = /\b(?:it|test|describe)\.(?:skip|todo|only)\b|\b(?:skipIf|runIf)\(/;
    expect(tracked.filter((file) => /\.test\.ts$/.test(file) && file !== 'test/guards.test.ts' && switchedOff.test(read(file)))).toEqual(
      [],
    );
  });

  it('mocks none of its own modules', () => {
    expect(tracked.filter((file) => file.endsWith('.ts') && file !== 'test/guards.test.ts' && /vi\.mock\(/.test(read(file)))).toEqual([]);
  });

  it('locks the packages of every platform: `npm ci` refuses the whole file otherwise', () => {
    type Locked = { optionalDependencies?: Record<string, string> };
    const { packages } = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
    const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) => {
      const beside = path.slice(0, path.lastIndexOf('node_modules/'));
      const isLocked = (name: string): boolean => [`${path}/`, beside, ''].some((from) => packages[`${from}node_modules/${name}`]);
      return Object.keys(optionalDependencies).filter((name) => !isLocked(name));
    });
    expect(missing, 'node scripts/lock.ts adds them').toEqual([]);
  });

  it('names no registry and no path of a machine', () => {
    const lock = JSON.parse(read('package-lock.json')) as { packages: Record<string, { resolved?: string }> };
    expect(Object.values(lock.packages).flatMap(({ resolved }) => resolved ?? [])).toEqual([]);
    const own = tracked.filter((file) => /\.(ts|md|json|ya?ml|sh)$/.test(file) && file !== 'test/guards.test.ts');
    expect(own.filter((file) => /\/(?:work|root|home\/[a-z]+)\/(?:main|shared)\b|registry\.npmjs\.org/.test(read(file)))).toEqual([]);
  });
});
