import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { toBlockYaml } from './block-yaml.ts';

const VALUES = {
  text: 'plain',
  odd: [
    'yes',
    'no',
    '1',
    '1.5',
    'null',
    '~',
    '',
    ' lead',
    'trail ',
    'a: b',
    '- x',
    '#x',
    '0x1F',
    '2026-11-22',
    '1_000',
    'é',
    '"',
    "'",
    '{',
    '*a',
  ],
  lines: 'one\ntwo\n',
  noEnd: 'one\n\n  two',
  numbers: [0, -1, 1.5, 1e21],
  empty: { map: {}, list: [], none: null },
  nested: [{ a: [{ b: 'c' }], d: true }],
};

it('writes YAML that reads as what was written', () => {
  expect(parse(toBlockYaml(VALUES))).toEqual(VALUES);
});

it('writes lists at the indentation of their key, as the API server does', () => {
  expect(toBlockYaml({ list: [{ a: '1', b: [2] }] })).toBe('list:\n- a: "1"\n  b:\n  - 2\n');
});
