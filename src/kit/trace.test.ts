import { describe, expect, it } from 'vitest';
import { parseTraceContext, toTraceHeaders } from './trace.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('the context of a caller', () => {
  it('is read and written as it came', () => {
    const context = parseTraceContext(`00-${TRACE}-${SPAN}-01`, 'a=1,b=2');
    expect(context).toEqual({ traceId: TRACE, spanId: SPAN, traceFlags: '01', traceState: 'a=1,b=2' });
    expect(toTraceHeaders(context ?? {})).toEqual({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=1,b=2' });
  });

  it('of a later version is read as far as it is known', () => {
    expect(parseTraceContext(`01-${TRACE}-${SPAN}-01-more`)).toMatchObject({ traceId: TRACE, spanId: SPAN });
  });

  it.each([
    ['nothing', undefined],
    ['a number', 7],
    ['upper case', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['version ff', `ff-${TRACE}-${SPAN}-01`],
    ['something behind version 00', `00-${TRACE}-${SPAN}-01-x`],
    ['a line end', `00-${TRACE}-${SPAN}-01\r\nx: y`],
    ['far too much', `01-${TRACE}-${SPAN}-01-${'x'.repeat(10_000)}`],
  ])('that is %s counts as none', (_, text) => {
    expect(parseTraceContext(text)).toBeUndefined();
  });

  it('drops a state that no header may hold', () => {
    for (const state of ['a=1\r\nevil: 1', 'x'.repeat(513), 7])
      expect(toTraceHeaders(parseTraceContext(`00-${TRACE}-${SPAN}-01`, state) ?? {})).toEqual({ traceparent: `00-${TRACE}-${SPAN}-01` });
  });

  it('is sent only where there is a span to be a child of', () => {
    expect(toTraceHeaders({ traceId: TRACE })).toEqual({});
    expect(toTraceHeaders({})).toEqual({});
  });
});
