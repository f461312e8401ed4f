import { describe, expect, it } from 'vitest';
import { parseLabelSelector, toLabelSelector } from './label-selector.ts';

const LABELS = { app: 'web', tier: 'front', size: '5', empty: '', in: 'notin' };

describe('label selectors', () => {
  it.each([
    ['', true],
    ['app', true],
    ['!app', false],
    ['!gone', true],
    ['app=web', true],
    ['app==web', true],
    ['app!=web', false],
    ['gone!=web', true],
    ['app in (web, cart)', true],
    ['app notin (web)', false],
    ['gone notin (web)', true],
    ['size>4,size<6', true],
    ['size>5', false],
    ['empty=', true],
    ['empty in ()', true],
    ['in in (in,notin)', true],
    [' app = web , tier ', true],
    ['app=web,tier=back', false],
  ])('%s', (text, isMatch) => {
    expect(parseLabelSelector(text).matches(LABELS)).toBe(isMatch);
  });

  it.each(['a in', 'a in (', 'a in (b', 'a,,b', ',a', 'a b', '=a', 'a=b=c', 'x>a', '/x=y', 'x=-y', '!a=b', 'A/b/c=d'])(
    'refuses %s',
    (text) => {
      expect(() => parseLabelSelector(text)).toThrow(/unable to parse requirement|found .*, expected/);
    },
  );

  it('read from objects, where none selects nothing and an empty one all', () => {
    expect(toLabelSelector(undefined).matches(LABELS)).toBe(false);
    expect(toLabelSelector({}).matches(LABELS)).toBe(true);
    const expressions = [
      { key: 'app', operator: 'In', values: ['web'] },
      { key: 'gone', operator: 'DoesNotExist' },
    ];
    expect(toLabelSelector({ matchLabels: { tier: 'front' }, matchExpressions: expressions }).matches(LABELS)).toBe(true);
    expect(toLabelSelector({ matchLabels: { tier: 'back' } }).matches(LABELS)).toBe(false);
  });
});
