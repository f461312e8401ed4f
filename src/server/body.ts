// Reads a request body once, with a bound on bytes.

import { AppError } from '../kit/errors.ts';

const tooLarge = (limit: number): AppError => new AppError('PAYLOAD_TOO_LARGE', 'The request body is too large.', { details: { limit } });

/** @throws AppError PAYLOAD_TOO_LARGE as soon as the bound is passed; the rest is not read */
export const readBody = async (request: Request, limit: number): Promise<string> => {
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge(limit);
  if (request.body === null) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};
