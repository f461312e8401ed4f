// Whether a file is still the one that was read, without reading it again.

import { stat } from 'node:fs/promises';

/** Another text when the file is another, also when a mount swaps a link beneath it. Empty when there is none. */
export const signFile = async (path: string): Promise<string> => {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? '' : `${found.ino}:${found.size}:${found.mtimeNs}`;
};
