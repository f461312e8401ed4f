// The result cache as callers meet it: what is spared, what is said, and what is never shared.

import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/kit/context.ts';
import { backend, resetNotes } from '../support/notes-service.ts';
import { openShop, type Shop, type ShopOptions } from '../support/shop.ts';

const PLUGIN = fileURLToPath(new URL('../support/notes-service.ts', import.meta.url));

let shop: Shop;
afterEach(() => shop.close());

const open = async (flags: ShopOptions['flags'] = {}) => {
  // Time stands still, so that nothing expires on a busy machine.
  const start = Date.now();
  shop = await openShop({ now: () => start, flags: { 'cache.enabled': true, ...flags } });
  return { lists: () => shop.embedded.requests.filter(({ path }) => /\/namespaces\/shop\/pods(\?|$)/.test(path)).length };
};
const pods = { kind: 'pods', namespace: 'shop' };
const callAs = (caller: Caller, args: object) => {
  const { selection } = shop.app.surface(['all'], caller);
  return shop.app.calls.call({ tool: 'kubernetes_list_resources', args, caller, selection, signal: new AbortController().signal });
};

describe('the result cache', () => {
  it('answers an equal read without asking the backend, and says how old it is (SEED-CACHE-01, SEED-CALL-05, SEED-REQ-08, SEED-REQ-09, SEED-RES-04)', async () => {
    const { lists } = await open();
    const first = await shop.call('kubernetes_list_resources', pods);
    const asked = lists();
    const second = await shop.call('kubernetes_list_resources', { namespace: 'shop', kind: 'pods', maxTokens: 3000 });
    expect(asked).toBeGreaterThan(0);
    expect(lists()).toBe(asked);
    expect(first.structured).not.toHaveProperty('cached');
    expect(second.structured['rows']).toEqual(first.structured['rows']);
    expect(second.structured['cached']).toMatch(/ ago$/);
    expect(second.text).toMatch(/\(read .* ago, from the cache\)/);
  });

  it('asks for other arguments, and continues from a cached page (SEED-CACHE-06)', async () => {
    const { lists } = await open();
    const { structured } = await shop.call('kubernetes_list_resources', { ...pods, limit: 2 });
    const again = await shop.call('kubernetes_list_resources', { ...pods, limit: 2 });
    const asked = lists();
    const next = (again.structured['page'] as { next: string }).next;
    const page = await shop.call('kubernetes_list_resources', { ...pods, limit: 2, cursor: next });
    expect(page.structured['rows']).not.toEqual(structured['rows']);
    await shop.call('kubernetes_list_resources', { ...pods, limit: 3 });
    expect(lists()).toBeGreaterThan(asked + 1);
  });

  it('shares one read between equal calls in flight (SEED-PERF-04)', async () => {
    const { lists } = await open();
    await shop.call('kubernetes_list_resources', { ...pods, limit: 4 });
    const one = lists();
    await Promise.all(Array.from({ length: 20 }, () => shop.call('kubernetes_list_resources', { ...pods, limit: 5 })));
    expect(lists()).toBe(2 * one);
  });

  it('never serves a caller from what another with other rights has read (SEED-CACHE-06)', async () => {
    const { lists } = await open({ 'security.policy': { rules: [{ action: 'deny', principal: 'guest', kind: 'pods' }] } });
    const admin: Caller = { id: 'admin', groups: [], scopes: ['all'] };
    await callAs(admin, pods);
    const asked = lists();
    await expect(callAs({ ...admin, id: 'guest' }, pods)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await callAs({ ...admin, id: 'other' }, pods);
    expect(lists()).toBeGreaterThan(asked);
  });

  it('masks in what it kept a secret value that was learned later', async () => {
    await open();
    const create = (kind: string, fields: object) =>
      shop.embedded.handle(
        new Request(`http://embedded/api/v1/namespaces/shop/${kind.toLowerCase()}s`, {
          method: 'POST',
          headers: { authorization: `Bearer ${shop.embedded.token('admin')}`, 'content-type': 'application/json' },
          body: JSON.stringify({ apiVersion: 'v1', kind, metadata: { name: 'leak' }, ...fields }),
        }),
      );
    await create('ServiceAccount', { metadata: { name: 'leak', annotations: { url: 'see canary-value-7351' } } });
    await create('Secret', { data: { key: Buffer.from('canary-value-7351').toString('base64') } });
    const read = async (kind: string) =>
      (await shop.call('kubernetes_get_resource', { kind, name: 'leak', namespace: 'shop', view: 'yaml' })).text;
    expect(await read('serviceaccount')).toContain('canary-value-7351');
    await read('secret');
    const again = await read('serviceaccount');
    expect(again).toContain('see ***');
    expect(again).not.toContain('canary-value-7351');
  });

  it('forgets with every change, and what was read before one is not kept after it (SEED-CACHE-06)', async () => {
    await open({ plugins: [PLUGIN], 'security.allowWrites': true });
    resetNotes();
    const read = async () => (await shop.call('notes_get_text', { id: 'first' })).structured;
    expect(await read()).toEqual({ text: 'hello' });
    backend.notes.set('first', { text: 'behind our back', version: 2 });
    expect(await read()).toMatchObject({ text: 'hello', cached: expect.any(String) });
    const { structured } = await shop.call('notes_set_text', { id: 'first', text: 'changed' });
    await shop.call('notes_set_text', { id: 'first', text: 'changed', apply: structured['plan'] });
    expect(await read()).toEqual({ text: 'changed' });
  });

  it('never keeps a failure (SEED-CACHE-06)', async () => {
    await open();
    const get = { kind: 'configmap', name: 'made-later', namespace: 'shop' };
    await expect(shop.call('kubernetes_get_resource', get)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const made = await shop.embedded.handle(
      new Request('http://embedded/api/v1/namespaces/shop/configmaps', {
        method: 'POST',
        headers: { authorization: `Bearer ${shop.embedded.token('admin')}`, 'content-type': 'application/json' },
        body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'made-later' } }),
      }),
    );
    expect(made.status).toBe(201);
    expect((await shop.call('kubernetes_get_resource', get)).text).toContain('made-later');
  });

  it.each([
    ['cache.enabled: false', { 'cache.enabled': false }],
    ['cache.default_ttl: 0', { 'cache.default_ttl': 0 }],
    ['kubernetes.cache_ttl: 0', { 'kubernetes.cache_ttl': 0 }],
    ['one entry for many kinds', { 'cache.max_size': 1, 'cache.type': 'lru' }],
    ['too few bytes', { 'cache.max_bytes': 1024 }],
  ])('keeps nothing with %s (SEED-CONF-04, GUIDE-PERF-01)', async (_, flags) => {
    const { lists } = await open(flags);
    await shop.call('kubernetes_list_resources', pods);
    await shop.call('kubernetes_list_resources', { ...pods, limit: 2 });
    const asked = lists();
    await shop.call('kubernetes_list_resources', pods);
    expect(lists()).toBeGreaterThan(asked);
  });

  it('is warmed up after the start, without anything waiting for it (GUIDE-PERF-04)', async () => {
    const calls = [{ tool: 'notes_absent' }, { tool: 'notes_get_text', arguments: { id: 'first' } }];
    await open({ plugins: [PLUGIN], 'cache.warm_up': calls, 'server.addr': '127.0.0.1:0' });
    resetNotes();
    const { url } = await shop.app.openHttp();
    expect((await fetch(`${url}/ready`)).status).toBe(200);
    await expect.poll(() => shop.log.some((line) => line.includes('"tool":"get_text"'))).toBe(true);
    expect(shop.log.join('')).toMatch(/could not be warmed up/);
    expect((await shop.call('notes_get_text', { id: 'first' })).structured).toHaveProperty('cached');
  });

  it.each(['lru', 'segmented'])('works with cache.type: %s (SEED-CONF-04)', async (type) => {
    const { lists } = await open({ 'cache.type': type });
    await shop.call('kubernetes_list_resources', pods);
    const asked = lists();
    await shop.call('kubernetes_list_resources', pods);
    expect(lists()).toBe(asked);
  });
});
