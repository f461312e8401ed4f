// The trace a call belongs to: the client's, when it sent a valid one.

import { randomUUID } from 'node:crypto';
import { type ServerContext, TRACEPARENT_META_KEY } from '@modelcontextprotocol/server';

const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** 32 hexadecimal digits: from `_meta`, then from the HTTP header, else new. */
export const toTraceId = (c: ServerContext): string => {
  const given = c.mcpReq._meta?.[TRACEPARENT_META_KEY] ?? c.http?.req?.headers.get('traceparent');
  const [, traceId] = typeof given === 'string' ? (TRACEPARENT.exec(given) ?? []) : [];
  return traceId ?? randomUUID().replaceAll('-', '');
};
