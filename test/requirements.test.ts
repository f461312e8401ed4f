import { readFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { REQUIREMENTS } from './requirements.ts';

const ID = /\b(?:SEED|GUIDE|RULE)-(?:[A-Z]+-)*[A-Z]*\d*\b/g;

const cited = new Set<string>();
for await (const file of glob('{src,test}/**/*.test.ts')) collect(file);
for await (const file of glob('test/**/*{suite,contract,run}.ts')) collect(file);

function collect(file: string): void {
  for (const id of readFileSync(file, 'utf8').match(ID) ?? []) cited.add(id);
}

const ids = Object.entries(REQUIREMENTS);

describe('the promises', () => {
  it('that count as proven are cited by a test', () => {
    expect(ids.filter(([id, [state]]) => state === 'proven' && !cited.has(id)).map(([id]) => id)).toEqual([]);
  });

  it('that tests cite exist, and count as proven', () => {
    const known: Readonly<Record<string, readonly [string, string]>> = REQUIREMENTS;
    expect([...cited].filter((id) => known[id]?.[0] !== 'proven')).toEqual([]);
  });

  it('that are due are known', () => {
    const due = ids.filter(([, [state]]) => state === 'due').length;
    expect(due).toBe(ids.length - ids.filter(([, [state]]) => state === 'proven').length);
    process.stdout.write(`${ids.length - due} of ${ids.length} promises proven, ${due} due\n`);
  });
});
