// The port through which rooms open spans without knowing what records them; and the W3C form in which a trace travels.

import type { Ambient } from './ambient.ts';

export type AttributeValue = string | number | boolean;

/** A span that is open. What fails inside it is noted on it by whoever opened it. */
export interface OpenSpan {
  set(name: string, value: AttributeValue): void;
  /** Marks it as failed: `type` is an error code or a status. */
  fail(type: string, message?: string): void;
}

export interface SpanOptions {
  readonly kind: 'server' | 'client' | 'internal';
  /** Asked for only where the span is kept. */
  readonly attributes?: () => Readonly<Record<string, AttributeValue | undefined>>;
}

export interface Tracing {
  /** Runs work inside a new span below the one around it. The span ends with the work, whatever becomes of it. */
  span<Result>(name: string, options: SpanOptions, work: (span: OpenSpan) => Promise<Result>): Promise<Result>;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/;
/** W3C: at most 512 characters must be passed on; control characters never. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/;

/** The context that a caller sent; undefined when it sent none or one that is not valid (W3C Trace Context, level 1). */
export const parseTraceContext = (parent: unknown, state?: unknown): Ambient | undefined => {
  if (typeof parent !== 'string' || parent.length > 256) return undefined;
  const [, version, traceId = '', spanId = '', traceFlags = '00'] = TRACEPARENT.exec(parent) ?? [];
  if (version === undefined || version === 'ff' || /^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  if (version === '00' && parent.length !== 55) return undefined;
  // Always told, so that the state of another trace never stays beside it.
  return { traceId, spanId, traceFlags, traceState: typeof state === 'string' && TRACESTATE.test(state) ? state : '' };
};

/** Headers that carry the context on; empty where there is no span to be a child of. */
export const toTraceHeaders = ({ traceId, spanId, traceFlags = '00', traceState = '' }: Ambient): Record<string, string> => {
  if (traceId === undefined || spanId === undefined) return {};
  return { traceparent: `00-${traceId}-${spanId}-${traceFlags}`, ...(traceState === '' ? {} : { tracestate: traceState }) };
};
