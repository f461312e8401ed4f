// Between calls and one storage: lines get their place in the chain at once and are stored in batches. A change waits until its line is on
// disk; a read does not wait. What waits is bounded (docs/decisions/0006).

import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../kit/context.ts';
import { AppError } from '../kit/errors.ts';
import { Chain, createWriterId, type LineFormat } from './chain.ts';
import { type AuditLine, type LineFacts, toTextBody } from './record.ts';
import type { AuditStorage } from './storage.ts';

export interface JournalOptions {
  readonly storage: AuditStorage;
  readonly format?: LineFormat;
  readonly logger: Logger;
  readonly onFailure: () => void;
  readonly onDropped: () => void;
  readonly limits?: Partial<JournalLimits>;
}

export interface JournalLimits {
  /** Lines are stored at latest after this, ms. */
  readonly flushMs: number;
  /** Or as soon as so many wait. */
  readonly batch: number;
  /** Characters that may wait; above, reads are not recorded and changes are refused. */
  readonly waiting: number;
  /** Longest wait for a line of a change, ms. */
  readonly commitMs: number;
  /** Longest wait of a read for room, ms. */
  readonly roomMs: number;
  /** Pause after a failed attempt, ms. */
  readonly retryMs: number;
  /** Between two alarms, ms. */
  readonly alarmMs: number;
}

const LIMITS: JournalLimits = {
  flushMs: 200,
  batch: 256,
  waiting: 8 * 1024 * 1024,
  commitMs: 5000,
  roomMs: 250,
  retryMs: 1000,
  alarmMs: 30_000,
};

/** Most lines of one write. */
const MAX_WRITE = 2000;

const toReason = (thrown: unknown): string => {
  const { code, message } = thrown as { code?: unknown; message?: unknown };
  return typeof code === 'string' ? code : String(message).slice(0, 200);
};

export class Journal {
  readonly #storage: AuditStorage;
  readonly #chain: Chain;
  readonly #isText: boolean;
  readonly #limits: JournalLimits;
  readonly #options: JournalOptions;
  #pending: AuditLine[] = [];
  #waiting = 0;
  #stored = 0;
  #durable = 0;
  #wantsDurable = false;
  #running: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failing = false;
  #lastAlarm = Number.NEGATIVE_INFINITY;
  #dropped = 0;
  #closed = false;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#storage = options.storage;
    this.#limits = { ...LIMITS, ...options.limits };
    const format = options.format ?? 'json';
    this.#isText = format === 'text';
    this.#chain = new Chain({ writer: createWriterId(), format, before: options.storage.before });
  }

  /** The last line's place: who keeps it elsewhere can tell whether lines are missing at the end. */
  get head(): string {
    const { writer, seq, hash } = this.#chain.head;
    return `${writer}:${seq}:${hash}`;
  }

  get writer(): string {
    return this.#chain.writer;
  }

  get isFull(): boolean {
    return this.#waiting >= this.#limits.waiting;
  }

  /** Takes a line. False: there is no room, and it is lost. `must`: it is taken in any case. */
  append(body: string, facts: LineFacts, must = false): boolean {
    if (this.isFull && !must) {
      this.#drop();
      return false;
    }
    const line = this.#chain.seal(this.#isText ? toTextBody(body) : body);
    const { writer, seq } = this.#chain.head;
    this.#pending.push({ ...facts, writer, seq, line });
    this.#waiting += line.length;
    if (this.#pending.length < this.#limits.batch || this.#failing) this.#schedule();
    else if (this.#running === undefined) void this.#flush().catch(() => {});
    return true;
  }

  /** Resolves when every line taken so far is on disk. Rejects with SERVICE_UNAVAILABLE. */
  async commit(): Promise<void> {
    const wanted = this.#chain.head.seq;
    const work = async (): Promise<void> => {
      while (this.#durable < wanted) {
        this.#wantsDurable = true;
        // A write that began before this commit may fail for what is over by now: that alone refuses nothing.
        const isEarlier = this.#running !== undefined;
        await this.#flush().catch((thrown: unknown) => {
          if (!isEarlier) throw thrown;
        });
      }
    };
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer in time')), this.#limits.commitMs);
    });
    try {
      await Promise.race([work(), late]);
    } catch (cause) {
      this.#alarm(cause);
      throw new AppError('SERVICE_UNAVAILABLE', 'The audit log cannot be written, so nothing that must be recorded is done.', {
        details: { service: 'audit', storage: this.#storage.name, retry_after: '30s' },
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits a little while there is no room. */
  async room(): Promise<void> {
    if (!this.isFull || this.#failing) return;
    const waited = new AbortController();
    await Promise.race([this.#flush().catch(() => {}), delay(this.#limits.roomMs, undefined, { signal: waited.signal }).catch(() => {})]);
    waited.abort();
  }

  /** Stores what waits, without the promise of a disk. */
  async flush(): Promise<void> {
    const wanted = this.#chain.head.seq;
    while (this.#stored < wanted) await this.#flush();
  }

  /** Stores what waits, once and for good; what cannot be stored by then is told. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.commit().catch(() => {});
    clearTimeout(this.#timer);
    if (this.#pending.length > 0)
      this.#options.logger.error({ storage: this.#storage.name, lines: this.#pending.length }, 'audit lines could not be stored');
    await this.#storage.close();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.#flush().catch(() => {});
      },
      this.#failing ? this.#limits.retryMs : this.#limits.flushMs,
    );
    this.#timer.unref();
  }

  /** One write at a time: who comes while one runs shares the next. */
  #flush(): Promise<void> {
    this.#running ??= this.#write().finally(() => {
      this.#running = undefined;
      if (this.#pending.length > 0) this.#schedule();
    });
    return this.#running;
  }

  async #write(): Promise<void> {
    const durable = this.#wantsDurable;
    this.#wantsDurable = false;
    // Lines that come while this runs are appended to the same list.
    const batch = this.#pending.slice(0, MAX_WRITE);
    const count = batch.length;
    try {
      await this.#storage.write(batch, durable);
    } catch (thrown) {
      this.#failing = true;
      this.#alarm(thrown);
      throw thrown;
    }
    for (const { line } of batch) this.#waiting -= line.length;
    this.#pending = this.#pending.slice(count);
    this.#stored += count;
    if (durable) this.#durable = this.#stored;
    if (this.#failing) this.#recover();
  }

  #recover(): void {
    this.#failing = false;
    this.#lastAlarm = Number.NEGATIVE_INFINITY;
    this.#options.logger.warn({ storage: this.#storage.name, lost: this.#dropped }, 'the audit log is written again');
    this.#dropped = 0;
  }

  #drop(): void {
    this.#dropped += 1;
    this.#options.onDropped();
    if (!this.#failing) this.#alarm(new Error('too many lines wait'));
  }

  /** Told at once, then every half minute while it lasts. */
  #alarm(thrown: unknown): void {
    this.#options.onFailure();
    const now = performance.now();
    if (now - this.#lastAlarm < this.#limits.alarmMs) return;
    this.#lastAlarm = now;
    this.#options.logger.error(
      { storage: this.#storage.name, reason: toReason(thrown), waiting: this.#pending.length, lost: this.#dropped },
      'the audit log cannot be written',
    );
  }
}
