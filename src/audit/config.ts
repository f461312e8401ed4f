// The configuration of the audit log.

import { z } from 'zod';
import { described, secret, section } from '../kit/config.ts';

const FIELDS = ['password', 'token', 'apiKey', 'secret', 'passwd', 'pwd', 'authorization'];

const fieldNames = z.union([
  z.array(z.string().min(1)),
  z.string().transform((text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  ),
]);

/** A choice that explains why a value that people try is not among it. */
const choice = <const Values extends readonly [string, ...string[]]>(values: Values, absent: Readonly<Record<string, string>>) =>
  z.enum(values, {
    error: ({ input }) => (typeof input === 'string' ? absent[input] : undefined) ?? `must be one of ${values.join(', ')}`,
  });

export const auditConfig = section({
  enabled: described(z.boolean().default(true), 'MCP_AUDIT_ENABLED', 'Record every call.'),
  level: described(
    z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    'MCP_AUDIT_LEVEL',
    'debug: lists and pings too; info: calls; warn: changes and failures; error: failures.',
  ),
  storage: described(
    z.enum(['memory', 'file', 'database', 'all']).default('memory'),
    'MCP_AUDIT_STORAGE',
    'Where records go; all = file and database. Memory does not survive the process.',
  ),
  format: described(z.enum(['json', 'text']).default('json'), 'MCP_AUDIT_FORMAT', 'Form of the lines of a file; text cannot be queried.'),
  maxLogs: described(z.int().min(1).max(1_000_000).default(10_000), 'MCP_AUDIT_MAX_LOGS', 'Records that storage memory keeps.'),
  maxResults: described(z.int().min(1).optional(), 'MCP_AUDIT_MAX_RESULTS', 'Older name of audit.query.maxResults.'),
  timeRange: described(z.int().min(1).optional(), 'MCP_AUDIT_TIME_RANGE', 'Older name of audit.query.timeRange.'),
  file: section({
    path: described(
      z.string().min(1).default('/var/log/cloud-native-mcp-server/audit.log'),
      'MCP_AUDIT_FILE_PATH',
      'File of storage file; rotated files lie beside it.',
    ),
    maxSizeMB: described(z.number().min(0).default(100), 'MCP_AUDIT_FILE_MAX_SIZE', 'Size at which the file is rotated, MiB; 0 = never.'),
    maxBackups: described(z.int().min(0).default(10), 'MCP_AUDIT_FILE_MAX_BACKUPS', 'Rotated files that are kept; 0 = all.'),
    maxAgeDays: described(
      z.number().min(0).default(30),
      'MCP_AUDIT_FILE_MAX_AGE_DAYS',
      'Rotated files older than this are removed, days; 0 = never.',
    ),
    compress: described(z.boolean().default(true), 'MCP_AUDIT_FILE_COMPRESS', 'Rotated files are compressed with gzip.'),
    maxLogs: described(z.int().min(1).default(10_000), 'MCP_AUDIT_FILE_MAX_LOGS', 'Newest records that a query of a file looks at.'),
  }),
  database: section({
    type: described(
      choice(['sqlite', 'postgresql', 'postgres'], { mysql: 'mysql is not offered: use sqlite or postgresql' }).default('sqlite'),
      'MCP_AUDIT_DB_TYPE',
      'Database of storage database.',
    ),
    connectionString: secret('MCP_AUDIT_DB_CONNECTION_STRING', 'PostgreSQL, such as postgres://audit@db.example.com/audit.'),
    sqlitePath: described(
      z.string().min(1).default('/var/lib/cloud-native-mcp-server/audit.db'),
      'MCP_AUDIT_DB_SQLITE_PATH',
      'File of the SQLite database.',
    ),
    tableName: described(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]{0,50}$/, 'must be a name of letters, digits and _')
        .default('audit_logs'),
      'MCP_AUDIT_DB_TABLE_NAME',
      'Table of the records.',
    ),
    maxRecords: described(z.int().min(0).default(100_000), 'MCP_AUDIT_DB_MAX_RECORDS', 'Records that are kept; 0 = all.'),
    cleanupInterval: described(z.number().min(0).default(24), 'MCP_AUDIT_DB_CLEANUP_INTERVAL', 'Hours between removals of old records.'),
  }),
  query: section({
    enabled: described(z.boolean().default(true), 'MCP_AUDIT_QUERY_ENABLED', 'Serve /api/audit/logs and /api/audit/stats.'),
    maxResults: described(
      z.int().min(1).max(10_000).optional(),
      'MCP_AUDIT_QUERY_MAX_RESULTS',
      'Most records of one query; 1000 when unset.',
    ),
    timeRange: described(z.int().min(1).optional(), 'MCP_AUDIT_QUERY_TIME_RANGE', 'How far a query looks back, days; 90 when unset.'),
  }),
  alerts: section({
    enabled: described(z.boolean().default(false), 'MCP_AUDIT_ALERTS_ENABLED', 'Tell someone when calls fail.'),
    failureThreshold: described(z.int().min(1).default(5), 'MCP_AUDIT_ALERTS_FAILURE_THRESHOLD', 'Failures in one interval that are told.'),
    checkIntervalSec: described(z.int().min(1).default(60), 'MCP_AUDIT_ALERTS_CHECK_INTERVAL', 'Length of the interval, seconds.'),
    method: described(
      choice(['none', 'webhook', 'slack'], { email: 'email is not offered: use webhook' }).default('none'),
      'MCP_AUDIT_ALERTS_METHOD',
      'none, webhook, or slack: a webhook that takes a text field.',
    ),
    webhookURL: z
      .url({ protocol: /^https?$/ })
      .optional()
      .meta({
        env: 'MCP_AUDIT_ALERTS_WEBHOOK_URL',
        description: 'Where alerts are posted.',
        secret: true,
      }),
  }),
  masking: section({
    enabled: described(
      z.boolean().default(true),
      'MCP_AUDIT_MASKING_ENABLED',
      'Mask arguments by name, in addition to the redaction that is always on.',
    ),
    fields: described(
      fieldNames.default(FIELDS),
      'MCP_AUDIT_MASKING_FIELDS',
      'Names of arguments whose values are masked, also where a name ends with one (adminPassword).',
    ),
    maskValue: described(z.string().default('***REDACTED***'), 'MCP_AUDIT_MASKING_VALUE', 'What stands instead of a masked value.'),
  }),
  sampling: section({
    enabled: described(z.boolean().default(false), 'MCP_AUDIT_SAMPLING_ENABLED', 'Record only a share of the successful reads.'),
    rate: described(
      z.number().min(0).max(1).default(1),
      'MCP_AUDIT_SAMPLING_RATE',
      'Share of the successful reads that is recorded, 0 to 1.',
    ),
  }),
});

export type AuditConfig = z.infer<typeof auditConfig>;
