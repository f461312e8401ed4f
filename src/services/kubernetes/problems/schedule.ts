// When a CronJob's schedule fired last: five fields as robfig/cron reads them (the library of the CronJob controller), in UTC.

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** 29 February comes within eight years; what has not fired in that time never does. */
const HORIZON_DAYS = 8 * 366;

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const MACROS: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

interface Range {
  readonly first: number;
  readonly last: number;
  readonly names?: readonly string[];
  /** Number of the first name. */
  readonly base?: number;
}

const RANGES: readonly Range[] = [
  { first: 0, last: 59 },
  { first: 0, last: 23 },
  { first: 1, last: 31 },
  { first: 1, last: 12, names: MONTHS, base: 1 },
  { first: 0, last: 6, names: DAYS, base: 0 },
];

const toNumber = (word: string, { names = [], base = 0 }: Range): number => {
  const named = names.indexOf(word.toLowerCase());
  return named >= 0 ? named + base : Number(word);
};

/** Undefined: not readable. */
const parseField = (text: string, range: Range): ReadonlySet<number> | undefined => {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [span = '', step] = part.split('/');
    const [from = '', to] = span === '*' || span === '?' ? [String(range.first), String(range.last)] : span.split('-');
    const start = toNumber(from, range);
    const end = to === undefined ? (step === undefined ? start : range.last) : toNumber(to, range);
    const by = Number(step ?? 1);
    if (![start, end, by].every(Number.isInteger) || by < 1 || start < range.first || end > range.last || start > end) return undefined;
    for (let value = start; value <= end; value += by) values.add(value);
  }
  return values;
};

const isAny = (text: string): boolean => /^[*?](\/1)?$/.test(text);

interface Schedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  isDay(day: Date): boolean;
}

const parseSchedule = (text: string): Schedule | undefined => {
  const trimmed = text.trim();
  const words = (MACROS[trimmed] ?? trimmed).split(/\s+/);
  const [minutes, hours, days, months, weekdays] = RANGES.map((range, index) => parseField(words[index] ?? '', range));
  if (words.length !== 5 || !minutes || !hours || !days || !months || !weekdays) return undefined;
  // With both restricted either is enough.
  const isEither = !isAny(words[2] ?? '') && !isAny(words[4] ?? '');
  const isDay = (day: Date): boolean => {
    const [ofMonth, ofWeek] = [days.has(day.getUTCDate()), weekdays.has(day.getUTCDay())];
    return months.has(day.getUTCMonth() + 1) && (isEither ? ofMonth || ofWeek : ofMonth && ofWeek);
  };
  return { minutes, hours, isDay };
};

/** The last time at or before `until` (milliseconds); undefined for a schedule that cannot be read here. */
export const lastFire = (text: string, until: number): number | 'never' | undefined => {
  const schedule = parseSchedule(text);
  if (schedule === undefined) return undefined;
  const today = Math.floor(until / DAY_MS) * DAY_MS;
  const hours = [...schedule.hours].toSorted((a, b) => b - a);
  const minutes = [...schedule.minutes].toSorted((a, b) => b - a);
  for (let back = 0; back < HORIZON_DAYS; back += 1) {
    const day = today - back * DAY_MS;
    if (!schedule.isDay(new Date(day))) continue;
    for (const hour of hours)
      for (const minute of minutes) {
        const at = day + (hour * 60 + minute) * MINUTE_MS;
        if (at <= until) return at;
      }
  }
  return 'never';
};

/** How far a run may lie from where UTC puts it: by the time zone of the CronJob, or of the controller, which is not known. */
export const zoneSlack = (text: string): number =>
  isAny(text.trim().split(/\s+/)[1] ?? '') || text.trim() === '@hourly' ? 60 * MINUTE_MS : 15 * 60 * MINUTE_MS;
