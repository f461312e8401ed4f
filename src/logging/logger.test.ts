import { describe, expect, it } from 'vitest';
import { withAmbient } from '../kit/ambient.ts';
import { AppError } from '../kit/errors.ts';
import { createRedactor } from '../secrets/redactor.ts';
import { createLogger, LEVELS, type LoggerOptions } from './logger.ts';

const NOW = Date.UTC(2026, 10, 22, 12, 0, 0, 7);
const SECRET = 'hunter2"with\nall\\sorts';

const open = (options: Partial<LoggerOptions> = {}) => {
  const lines: string[] = [];
  const redactor = createRedactor();
  const logger = createLogger({
    level: 'info',
    json: true,
    mask: redactor.mask,
    now: () => NOW,
    write: (line) => void lines.push(line),
    ...options,
  });
  return { logger, lines, redactor, entries: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>) };
};

describe('levels (SEED-LOG-01)', () => {
  it.each(LEVELS.map((level, index) => [level, LEVELS.slice(index)] as const))('%s writes %j', (level, written) => {
    const { logger, entries } = open({ level });
    for (const at of LEVELS) logger[at]({}, 'x');
    expect(entries().map((entry) => entry['level'])).toEqual(written);
  });

  it('fatal counts as error', () => {
    const { logger, entries } = open({ level: 'fatal' });
    logger.warn({}, 'x');
    logger.error({}, 'y');
    expect(entries().map((entry) => entry['message'])).toEqual(['y']);
  });

  it('of a single service go before the common one, in both directions', () => {
    const { logger, entries } = open({ level: 'warn', services: { kubernetes: 'debug', helm: 'error' } });
    logger.debug({ service: 'kubernetes' }, 'kubernetes debug');
    logger.warn({ service: 'helm' }, 'helm warn');
    logger.info({ service: 'grafana' }, 'grafana info');
    logger.warn({}, 'warn');
    expect(entries().map((entry) => entry['message'])).toEqual(['kubernetes debug', 'warn']);
    expect([logger.writes?.('debug', 'kubernetes'), logger.writes?.('info'), logger.writes?.('info', 'helm')]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe('formats (SEED-LOG-02)', () => {
  it('JSON has level, timestamp in RFC 3339 UTC, message, then the fields, typed', () => {
    const { logger, lines } = open();
    logger.info({ service: 'kubernetes', duration_ms: 12, ok: true, none: null, absent: undefined }, 'tool call');
    expect(lines).toEqual([
      '{"level":"info","timestamp":"2026-11-22T12:00:00.007Z","message":"tool call","service":"kubernetes","duration_ms":12,"ok":true,"none":null}\n',
    ]);
  });

  it('text has the same as key=value, quoted where it must be', () => {
    const { logger, lines } = open({ json: false });
    logger.warn({ path: '/mcp', words: 'two words', quote: 'a"b', empty: '', back: 'a\\b', list: [1, 'x'] }, 'http request');
    expect(lines).toEqual([
      '2026-11-22T12:00:00.007Z WARN  http request path=/mcp words="two words" quote="a\\"b" empty="" back="a\\\\b" list="[1,\\"x\\"]"\n',
    ]);
  });

  it.each([true, false])('an entry is one line whatever is in it (json: %s)', (json) => {
    const { logger, lines } = open({ json });
    logger.info({ text: 'a\nb\r\nc', nested: { deep: 'x\ny' }, 'odd key=': 1 }, 'first\nsecond\r\nthird');
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toMatch(/[\n\r]/);
  });
});

describe('fields (SEED-LOG-03)', () => {
  it('cannot overwrite what the line itself says', () => {
    const { logger, entries } = open();
    logger.info({ level: 'error', timestamp: 'never', message: 'lie', service: 'x' }, 'truth');
    expect(entries()).toEqual([
      {
        level: 'info',
        timestamp: '2026-11-22T12:00:00.007Z',
        message: 'truth',
        field_level: 'error',
        field_timestamp: 'never',
        field_message: 'lie',
        service: 'x',
      },
    ]);
  });

  it('may be cyclic, huge, deep or of odd types, and still give a line', () => {
    const { logger, entries } = open();
    const cycle: Record<string, unknown> = { name: 'cycle' };
    cycle['self'] = cycle;
    const deep = Array.from({ length: 50 }).reduce<unknown>((inner) => ({ inner }), 'bottom');
    logger.info(
      { cycle, deep, big: 10n, when: new Date(NOW), bad: new Date(Number.NaN), long: 'x'.repeat(100_000), many: new Array(1000).fill(0) },
      'x',
    );
    const [entry = {}] = entries();
    expect(entry).toMatchObject({ cycle: { name: 'cycle' }, big: '10', when: '2026-11-22T12:00:00.007Z', bad: null });
    expect(JSON.stringify(entry).length).toBeLessThan(20_000);
  });

  it('that are errors are told with name, words, code, stack and cause', () => {
    const { logger, entries } = open();
    logger.error({ fault: new AppError('DATA_ERROR', 'odd', { cause: new Error('inner') }) }, 'internal fault');
    expect(entries()[0]).toMatchObject({
      fault: { name: 'AppError', message: 'odd', code: 'DATA_ERROR', stack: expect.stringContaining('at '), cause: { message: 'inner' } },
    });
  });
});

describe.each([true, false])('secrets (json: %s)', (json) => {
  it('are masked in messages, nested fields, keys, arrays and errors, also when they would be split or escaped', () => {
    const { logger, lines, redactor } = open({ json });
    redactor.learn(SECRET);
    const fault = new Error(`refused ${SECRET}`, { cause: new Error(SECRET) });
    logger.error(
      { plain: SECRET, nested: { list: [`x ${SECRET} y`] }, [`key ${SECRET}`]: 1, fault, url: 'https://me:word@host/' },
      `with ${SECRET}`,
    );
    const text = lines.join('');
    for (const part of ['hunter2', 'all\\\\sorts', 'me:word']) expect(text).not.toContain(part);
    expect(text).toContain('***');
  });
});

describe('what follows a request (SEED-LOG-04)', () => {
  it('stands on each of its lines without being passed, through every wait, and on no other', async () => {
    const { logger, entries } = open();
    const work = async (name: string): Promise<void> => {
      await new Promise((resolve) => setImmediate(resolve));
      logger.info({ name }, 'inside');
    };
    await Promise.all([
      withAmbient({ requestId: 'r-1', traceId: 't-1', spanId: 's-1', principal: 'anna' }, () => work('one')),
      withAmbient({ requestId: 'r-2', principal: 'ben' }, () => work('two')),
    ]);
    logger.info({ name: 'three' }, 'outside');
    const ids = entries().map(({ name, request_id, trace_id, span_id, principal }) => ({ name, request_id, trace_id, span_id, principal }));
    expect(ids).toEqual([
      { name: 'one', request_id: 'r-1', trace_id: 't-1', span_id: 's-1', principal: 'anna' },
      { name: 'two', request_id: 'r-2', principal: 'ben' },
      { name: 'three' },
    ]);
  });
});
