import { readBed } from '../backends/kubernetes/bed.ts';
import { kubernetesChangesSuite } from './kubernetes-changes.suite.ts';

kubernetesChangesSuite('a real API server', async () => {
  const { kubeconfigs, node } = readBed();
  return { kubeconfigs, node: node.name, close: async () => {} };
});
