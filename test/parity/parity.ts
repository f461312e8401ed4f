// For tests: the rows of the earlier edition, and a check that each is covered by a call with the arguments that it names.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

export interface Row {
  readonly old: string;
  readonly service: string;
  /** `-`: refused, for the reason in the note. */
  readonly tool: string;
  readonly argumentNames: readonly string[];
  readonly literals: Readonly<Record<string, string>>;
}

const toArguments = (text: string): readonly (readonly [string, string])[] =>
  text === '-' ? [] : text.split('; ').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)] as const);

export const rowsOf = (service: string): readonly Row[] =>
  readFileSync(new URL('./migration.tsv', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('\t'))
    .filter(([, owner]) => owner === service)
    .map(([old = '', owner = '', tool = '', args = '']) => {
      const pairs = toArguments(args);
      return {
        old,
        service: owner,
        tool,
        argumentNames: pairs.map(([name]) => name),
        literals: Object.fromEntries(pairs.filter(([, value]) => !/[<[{]/.test(value))),
      };
    });

type Args = Readonly<Record<string, unknown>>;

export interface Call {
  readonly args: Args;
  /** The capability, seen in the answer. */
  check(structured: Readonly<Record<string, unknown>>, text: string): void;
}

/** Pages after the first are asked for with the cursor of the page before. */
const CONTROL = 'cursor';

/** A test for each row: the call names what the row names, and the answer holds what the old tool was for. */
export const itCovers = (
  service: string,
  calls: Readonly<Record<string, Call>>,
  call: (tool: string, args: Args) => Promise<{ readonly structured: Readonly<Record<string, unknown>>; readonly text: string }>,
): void => {
  const rows = rowsOf(service);
  it(`has a call for every row of ${service}, and none beside`, () => {
    const wanted = rows.filter(({ tool }) => tool !== '-').map(({ old }) => old);
    expect(Object.keys(calls).toSorted()).toEqual(wanted.toSorted());
  });
  it.each(rows.filter(({ old }) => calls[old] !== undefined))(
    '$old is covered by $tool',
    async ({ old, tool, argumentNames, literals }) => {
      const { args, check } = calls[old] as Call;
      expect(argumentNames.filter((name) => name !== CONTROL && args[name] === undefined)).toEqual([]);
      for (const [name, value] of Object.entries(literals)) expect(String(args[name])).toBe(value);
      const first = await call(tool, args);
      const { next } = (first.structured['page'] ?? {}) as { next?: string };
      if (argumentNames.includes(CONTROL) && next !== undefined) {
        const second = await call(tool, { ...args, cursor: next });
        expect(second.structured).not.toEqual(first.structured);
      }
      check(first.structured, first.text);
    },
  );
};
