// The chain of lines. Every line names its writer, its number and the hash of the line before, and ends with the hash of all its own bytes
// before that: a line that was altered, removed or moved is found. Each process that writes is a writer with a chain of its own; its
// first line follows the newest line that it found, so that whole chains are missed too (docs/decisions/0005).

import { hash, randomBytes } from 'node:crypto';

export const ZERO_HASH = '0'.repeat(64);

/** The place of a line in the chain of its writer. */
export interface Link {
  readonly writer: string;
  /** From 1. */
  readonly seq: number;
  /** SHA-256, 64 hexadecimal digits. */
  readonly hash: string;
}

/** What a finished line says about its place. */
export interface Sealed extends Link {
  readonly prevHash: string;
  /** The line of another writer that the first line of a chain follows. */
  readonly follows?: { readonly writer: string; readonly seq: number };
  /** Whether the line's own bytes have its hash. */
  readonly isWhole: boolean;
}

export type LineFormat = 'json' | 'text';

export const createWriterId = (): string => randomBytes(6).toString('hex');

const toHash = (text: string): string => hash('sha256', text, 'hex');

/** Gives every line its place. The first one follows `before`, which another writer wrote. */
export class Chain {
  readonly writer: string;
  readonly #format: LineFormat;
  readonly #before: Link | undefined;
  #seq = 0;
  #hash: string;

  constructor({ writer, format = 'json', before }: { writer: string; format?: LineFormat; before?: Link | undefined }) {
    this.writer = writer;
    this.#format = format;
    this.#before = before;
    this.#hash = before?.hash ?? ZERO_HASH;
  }

  get head(): Link {
    return { writer: this.writer, seq: this.#seq, hash: this.#hash };
  }

  /** @param body the fields: JSON without its last brace, or text */
  seal(body: string): string {
    this.#seq += 1;
    const before = this.#seq === 1 && this.#before !== undefined ? `${this.#before.writer}:${this.#before.seq}` : undefined;
    if (this.#format === 'text') {
      const open = `${body} writer=${this.writer} seq=${this.#seq}${before === undefined ? '' : ` follows=${before}`} prev_hash=${this.#hash}`;
      this.#hash = toHash(open);
      return `${open} hash=${this.#hash}`;
    }
    const open = `${body},"writer":"${this.writer}","seq":${this.#seq}${before === undefined ? '' : `,"follows":"${before}"`},"prev_hash":"${this.#hash}"`;
    this.#hash = toHash(open);
    return `${open},"hash":"${this.#hash}"}`;
  }
}

const JSON_END =
  /,"writer":"([0-9a-f]{12})","seq":(\d{1,15})(?:,"follows":"([0-9a-f]{12}):(\d{1,15})")?,"prev_hash":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$/;
const TEXT_END =
  / writer=([0-9a-f]{12}) seq=(\d{1,15})(?: follows=([0-9a-f]{12}):(\d{1,15}))? prev_hash=([0-9a-f]{64}) hash=([0-9a-f]{64})$/;
const JSON_TAIL = ',"hash":""}'.length + 64;
const TEXT_TAIL = ' hash='.length + 64;
/** The end that says the place is never longer than this. */
const END_CHARS = 320;

/** Reads the place of a line; undefined when it is none of ours. */
export const parseLine = (line: string): Sealed | undefined => {
  const end = line.slice(-END_CHARS);
  const isJson = end.endsWith('}');
  const [, writer, seq, followsWriter, followsSeq, prevHash, own] = (isJson ? JSON_END : TEXT_END).exec(end) ?? [];
  if (writer === undefined || prevHash === undefined || own === undefined) return undefined;
  return {
    writer,
    seq: Number(seq),
    hash: own,
    prevHash,
    ...(followsWriter === undefined ? {} : { follows: { writer: followsWriter, seq: Number(followsSeq) } }),
    isWhole: toHash(line.slice(0, -(isJson ? JSON_TAIL : TEXT_TAIL))) === own,
  };
};
