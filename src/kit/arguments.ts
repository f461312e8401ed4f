// Reads the arguments of a call: one place for tolerance (numbers as strings, JSON as text, snake_case) and for refusals that help.

import type { z } from 'zod';
import { AppError } from './errors.ts';
import { nearestNames } from './nearest.ts';
import type { InputSchema } from './schema.ts';

const MAX_DEPTH = 32;
const MAX_ELEMENTS = 10_000;
const FORBIDDEN_KEYS = new Set(['__proto__', 'constructor', 'prototype']);
/** Accepted everywhere and without effect, as clients of older servers still send it. */
const IGNORED = new Set(['debug']);

type Definition = { readonly type: string; readonly innerType?: z.core.$ZodType; readonly options?: readonly z.core.$ZodType[] };

const toDefinition = (schema: z.core.$ZodType): Definition => schema._zod.def as unknown as Definition;

/** The type beneath optional, default and the like. */
const toBaseType = (schema: z.core.$ZodType): string => {
  const definition = toDefinition(schema);
  return definition.innerType === undefined ? definition.type : toBaseType(definition.innerType);
};

const isOptional = (schema: z.core.$ZodType): boolean => schema._zod.optin === 'optional';

const refuse = (message: string, details: Record<string, unknown>): AppError => new AppError('INVALID_ARGUMENT', message, { details });

/** Bounds are checked before anything walks deeper into what a client sent. */
const checkBounds = (value: unknown): void => {
  let elements = 0;
  const walk = (node: unknown, depth: number): void => {
    if (typeof node !== 'object' || node === null) return;
    if (depth > MAX_DEPTH) throw refuse('The arguments are nested too deeply.', { limit: MAX_DEPTH });
    for (const [key, child] of Object.entries(node)) {
      if (FORBIDDEN_KEYS.has(key)) throw refuse(`The key ${key} is not allowed.`, { argument: key });
      elements += 1;
      if (elements > MAX_ELEMENTS) throw refuse('The arguments have too many elements.', { limit: MAX_ELEMENTS });
      walk(child, depth + 1);
    }
  };
  walk(value, 0);
};

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const fromText = (text: string, type: string): unknown => {
  if (type === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
  if (type === 'boolean' && /^(true|false)$/i.test(text.trim())) return text.trim().toLowerCase() === 'true';
  if (type === 'array') {
    const parsed = text.trim().startsWith('[') ? parseJson(text) : undefined;
    return Array.isArray(parsed)
      ? parsed
      : text
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== '');
  }
  if (type === 'object' || type === 'record' || type === 'any' || type === 'unknown') return parseJson(text) ?? text;
  return text;
};

const coerce = (value: unknown, schema: z.core.$ZodType): unknown => {
  const type = toBaseType(schema);
  if (typeof value === 'string') return fromText(value, type);
  if (type === 'string' && (typeof value === 'number' || typeof value === 'boolean')) return String(value);
  return value;
};

const toCamelCase = (name: string): string => name.replace(/[_-]+([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());

const describeExpected = (schema: z.core.$ZodType | undefined, issue: z.core.$ZodIssue): string => {
  if (issue.code === 'invalid_value') return `one of ${issue.values.join(', ')}`;
  if (issue.code === 'too_small') return `at least ${issue.minimum}`;
  if (issue.code === 'too_big') return `at most ${issue.maximum}`;
  if (issue.code === 'invalid_type') return issue.expected;
  return schema === undefined ? issue.message : toBaseType(schema);
};

const toRefusal = (issue: z.core.$ZodIssue, schema: InputSchema, given: Readonly<Record<string, unknown>>): AppError => {
  const argument = String(issue.path[0] ?? '');
  const path = issue.path.map(String).join('.');
  const field = schema.shape[argument];
  const expected = describeExpected(field, issue);
  const missing = !(argument in given);
  const value = given[argument];
  const nearest = issue.code === 'invalid_value' && typeof value === 'string' ? nearestNames(value, issue.values.map(String)) : [];
  const message = missing ? `${argument} is required.` : `${path} is not valid: expected ${expected}.`;
  return refuse(message, { argument: path, expected, ...(nearest.length > 0 ? { nearest } : {}) });
};

/**
 * Parses raw arguments against the input schema of a tool. Unknown names are refused with the nearest known one; `shared` are
 * further accepted names that every tool takes.
 */
export const parseArguments = <Schema extends InputSchema>(schema: Schema, raw: unknown): z.infer<Schema> => {
  if (raw !== undefined && (typeof raw !== 'object' || raw === null || Array.isArray(raw))) {
    throw refuse('The arguments must be an object.', { expected: 'object' });
  }
  checkBounds(raw);
  const { shape } = schema;
  const known = Object.keys(shape);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(raw ?? {})) {
    const key = name in shape ? name : toCamelCase(name);
    const field = Object.hasOwn(shape, key) ? shape[key] : undefined;
    if (field === undefined) {
      if (IGNORED.has(name)) continue;
      const nearest = nearestNames(name, known);
      const hint = nearest[0] === undefined ? `Known: ${known.join(', ') || 'none'}.` : `Did you mean ${nearest[0]}?`;
      throw refuse(`Unknown argument ${name.slice(0, 60)}. ${hint}`, {
        argument: name.slice(0, 60),
        nearest: nearest.length > 0 ? nearest : known,
      });
    }
    if (value === null && isOptional(field)) continue;
    const read = coerce(value, field);
    // What came as text was one value until now.
    if (read !== value) checkBounds(read);
    given[key] = read;
  }
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data as z.infer<Schema>;
  const [issue] = parsed.error.issues;
  throw issue === undefined ? refuse('The arguments are not valid.', {}) : toRefusal(issue, schema, given);
};
