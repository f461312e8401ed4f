// One precedence for every key: defaults < file < environment < flags. What cannot be understood stops the start.

import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;
type Tree = Record<string, unknown>;

export interface LoadOptions<Shape extends z.core.$ZodLooseShape> {
  /** All sections of all rooms. */
  readonly shape: Shape;
  readonly file?: string;
  readonly env: Environment;
  /** Values by dotted key, strings or already typed. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** Unknown sections are let through: a first look, before the sections of plugins are known. */
  readonly lenient?: boolean;
}

/** Sections of the earlier edition that are not part of this product: told once, without effect. */
const FOREIGN = ['loki', 'argocd', 'nacos', 'langfuse', 'sentry', 'dify'];

const refuse = (key: string, message: string, extra: Record<string, unknown> = {}): AppError =>
  new AppError('INVALID_ARGUMENT', `Configuration ${key}: ${message}`, { details: { key, ...extra } });

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

type Definition = {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly shape?: Readonly<Record<string, z.core.$ZodType>>;
};
const toDefinition = (schema: z.core.$ZodType): Definition => schema._zod.def as unknown as Definition;
const toInner = (schema: z.core.$ZodType): z.core.$ZodType => {
  const { innerType } = toDefinition(schema);
  return innerType === undefined ? schema : toInner(innerType);
};

export interface ConfigKey {
  readonly key: string;
  readonly type: string;
  readonly schema: z.core.$ZodType;
  readonly env?: string;
  /** Older names of the variable. */
  readonly aliases?: readonly string[];
}

/** Meta data stands on the outermost or any inner schema. */
const toMeta = (schema: z.core.$ZodType): z.core.GlobalMeta => {
  const own = z.globalRegistry.get(schema);
  const { innerType } = toDefinition(schema);
  return { ...(innerType === undefined ? {} : toMeta(innerType)), ...own };
};

/** Every leaf key of a shape, with its environment variable. */
export const listKeys = (shape: Readonly<Record<string, z.core.$ZodType>>, prefix = ''): ConfigKey[] =>
  Object.entries(shape).flatMap(([name, schema]) => {
    const key = `${prefix}${name}`;
    const inner = toInner(schema);
    const definition = toDefinition(inner);
    if (definition.type === 'object' && definition.shape !== undefined) return listKeys(definition.shape, `${key}.`);
    const { env, aliases = [] } = toMeta(schema) as { env?: string; aliases?: readonly string[] };
    return [{ key, type: definition.type, schema, ...(env === undefined ? {} : { env, aliases }) }];
  });

const fromText = (text: string, { key, type }: ConfigKey, source: string): unknown => {
  if (type === 'boolean') {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off)$/i.test(text)) return false;
    throw refuse(key, `${source} must be true or false.`);
  }
  if (type === 'number') {
    if (text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
    throw refuse(key, `${source} must be a number.`);
  }
  if (type === 'array')
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  return text;
};

/** `<env>_FILE` of a secret becomes a reference to that file, which is followed when it changes. */
const fromEnvironment = (key: ConfigKey, env: Environment): unknown => {
  if (key.env === undefined) return undefined;
  const name = [key.env, ...(key.aliases ?? [])].find((one) => env[one] !== undefined) ?? key.env;
  const value = env[name];
  const path = toMeta(key.schema)['secret'] === true ? env[`${key.env}_FILE`] : undefined;
  if (path === undefined) return value === undefined ? undefined : fromText(value, key, name);
  if (value !== undefined) throw refuse(key.key, `both ${key.env} and ${key.env}_FILE are set: keep one.`);
  return `file:${path}`;
};

const setAt = (tree: Tree, key: string, value: unknown): void => {
  const names = key.split('.');
  const last = names.pop() ?? key;
  let node = tree;
  for (const name of names) {
    const child = node[name];
    const next: Tree = isTree(child) ? child : {};
    node[name] = next;
    node = next;
  }
  node[last] = value;
};

/** `${NAME}` from the environment; `$${` is a literal; an unset name stops the start. */
const substitute = (value: unknown, env: Environment, key: string): unknown => {
  if (Array.isArray(value)) return value.map((item, index) => substitute(item, env, `${key}[${index}]`));
  if (isTree(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, substitute(item, env, key === '' ? name : `${key}.${name}`)]),
    );
  if (typeof value !== 'string') return value;
  return value.replace(/\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, literal: string | undefined, name: string | undefined) => {
    if (literal !== undefined) return literal;
    const found = env[name ?? ''];
    if (found === undefined) throw refuse(key, `the environment variable ${name} is not set.`);
    return found;
  });
};

const readTree = async (file: string, env: Environment): Promise<Tree> => {
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new AppError('INVALID_ARGUMENT', `The configuration file ${file} cannot be read.`, { cause });
  });
  const { parse } = await import('yaml');
  let tree: unknown;
  try {
    tree = parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : '';
    throw new AppError('INVALID_ARGUMENT', `The configuration file ${file} is no valid YAML: ${message}`, { cause });
  }
  if (tree === null || tree === undefined) return {};
  if (!isTree(tree)) throw new AppError('INVALID_ARGUMENT', `The configuration file ${file} must hold a mapping.`);
  return substitute(tree, env, '') as Tree;
};

const explain = (issue: z.core.$ZodIssue, keys: readonly ConfigKey[]): AppError => {
  const path = issue.path.map(String).join('.');
  if (issue.code !== 'unrecognized_keys') return refuse(path, issue.message);
  const unknown = [...(path === '' ? [] : [path]), issue.keys[0] ?? ''].join('.');
  const nearest = nearestNames(
    unknown,
    keys.flatMap(({ key }) => [key, key.split('.')[0] ?? key]),
  );
  return refuse(unknown, `unknown key.${nearest[0] === undefined ? '' : ` Did you mean ${nearest[0]}?`}`, { nearest });
};

/** Reads, merges, checks. Throws INVALID_ARGUMENT that names the key. */
export const loadConfig = async <Shape extends z.core.$ZodLooseShape>({
  shape,
  file,
  env,
  flags,
  lenient = false,
}: LoadOptions<Shape>): Promise<{ config: z.infer<z.ZodObject<Shape>>; warnings: string[]; given: ReadonlySet<string> }> => {
  const keys = listKeys(shape);
  const tree = file === undefined ? {} : await readTree(file, env);
  const warnings: string[] = [];
  for (const name of FOREIGN) {
    if (!(name in tree)) continue;
    delete tree[name];
    warnings.push(`The section ${name} belongs to a service that is not part of this product; it has no effect.`);
  }
  for (const key of keys) {
    const value = fromEnvironment(key, env);
    if (value !== undefined) setAt(tree, key.key, value);
  }
  for (const [name, value] of Object.entries(flags)) {
    const key = keys.find((item) => item.key === name);
    if (value !== undefined) setAt(tree, name, typeof value === 'string' && key !== undefined ? fromText(value, key, `--${name}`) : value);
  }
  const parsed = (lenient ? z.looseObject(shape) : z.strictObject(shape)).safeParse(tree);
  if (!parsed.success) throw explain(parsed.error.issues[0] as z.core.$ZodIssue, keys);
  const given = new Set(
    keys
      .filter(({ key }) => key.split('.').reduce<unknown>((node, name) => (isTree(node) ? node[name] : undefined), tree) !== undefined)
      .map(({ key }) => key),
  );
  return { config: parsed.data as z.infer<z.ZodObject<Shape>>, warnings, given };
};
