// Plans as people read them: a line per target, a line per field, `+` and `-` for what comes and goes.

type Fields = Readonly<Record<string, unknown>>;
type RenderValue = (key: string, value: unknown, indent: string) => string[];

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

const isTargets = (value: unknown): value is readonly Fields[] =>
  Array.isArray(value) && value.every((item) => isFields(item) && typeof item['operation'] === 'string');

const isDiff = (value: unknown): value is readonly Fields[] =>
  Array.isArray(value) && value.every((item) => isFields(item) && typeof item['path'] === 'string' && typeof item['ref'] === 'string');

const toTargetLine = ({ operation, ref, version }: Fields): string =>
  `  ${String(operation)} ${String(ref)}${version === undefined ? '' : ` @${String(version)}`}`;

const MAX_INLINE = 120;

const toWord = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value)).replaceAll('\n', ' ⏎ ');

const toChangeLines = ({ path, before, after }: Fields, renderValue: RenderValue): string[] => {
  const name = path === '' ? '(whole object)' : String(path);
  if (before !== undefined && after !== undefined) return [`  ~ ${name}: ${toWord(before)} -> ${toWord(after)}`];
  const [sign, value] = before === undefined ? ['+', after] : ['-', before];
  const line = `  ${sign} ${name}: ${toWord(value)}`;
  return isFields(value) && line.length > MAX_INLINE ? renderValue(`${sign} ${name}`, value, '  ') : [line];
};

/** That a whole object goes is said by its target. */
const isSaid = ({ path, after }: Fields): boolean => path === '' && after === undefined;

const renderDiff = (all: readonly Fields[], renderValue: RenderValue): string[] => {
  const items = all.filter((item) => !isSaid(item));
  const refs = [...new Set(items.map(({ ref }) => ref))];
  return refs.flatMap((ref) => [
    refs.length === 1 ? 'diff:' : `diff of ${String(ref)}:`,
    ...items.filter((item) => item['ref'] === ref).flatMap((item) => toChangeLines(item, renderValue)),
  ]);
};

/** Undefined: not one of these, rendered like any other. */
export const renderChangePart = (key: string, value: unknown, renderValue: RenderValue): string[] | undefined => {
  if (key === 'targets' && isTargets(value)) return value.length === 0 ? ['targets: none'] : ['targets:', ...value.map(toTargetLine)];
  if (key === 'diff' && isDiff(value)) return value.length === 0 ? ['diff: none'] : renderDiff(value, renderValue);
  return undefined;
};
