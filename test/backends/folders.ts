/** Where the test bed keeps things: built programs in the user's cache, the state of runs in a temporary folder. */
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** The root of this checkout; runs remember which checkout started them. */
export const CHECKOUT = resolve(import.meta.dirname, '../..');

/** A folder below the user's cache, made if absent. */
export function cacheFolder(...names: string[]): string {
  const base = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(base, 'cloud-native-mcp-server', 'backends', ...names);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * The folder of all runs of this user, made if absent. Its name is short because unix socket paths below it may have
 * only 107 characters. A folder of somebody else under that name is refused: keys are written there.
 */
export function runsFolder(): string {
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `cnmcp-backends-${user}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (statSync(folder).uid !== user) throw new Error(`${folder} belongs to another user`);
  chmodSync(folder, 0o755); // Programs that must not run as root still have to pass; the folders of runs are closed one by one.
  return folder;
}
