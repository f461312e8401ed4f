// The files of a chart archive, read in memory: ustar with pax and GNU long names (POSIX 1003.1). No library for this is among the dependencies,
// and a chart needs little of the format. Links, devices and paths that lead out are refused.

import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AppError } from '../../../kit/errors.ts';

const unzip = promisify(gunzip);
const BLOCK = 512;
const MAX_UNPACKED = 20 * 1024 * 1024;
const MAX_FILES = 10_000;

const refuse = (why: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown): AppError =>
  new AppError('DATA_ERROR', `The chart archive is not used: ${why}.`, { details: { service: 'helm', ...details }, cause });

const readText = (bytes: Buffer): string => {
  const end = bytes.indexOf(0);
  return bytes.subarray(0, end < 0 ? bytes.length : end).toString('utf8');
};

const readOctal = (bytes: Buffer): number => {
  const text = readText(bytes).trim();
  if (!/^[0-7]*$/.test(text)) throw refuse('a number in it is broken');
  return text === '' ? 0 : Number.parseInt(text, 8);
};

const checkSum = (header: Buffer): void => {
  let sum = 0;
  for (const [index, byte] of header.entries()) sum += index >= 148 && index < 156 ? 32 : byte;
  if (sum !== readOctal(header.subarray(148, 156))) throw refuse('a header is broken');
};

/** `21 path=some/long/name\n` ... */
const readPax = (body: Buffer): Map<string, string> => {
  const fields = new Map<string, string>();
  let at = 0;
  while (at < body.length) {
    const space = body.indexOf(0x20, at);
    const length = Number(body.subarray(at, space).toString('latin1'));
    if (space < 0 || !Number.isInteger(length) || length <= 0 || at + length > body.length) throw refuse('an extended header is broken');
    const [, key = '', value = ''] = /^([^=]+)=([\s\S]*)\n$/.exec(body.subarray(space + 1, at + length).toString('utf8')) ?? [];
    fields.set(key, value);
    at += length;
  }
  return fields;
};

const checkPath = (path: string): string => {
  const clean = path.replace(/^(?:\.\/)+/, '');
  if (clean.startsWith('/') || /[\\\0]|^[A-Za-z]:/.test(clean) || clean.split('/').includes('..'))
    throw refuse('a path in it leads out of the chart', { path: path.slice(0, 100) });
  return clean;
};

const unpack = async (archive: Buffer): Promise<Buffer> =>
  unzip(archive, { maxOutputLength: MAX_UNPACKED }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ERR_BUFFER_TOO_LARGE')
      throw new AppError('PAYLOAD_TOO_LARGE', 'The chart archive unpacks to more than 20 MB.', { details: { limit: MAX_UNPACKED }, cause });
    throw refuse('it is no gzip', {}, cause);
  });

/** Path without the folder of the chart -> content. */
export const readArchive = async (archive: Buffer): Promise<ReadonlyMap<string, Buffer>> => {
  const bytes = await unpack(archive);
  const files = new Map<string, Buffer>();
  let longName: string | undefined;
  let pax = new Map<string, string>();
  for (let at = 0; at + BLOCK <= bytes.length; ) {
    const header = bytes.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) break;
    checkSum(header);
    const type = String.fromCharCode(header[156] ?? 0);
    const size = Number(pax.get('size') ?? readOctal(header.subarray(124, 136)));
    const start = at + BLOCK;
    if (!Number.isSafeInteger(size) || size < 0 || start + size > bytes.length) throw refuse('it is cut off');
    const body = bytes.subarray(start, start + size);
    at = start + Math.ceil(size / BLOCK) * BLOCK;
    if (type === 'x') pax = readPax(body);
    else if (type === 'L') longName = readText(body);
    if (type === 'x' || type === 'L' || type === 'g') continue;
    const prefix = header.subarray(257, 262).toString('latin1') === 'ustar' ? readText(header.subarray(345, 500)) : '';
    const short = readText(header.subarray(0, 100));
    const path = checkPath(pax.get('path') ?? longName ?? (prefix === '' ? short : `${prefix}/${short}`));
    [longName, pax] = [undefined, new Map()];
    if (type === '5') continue;
    if (type !== '0' && type !== '\0' && type !== '7') throw refuse('it has links or devices in it', { path: path.slice(0, 100) });
    const slash = path.indexOf('/');
    if (slash < 0) continue;
    if (files.size >= MAX_FILES) throw refuse(`it has more than ${MAX_FILES} files`);
    files.set(path.slice(slash + 1), body);
  }
  return files;
};
