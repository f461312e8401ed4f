// Storage in a file of lines, rotated by size. Several processes may write to one file: each write holds the lock beside it.

import { constants, createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Logger } from '../kit/context.ts';
import type { EncoderPool } from '../kit/encoder.ts';
import { type LineFormat, type Link, parseLine } from './chain.ts';
import { anchorPath, listRotated, openFileReader, type Rotated, readAnchors, readLines, readNewest, readTail } from './file-reader.ts';
import { type FileLock, openLock } from './lock.ts';
import type { AuditLine } from './record.ts';
import type { AuditStorage } from './storage.ts';

export interface FileOptions {
  readonly path: string;
  /** Size above which the file is rotated; 0 = never. */
  readonly maxBytes: number;
  /** Rotated files that are kept; 0 = all. */
  readonly maxBackups: number;
  /** Rotated files older than this are removed; 0 = never. */
  readonly maxAgeMs: number;
  readonly compress: boolean;
  readonly maxLogs: number;
  readonly format: LineFormat;
  readonly logger: Logger;
  readonly now: () => number;
  readonly encoders: EncoderPool;
}

/** Age is looked at this often, beside every rotation. */
const SWEEP_MS = 3_600_000;
/** Writers whose removed lines are remembered: those that wrote the oldest lines that are left are among the newest. */
const MAX_ANCHORS = 1000;
/** Records of who did what: for the owner alone. */
const MODE = 0o600;

interface Target {
  readonly file: FileHandle;
  readonly inode: number;
  /** As we left it; another size means that another process wrote. */
  size: number;
}

class FileStorage {
  readonly #options: FileOptions;
  /** Held for every write, and for tidying: two locks, so that no call waits for the tidying. */
  readonly #lock: FileLock;
  readonly #tidyLock: FileLock;
  readonly #sweep: NodeJS.Timeout;
  #target: Target | undefined;
  #tidying: Promise<void> | undefined;

  constructor(options: FileOptions) {
    this.#options = options;
    this.#lock = openLock(`${options.path}.lock`);
    this.#tidyLock = openLock(`${options.path}.tidy.lock`);
    this.#sweep = setInterval(() => this.tidyLater(), SWEEP_MS);
    this.#sweep.unref();
  }

