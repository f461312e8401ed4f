import { describe, expect, it } from 'vitest';
import { chooseCoding } from './index.ts';

describe('the choice of a coding', () => {
  it.each([
    [null, undefined],
    ['', undefined],
    ['gzip', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['br;q=0.5, gzip;q=0.8', 'gzip'],
    ['*', 'zstd'],
    ['*;q=0', undefined],
    ['gzip;q=0', undefined],
    ['identity, gzip;q=0.5', undefined],
    ['identity;q=0.5, gzip', 'gzip'],
    ['deflate', undefined],
    ['GZIP ; q=1.0', 'gzip'],
    ['gzip;q=nonsense', undefined],
  ])('answers %j with %s', (accept, expected) => {
    expect(chooseCoding(accept, ['zstd', 'br', 'gzip'])).toBe(expected);
  });
});
