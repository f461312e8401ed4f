// Secrets in files, as Kubernetes, Docker and systemd mount them.

import { open, stat } from 'node:fs/promises';
import { AppError } from '../kit/errors.ts';

const MAX_BYTES = 65_536;

const refuse = (path: string, why: string, cause?: unknown): AppError =>
  new AppError('INVALID_ARGUMENT', `The secret file ${path} ${why}`, { details: { path }, ...(cause === undefined ? {} : { cause }) });

/** Changes when the file does, also when a mount swaps a link beneath it. */
export const signFile = async (path: string): Promise<string> => {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? '' : `${found.ino} ${found.mtimeMs} ${found.size}`;
};

/** The content without its last line end. Throws INVALID_ARGUMENT when there is none, or far too much. */
export const readSecretFile = async (path: string): Promise<string> => {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw refuse(path, 'cannot be read: does it exist, and may this user read it?', cause);
  });
  try {
    const { size } = await file.stat();
    if (size > MAX_BYTES) throw refuse(path, `is larger than ${MAX_BYTES} bytes.`);
    const text = (await file.readFile('utf8').catch((cause: unknown) => Promise.reject(refuse(path, 'cannot be read.', cause)))).replace(
      /\r?\n$/,
      '',
    );
    if (text === '') throw refuse(path, 'is empty.');
    return text;
  } finally {
    await file.close();
  }
};
