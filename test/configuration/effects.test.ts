// Every key has a test that shows its effect, or stands among those that lack one.

import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { configKeys } from '../../src/settings.ts';
import { EFFECTS, UNPROVEN } from './effects.ts';

const keys = configKeys();
const covers = (entry: string, key: string): boolean => entry === key || (entry.endsWith('.') && key.startsWith(entry));
const entries = Object.entries(EFFECTS).flatMap(([file, list]) => list.map((entry) => [entry, file] as const));

describe('the effect of every key', () => {
  it('is shown by a test, or known to lack one', () => {
    const open = keys.map(({ key }) => key).filter((key) => !UNPROVEN.includes(key) && !entries.some(([entry]) => covers(entry, key)));
    expect(open).toEqual([]);
  });

  it('is not claimed twice, nor for keys that are not there', () => {
    expect(UNPROVEN.filter((key) => entries.some(([entry]) => covers(entry, key)))).toEqual([]);
    const all = [...UNPROVEN, ...entries.map(([entry]) => entry)];
    expect(all.filter((entry) => !keys.some(({ key }) => covers(entry, key)))).toEqual([]);
  });

  it.each(Object.entries(EFFECTS))('%s speaks of its keys', (file, list) => {
    expect(existsSync(file)).toBe(true);
    const text = readFileSync(file, 'utf8');
    // By name, by variable, or by the name in code, as `maxBodyBytes`.
    const names = ({ key, env, aliases = [] }: (typeof keys)[number]): string[] => [
      key,
      key.split('.').at(-1) ?? key,
      ...(env === undefined ? [] : [env.replace('<SERVICE>', '')]),
      ...aliases,
    ];
    const silent = keys
      .filter(({ key }) => list.some((entry) => covers(entry, key)))
      .filter((key) => !names(key).some((name) => text.includes(name)))
      .map(({ key }) => key);
    expect(silent).toEqual([]);
  });
});
