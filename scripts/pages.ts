// The generated pages of the documentation: tools, configuration keys, error codes.

import type { z } from 'zod';
import { toDefault, toMeta } from '../src/config/keys.ts';
import type { ServiceCatalogue } from '../src/kit/catalogue.ts';
import { ERROR_CODES } from '../src/kit/errors.ts';
import type { ToolInfo } from '../src/kit/tool.ts';
import { METRICS } from '../src/observability/metrics-table.ts';
import { configKeys } from '../src/settings.ts';

const NOTE = 'This page is generated from the source by `npm run generate`; do not edit it.';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const table = (columns: readonly string[], rows: readonly (readonly string[])[]): string =>
  [columns, columns.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n');

interface Property {
  readonly type?: string;
  readonly enum?: readonly string[];
  readonly items?: { readonly type?: string };
  readonly default?: unknown;
  readonly description?: string;
}

const typeOf = ({ type, enum: choices, items }: Property): string =>
  choices === undefined ? (type === 'array' ? `${items?.type ?? 'any'}[]` : (type ?? 'any')) : choices.join(', ');

const toToolSection = (tool: ToolInfo): string => {
  const properties = Object.entries((tool.input['properties'] ?? {}) as Readonly<Record<string, Property>>);
  const required = (tool.input['required'] ?? []) as readonly string[];
  const rows = properties.map(([name, property]) => [
    `\`${name}\`${required.includes(name) ? ' (required)' : ''}`,
    typeOf(property),
    property.default === undefined ? '' : `\`${String(property.default)}\``,
    property.description ?? '',
  ]);
  const keys = Object.keys((tool.output['properties'] ?? {}) as object);
  const notes = [
    tool.task ? 'Offered as a task to clients that know tasks.' : '',
    tool.needs === undefined ? '' : `Listed only with ${tool.needs}.`,
  ];
  return [
    `## ${tool.name}`,
    '',
    `${tool.description} Effect: **${tool.effect}**.${notes
      .filter((note) => note !== '')
      .map((note) => ` ${note}`)
      .join('')}`,
    '',
    table(['argument', 'type', 'default', 'meaning'], rows),
    '',
    `Answer keys: ${keys.map((key) => `\`${key}\``).join(', ')}; and the common ones (\`cluster\`, \`namespace\`, \`window\`, \`page\`, \`empty\`, \`warnings\`, \`next\`, \`untrusted\`).`,
  ].join('\n');
};

export const toToolsPage = (catalogue: ServiceCatalogue): string => {
  const parts = [
    ...catalogue.templates.map(({ uriTemplate, description }) => [`\`${uriTemplate}\``, description]),
    ...catalogue.resources.map(({ uri, description }) => [`\`${uri}\``, description]),
  ];
  const prompts = catalogue.prompts.map(({ name, description, arguments: args }) => [
    `\`${name}\``,
    description,
    args.map((argument) => `${argument.name}${argument.required === true ? ' (required)' : ''}`).join(', '),
  ]);
  return `${[
    `# ${catalogue.title}: tools`,
    '',
    NOTE,
    '',
    ...catalogue.tools.flatMap((tool) => [toToolSection(tool), '']),
    ...(parts.length > 0 ? ['## Resources', '', table(['URI', 'content'], parts), ''] : []),
    ...(prompts.length > 0 ? ['## Prompts', '', table(['prompt', 'use', 'arguments'], prompts), ''] : []),
  ]
    .join('\n')
    .trimEnd()}\n`;
};

const toDefaultCell = (schema: z.core.$ZodType): string => {
  const value = toDefault(schema);
  return value === undefined ? '' : `\`${JSON.stringify(value)}\``;
};

export const toConfigurationPage = (): string => {
  const rows = configKeys().map(({ key, type, schema, env, live }) => {
    const { description = '', secret } = toMeta(schema);
    return [
      `\`${key}\``,
      secret === true ? 'secret' : type,
      toDefaultCell(schema),
      env === undefined ? '' : `\`${env}\``,
      `${description}${live ? ' (live)' : ''}`,
    ];
  });
  return `${[
    '# Configuration',
    '',
    NOTE,
    '',
    `A YAML file (\`--config\`, \`MCP_CONFIG\`), environment variables and flags; the later wins. \`\${NAME}\` in a value is taken from the environment, an unset`,
    'name stops the start, `$$` before the brace is a literal. An unknown key, or a value that cannot be understood, stops the start and names the nearest known key.',
    'A secret key takes the value itself, or says where it stands: `file:/path`, `kubernetes:namespace/name/key`, `vault:path#field` (docs/secrets.md);',
    '`<environment>_FILE` names a file that holds it.',
    'Lists in the environment are separated by commas; booleans are `1, true, yes, on` and `0, false, no, off`; an empty variable counts as unset,',
    'as does an empty text in the file where the key takes none. An explicit zero is a value.',
    '',
    'Keys marked (live) take effect when the file changes or on SIGHUP, without a restart; the log names every key that changed, from what to what, and those that',
    'need a restart. A file that is not valid changes nothing.',
    '',
    '`config validate` checks a configuration and its backends (also `--validate-config`), `config print` shows every key with its source, `config migrate` turns a',
    'file of the Go edition into one of this, `config policy test` explains a decision of the policy. Samples stand in `deploy/config`. Editors complete and check a file',
    'that begins with `# yaml-language-server: $schema=<path>/docs/configuration.schema.json`.',
    '',
    table(['key', 'type', 'default', 'environment', 'meaning'], rows),
  ].join('\n')}\n`;
};

export const toErrorsPage = (): string =>
  `${[
    '# Errors',
    '',
    NOTE,
    '',
    'A failed tool call is a result with `isError: true`; its `structuredContent` is `{"error": {"code", "message", "details"}}`. HTTP routes answer the same body with the status below.',
    '',
    table(
      ['code', 'HTTP', 'worth repeating', 'what to do'],
      Object.entries(ERROR_CODES).map(([code, { http, retryable, advice }]) => [
        `\`${code}\``,
        String(http),
        retryable ? 'yes' : 'no',
        advice,
      ]),
    ),
  ].join('\n')}\n`;

export const toMetricsPage = (): string =>
  `${[
    '# Metrics',
    '',
    NOTE,
    '',
    '`GET /metrics` answers them in the text format of Prometheus; with `otel.enabled` they are sent over OTLP too. Names and labels are promises: they change only on purpose.',
    'Label values are bounded: `path` is the pattern of a route or `other`, tools outside the registry and methods outside the known set are `other`.',
    'Buckets: durations 0.005 to 10 seconds (the usual eleven), sizes 100 B to 100 MB by tens. `nodejs_*` and `process_*` are those of prom-client.',
    '',
    table(
      ['metric', 'type', 'labels', 'meaning'],
      Object.entries(METRICS).map(([name, { type, labels, help }]) => [
        `\`${name}\``,
        type,
        labels.map((label) => `\`${label}\``).join(', '),
        help,
      ]),
    ),
  ].join('\n')}\n`;
