import { expect, it } from 'vitest';
import { findAll } from './json-path.ts';

const OBJECT = {
  metadata: { annotations: { 'example.com/x': 'y' } },
  spec: {
    list: [
      { name: 'a', size: 1 },
      { name: 'b', size: 2 },
    ],
    flag: false,
  },
};

it.each([
  ['.spec.flag', [false]],
  ['.spec.list[0].name', ['a']],
  ['.spec.list[-1].name', ['b']],
  ['.spec.list[*].size', [1, 2]],
  ['.spec.list[?(@.name=="b")].size', [2]],
  ['.spec.list[?(@.size>1)].name', ['b']],
  ['.metadata.annotations.example\\.com/x', ['y']],
  ["['metadata']['annotations']['example.com/x']", ['y']],
  ['.spec.gone', []],
  ['.spec.list[7].name', []],
])('finds %s', (path, found) => {
  expect(findAll(OBJECT, path)).toEqual(found);
});
