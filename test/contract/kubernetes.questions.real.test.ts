import { randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { apply, connect, deleteNamespace, readBed } from '../backends/kubernetes/bed.ts';
import { withoutMetricsApi } from '../backends/kubernetes/metrics-api.ts';
import { createPods } from '../backends/kubernetes/workload.ts';
import { kubernetesQuestionsSuite } from './kubernetes-questions.suite.ts';

const bed = readBed();

kubernetesQuestionsSuite('a real cluster', async () => {
  const api = connect(bed);
  const crowded = await createPods(api, { namespace: `crowded-${randomBytes(3).toString('hex')}`, count: 500, nodes: 5 });
  const wrong = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'front', namespace: crowded },
    spec: { selector: { 'app.kubernetes.io/name': 'chekout' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
  };
  await apply(bed, stringify(wrong));
  const restore = await withoutMetricsApi(api);
  return {
    kubeconfig: bed.kubeconfigs.admin,
    crowded,
    service: { namespace: crowded, name: 'front', label: 'app.kubernetes.io/name=checkout' },
    async close() {
      await restore();
      await deleteNamespace(api, crowded);
      await api.close();
    },
  };
});
