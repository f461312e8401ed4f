// Flags that several commands share, and how they become settings.

import { parseArgs } from 'node:util';
import { loadSettings, type Settings } from '../app.ts';
import { AppError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';

type Options = Readonly<Record<string, { type: 'string' | 'boolean'; short?: string; multiple?: boolean }>>;

/** Flag -> configuration key. */
const FLAGS = {
  mode: 'server.mode',
  addr: 'server.addr',
  'read-timeout': 'server.readTimeoutSec',
  'write-timeout': 'server.writeTimeoutSec',
  'idle-timeout': 'server.idleTimeoutSec',
  'log-level': 'logging.level',
  kubeconfig: 'kubernetes.kubeconfig',
  profile: 'profiles',
} as const;

/** Key -> the flag that sets it, for messages. */
const FLAG_NAMES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(FLAGS).map(([flag, key]) => [key, `--${flag}`])),
  'security.allowWrites': '--allow-writes',
  'security.allowDestructive': '--allow-destructive',
};

export const SETTING_OPTIONS: Options = {
  ...Object.fromEntries(Object.keys(FLAGS).map((flag) => [flag, { type: 'string' as const }])),
  config: { type: 'string' },
  'allow-writes': { type: 'boolean' },
  'allow-destructive': { type: 'boolean' },
};

export const HELP_OPTION: Options = { help: { type: 'boolean', short: 'h' } };

export interface ParsedFlags {
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly positionals: readonly string[];
  /** Flags that may be repeated. */
  readonly lists: Readonly<Record<string, readonly string[] | undefined>>;
}

/** Parses the flags of a command; an unknown one is refused with the nearest. */
export const parseFlags = (argv: readonly string[], options: Options, positionals = false): ParsedFlags => {
  try {
    const parsed = parseArgs({ args: [...argv], options, allowPositionals: positionals, strict: true });
    const entries = Object.entries(parsed.values);
    return {
      values: Object.fromEntries(entries.filter(([, value]) => !Array.isArray(value))) as ParsedFlags['values'],
      lists: Object.fromEntries(entries.filter(([, value]) => Array.isArray(value))) as ParsedFlags['lists'],
      positionals: parsed.positionals,
    };
  } catch (thrown) {
    const unknown = /'(--?[^' ]+)/.exec(thrown instanceof Error ? thrown.message : '')?.[1];
    const nearest = unknown === undefined ? [] : nearestNames(unknown.replace(/^-+/, ''), Object.keys(options)).map((name) => `--${name}`);
    const message = thrown instanceof Error ? (thrown.message.split('. ')[0] ?? '') : 'The flags cannot be read';
    throw new AppError('INVALID_ARGUMENT', `${message}. See --help.`, { details: { nearest } });
  }
};

/** Settings from file, environment and flags, in this order. */
export const toSettings = async ({ values }: ParsedFlags, extra: Readonly<Record<string, unknown>> = {}): Promise<Settings> => {
  const { env } = process;
  const flags: Record<string, unknown> = {};
  for (const [flag, key] of Object.entries(FLAGS)) if (values[flag] !== undefined) flags[key] = values[flag];
  if (values['allow-writes'] === true) flags['security.allowWrites'] = true;
  if (values['allow-destructive'] === true) Object.assign(flags, { 'security.allowWrites': true, 'security.allowDestructive': true });
  const file = values['config'] ?? env['MCP_CONFIG'];
  return loadSettings({ env, flags: { ...flags, ...extra }, flagNames: FLAG_NAMES, ...(typeof file === 'string' ? { file } : {}) });
};
