// config print: the configuration in effect.

import { toPrinted, toYaml } from '../config/print.ts';
import { parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const flags = parseFlags(argv, { ...SETTING_OPTIONS, json: { type: 'boolean' } });
  const settings = await toSettings(flags);
  const keys = toPrinted({ ...settings, shape: await settings.shape() });
  process.stdout.write(flags.values['json'] === true ? `${JSON.stringify({ keys })}\n` : await toYaml(keys));
  for (const warning of settings.warnings) process.stderr.write(`${warning}\n`);
  return 0;
};
