// The client's promises of changes, on a real API server: the same suite runs on the embedded one in src/upstream/kubernetes/client.test.ts.
import { afterAll, beforeAll, describe } from 'vitest';
import { defineChangeSuite } from '../../src/upstream/kubernetes/changes.suite.ts';
import { SUITE_NAMESPACE } from '../../src/upstream/kubernetes/client.suite.ts';
import { createKubernetesTargets, type KubernetesTargets } from '../../src/upstream/kubernetes/targets.ts';
import { KubernetesApi } from '../backends/kubernetes/api.ts';
import { apply, readBed } from '../backends/kubernetes/bed.ts';

const logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe('changes on a real API server', () => {
  const open: KubernetesTargets[] = [];

  beforeAll(async () => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SUITE_NAMESPACE } };
    await apply(readBed(), JSON.stringify(namespace));
  });

  afterAll(async () => {
    await Promise.all(open.map((targets) => targets.close()));
    const api = new KubernetesApi(readBed().kubeconfigs.admin);
    await api.json(`/api/v1/namespaces/${SUITE_NAMESPACE}`, { method: 'DELETE' });
    await api.close();
  });

  defineChangeSuite({
    open: async (user, options = {}) => {
      const kubeconfig = readBed().kubeconfigs[user];
      const targets = await createKubernetesTargets({ kubeconfig, env: {}, now: Date.now, logger, ...options });
      open.push(targets);
      return targets.client();
    },
  });
});
