import { readBed } from '../backends/kubernetes/bed.ts';
import { kubernetesSuite } from './kubernetes.suite.ts';

kubernetesSuite('a real API server', async () => {
  const { kubeconfigs } = readBed();
  return { kubeconfigs, close: async () => {} };
});
