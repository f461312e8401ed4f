import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedKubernetes, type KubernetesObject, shopObjects } from '../../src/embedded/kubernetes/index.ts';
import { labelsOf, service, slice } from './faults/objects.ts';
import { kubernetesQuestionsSuite } from './kubernetes-questions.suite.ts';

kubernetesQuestionsSuite('the embedded shop', async () => {
  const wrong: KubernetesObject[] = JSON.parse(JSON.stringify([service('shop', 'front', labelsOf('wbe')), slice('shop', 'front', [])]));
  const metricsApis = /^v1beta1\.metrics/;
  const shop = shopObjects(Date.now).filter(({ kind, metadata }) => kind !== 'APIService' || !metricsApis.test(metadata.name));
  const embedded = createEmbeddedKubernetes({ objects: [...shop, ...wrong], pods: 500, controllers: false });
  await embedded.listen();
  embedded.inject({ match: (request) => request.url.includes('/apis/metrics.k8s.io'), respond: { kind: 'status', code: 404 } });
  const folder = await mkdtemp(join(tmpdir(), 'questions-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, embedded.kubeconfig('admin'));
  return {
    kubeconfig,
    crowded: 'bench',
    service: { namespace: 'shop', name: 'front', label: 'app.kubernetes.io/name=web' },
    async close() {
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
