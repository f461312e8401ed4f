// config migrate: a file of the Go edition becomes one of this.

import { type Fate, migrate } from '../config/migrate.ts';
import { parseTree, readText } from '../config/sources.ts';
import { AppError } from '../kit/errors.ts';
import { configShape } from '../settings.ts';
import { parseFlags } from './options.ts';
import { formatTable } from './table.ts';

const ORDER = ['refused', 'unknown', 'changed', 'renamed', 'dropped', 'waiting', 'kept'] as const satisfies readonly Fate['outcome'][];

/** @returns the exit code: 1 when something in the file must be mended by hand */
export const run = async (argv: readonly string[]): Promise<number> => {
  const { positionals } = parseFlags(argv, {}, true);
  const [file] = positionals;
  if (file === undefined || positionals.length > 1)
    throw new AppError('INVALID_ARGUMENT', 'config migrate needs one file: config migrate old.yaml > new.yaml');
  const { tree, fates } = migrate(await parseTree(await readText(file), file), configShape);
  const { stringify } = await import('yaml');
  process.stdout.write(stringify(tree, { lineWidth: 0 }));
  const sorted = [...fates].sort((a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome));
  const rows = sorted.map(({ key, outcome, why }) => [key, outcome, why]);
  process.stderr.write(`${formatTable(['KEY', 'OUTCOME', 'WHY'], rows)}\n`);
  const counts = ORDER.map((outcome) => [fates.filter((fate) => fate.outcome === outcome).length, outcome] as const);
  process.stderr.write(
    `\n${counts
      .filter(([count]) => count > 0)
      .map(([count, outcome]) => `${count} ${outcome}`)
      .join(', ')}\n`,
  );
  return fates.some(({ outcome }) => outcome === 'refused' || outcome === 'unknown') ? 1 : 0;
};
