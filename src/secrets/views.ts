// The readings of a text: as it stands, unescaped, percent-decoded; never with line ends. Each knows where its characters stand in the text.

const BACKSLASH = 92;
const PERCENT = 37;
const SPACE = 32;
/** Memory that is kept between texts, characters. */
const MAX_KEPT = 65_536;

/** Up to here a loop is faster. */
const SHORT = 64;
/** Elsewhere strings are copied character by character. */
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** Characters without line ends, and where each begins and ends in the text that was read. */
export class Reading {
  codes = new Uint16Array(256);
  starts = new Uint32Array(256);
  ends = new Uint32Array(256);
  length = 0;
  #text: string | undefined;

  /** Empties it and makes room. */
  open(size: number): void {
    this.length = 0;
    this.#text = undefined;
    if (size <= this.codes.length && this.codes.length <= Math.max(MAX_KEPT, size)) return;
    const room = Math.max(256, size, Math.min(size * 2, MAX_KEPT));
    this.codes = new Uint16Array(room);
    this.starts = new Uint32Array(room);
    this.ends = new Uint32Array(room);
  }

  /** Takes a text as it stands. Copying its bytes is many times faster than asking for each character. */
  load(text: string): void {
    this.open(text.length);
    const { codes, starts, ends } = this;
    if (IS_LITTLE_ENDIAN && text.length > SHORT) Buffer.from(codes.buffer).write(text, 'utf16le');
    else for (let at = 0; at < text.length; at++) codes[at] = text.charCodeAt(at);
    for (let at = 0; at < text.length; at++) {
      starts[at] = at;
      ends[at] = at + 1;
    }
    this.length = text.length;
    this.#text = text;
  }

  cut(length: number): void {
    this.length = length;
    this.#text = undefined;
  }

  /** Its characters as a string, made when it is first asked for. */
  get text(): string {
    this.#text ??= IS_LITTLE_ENDIAN
      ? Buffer.from(this.codes.buffer, 0, this.length * 2).toString('utf16le')
      : this.codes.subarray(0, this.length).reduce((text, code) => text + String.fromCharCode(code), '');
    return this.#text;
  }
}

const isLineEnd = (code: number): boolean => code === 10 || code === 13;
const isBlank = (code: number): boolean => code === SPACE || code === 9 || isLineEnd(code);

/** A line end goes with the indentation after it: a value may be wrapped, or stand in a block of YAML. */
const LINE_END = /[\r\n][ \t\r\n]*/g;

/** The text without its line ends. */
export const flatten = (text: string): string => text.replace(LINE_END, '');

/** Takes the line ends out, in place. */
const removeLineEnds = (reading: Reading): void => {
  const { codes, starts, ends, length: size } = reading;
  let length = 0;
  let isIndent = false;
  for (let at = 0; at < size; at++) {
    const code = codes[at] as number;
    // Nearly every character: no blank, and so the end of an indentation.
    if (code > SPACE) isIndent = false;
    else if (isIndent ? isBlank(code) : isLineEnd(code)) {
      isIndent = true;
      continue;
    } else isIndent = false;
    codes[length] = code;
    starts[length] = starts[at] as number;
    ends[length++] = ends[at] as number;
  }
  reading.cut(length);
};

const toDigit = (code: number | undefined): number => {
  if (code === undefined) return -1;
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | SPACE;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
};

