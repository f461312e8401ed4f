import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { getAmbient, withAmbient } from '../kit/ambient.ts';
import { AppError } from '../kit/errors.ts';
import { toTraceHeaders } from '../kit/trace.ts';
import { createRedactor } from '../secrets/redactor.ts';
import { createTracing } from './tracing.ts';

const open = ({ sampleRate = 1 } = {}) => {
  const exporter = new InMemorySpanExporter();
  // What was exported stays readable after the end.
  exporter.shutdown = async () => {};
  const redactor = createRedactor();
  const made = createTracing({
    exporter,
    resource: resourceFromAttributes({ 'service.name': 'test' }),
    version: '1',
    mask: redactor.mask,
    sampleRate,
    maxBatch: 512,
    delayMs: 60_000,
    timeoutMs: 1000,
  });
  const finish = async (): Promise<Map<string, ReadableSpan>> => {
    await made.close();
    return new Map(exporter.getFinishedSpans().map((span) => [span.name, span]));
  };
  return { tracing: made.tracing, redactor, finish };
};

const PARENT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: '01', traceState: 'vendor=1' };

describe('a span', () => {
  it('is a child of the one around it, and the one inside it is its child', async () => {
    const { tracing, finish } = open();
    const headers = await withAmbient(PARENT, () =>
      tracing.span('outer', { kind: 'server' }, () => tracing.span('inner', { kind: 'client' }, async () => toTraceHeaders(getAmbient()))),
    );
    const spans = await finish();
    const [outer, inner] = [spans.get('outer'), spans.get('inner')];
    expect(outer?.spanContext().traceId).toBe(PARENT.traceId);
    expect(outer?.parentSpanContext?.spanId).toBe(PARENT.spanId);
    expect(inner?.parentSpanContext?.spanId).toBe(outer?.spanContext().spanId);
    expect(headers).toEqual({ traceparent: `00-${PARENT.traceId}-${inner?.spanContext().spanId}-01`, tracestate: 'vendor=1' });
    expect(outer?.instrumentationScope.name).toBe('cloud-native-mcp-server');
  });

  it('without one around it takes the trace id that the logs already have', async () => {
    const { tracing, finish } = open();
    await withAmbient({ traceId: PARENT.traceId }, () => tracing.span('root', { kind: 'server' }, async () => {}));
    const root = (await finish()).get('root');
    expect(root?.spanContext().traceId).toBe(PARENT.traceId);
    expect(root?.parentSpanContext).toBeUndefined();
  });

  it('ends on success, on errors and on an abort, and says which error (SEED-TRACE-02)', async () => {
    const { tracing, finish } = open();
    const stop = new AbortController();
    const fail = (name: string, error: unknown) => tracing.span(name, { kind: 'internal' }, () => Promise.reject(error)).catch(() => {});
    await tracing.span('good', { kind: 'internal' }, async () => 1);
    await fail('known', new AppError('NOT_FOUND', 'There is no pod x.'));
    await fail('fault', new TypeError('internal words of a library'));
    const waiting = tracing.span(
      'aborted',
      { kind: 'internal' },
      () => new Promise((_, reject) => stop.signal.addEventListener('abort', () => reject(stop.signal.reason))),
    );
    stop.abort(new AppError('CANCELLED', 'The call was cancelled.'));
    await waiting.catch(() => {});
    const spans = await finish();
    expect([...spans.keys()].sort()).toEqual(['aborted', 'fault', 'good', 'known']);
    for (const span of spans.values()) expect(span.ended).toBe(true);
    expect(spans.get('good')?.status.code).toBe(0);
    expect(spans.get('known')).toMatchObject({
      status: { code: 2, message: 'There is no pod x.' },
      attributes: { 'error.type': 'NOT_FOUND' },
    });
    expect(spans.get('aborted')?.attributes['error.type']).toBe('CANCELLED');
    expect(spans.get('fault')?.status).toEqual({ code: 2 });
    expect(JSON.stringify([...spans.values()].map(({ events, attributes, status }) => ({ events, attributes, status })))).not.toContain(
      'internal words',
    );
  });

  it('has no secret in attributes or failures', async () => {
    const { tracing, redactor, finish } = open();
    redactor.learn('canary-secret');
    await tracing
      .span('x', { kind: 'internal', attributes: () => ({ a: 'is canary-secret', n: 7, none: undefined }) }, async (span) => {
        span.set('b', 'canary-secret');
        throw new AppError('DATA_ERROR', 'saw canary-secret');
      })
      .catch(() => {});
    const span = (await finish()).get('x');
    expect(span?.attributes).toEqual({ a: 'is ***', b: '***', n: 7, 'error.type': 'DATA_ERROR' });
    expect(span?.status.message).toBe('saw ***');
  });
});

describe('sampling', () => {
  it('leaves a trace alone that its caller does not keep, and passes its context on unchanged', async () => {
    const { tracing, finish } = open();
    const unsampled = { ...PARENT, traceFlags: '00' };
    const headers = await withAmbient(unsampled, () => tracing.span('x', { kind: 'server' }, async () => toTraceHeaders(getAmbient())));
    expect(headers['traceparent']).toBe(`00-${PARENT.traceId}-${PARENT.spanId}-00`);
    expect((await finish()).size).toBe(0);
  });

  it('keeps a sampled trace whatever the rate, and none of its own at rate 0', async () => {
    const { tracing, finish } = open({ sampleRate: 0 });
    await withAmbient(PARENT, () => tracing.span('theirs', { kind: 'server' }, async () => {}));
    await tracing.span('ours', { kind: 'server' }, () => tracing.span('inside', { kind: 'internal' }, async () => {}));
    expect([...(await finish()).keys()]).toEqual(['theirs']);
  });
});
