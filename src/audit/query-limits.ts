// What one query may ask for at most.

import type { AuditConfig } from './config.ts';

const DAY_MS = 86_400_000;

/** The older names count where the newer ones are unset. */
export const toQueryLimits = ({ query, maxResults, timeRange }: AuditConfig): { maxResults: number; rangeMs: number } => ({
  maxResults: query.maxResults ?? maxResults ?? 1000,
  rangeMs: (query.timeRange ?? timeRange ?? 90) * DAY_MS,
});
