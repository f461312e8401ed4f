// What a storage of audit lines can do. Each kind is one file: memory, file, sqlite, postgresql.

import type { Link } from './chain.ts';
import type { AuditLine, AuditRecord, AuditStatus } from './record.ts';

export interface AuditFilter {
  readonly userId?: string;
  readonly serviceName?: string;
  readonly toolName?: string;
  readonly status?: AuditStatus;
  /** ms since the epoch, inclusive. */
  readonly from: number;
  /** ms since the epoch, exclusive. */
  readonly to: number;
}

/** Where a page ends: records are ordered by their beginning, then by their id. */
export interface Position {
  readonly at: number;
  readonly record: string;
}

export interface AuditQuery extends AuditFilter {
  readonly limit: number;
  readonly order: 'asc' | 'desc';
  readonly after?: Position;
}

export interface AuditPage {
  readonly records: readonly AuditRecord[];
  /** Matches over all pages. */
  readonly total: number;
  /** Present when there is more. */
  readonly next?: Position;
}

export interface AuditStats {
  readonly total_logs: number;
  readonly success_count: number;
  readonly failure_count: number;
  readonly denied_count: number;
  /** Calls per tool. */
  readonly tools_used: Readonly<Record<string, number>>;
  readonly services_used: Readonly<Record<string, number>>;
}

/** Reads what was stored: queries, and the chain itself. */
export interface AuditReader {
  query(query: AuditQuery): Promise<AuditPage>;
  stats(range: { from: number; to: number }): Promise<AuditStats>;
  /** Every line in the order in which it was stored. */
  lines(): AsyncIterable<string>;
  /** The last line of each writer that retention has removed. */
  anchors(): Promise<readonly Link[]>;
  /** Bytes of a last line that was cut off while it was written: no tampering, and nobody was told that it is stored. */
  torn(): Promise<number>;
  close(): Promise<void>;
}

export interface AuditStorage extends AuditReader {
  readonly name: 'memory' | 'file' | 'sqlite' | 'postgresql';
  /** The newest line that was there when it was opened. */
  readonly before: Link | undefined;
  /**
   * Stores lines, all or none. With `durable` they, and all before, are on disk when this resolves. Lines that were stored by an attempt
   * that failed may be given again.
   */
  write(lines: readonly AuditLine[], durable: boolean): Promise<void>;
}
