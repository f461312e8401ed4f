import { readMirror } from '../backends/kubernetes/bed.ts';
import { loadObjects } from '../backends/kubernetes/mirror-objects.ts';
import { faultsSuite } from './faults.suite.ts';

faultsSuite('a real API server', async (objects) => {
  const mirror = readMirror();
  await loadObjects(mirror, objects);
  return { kubeconfig: mirror.kubeconfig, close: async () => {} };
});