  async write(lines: readonly AuditLine[], durable: boolean): Promise<void> {
    const encoder = this.#options.encoders.acquire();
    try {
      for (const { line } of lines) encoder.text(line).text('\n');
      const { bytes } = encoder;
      const isRotated = await this.#lock.hold(() => this.#append(bytes, durable));
      if (isRotated) this.tidyLater();
    } finally {
      this.#options.encoders.release(encoder);
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    await this.#tidying;
    await this.#target?.file.close();
    this.#lock.close();
    this.#tidyLock.close();
  }

  /** Opens the file, mends its end, and gives the newest line of all files. */
  begin(): Promise<Link | undefined> {
    const { path } = this.#options;
    return this.#lock.hold(async () => {
      await this.#open();
      const [last] = await readNewest(path, 1);
      return last === undefined ? (await readAnchors(path)).at(-1) : parseLine(last);
    });
  }

  /** Compresses what was rotated and removes what is not kept, beside the calls. */
  tidyLater(): void {
    this.#tidying ??= this.#tidyLock
      .hold(() => this.#tidy())
      .catch((thrown: unknown) => {
        const { code, message } = thrown as { code?: unknown; message?: unknown };
        this.#options.logger.warn({ reason: code ?? message }, 'rotated audit files could not be tidied');
      })
      .finally(() => {
        this.#tidying = undefined;
      });
  }

  /** @returns whether the file was rotated */
  async #append(bytes: Uint8Array, durable: boolean): Promise<boolean> {
    const { maxBytes } = this.#options;
    let target = await this.#open();
    const isRotated = maxBytes > 0 && target.size > 0 && target.size + bytes.byteLength > maxBytes;
    if (isRotated) {
      await this.#rotate(target);
      target = await this.#open();
    }
    const { file, size } = target;
    try {
      let done = 0;
      while (done < bytes.byteLength) done += (await file.write(bytes, done, bytes.byteLength - done, size + done)).bytesWritten;
      if (durable) await file.datasync();
      target.size = size + done;
    } catch (thrown) {
      // All or none: what a failed attempt wrote must not stay, as it comes again.
      await file.truncate(size).catch(() => {});
      throw thrown;
    }
    return isRotated;
  }

  /** The file at the path, ending with a whole line: another process may have written, rotated, or been killed while it wrote. */
  async #open(): Promise<Target> {
    const { path } = this.#options;
    const found = await stat(path).catch((thrown: unknown) => {
      if ((thrown as { code?: unknown }).code === 'ENOENT') return undefined;
      throw thrown;
    });
    const known = this.#target;
    if (known !== undefined && known.inode === found?.ino && known.size === found.size) return known;
    this.#target = undefined;
    await known?.file.close();
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, MODE);
    try {
      if (found === undefined) await syncFolder(dirname(path));
      await this.#mend(file);
      const { ino, size } = await file.stat();
      this.#target = { file, inode: ino, size };
      return this.#target;
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  /** Removes a line that was cut off: it was acknowledged to nobody. */
  async #mend(file: FileHandle): Promise<void> {
    const { path, logger } = this.#options;
    const { torn, size } = await readTail(path, 1);
    if (torn === 0) return;
    await file.truncate(size - torn);
    logger.warn({ bytes: torn }, 'the last audit line was cut off and is removed');
  }

  async #rotate({ file }: Target): Promise<void> {
    const { path } = this.#options;
    await file.datasync();
    this.#target = undefined;
    await file.close();
    const number = ((await listRotated(path)).at(-1)?.number ?? 0) + 1;
    await rename(path, `${path}.${String(number).padStart(6, '0')}`);
  }

  async #tidy(): Promise<void> {
    const { path, compress } = this.#options;
    await this.#remove();
    if (!compress) return;
    for (const rotated of await listRotated(path)) if (!rotated.isCompressed) await this.#compress(rotated);
  }

  async #remove(): Promise<void> {
    const { path, maxBackups, maxAgeMs, now } = this.#options;
    const rotated = await listRotated(path);
    const surplus = maxBackups === 0 ? 0 : Math.max(0, rotated.length - maxBackups);
    for (const [index, file] of rotated.entries()) {
      const { mtimeMs } = await stat(file.path);
      // Only from the oldest on: the chain must not have holes.
      if (index >= surplus && (maxAgeMs === 0 || mtimeMs + maxAgeMs >= now())) return;
      await this.#anchor(file);
      await unlink(file.path);
    }
  }

  /** Remembers the last line of each writer before its file is removed, so that retention and tampering can be told apart. */
  async #anchor(rotated: Rotated): Promise<void> {
    const { path } = this.#options;
    const anchors = new Map((await readAnchors(path)).map((link) => [link.writer, link]));
    for await (const line of readLines(rotated)) {
      const link = parseLine(line);
      if (link === undefined) continue;
      anchors.delete(link.writer);
      anchors.set(link.writer, { writer: link.writer, seq: link.seq, hash: link.hash });
    }
    const draft = `${anchorPath(path)}.tmp`;
    await writeFile(draft, JSON.stringify([...anchors.values()].slice(-MAX_ANCHORS)), { mode: MODE, flush: true });
    await rename(draft, anchorPath(path));
  }

  /** By another name first: an interrupted one counts for nothing. */
  async #compress({ path }: Rotated): Promise<void> {
    const draft = `${path}.gz.tmp`;
    try {
      await pipeline(createReadStream(path), createGzip(), createWriteStream(draft, { mode: MODE, flush: true }));
      const { atime, mtime } = await stat(path);
      // Age counts from the last line, not from the compression.
      await utimes(draft, atime, mtime);
      await rename(draft, `${path}.gz`);
      await unlink(path);
    } finally {
      await rm(draft, { force: true });
    }
  }
}

/** Makes the entry of a new file durable too. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r');
  await folder.sync().finally(() => folder.close());
};

/** Opens or makes the file. Rejects when that is not possible. */
export const openFileStorage = async (options: FileOptions): Promise<AuditStorage> => {
  await mkdir(dirname(options.path), { recursive: true, mode: 0o750 });
  const storage = new FileStorage(options);
  try {
    const before = await storage.begin();
    storage.tidyLater();
    return {
      ...openFileReader(options),
      name: 'file',
      before,
      write: (lines, durable) => storage.write(lines, durable),
      close: () => storage.close(),
    };
  } catch (thrown) {
    await storage.close();
    throw thrown;
  }
};
