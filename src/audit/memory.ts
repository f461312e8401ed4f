// The storage that does not survive the process: the newest records in a ring.

import type { Link } from './chain.ts';
import type { AuditLine } from './record.ts';
import { selectPage, selectStats } from './select.ts';
import type { AuditStorage } from './storage.ts';

/** @param maxLogs records that are kept */
export const openMemory = (maxLogs: number): AuditStorage => {
  /** By record id, in order of their beginning. The completed line takes the place of the started one. */
  const ring = new Map<string, AuditLine>();
  return {
    name: 'memory',
    before: undefined,
    async write(lines) {
      for (const line of lines) {
        // A record that left the ring while its call ran comes back as its newest.
        if (ring.size >= maxLogs && !ring.has(line.record)) ring.delete(ring.keys().next().value ?? '');
        ring.set(line.record, line);
      }
    },
    query: async (query) => selectPage(ring.values(), query),
    stats: async (range) => selectStats(ring.values(), range),
    async *lines() {
      // Only the last line of each record is kept, so there is no chain to follow.
    },
    anchors: async (): Promise<readonly Link[]> => [],
    torn: async () => 0,
    async close() {
      ring.clear();
    },
  };
};
