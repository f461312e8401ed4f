import { expect, it } from 'vitest';
import { parseQuantity, toQuantity } from './quantity.ts';

it.each([
  ['100m', 0.1],
  ['1', 1],
  ['1.5', 1.5],
  ['64Mi', 64 * 2 ** 20],
  ['1Gi', 2 ** 30],
  ['1G', 1e9],
  ['2k', 2000],
  ['1e3', 1000],
  ['500n', 5e-7],
])('%s is %d', (text, number) => {
  expect(parseQuantity(text)).toBeCloseTo(number, 9);
});

it('writes the shortest form', () => {
  expect([
    toQuantity(0.25, 'decimal'),
    toQuantity(2, 'decimal'),
    toQuantity(512 * 2 ** 20, 'binary'),
    toQuantity(2 ** 31, 'binary'),
  ]).toEqual(['250m', '2', '512Mi', '2Gi']);
});
