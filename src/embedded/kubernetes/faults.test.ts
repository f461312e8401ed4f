import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { numberAt, objectsAt, textAt } from './json.ts';
import { type Bed, openBed, statusOf, toRequest } from './testing.ts';

const isPods = ({ url }: Request): boolean => url.includes('/pods');

describe('faults', () => {
  let bed: Bed;
  let url: string;

  beforeAll(async () => {
    bed = openBed({ controllers: false });
    ({ url } = await bed.kubernetes.listen());
  });

  afterAll(() => bed.kubernetes.close());

  const get = (path: string): Promise<Response> =>
    fetch(`${url}${path}`, { headers: { authorization: `Bearer ${bed.kubernetes.token()}` } });

  it.each([
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [404, 'NotFound'],
    [409, 'Conflict'],
    [410, 'Expired'],
    [500, 'InternalError'],
    [503, 'ServiceUnavailable'],
  ])('answers %i as a Status, for as often as is wished', async (code, reason) => {
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'status', code }, times: 1 });
    expect(statusOf(await bed.ask('/api/v1/nodes')).code).toBe(200);
    expect(statusOf(await bed.ask('/api/v1/pods'))).toMatchObject({ code, reason });
    expect(statusOf(await bed.ask('/api/v1/pods')).code).toBe(200);
  });

  it('asks to come back later', async () => {
    const end = bed.kubernetes.inject({ match: isPods, respond: { kind: 'status', code: 429, retryAfterSeconds: 7 } });
    const answer = await bed.ask('/api/v1/pods');
    expect([answer.status, answer.headers.get('retry-after'), numberAt(answer.body, 'details', 'retryAfterSeconds')]).toEqual([
      429,
      '7',
      7,
    ]);
    end();
    expect((await bed.ask('/api/v1/pods')).status).toBe(200);
  });

  it('answers a page of HTML, or JSON that is none', async () => {
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'html', code: 502 }, times: 1 });
    const page = await bed.ask('/api/v1/pods');
    expect([page.status, page.headers.get('content-type'), page.text.startsWith('<html>')]).toEqual([502, 'text/html', true]);
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'invalid-json' }, times: 1 });
    const broken = await bed.ask('/api/v1/pods');
    expect([broken.status, broken.body]).toEqual([200, null]);
  });

  it('cuts the connection in the middle of the answer', async () => {
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'cut', afterBytes: 500 }, times: 1 });
    const response = await get('/api/v1/pods');
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });

  it('holds a request until its client leaves, or the server closes', async () => {
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'hang' }, times: 1 });
    const leave = new AbortController();
    const held = bed.kubernetes.handle(toRequest(bed.kubernetes, '/api/v1/pods', { signal: leave.signal }));
    leave.abort();
    expect((await held).status).toBe(504);
    const other = openBed({ controllers: false, faults: [{ match: () => true, respond: { kind: 'hang' } }] });
    const waiting = other.ask('/version');
    await other.kubernetes.close();
    expect((await waiting).status).toBe(504);
  });

  it('answers late', async () => {
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'delay', milliseconds: 20 }, times: 1 });
    expect((await bed.ask('/api/v1/pods')).status).toBe(200);
  });

  it('floods its client with as much as is wished', async () => {
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'flood', bytes: 1_000_000 }, times: 1 });
    const { text, body } = await bed.ask('/api/v1/pods');
    expect(text.length).toBeGreaterThan(1_000_000);
    expect(textAt(objectsAt(body, 'items').at(-1), 'metadata', 'name')).toBe('last');
  });

  it('makes whatever else a test needs', async () => {
    bed.kubernetes.inject({ match: isPods, respond: { kind: 'response', response: () => new Response('odd', { status: 299 }) }, times: 1 });
    expect(await bed.ask('/api/v1/pods')).toMatchObject({ status: 299, text: 'odd' });
  });
});
