import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { createEmbeddedKubernetes, type EmbeddedKubernetes, shopObjects } from '../../embedded/kubernetes/index.ts';
import { defineChangeSuite } from './changes.suite.ts';
import { defineClientSuite, SUITE_OBJECTS, type SuiteBackend } from './client.suite.ts';
import type { KubernetesClient } from './client.ts';
import { createKubernetesTargets, type KubernetesTargets } from './targets.ts';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('the client on the embedded Kubernetes', () => {
  let embedded: EmbeddedKubernetes;
  let folder = '';
  const open: KubernetesTargets[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kube-client-'));
    embedded = createEmbeddedKubernetes({ objects: [...shopObjects(Date.now), ...SUITE_OBJECTS] });
    await embedded.listen();
  });

  afterAll(async () => {
    await Promise.all(open.map((targets) => targets.close()));
    await embedded.close();
    await rm(folder, { recursive: true });
  });

  const backend: SuiteBackend = {
    open: async (user, options = {}): Promise<KubernetesClient> => {
      const kubeconfig = join(folder, user);
      await writeFile(kubeconfig, embedded.kubeconfig(user));
      const targets = await createKubernetesTargets({ kubeconfig, env: {}, now: Date.now, logger, ...options });
      open.push(targets);
      return targets.client();
    },
  };

  defineClientSuite(backend);
  defineChangeSuite(backend);
});
