import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedKubernetes, type KubernetesObject } from '../../src/embedded/kubernetes/index.ts';
import { faultsSuite } from './faults.suite.ts';

faultsSuite('the embedded API server', async (objects) => {
  const given: KubernetesObject[] = JSON.parse(JSON.stringify(objects));
  const embedded = createEmbeddedKubernetes({ objects: given });
  await embedded.listen();
  const folder = await mkdtemp(join(tmpdir(), 'faults-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, embedded.kubeconfig('admin'));
  return {
    kubeconfig,
    async close() {
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
