import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBytes, formatCores, parseQuantity, sumQuantities } from './quantity.ts';

describe('quantities', () => {
  it.each([
    ['0', 0],
    ['250m', 0.25],
    ['1', 1],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['1.', 1],
    ['251346n', 0.000251346],
    ['12u', 0.000012],
    ['123Mi', 128_974_848],
    ['1.5Gi', 1_610_612_736],
    ['2Ei', 2 ** 61],
    ['1k', 1000],
    ['3G', 3_000_000_000],
    ['1E', 1e18],
    ['1e3', 1000],
    ['12E2', 1200],
    ['5e-1', 0.5],
    ['-2Ki', -2048],
    ['+4', 4],
    [' 7 ', 7],
    [8, 8],
  ])('%j is %d', (text, value) => {
    expect(parseQuantity(text)).toBe(value);
  });

  it.each(['', 'abc', '1Kib', '1 Gi', 'Mi', '1mm', 'NaN', 'Infinity', '0x10', null, undefined, Number.NaN, {}])(
    '%j is no quantity',
    (text) => {
      expect(parseQuantity(text)).toBeUndefined();
    },
  );

  it('add up, whatever cannot be read', () => {
    expect(sumQuantities(['100m', '0.4', 'x', undefined])).toBe(0.5);
  });

  it.each([
    [0, '0'],
    [0.0002, '0.2m'],
    [0.25, '250m'],
    [0.9999, '1'],
    [1, '1'],
    [1.5, '1.5'],
    [12.345, '12.35'],
  ])('%d cores are %s', (cores, text) => {
    expect(formatCores(cores)).toBe(text);
  });

  it.each([
    [0, '0'],
    [900, '900'],
    [1024, '1Ki'],
    [128_974_848, '123Mi'],
    [1_610_612_736, '1.5Gi'],
    [-2048, '-2Ki'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
  });

  it('what is printed reads back as nearly the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 50 }), (value) => {
        expect(Math.abs((parseQuantity(formatBytes(value)) ?? 0) - value) / value).toBeLessThan(0.06);
        const cores = value / 1e6;
        expect(Math.abs((parseQuantity(formatCores(cores)) ?? 0) - cores)).toBeLessThanOrEqual(Math.max(0.0051, cores * 0.01));
      }),
    );
  });
});
