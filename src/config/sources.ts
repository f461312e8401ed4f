// Where values come from: the file, the environment, flags. Merged into one tree, each key with its source.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../kit/errors.ts';
import { parseYaml } from '../kit/yaml.ts';
import { type ConfigKey, deleteAt, getAt, isTree, setAt, toInner } from './keys.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
type Tree = Record<string, unknown>;

export const refuse = (key: string, message: string, extra: Record<string, unknown> = {}): AppError =>
  new AppError('INVALID_ARGUMENT', `Configuration ${key}: ${message}`, { details: { key, ...extra } });

/** Text as the type of the key; what is no such thing stays text, and is refused by the schema. */
const fromText = (text: string, { type, schema }: ConfigKey): unknown => {
  if (type === 'boolean') return /^(1|true|yes|on)$/i.test(text) ? true : /^(0|false|no|off)$/i.test(text) ? false : text;
  if (type === 'number') return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
  if (type === 'enum')
    return Object.values(toInner(schema).entries ?? {}).find((choice) => String(choice).toLowerCase() === text.toLowerCase()) ?? text;
  if (type !== 'array') return text;
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
};

/** `${NAME}` from the environment; `$${` is a literal; an unset name stops the start. Notes the keys that were changed. */
const substitute = (value: unknown, env: Environment, key: string, changed: Set<string>): unknown => {
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, env, `${key}[${index}]`, changed));
  if (isTree(value))
    return Object.fromEntries(
      Object.entries(value)
        // A key without a value is a key that is not set.
        .filter(([, item]) => item !== null)
        .map(([name, item]) => [name, substitute(item, env, key === '' ? name : `${key}.${name}`, changed)]),
    );
  if (typeof value !== 'string') return value;
  return value.replace(/\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, literal: string | undefined, name: string | undefined) => {
    if (literal !== undefined) return literal;
    const found = env[name ?? ''];
    if (found === undefined)
      throw refuse(key, `the environment variable ${name} is not set. Set it, or write $\${${name}} if the text itself is meant.`);
    changed.add(key);
    return found;
  });
};

/** @throws AppError INVALID_ARGUMENT when the text is no YAML mapping */
export const parseTree = async (text: string, file: string): Promise<Tree> => {
  const tree = await parseYaml(text).catch((cause: Error) => {
    throw new AppError('INVALID_ARGUMENT', `The configuration file ${file} is no valid YAML: ${cause.message}`, { cause });
  });
  if (tree === null || tree === undefined) return {};
  if (!isTree(tree)) throw new AppError('INVALID_ARGUMENT', `The configuration file ${file} must hold a mapping.`);
  return tree;
};

export const readText = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    const why = cause.code === 'ENOENT' ? 'it does not exist' : (cause.code ?? 'it cannot be opened');
    throw new AppError('INVALID_ARGUMENT', `The configuration file ${file} cannot be read: ${why}.`, { cause });
  });

export interface Sources {
  readonly tree: Tree;
  /** Dotted key -> `file`, the variable, or the flag that set it. Absent = the default. */
  readonly from: Map<string, string>;
  /** The file as it was read. */
  readonly text: string;
}

/** The values of a file, with variables put in. */
export const readFileTree = async (
  file: string,
  env: Environment,
): Promise<{ text: string; tree: Tree; substituted: ReadonlySet<string> }> => {
  const substituted = new Set<string>();
  const text = await readText(file);
  return { text, tree: substitute(await parseTree(text, file), env, '', substituted) as Tree, substituted };
};

/** Empty texts stand for unset keys where the schema takes none; text from variables becomes what the key wants. */
export const settleFile = (keys: readonly ConfigKey[], tree: Tree, substituted: ReadonlySet<string>): Map<string, string> => {
  const from = new Map<string, string>();
  for (const key of keys) {
    const value = getAt(tree, key.key);
    if (value === undefined) continue;
    if (value === '' && !z.safeParse(key.schema, '').success) {
      deleteAt(tree, key.key);
      continue;
    }
    if (typeof value === 'string' && substituted.has(key.key)) setAt(tree, key.key, fromText(value, key));
    from.set(key.key, 'file');
  }
  return from;
};

const PER_ENTRY = '<SERVICE>';

/** `MCP_SSE_PATH_KUBERNETES` is the entry `kubernetes` of a mapping. */
const addEntries = ({ tree, from }: Pick<Sources, 'tree' | 'from'>, key: ConfigKey, env: Environment): void => {
  const prefix = key.env?.slice(0, -PER_ENTRY.length) ?? '';
  const variables = Object.keys(env).filter((name) => name.startsWith(prefix) && name.length > prefix.length && env[name] !== '');
  const odd = variables.find((name) => !/^[A-Z][A-Z0-9_-]*$/i.test(name.slice(prefix.length)));
  if (odd !== undefined) throw refuse(key.key, `the variable ${odd.slice(0, 100)} names no service.`);
  for (const name of variables) setAt(tree, `${key.key}.${name.slice(prefix.length).toLowerCase()}`, env[name]);
  if (variables.length > 0) from.set(key.key, [...(from.has(key.key) ? ['file'] : []), ...variables].join(', '));
};

/** An empty variable counts as unset. `<env>_FILE` of a secret is a reference to that file, which is followed when it changes. */
export const addEnvironment = (sources: Sources, keys: readonly ConfigKey[], env: Environment): void => {
  const isSet = (name: string): boolean => env[name] !== undefined && env[name] !== '';
  for (const key of keys) {
    if (key.env === undefined) continue;
    if (key.env.endsWith(PER_ENTRY)) {
      addEntries(sources, key, env);
      continue;
    }
    const name = [key.env, ...(key.aliases ?? [])].find(isSet);
    const fileName = `${key.env}_FILE`;
    if (key.secret && isSet(fileName)) {
      if (name !== undefined) throw refuse(key.key, `both ${key.env} and ${fileName} are set: keep one.`);
      setAt(sources.tree, key.key, `file:${env[fileName]}`);
      sources.from.set(key.key, fileName);
    } else if (name !== undefined) {
      setAt(sources.tree, key.key, fromText(env[name] ?? '', key));
      sources.from.set(key.key, name);
    }
  }
};

export interface FlagValue {
  readonly value: unknown;
  /** As it was typed, such as `--addr`. */
  readonly name: string;
}

export const addFlags = (
  { tree, from }: Pick<Sources, 'tree' | 'from'>,
  keys: readonly ConfigKey[],
  flags: Readonly<Record<string, FlagValue>>,
): void => {
  for (const [name, flag] of Object.entries(flags)) {
    if (flag.value === undefined) continue;
    const key = keys.find((item) => item.key === name);
    setAt(tree, name, typeof flag.value === 'string' && key !== undefined ? fromText(flag.value, key) : flag.value);
    from.set(name, flag.name);
  }
};
