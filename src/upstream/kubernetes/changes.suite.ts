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
