// Answers packed for clients that ask for it: zstd, br or gzip, whichever the client likes best. Event streams never, they would stall.

import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';
import type { Step } from '../../kit/compose.ts';
import type { HttpExchange } from '../../kit/http.ts';

const THRESHOLD_BYTES = 1024;
const PACKABLE = /^(application\/(?:[\w.+-]*\+)?json|text\/(?!event-stream)|image\/svg\+xml|application\/(?:javascript|xml))/;

type Pack = (bytes: Uint8Array) => Promise<Uint8Array>;

/** In our order of preference, for clients that have none. */
const createPacks = (level: number): ReadonlyMap<string, Pack> => {
  const [zstd, brotli, zip] = [promisify(zstdCompress), promisify(brotliCompress), promisify(gzip)];
  return new Map<string, Pack>([
    ['zstd', (bytes) => zstd(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } })],
    [
      'br',
      (bytes) => brotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }),
    ],
    ['gzip', (bytes) => zip(bytes, { level })],
  ]);
};

/** The coding with the highest weight of those that we have (RFC 9110, 12.5.3); undefined = send it plain. */
export const chooseCoding = (accept: string | null, ours: readonly string[]): string | undefined => {
  if (accept === null) return undefined;
  const weights = new Map(
    accept.split(',').map((part): [string, number] => {
      const [name = '', ...parameters] = part.trim().toLowerCase().split(';');
      const weight = parameters.map((parameter) => /^\s*q=(.*)$/.exec(parameter)?.[1]).find((value) => value !== undefined);
      return [name.trim(), weight === undefined ? 1 : Number(weight) || 0];
    }),
  );
  const weightOf = (coding: string): number => weights.get(coding) ?? weights.get('*') ?? 0;
  const plain = weights.get('identity') ?? 0;
  const [best] = ours.toSorted((a, b) => weightOf(b) - weightOf(a));
  return best !== undefined && weightOf(best) > 0 && weightOf(best) >= plain ? best : undefined;
};

const isPackable = ({ status, headers, body }: Response): boolean =>
  status !== 204 && status !== 304 && body !== null && !headers.has('content-encoding') && PACKABLE.test(headers.get('content-type') ?? '');

/** @param level 1 = fast, 9 = small */
export const compress = (level: number): Step<HttpExchange, Response> => {
  const packs = createPacks(level);
  const names = [...packs.keys()];
  return async (exchange, next) => {
    const response = await next(exchange);
    const accept = exchange.request.headers.get('accept-encoding');
    if (accept === null || exchange.request.method === 'HEAD' || !isPackable(response)) return response;
    response.headers.append('vary', 'Accept-Encoding');
    const coding = chooseCoding(accept, names);
    const pack = coding === undefined ? undefined : packs.get(coding);
    if (coding === undefined || pack === undefined) return response;
    const bytes = new Uint8Array(await response.arrayBuffer());
    const isSmall = bytes.length < THRESHOLD_BYTES;
    const headers = new Headers(response.headers);
    if (!isSmall) headers.set('content-encoding', coding);
    headers.delete('content-length');
    return new Response((isSmall ? bytes : await pack(bytes)) as Uint8Array<ArrayBuffer>, { status: response.status, headers });
  };
};
