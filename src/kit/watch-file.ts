// Follows one file by its folder: editors, kubectl and mounted volumes replace files instead of writing into them.

import { watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const SETTLE_MS = 50;
/** Some file systems tell nothing: then a look now and then has to do. */
const LOOK_EVERY_MS = 10_000;

/**
 * Calls back with the text whenever it has become another one, starting from `known`. An unreadable file changes nothing: it may be half
 * replaced. Returns the way to stop.
 */
export const watchFile = (path: string, known: string, onText: (text: string) => void): (() => void) => {
  let last = known;
  let settling: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const text = await readFile(path, 'utf8').catch(() => last);
    if (text === last) return;
    last = text;
    onText(text);
  };
  const settle = (): void => {
    clearTimeout(settling);
    settling = setTimeout(() => void look(), SETTLE_MS);
    settling.unref();
  };
  const watcher = watch(dirname(path), { persistent: false }, settle);
  watcher.on('error', () => watcher.close());
  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  looking.unref();
  return () => {
    clearTimeout(settling);
    clearInterval(looking);
    watcher.close();
  };
};
