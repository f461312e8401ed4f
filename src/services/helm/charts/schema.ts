// Values against the values.schema.json of a chart. The validator is that of the MCP SDK (ajv), which is a dependency already; schemas of charts
// are foreign code to it, so their patterns run in linear time and nothing remote is read.

import { AppError } from '../../../kit/errors.ts';
import { type Fields, isFields } from '../../../upstream/shapes.ts';
import type { Chart } from './chart.ts';

export interface Finding {
  readonly level: 'error' | 'warning' | 'info';
  readonly path: string;
  readonly message: string;
}

const MAX_SCHEMA_CHARS = 1_000_000;
const MAX_FINDINGS = 100;

/** Drafts differ in keywords that ajv does not need to know by name; an unknown `$schema` would be looked for. */
const withoutDraft = ({ $schema: _, $id: __, id: ___, ...schema }: Fields): Fields => schema;

const isRemote = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.some(isRemote);
  if (!isFields(value)) return false;
  return Object.entries(value).some(
    ([key, item]) => (key === '$ref' && typeof item === 'string' && !item.startsWith('#')) || isRemote(item),
  );
};

const toPath = (pointer: string, prefix: string): string => {
  const steps = pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
  return [prefix, ...steps].filter((step) => step !== '').join('.') || '(root)';
};

const toRegExp = async (): Promise<(pattern: string) => { test(text: string): boolean }> => {
  const { RE2JS } = await import('re2js');
  return (pattern) => {
    const compiled = RE2JS.compile(pattern);
    return { test: (text) => compiled.matcher(text).find() };
  };
};

const check = async (schema: Fields, values: Fields, prefix: string): Promise<Finding[]> => {
  const file = `${prefix === '' ? '' : `charts/${prefix}/`}values.schema.json`;
  if (isRemote(schema))
    return [{ level: 'warning', path: file, message: 'refers to another document: values were not checked, nothing remote is read' }];
  if (JSON.stringify(schema).length > MAX_SCHEMA_CHARS)
    return [{ level: 'warning', path: file, message: 'is too large: values were not checked' }];
  const { Ajv } = await import('@modelcontextprotocol/server/validators/ajv');
  const regExp = Object.assign(await toRegExp(), { code: 're2' });
  const validator = new Ajv({
    strict: false,
    allErrors: true,
    validateFormats: false,
    validateSchema: false,
    logger: false,
    code: { regExp } as never,
  });
  try {
    const validate = validator.compile(withoutDraft(schema));
    if (validate(values) === true) return [];
    return (validate.errors ?? []).slice(0, MAX_FINDINGS).map(({ instancePath, message = 'is not valid', params }) => {
      const { additionalProperty: extra, allowedValues } = params as { additionalProperty?: string; allowedValues?: readonly unknown[] };
      const hint = extra === undefined ? (allowedValues === undefined ? '' : `: ${allowedValues.map(String).join(', ')}`) : ` (${extra})`;
      return { level: 'error', path: toPath(instancePath, prefix), message: `${message}${hint}` };
    });
  } catch (thrown) {
    if (thrown instanceof AppError) throw thrown;
    return [{ level: 'warning', path: file, message: 'is no schema that can be used: values were not checked' }];
  }
};

/** The chart's own schema and those of its subcharts, on computed values. */
export const checkValues = async (chart: Chart, values: Fields, prefix = ''): Promise<Finding[]> => {
  const own = chart.schema === undefined ? [] : await check(chart.schema, values, prefix);
  const below = await Promise.all(
    chart.subcharts.map(async (subchart) => {
      const part = values[subchart.name];
      return isFields(part) ? checkValues(subchart, part, [prefix, subchart.name].filter((step) => step !== '').join('.')) : [];
    }),
  );
  return [...own, ...below.flat()];
};
