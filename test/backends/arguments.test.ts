import { expect, it } from 'vitest';
import { parseArguments } from './arguments.ts';

const vocabulary = { flags: ['json'], texts: ['run', 'redis'], names: ['redis', 'jaeger'], passing: ['exec', 'test'] };
const parse = (line: string) => parseArguments(line === '' ? [] : line.split(' '), vocabulary);

it('takes names and options in any order', () => {
  expect(parse('up --json redis --redis 7.0 jaeger --run=a=b')).toEqual({
    command: 'up',
    names: ['redis', 'jaeger'],
    flags: new Set(['json']),
    texts: { redis: '7.0', run: 'a=b' },
    rest: [],
  });
});

it('passes on what follows two dashes, and what begins with a word that is none of ours', () => {
  expect(parse('exec --run x -- redis --json').rest).toEqual(['redis', '--json']);
  expect(parse('exec sh -c --json').rest).toEqual(['sh', '-c', '--json']);
  expect(parse('test redis -t crash')).toMatchObject({ names: ['redis'], rest: ['-t', 'crash'] });
});

it('refuses what nobody knows', () => {
  expect(() => parse('up mysql')).toThrow('"mysql" is neither');
  expect(() => parse('up --wrong')).toThrow('"--wrong" is neither');
  expect(() => parse('status --run')).toThrow('--run needs a value');
});

it('helps when nothing is said', () => {
  expect(parse('').command).toBe('help');
});
