// The storage that does not survive the process: the newest records in a ring.

import type { Link } from './chain.ts';
import type { AuditLine } from './record.ts';
import { selectPage, selectStats } from './select.ts';
import type { AuditStorage } from './storage.ts';

/** @param maxLogs records that are kept */
export const openMemory = (maxLogs: number): AuditStorage => {
  /** By record id. The completed line takes the place of the started one. */
  const records = new Map<string, AuditLine>();
  /** Ids in the order of their coming. The oldest key of a Map that loses its oldest keys is slow to find. */
  const ring: string[] = [];
  let next = 0;
  const add = (line: AuditLine): void => {
    // A record that left the ring while its call ran comes back as its newest.
    if (!records.has(line.record)) {
      records.delete(ring[next] ?? '');
      ring[next] = line.record;
      next = (next + 1) % maxLogs;
    }
    records.set(line.record, line);
  };
  return {
    name: 'memory',
    before: undefined,
    async write(lines) {
      for (const line of lines) add(line);
    },
    query: async (query) => selectPage(records.values(), query),
    stats: async (range) => selectStats(records.values(), range),
    async *lines() {
      // Only the last line of each record is kept, so there is no chain to follow.
    },
    anchors: async (): Promise<readonly Link[]> => [],
    torn: async () => 0,
    async close() {
      records.clear();
    },
  };
};
