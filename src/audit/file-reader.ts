// The audit file and the rotated ones beside it, read: `audit.log`, and `audit.log.000001` (oldest), `audit.log.000002.gz`, ...

import { createReadStream } from 'node:fs';
import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { AppError } from '../kit/errors.ts';
import type { LineFormat, Link } from './chain.ts';
import { toLineFacts } from './record.ts';
import { type Candidate, selectPage, selectStats } from './select.ts';
import type { AuditReader } from './storage.ts';

export interface Rotated {
  readonly number: number;
  readonly path: string;
  readonly isCompressed: boolean;
}

const CHUNK = 64 * 1024;

const isAbsent = (thrown: unknown): boolean => (thrown as { code?: unknown }).code === 'ENOENT';

/** Rotated files, oldest first. Where a file and its compressed form are both there, compressing was interrupted: the file counts. */
export const listRotated = async (path: string): Promise<Rotated[]> => {
  const name = basename(path);
  const found = new Map<number, Rotated>();
  const entries = await readdir(dirname(path)).catch((thrown: unknown) => {
    if (isAbsent(thrown)) return [];
    throw thrown;
  });
  for (const entry of entries.sort()) {
    if (!entry.startsWith(`${name}.`)) continue;
    const [, digits, gz] = /^(\d{6,})(\.gz)?$/.exec(entry.slice(name.length + 1)) ?? [];
    const number = Number(digits);
    if (digits === undefined || found.has(number)) continue;
    found.set(number, { number, path: join(dirname(path), entry), isCompressed: gz !== undefined });
  }
  return [...found.values()].sort((a, b) => a.number - b.number);
};

/** The lines of a stream; what comes after the last line end is given too, unless it may still be being written (`isOpen`). */
async function* splitLines(stream: Readable, isOpen = false): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const parts = `${rest}${chunk}`.split('\n');
    rest = parts.pop() ?? '';
    yield* parts;
  }
  if (rest !== '' && !isOpen) yield rest;
}

/** The lines of a rotated file. Where it cannot be unpacked, one empty line stands for the rest: no chain has one. */
export async function* readLines({ path, isCompressed }: Pick<Rotated, 'path' | 'isCompressed'>): AsyncGenerator<string> {
  const raw = createReadStream(path);
  const stream = isCompressed ? raw.pipe(createGunzip()) : raw;
  // An error of the file does not travel through the pipe by itself.
  raw.on('error', (error) => stream.destroy(error));
  try {
    yield* splitLines(stream);
  } catch (thrown) {
    if (!isCompressed || !String((thrown as { code?: unknown }).code).startsWith('Z_')) throw thrown;
    yield '';
  } finally {
    raw.destroy();
    stream.destroy();
  }
}

/** A file may be compressed after it was listed. */
async function* readListed(rotated: Rotated): AsyncGenerator<string> {
  try {
    yield* readLines(rotated);
  } catch (thrown) {
    if (rotated.isCompressed || !isAbsent(thrown)) throw thrown;
    yield* readLines({ path: `${rotated.path}.gz`, isCompressed: true });
  }
}

const openOrNothing = (path: string): Promise<FileHandle | undefined> =>
  open(path, 'r').catch((thrown: unknown) => {
    if (isAbsent(thrown)) return undefined;
    throw thrown;
  });

/** Every line of all files. The newest file is opened first, so that a rotation meanwhile hides nothing and shows nothing twice. */
async function* readAll(path: string): AsyncGenerator<string> {
  const current = await openOrNothing(path);
  try {
    const inode = (await current?.stat())?.ino;
    for (const rotated of await listRotated(path)) {
      const found = await stat(rotated.path).catch(() => undefined);
      if (inode === undefined || found?.ino !== inode) yield* readListed(rotated);
    }
    if (current !== undefined) yield* splitLines(current.createReadStream({ start: 0, autoClose: false }), true);
  } finally {
    await current?.close();
  }
}

const readAt = async (file: FileHandle, position: number, length: number): Promise<Buffer> => {
  const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
};

