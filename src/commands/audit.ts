// audit: asks the stored records, and whether their chain is whole. Works beside a running server.

import type { AuditConfig } from '../audit/config.ts';
import { type AuditFilters, parseAuditQuery, toCursor } from '../audit/parameters.ts';
import { toQueryLimits } from '../audit/query-limits.ts';
import type { AuditRecord } from '../audit/record.ts';
import type { AuditPage, AuditReader } from '../audit/storage.ts';
import { openReader, type ReaderKind, toReaderKinds } from '../audit/storages.ts';
import { type Verdict, verify } from '../audit/verify.ts';
import { AppError } from '../kit/errors.ts';
import { HELP_OPTION, type ParsedFlags, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';
import { formatTable } from './table.ts';

const HELP = `Usage: audit verify [--file] [--sqlite] [--postgres] [--expect PLACE] [--json] [settings]
       audit query  [--user ID] [--service NAME] [--tool NAME] [--status STATUS] [--from TIME] [--to TIME]
                    [--limit N] [--order asc|desc] [--cursor CURSOR] [--json] [settings]

verify reads every stored line and says whether the chain is intact, or which record was altered, removed or reordered.
  It prints the place of the newest record. Keep it elsewhere: with --expect PLACE a later run tells whether the end is missing.
query lists records, newest first.
Both read what audit.storage says; --file, --sqlite and --postgres choose one. Exit code 1 when the chain is not intact.
`;

const OPTIONS = {
  ...SETTING_OPTIONS,
  ...HELP_OPTION,
  file: { type: 'boolean' },
  sqlite: { type: 'boolean' },
  postgres: { type: 'boolean' },
  json: { type: 'boolean' },
  expect: { type: 'string' },
  user: { type: 'string' },
  service: { type: 'string' },
  tool: { type: 'string' },
  status: { type: 'string' },
  from: { type: 'string' },
  to: { type: 'string' },
  limit: { type: 'string' },
  order: { type: 'string' },
  cursor: { type: 'string' },
} as const;

/** Flag -> parameter of the endpoint. */
const FILTERS = {
  user: 'user_id',
  service: 'service_name',
  tool: 'tool_name',
  status: 'status',
  from: 'from',
  to: 'to',
  limit: 'limit',
  order: 'order',
  cursor: 'cursor',
} as const satisfies Readonly<Record<string, keyof AuditFilters>>;

const chooseKinds = ({ values }: ParsedFlags, configured: readonly ReaderKind[]): readonly ReaderKind[] => {
  const chosen = (['file', 'sqlite', 'postgres'] as const).filter((flag) => values[flag] === true);
  if (chosen.length > 0) return chosen.map((flag) => (flag === 'postgres' ? 'postgresql' : flag));
  if (configured.length > 0) return configured;
  throw new AppError(
    'INVALID_ARGUMENT',
    'audit.storage is memory, which no other process can read. Choose --file, --sqlite or --postgres.',
    {
      details: { key: 'audit.storage' },
    },
  );
};

const toVerdictText = (kind: ReaderKind, { flaw, lines, writers, torn, head }: Verdict): string => {
  const size = `${lines} lines of ${writers} writers`;
  const cut =
    torn > 0 ? `\n${kind}: the last line was cut off after ${torn} bytes, as by a crash while it was written; that is no tampering` : '';
  const place = head === undefined ? '' : `\n${kind}: newest ${head}`;
  if (flaw === undefined) return `${kind}: intact, ${size}${cut}${place}\n`;
  return `${kind}: NOT INTACT: record ${flaw.writer}:${flaw.seq} was ${flaw.kind} (line ${flaw.line}: ${flaw.detail})${cut}\n`;
};

const runVerify = async (flags: ParsedFlags, readers: readonly (readonly [ReaderKind, AuditReader])[]): Promise<number> => {
  const { expect } = flags.values;
  let code = 0;
  const verdicts: Record<string, Verdict> = {};
  for (const [kind, reader] of readers) {
    const verdict = await verify(reader, typeof expect === 'string' ? { expected: expect } : {});
    verdicts[kind] = verdict;
    if (verdict.flaw !== undefined) code = 1;
    if (flags.values['json'] !== true) process.stdout.write(toVerdictText(kind, verdict));
  }
  if (flags.values['json'] === true) process.stdout.write(`${JSON.stringify(verdicts)}\n`);
  return code;
};

const toRow = (record: AuditRecord): string[] => [
  record.timestamp,
  record.user_id,
  record.tool_name === '' ? record.action : record.tool_name,
  record.status,
  record.duration_ms === undefined ? '' : `${Math.round(record.duration_ms)} ms`,
  record.error_msg ?? record.objects?.map(({ ref, operation }) => `${operation} ${ref}`).join(', ') ?? '',
];

const toQueryText = ({ records, total, next }: AuditPage): string => {
  const table = formatTable(['TIME', 'USER', 'TOOL', 'STATUS', 'DURATION', 'DETAIL'], records.map(toRow));
  const more = next === undefined ? '' : `; more with --cursor ${toCursor(next)}`;
  return `${table}\n${records.length} of ${total} records${more}\n`;
};

const runQuery = async (flags: ParsedFlags, reader: AuditReader, config: AuditConfig): Promise<number> => {
  const given = Object.fromEntries(
    Object.entries(FILTERS).flatMap(([flag, name]) => (typeof flags.values[flag] === 'string' ? [[name, flags.values[flag]]] : [])),
  ) as AuditFilters;
  const page = await reader.query(parseAuditQuery(given, toQueryLimits(config), Date.now()));
  process.stdout.write(flags.values['json'] === true ? `${JSON.stringify(page.records)}\n` : toQueryText(page));
  return 0;
};

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const flags = parseFlags(argv, OPTIONS, true);
  const [what, ...rest] = flags.positionals;
  if (flags.values['help'] === true) {
    process.stdout.write(HELP);
    return 0;
  }
  if ((what !== 'verify' && what !== 'query') || rest.length > 0)
    throw new AppError('INVALID_ARGUMENT', 'audit needs one of: verify, query. See audit --help.');
  const { config } = await toSettings(flags);
  const kinds = chooseKinds(flags, toReaderKinds(config.audit));
  const readers: (readonly [ReaderKind, AuditReader])[] = [];
  try {
    for (const kind of what === 'query' ? kinds.slice(-1) : kinds) readers.push([kind, await openReader(kind, config.audit)]);
    return what === 'verify' ? await runVerify(flags, readers) : await runQuery(flags, readers[0]?.[1] as AuditReader, config.audit);
  } finally {
    await Promise.all(readers.map(([, reader]) => reader.close()));
  }
};
