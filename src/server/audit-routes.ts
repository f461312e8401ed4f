// The audit endpoints: records as a bare array, newest first, and their sums.

import type { AuditLog, Position } from '../audit/index.ts';
import { LOGS_PARAMETERS, parseAuditQuery, parseStatsRange, STATS_PARAMETERS, toCursor } from '../audit/parameters.ts';
import type { HttpExchange } from '../kit/http.ts';
import { readParameters } from '../kit/query.ts';

export interface AuditHandlers {
  logs(exchange: HttpExchange): Promise<Response>;
  stats(exchange: HttpExchange): Promise<Response>;
}

const toNextLink = (url: URL, position: Position): string => {
  const next = new URLSearchParams(url.searchParams);
  next.set('cursor', toCursor(position));
  return `<${url.pathname}?${next.toString()}>; rel="next"`;
};

/** @param now milliseconds since the epoch */
export const createAuditHandlers = (audit: AuditLog, now: () => number): AuditHandlers => {
  return {
    async logs({ url }) {
      const page = await audit.query(parseAuditQuery(readParameters(url.searchParams, LOGS_PARAMETERS), audit.limits, now()));
      return Response.json(page.records, {
        headers: {
          'cache-control': 'no-store',
          'x-total-count': String(page.total),
          ...(page.next === undefined ? {} : { link: toNextLink(url, page.next) }),
        },
      });
    },
    async stats({ url }) {
      const range = parseStatsRange(readParameters(url.searchParams, STATS_PARAMETERS), audit.limits.rangeMs, now());
      return Response.json(await audit.stats(range), { headers: { 'cache-control': 'no-store' } });
    },
  };
};
