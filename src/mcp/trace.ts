// The trace a call belongs to: what the client sent with the message, else that of the HTTP request around it, else a new one.

import { randomUUID } from 'node:crypto';
import { TRACEPARENT_META_KEY, TRACESTATE_META_KEY } from '@modelcontextprotocol/server';
import { type Ambient, getAmbient } from '../kit/ambient.ts';
import { parseTraceContext } from '../kit/trace.ts';
import type { RequestContext } from './server.ts';

export type CallTrace = Ambient & { readonly traceId: string };

export const toTrace = (c: RequestContext): CallTrace => {
  const meta = c.mcpReq._meta;
  const sent = parseTraceContext(meta?.[TRACEPARENT_META_KEY], meta?.[TRACESTATE_META_KEY]);
  return { traceId: getAmbient().traceId ?? randomUUID().replaceAll('-', ''), ...sent };
};
