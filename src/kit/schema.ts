// Schemas as authors write them (zod) and as clients read them (JSON Schema). Conversion happens when the catalogue is generated, not per request.

import { z } from 'zod';

/** Marks of the schema source that steer what is sent: see tools.md section 1. */
declare module 'zod' {
  interface GlobalMeta {
    /** Sent as the parameter's description; without it a description stays in the documentation. */
    sent?: string;
    /** Validated here but sent as its plain type: long enums that would cost every client tokens. */
    checked?: boolean;
    /** Environment variable of a configuration key. */
    env?: string;
    /** A configuration value that must never be shown. */
    secret?: boolean;
  }
}

export type JsonSchema = { readonly [key: string]: unknown };

/** Every object of a tool's input; the shape is walked by the argument reader. */
export type InputSchema = z.ZodObject<z.core.$ZodLooseShape>;

/** Bounds are checked here and told by errors; sent, they would cost every client tokens. */
const NOT_SENT = new Set([
  ...['$schema', 'sent', 'checked', 'env', 'secret', 'propertyNames', 'pattern', 'format', 'id'],
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'],
]);

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** JSON Schema with all marks, for documentation and the generated catalogue. */
export const toJsonSchema = (schema: z.ZodType, io: 'input' | 'output' = 'input'): JsonSchema =>
  z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as JsonSchema;

const cleanNode = (node: unknown, complete: boolean): unknown => {
  if (Array.isArray(node)) return node.map((item) => cleanNode(item, complete));
  if (!isObject(node)) return node;
  const cleaned: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(node)) {
    if (NOT_SENT.has(key) || (key === 'enum' && node['checked'] === true)) continue;
    if (key === 'description') continue;
    if (key === 'additionalProperties') {
      if (complete && value === false) cleaned[key] = false;
      continue;
    }
    if (key === 'properties' && isObject(value)) {
      cleaned[key] = Object.fromEntries(Object.entries(value).map(([name, property]) => [name, cleanNode(property, complete)]));
      continue;
    }
    cleaned[key] = cleanNode(value, complete);
  }
  if (typeof node['sent'] === 'string') cleaned['description'] = node['sent'];
  return cleaned;
};

/** Input schema as sent. `hide` are accepted arguments that this list does not show. */
export const toWireInput = (schema: JsonSchema, { complete, hide }: { complete: boolean; hide: ReadonlySet<string> }): JsonSchema => {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const kept = Object.fromEntries(Object.entries(properties).filter(([name]) => !hide.has(name)));
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const cleaned = cleanNode({ type: 'object', properties: kept }, complete) as Record<string, unknown>;
  return {
    ...cleaned,
    ...(required.length > 0 ? { required } : {}),
    ...(complete ? { additionalProperties: false } : {}),
  };
};

/** Hosts need the main keys to know what comes; more would cost tokens and forbid nothing. */
const MAX_OUTPUT_KEYS = 11;

/** Output schema as sent: the top-level keys, all optional, so that every phase and error conforms. */
export const toWireOutput = (schema: JsonSchema): JsonSchema => {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  return {
    type: 'object',
    properties: Object.fromEntries(
      Object.keys(properties)
        .slice(0, MAX_OUTPUT_KEYS)
        .map((name) => [name, {}]),
    ),
  };
};
