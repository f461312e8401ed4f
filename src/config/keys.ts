// The keys of a configuration, read from its schema: names, types, variables, descriptions.

import { z } from 'zod';

export type Shape = Readonly<Record<string, z.core.$ZodType>>;

export interface ConfigKey {
  readonly key: string;
  readonly type: string;
  readonly schema: z.core.$ZodType;
  /** `MCP_SSE_PATH_<SERVICE>` stands for one variable per entry of a mapping. */
  readonly env?: string;
  /** Older names of the variable. */
  readonly aliases?: readonly string[];
  readonly secret: boolean;
  /** Takes effect while the server runs. */
  readonly live: boolean;
}

interface Definition {
  readonly type: string;
  readonly innerType?: z.core.$ZodType;
  readonly in?: z.core.$ZodType;
  readonly shape?: Shape;
  readonly element?: z.core.$ZodType;
  readonly valueType?: z.core.$ZodType;
  readonly options?: readonly z.core.$ZodType[];
  readonly entries?: Readonly<Record<string, string | number>>;
}

const toDefinition = (schema: z.core.$ZodType): Definition => schema._zod.def as unknown as Definition;

/** The definition below defaults, options and transforms. */
export const toInner = (schema: z.core.$ZodType): Definition => {
  const definition = toDefinition(schema);
  const inner = definition.innerType ?? (definition.type === 'pipe' ? definition.in : undefined);
  return inner === undefined ? definition : toInner(inner);
};

/** Meta data stands on the outermost or any inner schema; the outer wins. */
export const toMeta = (schema: z.core.$ZodType): z.core.GlobalMeta => {
  const own = z.globalRegistry.get(schema);
  const { innerType } = toDefinition(schema);
  return { ...(innerType === undefined ? {} : toMeta(innerType)), ...own };
};

const toKey = (key: string, schema: z.core.$ZodType): ConfigKey => {
  const { env, aliases = [], secret, live } = toMeta(schema) as { env?: string; aliases?: readonly string[]; secret?: true; live?: true };
  const base = { key, type: toInner(schema).type, schema, secret: secret === true, live: live === true };
  return env === undefined ? base : { ...base, env, aliases };
};

/** Every leaf key of a shape, with its environment variable. */
export const listKeys = (shape: Shape, prefix = ''): ConfigKey[] =>
  Object.entries(shape).flatMap(([name, schema]) => {
    const { type, shape: fields } = toInner(schema);
    return type === 'object' && fields !== undefined ? listKeys(fields, `${prefix}${name}.`) : [toKey(`${prefix}${name}`, schema)];
  });

/** What a value is when nothing sets the key; undefined = absent. */
export const toDefault = (schema: z.core.$ZodType): unknown => {
  const parsed = z.safeParse(schema, undefined);
  return parsed.success ? parsed.data : undefined;
};

export const isTree = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const getAt = (tree: unknown, key: string): unknown =>
  key.split('.').reduce<unknown>((node, name) => (isTree(node) && Object.hasOwn(node, name) ? node[name] : undefined), tree);

/** As an own key, whatever it is called: `__proto__` and `constructor` lead nowhere else. */
const put = (node: Record<string, unknown>, name: string, value: unknown): void =>
  void Object.defineProperty(node, name, { value, configurable: true, enumerable: true, writable: true });

export const setAt = (tree: Record<string, unknown>, key: string, value: unknown): void => {
  const names = key.split('.');
  const last = names.pop() ?? key;
  let node = tree;
  for (const name of names) {
    const child = Object.hasOwn(node, name) ? node[name] : undefined;
    const next: Record<string, unknown> = isTree(child) ? child : {};
    put(node, name, next);
    node = next;
  }
  put(node, last, value);
};

export const deleteAt = (tree: unknown, key: string): void => {
  const names = key.split('.');
  const last = names.pop() ?? key;
  const parent = names.length === 0 ? tree : getAt(tree, names.join('.'));
  if (isTree(parent)) delete parent[last];
};

export const MASK = '***';
const CREDENTIALS = /(\/\/)[^/@\s]+@/g;

/** The value with every secret in it as `***`, so that it may be shown. */
export const maskValue = (value: unknown, schema?: z.core.$ZodType): unknown => {
  if (value === undefined || value === null) return value;
  if (schema !== undefined && toMeta(schema)['secret'] === true) return MASK;
  const inner = schema === undefined ? undefined : toInner(schema);
  // A choice may be secret in one of its forms: take the one that fits.
  const chosen = inner?.options?.find((option) => z.safeParse(option, value).success);
  if (chosen !== undefined) return maskValue(value, chosen);
  if (Array.isArray(value)) return value.map((item) => maskValue(item, inner?.element));
  if (isTree(value))
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, maskValue(item, inner?.shape?.[name] ?? inner?.valueType)]),
    );
  return typeof value === 'string' ? value.replace(CREDENTIALS, `$1${MASK}@`) : value;
};
