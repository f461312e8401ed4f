// What the client promises of changes and watches; like `client.suite.ts` for every Kubernetes there is.
import { expect, it } from 'vitest';
import { failureOf, SUITE_NAMESPACE, type SuiteBackend } from './client.suite.ts';
import type { KubernetesClient } from './client.ts';
import { type KubeObject, textAt } from './objects.ts';
import { RESOURCES } from './resources.ts';

const signal = new AbortController().signal;
const configMap = (name: string, data: Record<string, string> = { a: '1' }): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace: SUITE_NAMESPACE },
  data,
});
const at = (name: string) => ({ name, namespace: SUITE_NAMESPACE, signal });
const create = (client: KubernetesClient, name: string) => client.create(RESOURCES.configmaps, { object: configMap(name), signal });
const find = (client: KubernetesClient, name: string) => client.find(RESOURCES.configmaps, at(name));
const remove = (client: KubernetesClient, name: string) => client.remove(RESOURCES.configmaps, at(name));

export const defineChangeSuite = ({ open }: SuiteBackend): void => {
  it('watches one object from nothing to its end', async () => {
    const client = await open('admin');
    const seen: string[] = [];
    for await (const event of client.watch(RESOURCES.configmaps, at('watched'))) {
      seen.push(event.type === 'STATE' ? `STATE ${event.items.length}` : event.type);
      if (event.type === 'STATE') await create(client, 'watched');
      if (event.type === 'ADDED')
        await client.patch(RESOURCES.configmaps, { ...at('watched'), patchType: 'merge', patch: { data: { a: '2' } } });
      if (event.type === 'MODIFIED') await remove(client, 'watched');
      if (event.type === 'DELETED') break;
    }
    expect(seen).toEqual(['STATE 0', 'ADDED', 'MODIFIED', 'DELETED']);
  });

  it('a dry run is checked in full and leaves nothing', async () => {
    const client = await open('admin');
    const { object, isCreated } = await client.create(RESOURCES.configmaps, { object: configMap('dry'), dryRun: true, signal });
    expect([textAt(object, 'data', 'a'), isCreated]).toEqual(['1', true]);
    expect(await find(client, 'dry')).toBeUndefined();
    const unknown = { ...configMap('dry'), nonsense: 1 };
    const error = await failureOf(client.create(RESOURCES.configmaps, { object: unknown, dryRun: true, signal }));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(error.details['upstream']).toContain('unknown field "nonsense"');
    await create(client, 'stays');
    await client.remove(RESOURCES.configmaps, { ...at('stays'), dryRun: true });
    expect(await find(client, 'stays')).toBeDefined();
    expect((await remove(client, 'stays')).isGone).toBe(true);
  });

  it('applies: creates, changes, and tells who owns a field', async () => {
    const client = await open('admin');
    await create(client, 'owned');
    const object = configMap('owned', { a: 'mine' });
    const options = { ...at('owned'), object };
    await client.patch(RESOURCES.configmaps, { ...at('owned'), patchType: 'json', patch: [{ op: 'add', path: '/data/b', value: '2' }] });
    expect((await client.apply(RESOURCES.configmaps, { ...options, ...at('fresh'), object: configMap('fresh') })).isCreated).toBe(true);
    // What was created by an update and not by an apply has another owner, though its name is the same.
    expect(await failureOf(client.apply(RESOURCES.configmaps, options))).toMatchObject({
      code: 'CONFLICT',
      details: { reason: 'FIELD_MANAGER', conflicts: [{ field: '.data.a' }] },
    });
    const { object: forced, isCreated } = await client.apply(RESOURCES.configmaps, { ...options, force: true });
    expect([textAt(forced, 'data', 'a'), textAt(forced, 'data', 'b'), isCreated]).toEqual(['mine', '2', false]);
    await Promise.all([remove(client, 'owned'), remove(client, 'fresh')]);
  });

  it('applies nothing twice, and takes away what is applied no more', async () => {
    const client = await open('admin');
    const apply = (data: Record<string, string>) =>
      client.apply(RESOURCES.configmaps, { ...at('applied'), object: configMap('applied', data) });
    const first = await apply({ a: '1', b: '2' });
    const again = await apply({ a: '1', b: '2' });
    const version = (object: KubeObject) => textAt(object, 'metadata', 'resourceVersion');
    expect([first.isCreated, again.isCreated, version(again.object)]).toEqual([true, false, version(first.object)]);
    // Somebody else's field stays.
    await client.patch(RESOURCES.configmaps, { ...at('applied'), patchType: 'merge', patch: { data: { c: '3' } } });
    const { object } = await apply({ a: '1' });
    expect(object['data']).toEqual({ a: '1', c: '3' });
    const dry = await client.apply(RESOURCES.configmaps, { ...at('applied'), object: configMap('applied', { a: '9' }), dryRun: true });
    expect(textAt(dry.object, 'data', 'a')).toBe('9');
    expect(textAt((await find(client, 'applied')) ?? {}, 'data', 'a')).toBe('1');
    await remove(client, 'applied');
  });

  it('refuses an application that does not fit its kind, and creates nothing', async () => {
    const client = await open('admin');
    const unfit = { ...configMap('unfit'), nonsense: 1 };
    const error = await failureOf(client.apply(RESOURCES.configmaps, { ...at('unfit'), object: unfit }));
    expect(JSON.stringify(error.details)).toContain('.nonsense: field not declared in schema');
    expect(await find(client, 'unfit')).toBeUndefined();
  });

  it('guards an application by the version that it was made from', async () => {
    const client = await open('admin');
    const { object } = await create(client, 'versioned');
    await client.patch(RESOURCES.configmaps, { ...at('versioned'), patchType: 'merge', patch: { data: { z: '1' } } });
    const resourceVersion = textAt(object, 'metadata', 'resourceVersion');
    const stale = { ...configMap('versioned', { n: '1' }), metadata: { name: 'versioned', namespace: SUITE_NAMESPACE, resourceVersion } };
    expect(await failureOf(client.apply(RESOURCES.configmaps, { ...at('versioned'), object: stale }))).toMatchObject({
      code: 'CONFLICT',
      details: { reason: 'CONFLICT' },
    });
    await remove(client, 'versioned');
  });

  it('keeps what finalizers hold, and lets go of it after them', async () => {
    const client = await open('admin');
    await create(client, 'held');
    const patch = (finalizers: readonly string[] | null) =>
      client.patch(RESOURCES.configmaps, { ...at('held'), patchType: 'merge', patch: { metadata: { finalizers } } });
    await patch(['example.com/hold']);
    expect((await remove(client, 'held')).isGone).toBe(false);
    expect(textAt((await find(client, 'held')) ?? {}, 'metadata', 'deletionTimestamp')).toBeDefined();
    expect((await failureOf(patch(['example.com/hold', 'example.com/more']))).code).toBe('INVALID_ARGUMENT');
    await patch(null);
    expect(await find(client, 'held')).toBeUndefined();
  });

  it('names every wrong label, annotation and key', async () => {
    const client = await open('admin');
    const wrong = {
      ...configMap('wrong', { 'a/b': '1' }),
      metadata: { name: 'wrong', namespace: SUITE_NAMESPACE, labels: { 'a b': 'c d' } },
    };
    const error = await failureOf(client.create(RESOURCES.configmaps, { object: wrong, signal }));
    expect(error).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { causes: [{ field: 'metadata.labels' }, { field: 'metadata.labels' }, { field: 'data[a/b]' }] },
    });
  });

  it('evicts nothing that is not there', async () => {
    const client = await open('admin');
    expect((await failureOf(client.evict(at('no-such-pod')))).code).toBe('NOT_FOUND');
  });

  it('refuses what has changed meanwhile, what exists, and what is invalid', async () => {
    const client = await open('admin');
    const { object } = await create(client, 'guarded');
    expect(await failureOf(create(client, 'guarded'))).toMatchObject({ code: 'CONFLICT', details: { reason: 'ALREADY_EXISTS' } });
    await client.patch(RESOURCES.configmaps, { ...at('guarded'), patchType: 'merge', patch: { data: { a: '2' } } });
    expect(await failureOf(client.replace(RESOURCES.configmaps, { ...at('guarded'), object }))).toMatchObject({
      code: 'CONFLICT',
      details: { reason: 'CONFLICT' },
    });
    const stale = { ...at('guarded'), resourceVersion: textAt(object, 'metadata', 'resourceVersion') };
    expect((await failureOf(client.remove(RESOURCES.configmaps, stale))).code).toBe('CONFLICT');
    expect((await failureOf(client.remove(RESOURCES.configmaps, { ...at('guarded'), uid: 'another' }))).code).toBe('CONFLICT');
    await client.remove(RESOURCES.configmaps, { ...at('guarded'), uid: textAt(object, 'metadata', 'uid') });
    expect(await find(client, 'guarded')).toBeUndefined();
    const invalid = await failureOf(client.create(RESOURCES.configmaps, { object: configMap('Not_Valid'), signal }));
    expect(invalid).toMatchObject({ code: 'INVALID_ARGUMENT', details: { causes: [{ field: 'metadata.name' }] } });
  });

  it('changes nothing for those who may not', async () => {
    const viewer = await open('viewer');
    expect(await failureOf(create(viewer, 'forbidden'))).toMatchObject({
      code: 'FORBIDDEN',
      details: { missing: { verb: 'create', resource: 'configmaps' } },
    });
    const evicting = viewer.evict(at('forbidden'));
    expect(await failureOf(evicting)).toMatchObject({
      code: 'FORBIDDEN',
      details: { missing: { verb: 'create', resource: 'pods/eviction' } },
    });
  });
};
