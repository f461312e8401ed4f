// /metrics on the main listener, and what the listener itself counts.

import type { Socket } from 'node:net';
import type { AuditLog } from '../audit/index.ts';
import type { Observability } from '../observability/index.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Handle } from './mcp-routes.ts';
import type { OnRefusedConnection, RefusedFor } from './unreadable.ts';

/** Prometheus text; prom-client is loaded with the first request. */
export const metricsRoute =
  ({ exposition }: Pick<Observability, 'exposition'>): Handle =>
  async ({ request }) => {
    const { contentType, text } = await exposition();
    const body = await text();
    const headers = { 'content-type': contentType, 'cache-control': 'no-store' };
    return new Response(request.method === 'HEAD' ? null : body, { headers });
  };

/** Counts sockets from their opening to their end. */
export const countConnections = ({ families }: Metrics): ((socket: Socket) => void) => {
  const open = families.http_connections_active.labels();
  const total = families.mcp_total_connections.labels();
  const life = families.mcp_connection_duration_seconds.labels();
  return (socket) => {
    const since = performance.now();
    open.add(1);
    total.inc();
    socket.once('close', () => {
      open.add(-1);
      life.observe((performance.now() - since) / 1000);
    });
  };
};

/** A flood of connections is one fact: its size stands in the counter. */
const FLOOD_RECORD_MS = 1000;

/** Counts connections that end without an answer to a request, and records them: those above the limit once a second, those that sent nothing not at all. */
export const noteRefusedConnections = ({ families }: Metrics, audit: AuditLog | undefined, now: () => number): OnRefusedConnection => {
  let recordedAt = 0;
  const isWorthARecord = (reason: RefusedFor, isSilent: boolean): boolean => {
    if (reason !== 'max_connections') return !isSilent;
    // Also when the clock was set back.
    if (Math.abs(now() - recordedAt) < FLOOD_RECORD_MS) return false;
    recordedAt = now();
    return true;
  };
  return (reason, { address, isSilent, code }) => {
    families.http_connections_refused_total.labels(reason).inc();
    if (isWorthARecord(reason, isSilent)) audit?.refused({ address, action: 'connection', code, message: `no request: ${reason}` });
  };
};
