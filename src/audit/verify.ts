// Is the chain whole? Walks over every stored line and names the first one that was altered, removed or moved.

import { type Link, parseLine, type Sealed, ZERO_HASH } from './chain.ts';
import type { AuditReader } from './storage.ts';

export interface Flaw {
  readonly kind: 'altered' | 'removed' | 'reordered';
  readonly writer: string;
  readonly seq: number;
  /** Number of the line in the order of storage, from 1; for a removed one, where it should be. */
  readonly line: number;
  readonly detail: string;
}

export interface Verdict {
  readonly lines: number;
  readonly writers: number;
  readonly flaw?: Flaw;
  /** Bytes of a last line that was cut off while it was written. */
  readonly torn: number;
  /** Place of the newest line, `writer:seq:hash`. */
  readonly head?: string;
}

export interface VerifyOptions {
  /** A place that was noted elsewhere (`writer:seq:hash`): it must be there, or be gone by retention. */
  readonly expected?: string;
}

interface Walk {
  readonly states: Map<string, Link>;
  readonly anchors: ReadonlyMap<string, Link>;
  /** Places of other writers that first lines follow and that were not seen yet, by `writer:seq`. */
  readonly wanted: Map<string, { readonly hash: string; readonly by: Sealed; readonly line: number }>;
  count: number;
}

const place = ({ writer, seq }: { readonly writer: string; readonly seq: number }): string => `${writer}:${seq}`;

/** What is wrong with a line, given all before it. */
const check = (line: Sealed, { states, anchors, count }: Walk): Flaw | undefined => {
  const { writer, seq } = line;
  const flaw = (kind: Flaw['kind'], detail: string, at = seq): Flaw => ({ kind, writer, seq: at, line: count, detail });
  if (!line.isWhole) return flaw('altered', 'its bytes do not have its hash');
  const known = states.get(writer) ?? anchors.get(writer);
  // Lines that retention was about to remove may still be there.
  const isOld = states.get(writer) === undefined && known !== undefined && seq <= known.seq;
  if (isOld) return undefined;
  const expected = (known?.seq ?? 0) + 1;
  if (seq > expected) return flaw('removed', `line ${expected} of this writer is missing`, expected);
  if (seq < expected) return flaw('reordered', `line ${seq} comes after line ${expected - 1}`);
  if (known !== undefined && line.prevHash !== known.hash) return flaw('altered', 'the line before it was another', seq - 1);
  return undefined;
};

const checkWanted = (line: Sealed, walk: Walk): Flaw | undefined => {
  const wanted = walk.wanted.get(place(line));
  if (wanted === undefined) return undefined;
  walk.wanted.delete(place(line));
  if (wanted.hash === line.hash) return undefined;
  return { kind: 'altered', writer: line.writer, seq: line.seq, line: walk.count, detail: `line ${wanted.line} follows another one` };
};

/** A line that comes later than its place is moved, not removed. */
const isLater = async (reader: AuditReader, flaw: Flaw): Promise<boolean> => {
  let count = 0;
  for await (const text of reader.lines()) {
    count += 1;
    if (count <= flaw.line) continue;
    const line = parseLine(text);
    if (line?.isWhole === true && line.writer === flaw.writer && line.seq === flaw.seq) return true;
  }
  return false;
};

/** The places that first lines follow: they must be found on the walk, or be anchored. */
const collectWanted = async (
  reader: AuditReader,
  anchors: ReadonlyMap<string, Link>,
  expected: string | undefined,
): Promise<Walk['wanted']> => {
  const wanted: Walk['wanted'] = new Map();
  let count = 0;
  const add = (by: Sealed, writer: string, seq: number, hash: string): void => {
    const anchor = anchors.get(writer);
    if (anchor === undefined || anchor.seq < seq) wanted.set(place({ writer, seq }), { hash, by, line: count });
  };
  for await (const text of reader.lines()) {
    count += 1;
    if (!text.includes('follows')) continue;
    const line = parseLine(text);
    if (line?.follows !== undefined) add(line, line.follows.writer, line.follows.seq, line.prevHash);
  }
  const [, writer = '', seq = '0', hash = ''] = /^([0-9a-f]{12}):(\d+):([0-9a-f]{64})$/.exec(expected ?? '') ?? [];
  if (writer !== '') {
    const seqNumber = Number(seq);
    count = 0;
    add({ writer, seq: seqNumber, hash, prevHash: ZERO_HASH, isWhole: true }, writer, seqNumber, hash);
  }
  return wanted;
};

/** Reads everything twice, whatever its size, in constant memory. */
export const verify = async (reader: AuditReader, { expected }: VerifyOptions = {}): Promise<Verdict> => {
  const anchors = new Map((await reader.anchors()).map((link) => [link.writer, link]));
  const walk: Walk = { states: new Map(), anchors, wanted: await collectWanted(reader, anchors, expected), count: 0 };
  let flaw: Flaw | undefined;
  let head: Sealed | undefined;
  for await (const text of reader.lines()) {
    walk.count += 1;
    const line = parseLine(text);
    if (line === undefined) {
      flaw = {
        kind: 'altered',
        writer: head?.writer ?? '',
        seq: (head?.seq ?? 0) + 1,
        line: walk.count,
        detail: 'it is no line of the audit log',
      };
      break;
    }
    flaw = check(line, walk) ?? checkWanted(line, walk);
    if (flaw !== undefined) break;
    walk.states.set(line.writer, { writer: line.writer, seq: line.seq, hash: line.hash });
    head = line;
  }
  const [missing] = flaw === undefined ? walk.wanted : [];
  if (missing !== undefined) flaw = toMissing(missing[0], missing[1].line);
  if (flaw?.kind === 'removed' && missing === undefined && (await isLater(reader, flaw)))
    flaw = { ...flaw, kind: 'reordered', detail: 'it comes later' };
  return {
    lines: walk.count,
    writers: walk.states.size,
    torn: await reader.torn(),
    ...(flaw === undefined ? {} : { flaw }),
    ...(head === undefined ? {} : { head: `${head.writer}:${head.seq}:${head.hash}` }),
  };
};

const toMissing = (wanted: string, line: number): Flaw => {
  const [writer = '', seq] = wanted.split(':');
  const detail = line === 0 ? 'it was noted elsewhere and is not there' : `line ${line} follows it and it is not there`;
  return { kind: 'removed', writer, seq: Number(seq), line, detail };
};
