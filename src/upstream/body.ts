// How an answer's body is read: decoded, bounded after decoding, parsed only when it is JSON.
import { pipeline, Readable, type Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { AppError } from '../kit/errors.ts';
import { cleanText, type ResponseHeaders } from './failures.ts';
import type { Backend } from './ports.ts';

/** The body without its content codings. An unknown coding is a DATA_ERROR. The returned stream destroys its source with itself. */
export const decodeBody = async (
  body: Readable,
  { headers, backend }: { headers: ResponseHeaders; backend: Backend },
): Promise<Readable> => {
  const codings = (firstHeader(headers, 'content-encoding') ?? '')
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity');
  let decoded = body;
  for (const coding of codings.reverse()) {
    const decode = DECODERS[coding];
    if (decode === undefined) {
      body.destroy();
      throw new AppError('DATA_ERROR', `${backend.title} answered in an encoding that was not asked for.`, {
        details: { service: backend.service, encoding: cleanText(coding, 40) },
      });
    }
    decoded = await decode(decoded);
  }
  return decoded;
};

// The failure reaches the reader through the decoder itself; pipeline only has to tear down both ends.
const through = (body: Readable, decoder: Transform): Readable => pipeline(body, decoder, () => {});

/** "deflate" is zlib by the standard and raw by habit: the first byte tells which. */
const inflate = async (body: Readable): Promise<Readable> => {
  const parts: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  const first = await parts.next();
  const isZlib = first.done === true || ((first.value[0] ?? 0) & 0x0f) === 8;
  return through(Readable.from(resume(first, parts), { objectMode: false }), isZlib ? createInflate() : createInflateRaw());
};

async function* resume(first: IteratorResult<Uint8Array>, parts: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for (let part = first; part.done !== true; part = await parts.next()) yield part.value;
  } finally {
    await parts.return?.();
  }
}

const DECODERS: Readonly<Record<string, (body: Readable) => Readable | Promise<Readable>>> = {
  gzip: (body) => through(body, createGunzip()),
  'x-gzip': (body) => through(body, createGunzip()),
  br: (body) => through(body, createBrotliDecompress()),
  deflate: inflate,
};

/** The whole body, or PAYLOAD_TOO_LARGE as soon as it passes the bound; leaving early destroys the connection. */
export const readBounded = async (
  body: AsyncIterable<Uint8Array>,
  { maxBytes, backend }: { maxBytes: number; backend: Backend },
): Promise<Buffer> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.byteLength;
    if (size > maxBytes) throw toTooLarge(backend, maxBytes);
    chunks.push(chunk);
  }
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined
    ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
    : Buffer.concat(chunks, size);
};

/** The first bytes of a body that is only looked at: never too large, and the rest is not waited for. */
export const readStart = async (
  body: AsyncIterable<Uint8Array>,
  { maxBytes }: { maxBytes: number },
): Promise<{ readonly body: Buffer; readonly isCut: boolean }> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.byteLength;
    if (size > maxBytes) break;
  }
  return { body: Buffer.concat(chunks).subarray(0, maxBytes), isCut: size > maxBytes };
};

export const toTooLarge = ({ service, title }: Backend, maxBytes: number): AppError => {
  const limit = maxBytes >= 1024 * 1024 ? `${Math.round(maxBytes / 1024 / 1024)} MiB` : `${Math.round(maxBytes / 1024)} KiB`;
  return new AppError('PAYLOAD_TOO_LARGE', `The answer of ${title} is larger than ${limit}: ask for less at once.`, {
    details: { service, limit },
  });
};

/** Text to value. HTML is the voice of a proxy or a login page and is never parsed; its words stay in `details.upstream`. */
export const parseJson = (
  text: string,
  { backend: { service, title }, status, headers }: { backend: Backend; status: number; headers: ResponseHeaders },
): unknown => {
  const type = firstHeader(headers, 'content-type') ?? '';
  const fail = (problem: string, cause?: unknown) =>
    new AppError('DATA_ERROR', `${title} answered ${problem}.`, { details: { service, status, upstream: cleanText(text) }, cause });
  if (/\bhtml\b/i.test(type) || /^\s*</.test(text))
    throw fail('with a web page where JSON was expected: a proxy or a login page may stand in front of it');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw fail('something that is not JSON', error);
  }
};

/**
 * Lines of a text body, without their ends. A line longer than `maxLine` characters is cut there and its rest is dropped, so that one
 * endless line cannot fill the memory. A last line without an end is a line, unless `isCut` says that the body stopped in its middle.
 */
export async function* readLines(
  body: AsyncIterable<Uint8Array>,
  { maxLine = 1024 * 1024, isCut = () => false }: { maxLine?: number; isCut?: () => boolean } = {},
): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = cut(parts.pop() ?? '', maxLine);
    for (const line of parts) yield cut(line.endsWith('\r') ? line.slice(0, -1) : line, maxLine);
  }
  rest += decoder.decode();
  if (rest !== '' && !isCut()) yield cut(rest, maxLine);
}

const cut = (line: string, length: number): string => (line.length > length ? line.slice(0, length) : line);

export const firstHeader = (headers: ResponseHeaders, name: string): string | undefined => {
  const value = headers[name];
  return typeof value === 'string' ? value : value?.[0];
};
