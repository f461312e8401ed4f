import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createEmbeddedKubernetes, type EmbeddedKubernetes } from '../../embedded/kubernetes/index.ts';
import { failureOf } from './client.suite.ts';
import { createKubernetesTargets, type KubernetesTargets, type TargetsOptions } from './targets.ts';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const signal = new AbortController().signal;

let folder = '';
let embedded: EmbeddedKubernetes;
let server = '';
const opened: KubernetesTargets[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kube-targets-'));
  embedded = createEmbeddedKubernetes();
  server = (await embedded.listen()).url;
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((targets) => targets.close()));
});

afterAll(async () => {
  await embedded.close();
  await rm(folder, { recursive: true });
});

const writeConfig = async (contexts: Record<string, string>, current?: string): Promise<string> => {
  const file = join(await mkdtemp(join(folder, 'case-')), 'config');
  const names = Object.keys(contexts);
  const config = {
    'current-context': current,
    clusters: names.map((name) => ({ name, cluster: { server: contexts[name] } })),
    users: [{ name: 'admin', user: { token: embedded.token('admin') } }],
    contexts: names.map((name) => ({ name, context: { cluster: name, user: 'admin', namespace: 'shop' } })),
  };
  await writeFile(file, JSON.stringify(config));
  return file;
};

const open = async (options: Partial<TargetsOptions>): Promise<KubernetesTargets> => {
  const targets = await createKubernetesTargets({ env: {}, now: Date.now, logger, retries: 0, ...options });
  opened.push(targets);
  return targets;
};

describe('clusters of the service', () => {
  it('are the contexts, the current one by default and first', async () => {
    const targets = await open({ kubeconfig: await writeConfig({ dev: server, prod: server }, 'prod') });
    expect(targets.list().map(({ name, isDefault }) => [name, isDefault])).toEqual([
      ['prod', true],
      ['dev', false],
    ]);
    expect((await targets.client()).target.name).toBe('prod');
    expect((await targets.client({ cluster: 'default' })).target.name).toBe('prod');
    expect((await targets.client({ cluster: 'dev' })).target.name).toBe('dev');
  });

  it('may have another default, and fewer names', async () => {
    const kubeconfig = await writeConfig({ dev: server, prod: server, test: server }, 'prod');
    expect((await (await open({ kubeconfig, context: 'dev' })).client()).target.name).toBe('dev');
    const fewer = await open({ kubeconfig, contexts: ['dev', 'test'] });
    expect(fewer.list().map(({ name }) => name)).toEqual(['dev', 'test']);
    expect(await failureOf(fewer.client({ cluster: 'prod' }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { choices: ['dev', 'test'] },
    });
    expect((await failureOf(fewer.client())).message).toBe('No default cluster is set: name one.');
  });

  it('answer an unknown name with the nearest', async () => {
    const targets = await open({ kubeconfig: await writeConfig({ production: server }, 'production') });
    expect(await failureOf(targets.client({ cluster: 'prodution' }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'cluster', nearest: ['production'] },
    });
  });

  it('need a kubeconfig that can be read', async () => {
    const none = await open({});
    expect([none.isConfigured, none.list()]).toEqual([false, []]);
    expect(await failureOf(none.client())).toMatchObject({ code: 'SERVICE_UNAVAILABLE', details: { setting: 'kubernetes.kubeconfig' } });
    const unreadable = await open({ kubeconfig: join(folder, 'nowhere') });
    expect([unreadable.isConfigured, unreadable.list()]).toEqual([true, []]);
    expect((await failureOf(unreadable.client())).message).toContain('it does not exist');
  });

  it('have one client each, and one for each identity', async () => {
    const targets = await open({ kubeconfig: await writeConfig({ one: server }, 'one') });
    const own = await targets.client();
    expect(await targets.client({ cluster: 'one' })).toBe(own);
    const anna = await targets.client({ impersonate: { user: 'anna', groups: ['demo:viewers'] } });
    expect(anna).not.toBe(own);
    expect(await targets.client({ impersonate: { user: 'anna', groups: ['demo:viewers'] } })).toBe(anna);
    const { resource } = await own.resolveKind('secrets', { signal });
    expect((await own.list(resource, { namespace: 'shop', signal })).items.length).toBeGreaterThan(0);
    expect(await failureOf(anna.list(resource, { namespace: 'shop', signal }))).toMatchObject({
      code: 'FORBIDDEN',
      details: { user: 'anna' },
    });
  });

  it('close the connections of a context that goes', async () => {
    const kubeconfig = await writeConfig({ kept: server, going: server }, 'kept');
    const targets = await open({ kubeconfig });
    const [kept, going] = [await targets.client({ cluster: 'kept' }), await targets.client({ cluster: 'going' })];
    await going.version({ signal });
    const changed = new Promise<void>((resolve) => targets.onChange(resolve));
    await writeFile(kubeconfig, (await readFile(kubeconfig, 'utf8')).replaceAll('going', 'other'));
    await changed;
    expect((await failureOf(going.version({ signal }))).details['reason']).toBe('CLOSED');
    expect(await targets.client({ cluster: 'kept' })).toBe(kept);
    expect((await kept.version({ signal })).major).toBe(1);
    expect(targets.list().map(({ name }) => name)).toEqual(['kept', 'other']);
  });

  it('do not wait for one that is dead', async () => {
    // Accepts and never answers, as a host behind a broken network does.
    const silent = createServer(() => {});
    await once(silent.listen(0, '127.0.0.1'), 'listening');
    const dead = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const targets = await open({ kubeconfig: await writeConfig({ dead, alive: server }, 'dead') });
    const controller = new AbortController();
    const stuck = failureOf((await targets.client()).version({ signal: controller.signal }));
    expect((await (await targets.client({ cluster: 'alive' })).version({ signal })).major).toBe(1);
    controller.abort();
    expect((await stuck).code).toBe('CANCELLED');
    silent.close();
  });
});
