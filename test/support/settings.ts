// For tests: settings from a text as it stands in a file.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings, type Settings } from '../../src/app.ts';

export interface Given {
  /** YAML. */
  readonly text?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly flagNames?: Readonly<Record<string, string>>;
}

/** Settings of a file with this text, variables and flags. */
export const toSettings = async ({ text, env = {}, ...flags }: Given): Promise<Settings> => {
  if (text === undefined) return loadSettings({ env, ...flags });
  const folder = await mkdtemp(join(tmpdir(), 'settings-'));
  try {
    const file = join(folder, 'config.yaml');
    await writeFile(file, text);
    return await loadSettings({ env, file, ...flags });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** The words of a refusal. */
export const toRefusal = (given: Given): Promise<string> =>
  toSettings(given).then(
    () => 'accepted',
    (thrown: unknown) => (thrown instanceof Error ? thrown.message : String(thrown)),
  );
