import { describe, expect, it } from 'vitest';
import { lastFire, zoneSlack } from './schedule.ts';

const at = (text: string): number => Date.parse(text);
const fired = (schedule: string, until: string): string | undefined => {
  const found = lastFire(schedule, at(until));
  return typeof found === 'number' ? new Date(found).toISOString() : found;
};

describe('when a schedule fired last', () => {
  it.each([
    ['*/5 * * * *', '2026-03-01T12:03:20Z', '2026-03-01T12:00:00.000Z'],
    ['30 3 * * *', '2026-03-01T03:29:59Z', '2026-02-28T03:30:00.000Z'],
    ['0 0 1 jan *', '2026-03-01T12:00:00Z', '2026-01-01T00:00:00.000Z'],
    ['0 9-17/2 * * mon-fri', '2026-03-01T12:00:00Z', '2026-02-27T17:00:00.000Z'],
    ['0 0 13 * fri', '2026-03-10T12:00:00Z', '2026-03-06T00:00:00.000Z'],
    ['0 0 29 2 *', '2026-03-01T12:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['@weekly', '2026-03-04T12:00:00Z', '2026-03-01T00:00:00.000Z'],
    ['5,35 1 * * ?', '2026-03-04T12:00:00Z', '2026-03-04T01:35:00.000Z'],
  ])('%s before %s: %s', (schedule, until, expected) => {
    expect(fired(schedule, until)).toBe(expected);
  });

  it('is never for a date that does not come', () => {
    expect(fired('0 0 31 2 *', '2026-03-01T12:00:00Z')).toBe('never');
    expect(fired('0 0 30 feb *', '2026-03-01T12:00:00Z')).toBe('never');
  });

  it.each(['', 'every day', '61 * * * *', '* * * *', '*/0 * * * *', '5-1 * * * *', '@reboot'])('is not known for %j', (schedule) => {
    expect(lastFire(schedule, at('2026-03-01T12:00:00Z'))).toBeUndefined();
  });

  it('leaves room for time zones unless it fires every hour', () => {
    expect(zoneSlack('*/5 * * * *')).toBeLessThan(zoneSlack('0 3 * * *'));
  });
});
