// Encoders with a buffer that is used again: for what we serialise ourselves, such as audit lines, cached values and exports.

/** A buffer this many times the initial size is not kept: one huge value must not hold its memory for ever. */
const MAX_GROWTH = 64;

/** Writes UTF-8 text and JSON, one after the other, into one growing buffer. */
export class Encoder {
  #buffer: Buffer;
  #length = 0;

  constructor(bytes: number) {
    this.#buffer = Buffer.allocUnsafe(bytes);
  }

  /** Appends text as UTF-8. */
  text(text: string): this {
    this.#reserve(Buffer.byteLength(text));
    this.#length += this.#buffer.write(text, this.#length);
    return this;
  }

  /** Appends a value exactly as `JSON.stringify` writes it; what that leaves out is nothing here too. */
  json(value: unknown): this {
    const text: string | undefined = JSON.stringify(value);
    return text === undefined ? this : this.text(text);
  }

  /** What was written; valid until the encoder is released or written to. */
  get bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Bytes of the buffer. */
  get capacity(): number {
    return this.#buffer.byteLength;
  }

  reset(): void {
    this.#length = 0;
  }

  #reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#buffer.byteLength) return;
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.byteLength * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** At most `encoders` wait for use; each begins with a buffer of `bytes`. */
export class EncoderPool {
  readonly #idle: Encoder[] = [];
  readonly #encoders: number;
  readonly #bytes: number;

  constructor(encoders = 100, bytes = 8192) {
    this.#encoders = encoders;
    this.#bytes = bytes;
  }

  /** An empty encoder, which the caller releases. */
  acquire(): Encoder {
    return this.#idle.pop() ?? new Encoder(this.#bytes);
  }

  /** Takes an encoder back; one too many, or one grown too large, is left to the collector. */
  release(encoder: Encoder): void {
    if (this.#idle.length >= this.#encoders || encoder.capacity > this.#bytes * MAX_GROWTH) return;
    encoder.reset();
    this.#idle.push(encoder);
  }

  /** Encoders that wait for use. */
  get idle(): number {
    return this.#idle.length;
  }
}
