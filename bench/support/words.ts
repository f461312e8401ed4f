// Figures as people read them, and the one table.

import type { PeerName, Row } from './rows.ts';

export const toCount = (value: number): string => Math.round(value).toLocaleString('en-US');
export const toMs = (value: number): string => `${value < 10 ? value.toFixed(1) : toCount(value)} ms`;
export const toTimes = (value: number): string => `${value < 10 ? value.toFixed(2) : value.toFixed(1)}x`;
export const toMib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
export const toKb = (bytes: number): string => `${(bytes / 1000).toFixed(1)} KB`;

const MAX_WIDTH = 74;

/** Words broken into lines that fit a column. */
const wrap = (text: string, width = MAX_WIDTH): string[] => {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines;
};

const toHolds = ({ holds }: Row): string => (holds === undefined ? '' : holds ? 'yes' : 'NO');

/** All rows as one table of plain text; with a column per peer if one has something to say. */
export const toTable = (rows: readonly Row[]): string => {
  const peers = (['KMS', 'FLX'] as const).filter((name) => rows.some((row) => row.peers?.[name] !== undefined));
  const peerCells = (row: Row): string[] => peers.map((name: PeerName) => row.peers?.[name] ?? '');
  const widths = peers.length > 0 ? [4, 34, 44, 30, 5, 34, 34] : [4, 40, 60, 40, 5];
  const cells = [
    ['id', 'what', 'ours', 'bar', 'holds', ...peers],
    ...rows.map((row) => [row.id, row.what, row.ours, row.bar ?? '', toHolds(row), ...peerCells(row)]),
  ].map((line) => line.map((text, column) => wrap(text, widths[column])));
  const fit = (cells[0] ?? []).map((_, column) => Math.max(...cells.flatMap((line) => line[column] ?? []).map((text) => text.length)));
  const rule = `+${fit.map((width) => '-'.repeat(width + 2)).join('+')}+`;
  const lines = cells.flatMap((line) => {
    const height = Math.max(...line.map((texts) => texts.length));
    return [
      ...Array.from(
        { length: height },
        (_, at) => `| ${line.map((texts, column) => (texts[at] ?? '').padEnd(fit[column] ?? 0)).join(' | ')} |`,
      ),
      rule,
    ];
  });
  return [rule, ...lines].join('\n');
};
