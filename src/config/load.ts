// One precedence for every key: defaults < file < environment < flags. What cannot be understood stops the start.

import { z } from 'zod';
import { dropAbsent, isAbsentVariable } from './absent.ts';
import { type ConfigKey, getAt, listKeys, type Shape } from './keys.ts';
import { addEnvironment, addFlags, type Environment, type FlagValue, readFileTree, type Sources, settleFile } from './sources.ts';
import { warnOfUnknown } from './variables.ts';
import { ERRORS, explain } from './words.ts';

export interface LoadOptions<Keys extends Shape> {
  /** All sections of all rooms. */
  readonly shape: Keys;
  /** Sections that the configuration itself brings along, by the names under `plugins`. */
  readonly extend?: (plugins: readonly string[]) => Promise<Shape>;
  readonly file?: string;
  readonly env: Environment;
  /** Values by dotted key, strings or already typed. */
  readonly flags: Readonly<Record<string, FlagValue>>;
}

export interface Loaded<Config> {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** Dotted key -> `file`, the variable, or the flag that set it. Absent = the default. */
  readonly from: ReadonlyMap<string, string>;
  readonly shape: Shape;
  /** The file as it was read. */
  readonly text: string;
}

const toSources = async (
  keys: readonly ConfigKey[],
  { file, env, flags }: Pick<LoadOptions<Shape>, 'file' | 'env' | 'flags'>,
): Promise<Sources> => {
  const { text, tree, substituted } =
    file === undefined ? { text: '', tree: {}, substituted: new Set<string>() } : await readFileTree(file, env);
  const sources: Sources = { text, tree, from: settleFile(keys, tree, substituted) };
  addEnvironment(sources, keys, env);
  addFlags(sources, keys, flags);
  return sources;
};

const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.length > 0 && value.every((name) => typeof name === 'string');

/** Reads, merges, checks. Throws INVALID_ARGUMENT that names every wrong key. */
export const loadConfig = async <Keys extends Shape>({
  shape: own,
  extend,
  ...given
}: LoadOptions<Keys>): Promise<Loaded<z.infer<z.ZodObject<Keys>>>> => {
  let keys = listKeys(own);
  let shape: Shape = own;
  let sources = await toSources(keys, given);
  const plugins = getAt(sources.tree, 'plugins');
  if (extend !== undefined && isNames(plugins)) {
    shape = { ...own, ...(await extend(plugins)) };
    keys = listKeys(shape);
    sources = await toSources(keys, given);
  }
  const { tree, from } = sources;
  const isAbsent = isAbsentVariable(Object.keys(shape));
  const warnings = [...dropAbsent(tree, shape, given.env), ...warnOfUnknown(keys, given.env, { text: sources.text, isAbsent })];
  const parsed = z.strictObject(shape).safeParse(tree, ERRORS);
  if (!parsed.success) throw explain(parsed.error.issues, { tree, from, keys });
  return { config: parsed.data as z.infer<z.ZodObject<Keys>>, warnings, from, shape, text: sources.text };
};