/** The last whole lines of a plain file, oldest first, and the bytes after the last line end. No `inode`: the file is not there. */
export const readTail = async (
  path: string,
  count: number,
): Promise<{ lines: string[]; torn: number; size: number; inode: number | undefined }> => {
  const file = await openOrNothing(path);
  if (file === undefined) return { lines: [], torn: 0, size: 0, inode: undefined };
  try {
    const { size, ino } = await file.stat();
    let position = size;
    let ends = 0;
    const chunks: Buffer[] = [];
    // One line end more than lines: the one before the first of them.
    while (position > 0 && ends <= count) {
      const length = Math.min(CHUNK, position);
      position -= length;
      const chunk = await readAt(file, position, length);
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) ends += 1;
      chunks.unshift(chunk);
    }
    const text = Buffer.concat(chunks);
    const lastEnd = text.lastIndexOf(10);
    const whole = text
      .subarray(0, Math.max(0, lastEnd))
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '');
    return { lines: whole.slice(-count), torn: text.length - lastEnd - 1, size, inode: ino };
  } finally {
    await file.close();
  }
};

/** The last lines of a packed file. */
const readPackedTail = async (rotated: Pick<Rotated, 'path' | 'isCompressed'>, count: number): Promise<string[]> => {
  const lines: string[] = [];
  for await (const line of readLines(rotated)) {
    lines.push(line);
    if (lines.length > count * 2) lines.splice(0, lines.length - count);
  }
  return lines.slice(-count);
};

/** A file may be compressed after it was listed. */
const readRotatedTail = async (rotated: Rotated, count: number): Promise<string[]> => {
  if (rotated.isCompressed) return readPackedTail(rotated, count);
  const { lines, inode } = await readTail(rotated.path, count);
  return inode === undefined ? readPackedTail({ path: `${rotated.path}.gz`, isCompressed: true }, count) : lines;
};

/** The newest lines of all files, oldest first. A rotation meanwhile hides nothing and shows nothing twice. */
export const readNewest = async (path: string, count: number): Promise<string[]> => {
  const current = await readTail(path, count);
  let { lines } = current;
  for (const rotated of (await listRotated(path)).toReversed()) {
    if (lines.length >= count) break;
    const found = await stat(rotated.path).catch(() => undefined);
    if (found !== undefined && found.ino === current.inode) continue;
    lines = [...(await readRotatedTail(rotated, count - lines.length)), ...lines];
  }
  return lines;
};

export const anchorPath = (path: string): string => `${path}.anchor`;

export const readAnchors = async (path: string): Promise<Link[]> => {
  const text = await readFile(anchorPath(path), 'utf8').catch((thrown: unknown) => {
    if (isAbsent(thrown)) return '[]';
    throw thrown;
  });
  return JSON.parse(text) as Link[];
};

/** The records that a query looks at: the completed line of each, or the started one where there is no other. */
const toCandidates = async (path: string, maxLogs: number): Promise<Candidate[]> => {
  const records = new Map<string, Candidate>();
  for (const line of await readNewest(path, maxLogs * 2)) {
    const facts = toLineFacts(line);
    if (facts === undefined || (facts.phase === 'started' && records.has(facts.record))) continue;
    records.set(facts.record, { ...facts, line });
  }
  return [...records.values()].slice(-maxLogs);
};

const requireJson = (format: LineFormat): void => {
  if (format === 'json') return;
  throw new AppError('UNSUPPORTED', 'Audit lines in the text format cannot be queried.', {
    details: { needs: 'audit.format json, or a database', key: 'audit.format' },
  });
};

export const openFileReader = ({ path, maxLogs, format }: { path: string; maxLogs: number; format: LineFormat }): AuditReader => ({
  async query(query) {
    requireJson(format);
    return selectPage(await toCandidates(path, maxLogs), query);
  },
  async stats(range) {
    requireJson(format);
    return selectStats(await toCandidates(path, maxLogs), range);
  },
  lines: () => readAll(path),
  anchors: () => readAnchors(path),
  torn: async () => (await readTail(path, 1)).torn,
  async close() {},
});
