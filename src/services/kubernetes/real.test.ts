import { afterAll, beforeAll, describe } from 'vitest';
import { defineClientSuite, defineReviewSuite, SUITE_NAMESPACE, SUITE_OBJECTS } from './client.suite.ts';
import type { KubernetesClient } from './client.ts';
import { defineChangeSuite } from './changes.suite.ts';
import { createKubernetesTargets, type KubernetesTargets } from './targets.ts';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
describe('the client on a real one', () => {
  const open: KubernetesTargets[] = [];
  const FILES = { admin: 'kubeconfig', viewer: 'kubeconfig.viewer', nobody: 'kubeconfig.nobody' };
  const connect = async (user: 'admin' | 'viewer' | 'nobody', options = {}): Promise<KubernetesClient> => {
    const targets = await createKubernetesTargets({
      kubeconfig: `/tmp/tb-client/${FILES[user]}`,
      env: {},
      now: Date.now,
      logger,
      ...options,
    });
    open.push(targets);
    return targets.client();
  };
  beforeAll(async () => {
    const c = await connect('admin');
    const signal = AbortSignal.timeout(20000);
    for (const object of SUITE_OBJECTS) {
      const { resource } = await c.resolveKind(`${object['apiVersion']}/${object['kind']}`, { signal });
      await c.create(resource, { object, namespace: SUITE_NAMESPACE, signal }).catch((e) => {
        if (e.code !== 'CONFLICT') throw e;
      });
    }
  });
  afterAll(() => Promise.all(open.map((t) => t.close())));
  defineClientSuite({ open: connect }); defineChangeSuite({ open: connect });
  defineReviewSuite({ open: connect });
});
