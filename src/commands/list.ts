// --list services|tools: what a server with these settings would have, for people and scripts.

import { createApp } from '../app.ts';
import { AppError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';
import { type ParsedFlags, toSettings } from './options.ts';
import { formatTable } from './table.ts';

type Row = Readonly<Record<string, string | number>>;

const OUTPUTS = ['text', 'json', 'table', 'csv'] as const;
type Output = (typeof OUTPUTS)[number];

const toChoice = <Choice extends string>(flag: string, value: unknown, choices: readonly Choice[]): Choice => {
  const found = choices.find((choice) => choice === value);
  if (found === undefined)
    throw new AppError('INVALID_ARGUMENT', `--${flag} must be one of ${choices.join(', ')}.`, { details: { choices } });
  return found;
};

/** RFC 4180. A cell that a spreadsheet would run as a formula is made a text. */
const toCell = (value: string | number): string => {
  const text = /^[=+\-@\t\r]/.test(String(value)) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

const format = (rows: readonly Row[], columns: readonly string[], output: Output): string => {
  const cells = rows.map((row) => columns.map((column) => row[column] ?? ''));
  switch (output) {
    case 'json':
      return JSON.stringify(rows, undefined, 2);
    case 'csv':
      return [columns, ...cells].map((line) => line.map(toCell).join(',')).join('\r\n');
    case 'table':
      return formatTable(
        columns.map((column) => column.toUpperCase()),
        cells.map((line) => line.map(String)),
      );
    case 'text':
      return cells.map(([first, ...rest]) => (rest.length === 0 ? first : `${first}: ${rest.join(', ')}`)).join('\n');
  }
};

/** @returns the exit code */
export const list = async (flags: ParsedFlags): Promise<number> => {
  const { list: wanted, output = 'text', service, verbose } = flags.values;
  const what = toChoice('list', wanted, ['services', 'tools']);
  const form = toChoice('output', output, OUTPUTS);
  const app = await createApp(await toSettings(flags, { profiles: ['all'], 'audit.enabled': false }), { log: () => {} });
  try {
    if (service !== undefined && !app.serviceNames.includes(String(service)))
      throw new AppError(
        'INVALID_ARGUMENT',
        `There is no service ${service}, or it is not configured. Services: ${app.serviceNames.join(', ')}.`,
        {
          details: { nearest: nearestNames(String(service), app.serviceNames) },
        },
      );
    const { tools } = app.surface(['all']).selection;
    const offered = new Set(tools.map(({ name }) => name));
    const own = app.manager.catalogues
      .filter(({ name }) => service === undefined || name === service)
      .map(({ name, title, tools: all }) => ({ name, title, tools: all.filter((tool) => offered.has(tool.name)) }));
    const isLong = verbose === true;
    const services = own.map(({ name, title, tools: mine }) => ({ name, tools: mine.length, ...(isLong ? { title } : {}) }));
    const every = own.flatMap(({ name, tools: mine }) =>
      mine.map((tool) => ({ name: tool.name, service: name, effect: tool.effect, ...(isLong ? { description: tool.description } : {}) })),
    );
    const rows: readonly Row[] = what === 'services' ? services : every;
    const columns =
      what === 'services'
        ? ['name', 'tools', ...(isLong ? ['title'] : [])]
        : ['name', 'service', 'effect', ...(isLong ? ['description'] : [])];
    process.stdout.write(`${format(rows, columns, form)}\n`);
    // Counts stand beside the data, so that scripts read rows alone.
    if (form === 'text' || form === 'table') process.stdout.write(`\n${rows.length} ${what}\n`);
    return 0;
  } finally {
    await app.close();
  }
};
