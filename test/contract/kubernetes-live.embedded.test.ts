import { openCluster } from '../support/program.ts';
import { kubernetesLiveSuite } from './kubernetes-live.suite.ts';

kubernetesLiveSuite('the embedded shop', async () => {
  const { embedded, kubeconfig, close } = await openCluster();
  const response = await embedded.handle(
    new Request('http://localhost/api/v1/namespaces/shop/pods', { headers: { authorization: `Bearer ${embedded.token('admin')}` } }),
  );
  const { items } = (await response.json()) as {
    items: { metadata: { name: string }; status: { containerStatuses?: { state: { waiting?: { reason: string } } }[] } }[];
  };
  const crashing = items.find(({ status }) => status.containerStatuses?.some(({ state }) => state.waiting?.reason === 'CrashLoopBackOff'));
  return {
    kubeconfig,
    namespace: 'shop',
    crashing: { deployment: 'payment', pod: crashing?.metadata.name ?? '', container: 'payment', word: 'timeout acquiring connection' },
    service: { name: 'cart', port: 'http', path: '/healthz', word: 'ok' },
    node: 'node-1',
    close,
  };
});