/** The number of so many hexadecimal digits; -1 when they are none. */
const toNumber = ({ codes, length }: Reading, at: number, digits: number): number => {
  if (at + digits > length) return -1;
  let value = 0;
  for (let next = at; next < at + digits; next++) {
    const digit = toDigit(codes[next]);
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
};

// What stands for itself behind a backslash, and the letters with a meaning.
const ESCAPED = new Map<number | undefined, number>(
  ['""', "''", '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'].map((pair) => [pair.charCodeAt(0), pair.charCodeAt(1)]),
);

const readUnescaped = (from: Reading, into: Reading): void => {
  into.open(from.length);
  const { codes, starts, ends } = into;
  const { codes: given, starts: givenStarts, ends: givenEnds, length: size } = from;
  let length = 0;
  let hasLineEnd = false;
  for (let at = 0; at < size; at++) {
    let code = given[at] as number;
    let last = at;
    if (code === BACKSLASH && at + 1 < size) {
      const unicode = given[at + 1] === 117 ? toNumber(from, at + 2, 4) : -1;
      const escaped = unicode >= 0 ? unicode : ESCAPED.get(given[at + 1]);
      last = unicode >= 0 ? at + 5 : escaped === undefined ? at : at + 1;
      code = escaped ?? code;
    }
    const begin = at;
    at = last;
    hasLineEnd ||= isLineEnd(code);
    codes[length] = code;
    starts[length] = givenStarts[begin] as number;
    ends[length++] = givenEnds[last] as number;
  }
  into.length = length;
  if (hasLineEnd) removeLineEnds(into);
};

/** How many bytes a character beyond ASCII has, by the first of them; 0 = no first byte. */
const widthOf = (byte: number): number => {
  if (byte >= 0xc2 && byte < 0xe0) return 2;
  if (byte >= 0xe0 && byte < 0xf0) return 3;
  return byte >= 0xf0 && byte < 0xf5 ? 4 : 0;
};

/** The character beyond ASCII whose percent-encoded bytes stand here; '' when there is none. */
const toCharacter = (from: Reading, at: number, first: number): string => {
  const bytes = Array.from({ length: widthOf(first) }, (_, index) =>
    from.codes[at + index * 3] === PERCENT ? toNumber(from, at + index * 3 + 1, 2) : -1,
  );
  return bytes.includes(-1) ? '' : Buffer.from(bytes).toString();
};

const readDecoded = (from: Reading, into: Reading): void => {
  into.open(from.length);
  const { codes, starts, ends } = into;
  const { codes: given, starts: givenStarts, ends: givenEnds, length: size } = from;
  let length = 0;
  let hasLineEnd = false;
  for (let at = 0; at < size; at++) {
    const begin = at;
    let code = given[at] as number;
    let more = '';
    if (code === PERCENT) {
      const byte = toNumber(from, at + 1, 2);
      const character = byte > 127 ? toCharacter(from, at, byte) : '';
      if (byte >= 0 && byte <= 127) {
        code = byte;
        at += 2;
      } else if (character !== '') {
        code = character.charCodeAt(0);
        more = character.slice(1);
        at += widthOf(byte) * 3 - 1;
      }
    }
    hasLineEnd ||= isLineEnd(code);
    codes[length] = code;
    starts[length] = givenStarts[begin] as number;
    ends[length++] = givenEnds[at] as number;
    for (let unit = 0; unit < more.length; unit++) {
      codes[length] = more.charCodeAt(unit);
      starts[length] = givenStarts[begin] as number;
      ends[length++] = givenEnds[at] as number;
    }
  }
  into.length = length;
  if (hasLineEnd) removeLineEnds(into);
};

const has = ({ codes, length }: Reading, code: number): boolean => {
  const at = codes.indexOf(code);
  return at !== -1 && at < length;
};

/**
 * Shows every reading in which a value may stand: plain, escaped once or twice as in JSON, percent-encoded once or twice, both. A text
 * without `\` and `%` has one. A reading is valid until the next is shown.
 */
export const createViews = (): ((text: string, visit: (reading: Reading) => void) => void) => {
  const [plain, once, twice] = [new Reading(), new Reading(), new Reading()];
  return (text, visit) => {
    plain.load(text);
    if (/[\r\n]/.test(text)) removeLineEnds(plain);
    visit(plain);
    const isEncoded = text.includes('%');
    if (text.includes('\\')) {
      readUnescaped(plain, once);
      visit(once);
      if (isEncoded) {
        readDecoded(once, twice);
        visit(twice);
      }
      if (has(once, BACKSLASH)) {
        readUnescaped(once, twice);
        visit(twice);
      }
    }
    if (!isEncoded) return;
    readDecoded(plain, once);
    visit(once);
    if (!has(once, PERCENT)) return;
    readDecoded(once, twice);
    visit(twice);
  };
};
