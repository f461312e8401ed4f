import { describe, expect, it } from 'vitest';
import { byNewest, parseVersion, pickNewest, toConstraint } from './semver.ts';

const fits = (range: string, version: string): boolean => {
  const parsed = parseVersion(version);
  return parsed !== undefined && toConstraint(range)(parsed);
};

describe('versions of charts', () => {
  it('are ordered as SemVer 2 says, section 11', () => {
    const ordered = [
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.2.0',
      '1.10.0',
      'v2.0.0',
    ];
    expect(ordered.toReversed().toSorted(byNewest)).toEqual(ordered.toReversed());
    expect(['nonsense', '1.0.0', 'latest'].toSorted(byNewest)[0]).toBe('1.0.0');
  });

  it.each([
    ['1.2.3', '1.2.3', '1.2.4'],
    ['1.2', '1.2.9', '1.3.0'],
    ['1.x', '1.9.9', '2.0.0'],
    ['*', '0.0.1', '1.0.0-rc.1'],
    ['^1.2.3', '1.9.0', '2.0.0'],
    ['^0.2.3', '0.2.9', '0.3.0'],
    ['^0.0.3', '0.0.3', '0.0.4'],
    ['~1.2.3', '1.2.9', '1.3.0'],
    ['~1', '1.9.0', '2.0.0'],
    ['>=1.2 <2', '1.9.0', '2.0.0'],
    ['>= 1.2, < 2', '1.2.0', '1.1.9'],
    ['>1.2', '1.3.0', '1.2.5'],
    ['<=1.2', '1.2.9', '1.3.0'],
    ['1.2 - 1.4', '1.4.9', '1.5.0'],
    ['!=1.2.0', '1.2.1', '1.2.0'],
    ['1.x || 3.x', '3.1.0', '2.0.0'],
    ['^1.0.0-0', '1.1.0-rc.1', '2.0.0'],
  ])('%s holds for %s and not for %s', (range, yes, no) => {
    expect([fits(range, yes), fits(range, no)]).toEqual([true, false]);
  });

  it.each(['', 'latest', '--version', '1.2.3.4', '>', '1.2.3; rm', 'a'.repeat(300)])('%s is no range', (range) => {
    expect(() => toConstraint(range)).toThrowError(/no version/);
  });

  it('are picked stable unless a pre-release is meant', () => {
    const versions = ['2.0.0-rc.1', '1.0.0', '1.1.0', 'odd'];
    expect([
      pickNewest(versions, undefined),
      pickNewest(versions, undefined, true),
      pickNewest(versions, '2.0.0-rc.1'),
      pickNewest(versions, '^3'),
    ]).toEqual(['1.1.0', '2.0.0-rc.1', '2.0.0-rc.1', undefined]);
  });
});
