// Secrets in files, as Kubernetes, Docker and systemd mount them.

import { open } from 'node:fs/promises';
import { AppError } from '../kit/errors.ts';

const MAX_BYTES = 65_536;

const refuse = (path: string, why: string, cause?: unknown): AppError =>
  new AppError('INVALID_ARGUMENT', `The secret file ${path} ${why}`, { details: { path }, ...(cause === undefined ? {} : { cause }) });

/** The content without its last line end. Throws INVALID_ARGUMENT when there is none, or far too much. */
export const readSecretFile = async (path: string): Promise<string> => {
  const file = await open(path, 'r').catch((cause: unknown) => {
    throw refuse(path, 'cannot be read: does it exist, and may this user read it?', cause);
  });
  try {
    // Bounded by what is read, not by what the file says of itself: devices and pipes say nothing.
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null).catch((cause: unknown) => {
      throw refuse(path, 'cannot be read.', cause);
    });
    if (bytesRead > MAX_BYTES) throw refuse(path, `is larger than ${MAX_BYTES} bytes.`);
    const text = buffer.toString('utf8', 0, bytesRead).replace(/\r?\n$/, '');
    buffer.fill(0);
    if (text === '') throw refuse(path, 'is empty.');
    return text;
  } finally {
    await file.close();
  }
};
