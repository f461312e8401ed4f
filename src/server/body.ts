// Reads a request body once, with a bound on bytes.

import type { IncomingMessage } from 'node:http';
import { AppError } from '../kit/errors.ts';
import type { HttpExchange } from '../kit/http.ts';

const tooLarge = (limit: number): AppError => new AppError('PAYLOAD_TOO_LARGE', 'The request body is too large.', { details: { limit } });

/** From the socket's own events: a web stream around it would cost more than reading the body does. */
const readIncoming = (incoming: IncomingMessage, limit: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const done = (settle: () => void): void => {
      incoming.off('data', take).off('end', end).off('error', fail).off('close', gone);
      settle();
    };
    const take = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > limit) done(() => reject(tooLarge(limit)));
      else chunks.push(chunk);
    };
    const end = (): void => done(() => resolve(Buffer.concat(chunks)));
    const fail = (cause: Error): void => done(() => reject(new AppError('CANCELLED', 'The request ended before its body did.', { cause })));
    const gone = (): void => fail(new Error('closed'));
    if (incoming.destroyed) gone();
    else incoming.on('data', take).on('end', end).on('error', fail).on('close', gone);
  });

/** @throws AppError PAYLOAD_TOO_LARGE as soon as the bound is passed; the rest is not read */
export const readBody = async ({ request, node }: HttpExchange, limit: number): Promise<string> => {
  if (Number(request.headers.get('content-length') ?? 0) > limit) throw tooLarge(limit);
  return (await readIncoming(node.incoming, limit)).toString('utf8');
};
