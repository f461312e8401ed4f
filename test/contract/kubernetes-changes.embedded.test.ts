import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmbeddedKubernetes } from '../../src/embedded/kubernetes/index.ts';
import { kubernetesChangesSuite } from './kubernetes-changes.suite.ts';

kubernetesChangesSuite('the embedded API server', async () => {
  const embedded = createEmbeddedKubernetes();
  await embedded.listen();
  const folder = await mkdtemp(join(tmpdir(), 'changes-'));
  const write = async (user: 'admin' | 'viewer'): Promise<string> => {
    const file = join(folder, user);
    await writeFile(file, embedded.kubeconfig(user));
    return file;
  };
  return {
    kubeconfigs: { admin: await write('admin'), viewer: await write('viewer') },
    node: 'node-1',
    async close() {
      await embedded.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
});
