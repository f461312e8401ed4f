// The streams that are open now. While there is one, the world moves by itself; when the server closes, all of them end.

/** How often the world is moved on while somebody watches. */
const TICK = 1000;

export class Streams {
  readonly #ends = new Set<() => void>();
  readonly #tick: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `tick` is called every second while a stream is open. */
  constructor(tick: () => void) {
    this.#tick = tick;
  }

  /** Registers a stream by the function that ends it; the returned function takes it out again. */
  open(end: () => void): () => void {
    this.#ends.add(end);
    this.#timer ??= setInterval(this.#tick, TICK);
    return () => {
      this.#ends.delete(end);
      if (this.#ends.size === 0) this.#stop();
    };
  }

  closeAll(): void {
    for (const end of [...this.#ends]) end();
    this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
