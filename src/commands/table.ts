// Tables for people in a terminal.

/** Columns padded to their widest cell; the last column is not padded. */
export const formatTable = (columns: readonly string[], rows: readonly (readonly string[])[]): string => {
  const widths = columns.map((column, index) => Math.max(column.length, ...rows.map((row) => row[index]?.length ?? 0)));
  const toLine = (row: readonly string[]): string =>
    row
      .map((cell, index) => (index === columns.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd();
  return [toLine(columns), ...rows.map(toLine)].join('\n');
};
