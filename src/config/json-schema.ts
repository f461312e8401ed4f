// The JSON Schema of the configuration file, for editors (draft 2020-12).

import { z } from 'zod';
import { absentServices, DROPPED, whyAbsent } from './absent.ts';
import type { Shape } from './keys.ts';

type Json = Record<string, unknown>;

const VARIABLE = { $ref: '#/$defs/variable' };

/** `${NAME}` may stand where something else than any text is wanted. */
const allowVariable = (schema: Json): void => {
  const isChoice = schema['enum'] !== undefined || schema['pattern'] !== undefined || schema['format'] !== undefined;
  if (!isChoice && schema['type'] !== 'number' && schema['type'] !== 'integer' && schema['type'] !== 'boolean') return;
  const { description, default: usual, ...rest } = schema;
  for (const name of Object.keys(rest)) delete schema[name];
  schema['anyOf'] = [rest, VARIABLE];
};

const describe = (schema: Json): void => {
  const { env, secret } = schema;
  const notes = [secret === true ? 'Secret.' : '', typeof env === 'string' ? `Environment: ${env}.` : ''].filter((note) => note !== '');
  if (notes.length > 0) schema['description'] = [schema['description'], ...notes].filter(Boolean).join(' ');
  for (const name of ['env', 'aliases', 'secret', 'live']) delete schema[name];
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
};

const addAbsent = (properties: Record<string, Json>, shape: Shape): void => {
  for (const service of absentServices(Object.keys(shape)))
    properties[service] = { deprecated: true, description: `${service} ${whyAbsent(service, [])}; it has no effect.` };
  for (const [key, why] of Object.entries(DROPPED)) {
    const [section = '', name = ''] = key.split('.');
    const fields = properties[section]?.['properties'] as Record<string, Json> | undefined;
    if (fields !== undefined) fields[name] = { deprecated: true, description: `No effect any more: ${why}.` };
  }
};

export const toJsonSchema = (shape: Shape): Json => {
  const { $schema, ...schema } = z.toJSONSchema(z.strictObject(shape), {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      describe(jsonSchema as Json);
      allowVariable(jsonSchema as Json);
    },
  }) as Json;
  addAbsent(schema['properties'] as Record<string, Json>, shape);
  return {
    $schema,
    title: 'Configuration of the Cloud Native MCP Server',
    ...schema,
    $defs: {
      ...(schema['$defs'] as Json | undefined),
      variable: { type: 'string', pattern: '\\$\\{[A-Za-z_][A-Za-z0-9_]*\\}', description: 'Taken from the environment.' },
    },
  };
};
