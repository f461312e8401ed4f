// config schema: JSON Schema for editors.

import { toJsonSchema } from '../config/json-schema.ts';
import { parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const { shape } = await toSettings(parseFlags(argv, SETTING_OPTIONS));
  process.stdout.write(`${JSON.stringify(toJsonSchema(await shape()), null, 2)}\n`);
  return 0;
};
