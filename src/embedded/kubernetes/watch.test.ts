import { describe, expect, it } from 'vitest';
import { numberAt, objectsAt, textAt } from './json.ts';
import { ACCEPT, type Bed, eventsOf, openBed, statusOf, TYPE, toRequest } from './testing.ts';

const MAPS = '/api/v1/namespaces/shop/configmaps';

const watch = async (bed: Bed, query: string, accept?: string): Promise<Response> =>
  bed.kubernetes.handle(toRequest(bed.kubernetes, `${MAPS}?watch=true&${query}`, accept === undefined ? {} : { accept }));

const create = (bed: Bed, name: string, labels = {}): Promise<unknown> =>
  bed.ask(MAPS, { method: 'POST', body: { metadata: { name, labels }, data: { a: '1' } } });

const patch = (bed: Bed, name: string, body: Record<string, Record<string, string | null>>): Promise<unknown> =>
  bed.ask(`${MAPS}/${name}`, { method: 'PATCH', type: TYPE.merge, body });

/** The next events as type and name. */
const take = async (events: ReturnType<typeof eventsOf>, count: number): Promise<string[]> => {
  const taken: string[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done === true) break;
    taken.push(`${value.type} ${textAt(value.object, 'metadata', 'name')}`);
  }
  return taken;
};

describe('watch', () => {
  it('tells of additions, changes and deletions since a revision, and of those that follow', async () => {
    const bed = openBed({ controllers: false });
    const revision = bed.kubernetes.store.revision;
    await create(bed, 'one');
    const events = eventsOf(await watch(bed, `resourceVersion=${revision}`));
    expect(await take(events, 1)).toEqual(['ADDED one']);
    await patch(bed, 'one', { data: { a: '2' } });
    await bed.ask(`${MAPS}/one`, { method: 'DELETE' });
    expect(await take(events, 2)).toEqual(['MODIFIED one', 'DELETED one']);
    await bed.kubernetes.close();
    expect((await events.next()).done).toBe(true);
  });

  it('makes an addition of what comes to match, a deletion of what no longer does', async () => {
    const bed = openBed({ controllers: false });
    const events = eventsOf(await watch(bed, `labelSelector=x%3Dy&resourceVersion=${bed.kubernetes.store.revision}`));
    await create(bed, 'one');
    await patch(bed, 'one', { metadata: {}, data: { a: '2' } });
    await bed.ask(`${MAPS}/one`, { method: 'PATCH', type: TYPE.merge, body: { metadata: { labels: { x: 'y' } } } });
    await bed.ask(`${MAPS}/one`, { method: 'PATCH', type: TYPE.merge, body: { metadata: { labels: { x: null } } } });
    expect(await take(events, 2)).toEqual(['ADDED one', 'DELETED one']);
    await bed.kubernetes.close();
  });

  it('begins with what there is when no revision is given, and says where that ends', async () => {
    const bed = openBed({ controllers: false });
    const present = objectsAt((await bed.ask(MAPS)).body, 'items').length;
    const events = eventsOf(await watch(bed, 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true'));
    const types = (await take(events, present + 1)).map((event) => event.split(' ')[0]);
    expect(types).toEqual([...Array.from({ length: present }, () => 'ADDED'), 'BOOKMARK']);
    await bed.kubernetes.close();
  });

  it('ends with an ERROR when the revision is no longer kept', async () => {
    const bed = openBed({ controllers: false });
    const revision = bed.kubernetes.store.revision;
    await create(bed, 'one');
    bed.kubernetes.store.compact();
    const response = await watch(bed, `resourceVersion=${revision}`);
    expect(response.status).toBe(200);
    const events = eventsOf(response);
    const { value } = await events.next();
    expect(value).toMatchObject({ type: 'ERROR', object: { kind: 'Status', reason: 'Expired', code: 410 } });
    expect((await events.next()).done).toBe(true);
  });

  it('ends after timeoutSeconds', async () => {
    const bed = openBed({ controllers: false });
    const response = await watch(bed, `timeoutSeconds=1&resourceVersion=${bed.kubernetes.store.revision}`);
    expect(await response.text()).toBe('');
  });

  it('sends rows as a Table, the columns with the first one alone', async () => {
    const bed = openBed({ controllers: false });
    const events = eventsOf(await watch(bed, `includeObject=None&resourceVersion=${bed.kubernetes.store.revision}`, ACCEPT.table));
    await create(bed, 'one');
    await create(bed, 'two');
    const [first, second] = [await events.next(), await events.next()].map(({ value }) => value?.object);
    expect([objectsAt(first, 'columnDefinitions').length, objectsAt(first, 'rows').length]).toEqual([3, 1]);
    expect([objectsAt(second, 'columnDefinitions').length, objectsAt(second, 'rows').length]).toEqual([0, 1]);
    await bed.kubernetes.close();
  });

  it('tells of what controllers do without anybody asking', async () => {
    const bed = openBed();
    const response = await bed.kubernetes.handle(
      toRequest(bed.kubernetes, `/api/v1/namespaces/shop/pods?watch=1&resourceVersion=${bed.kubernetes.store.revision}`),
    );
    const events = eventsOf(response);
    await bed.ask('/apis/apps/v1/namespaces/shop/deployments/cart/scale', {
      method: 'PATCH',
      type: TYPE.merge,
      body: { spec: { replicas: 3 } },
    });
    expect((await take(events, 1))[0]).toMatch(/^ADDED cart-/);
    await bed.kubernetes.close();
  });

  it('lets go of a client that leaves', async () => {
    const bed = openBed({ controllers: false });
    const leave = new AbortController();
    const path = `${MAPS}?watch=1&resourceVersion=${bed.kubernetes.store.revision}`;
    const response = await bed.kubernetes.handle(toRequest(bed.kubernetes, path, { signal: leave.signal }));
    leave.abort();
    expect(await response.text()).toBe('');
  });

  it.each([
    ['resourceVersion=abc', 500, 'resourceVersion: Invalid value: "abc"'],
    ['resourceVersion=999999999', 504, 'Too large resource version'],
    ['labelSelector=a+b', 400, 'unable to parse requirement'],
    ['sendInitialEvents=true', 422, 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'],
  ])('refuses %s before it begins', async (query, code, message) => {
    const answer = await openBed().ask(`${MAPS}?watch=true&${query}`);
    expect(answer.status).toBe(code);
    expect(statusOf(answer).message).toContain(message);
  });

  it('keeps the revision of the deletion in the deleted object', async () => {
    const bed = openBed({ controllers: false });
    const events = eventsOf(await watch(bed, `resourceVersion=${bed.kubernetes.store.revision}`));
    await create(bed, 'one');
    await bed.ask(`${MAPS}/one`, { method: 'DELETE' });
    await events.next();
    const { value } = await events.next();
    expect(Number(textAt(value?.object, 'metadata', 'resourceVersion'))).toBe(bed.kubernetes.store.revision);
    expect(numberAt(value?.object, 'metadata', 'generation')).toBe(0);
    await bed.kubernetes.close();
  });
});
