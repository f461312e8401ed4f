import { stringify } from 'yaml';
import { at, listAt, textAt } from '../backends/kubernetes/api.ts';
import { apply, connect, createNamespace, deleteNamespace, hasCondition, readBed } from '../backends/kubernetes/bed.ts';
import { kubernetesLiveSuite } from './kubernetes-live.suite.ts';

const bed = readBed();
/** Then the back-off of 20 s has begun, which outlasts the cases below. A kubelet shows Error, not CrashLoopBackOff, for most of it. */
const RESTARTS = 2;

const deployment = (namespace: string, name: string, command: string, port?: number): string => {
  const labels = { app: name };
  const container = {
    name: 'main',
    image: bed.image,
    imagePullPolicy: 'Never',
    command: ['sh', '-c', command],
    ...(port === undefined
      ? {}
      : { ports: [{ name: 'http', containerPort: port }], readinessProbe: { httpGet: { path: '/', port }, periodSeconds: 1 } }),
  };
  const template = {
    metadata: { labels },
    spec: { terminationGracePeriodSeconds: 0, automountServiceAccountToken: false, nodeName: bed.node.name, containers: [container] },
  };
  return stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace },
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  });
};

kubernetesLiveSuite('real containers', async () => {
  const api = connect(bed);
  const namespace = await createNamespace(api, 'live');
  await apply(bed, deployment(namespace, 'crasher', 'echo connected; echo timeout acquiring connection from pool; exit 3'));
  await apply(
    bed,
    deployment(namespace, 'web', 'mkdir /tmp/www && echo hello from a pod >/tmp/www/index.html && httpd -f -p 8080 -h /tmp/www', 8080),
  );
  await apply(
    bed,
    stringify({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    }),
  );
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const isCrashing = (object: Parameters<typeof hasCondition>[0]): boolean =>
    at(object, 'status', 'containerStatuses', 0, 'state', 'terminated') !== undefined &&
    Number(at(object, 'status', 'containerStatuses', 0, 'restartCount')) >= RESTARTS;
  const crashing = await api.watchUntil(`${path}?labelSelector=app%3Dcrasher`, isCrashing, 90);
  await api.watchUntil(`${path}?labelSelector=app%3Dweb`, (object) => hasCondition(object, 'Ready'), 90);
  await api.watchUntil(
    `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dweb`,
    (object) => listAt(object, 'endpoints').some((endpoint) => at(endpoint, 'conditions', 'ready') === true),
    60,
  );
  return {
    kubeconfig: bed.kubeconfigs.admin,
    namespace,
    crashing: { deployment: 'crasher', pod: textAt(crashing, 'metadata', 'name'), container: 'main', word: 'timeout acquiring connection' },
    service: { name: 'web', port: 'http', path: '/', word: 'hello from a pod' },
    node: bed.node.name,
    close: async () => {
      await deleteNamespace(api, namespace);
      await api.close();
    },
  };
});
