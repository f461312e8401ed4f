// The settings of a start. Where nothing is configured they are the defaults, made when the program was built: no schema is evaluated.

import defaults from './generated/defaults.json' with { type: 'json' };
import type { Config, Settings, SettingsOptions } from './settings.ts';

/** Variables of others, such as VAULT_ADDR, that are keys here too. */
const FOREIGN_VARIABLES: ReadonlySet<string> = new Set(defaults.variables);

const isUntouched = ({ file, env, flags = {} }: SettingsOptions): boolean =>
  file === undefined &&
  Object.values(flags).every((value) => value === undefined) &&
  Object.keys(env).every((name) => !name.startsWith('MCP_') && !FOREIGN_VARIABLES.has(name));

/** Reads the configuration. Throws INVALID_ARGUMENT that names all keys that are wrong. */
export const loadSettings = async (options: SettingsOptions): Promise<Settings> => {
  if (!isUntouched(options)) return (await import('./settings.ts')).loadSettings(options);
  return {
    // Its own: live keys are written into it.
    config: structuredClone(defaults.config) as unknown as Config,
    warnings: [],
    given: new Set(),
    from: new Map(),
    env: options.env,
    shape: async () => (await import('./settings.ts')).configShape,
    options,
    text: '',
  };
};
