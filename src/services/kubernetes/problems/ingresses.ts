// Ingresses that lead nowhere: class, backend Service, backend port or TLS Secret absent.

import { nearestNames } from '../../../kit/nearest.ts';
import { type KubeObject, listAt, nameOf, namespaceOf, numberAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import { backendsOf, judgeClass } from '../network/ingress.ts';
import { placeIn } from './place.ts';
import { type Check, type Problem, someOf, toRef } from './problem.ts';
import { checkNetworkCall } from './services.ts';
import { isDeleted, type Snapshot } from './snapshot.ts';

type Fault = Pick<Problem, 'severity' | 'reason' | 'detail' | 'at'>;

const judgeBackends = (cluster: Snapshot, ingress: KubeObject): readonly Fault[] => {
  if (!cluster.isRead('services')) return [];
  const namespace = namespaceOf(ingress) ?? '';
  return backendsOf(ingress).flatMap(({ service: name, port, routes, field }): readonly Fault[] => {
    if (name === undefined) return [];
    const service = cluster.find('services', name, namespace);
    const way = someOf(routes, 2);
    if (service === undefined) {
      const own = cluster.list('services').filter((one) => namespaceOf(one) === namespace);
      const [near] = nearestNames(name, own.map(nameOf), 1);
      const hint = near === undefined ? '' : `; near: ${near}`;
      const detail = `${way} leads to service ${name}, which does not exist${hint}`;
      return [{ severity: 'critical', reason: 'BackendMissing', detail, at: placeIn(ingress, `${field}.service.name`) }];
    }
    const ports = listAt(service, 'spec', 'ports').flatMap((one) => [textAt(one, 'name'), String(numberAt(one, 'port'))]);
    return port === undefined || ports.includes(port)
      ? []
      : [
          {
            severity: 'critical',
            reason: 'BackendPortMissing',
            detail: `${way} leads to port ${port} of service ${name}, which has ${ports.filter(Boolean).join(', ')}`,
            at: placeIn(ingress, `${field}.service.port.${/^\d+$/.test(port) ? 'number' : 'name'}`),
          },
        ];
  });
};

/** Secrets of type TLS are known; one of another type cannot be told from none, so only their absence among the read ones is a hint. */
const judgeSecrets = (cluster: Snapshot, ingress: KubeObject): readonly Fault[] => {
  if (!cluster.isRead('secrets')) return [];
  const namespace = namespaceOf(ingress) ?? '';
  return listAt(ingress, 'spec', 'tls').flatMap((tls, index): readonly Fault[] => {
    const name = textAt(tls, 'secretName');
    return name === undefined || cluster.find('secrets', name, namespace) !== undefined
      ? []
      : [
          {
            severity: 'warning',
            reason: 'TlsSecretMissing',
            detail: `there is no TLS secret ${name}: HTTPS gets the certificate of the controller, if any`,
            at: placeIn(ingress, `spec.tls[${index}].secretName`),
          },
        ];
  });
};

const judge = (cluster: Snapshot, ingress: KubeObject): readonly Problem[] => {
  const ref = toRef(ingress);
  const ofClass = cluster.isRead('ingressclasses') ? judgeClass(ingress, cluster.list('ingressclasses')) : undefined;
  const faults: readonly Fault[] = [
    ...(ofClass?.result === 'fail'
      ? [{ severity: 'critical' as const, reason: 'ClassMissing', detail: ofClass.detail, at: placeIn(ingress, 'spec.ingressClassName') }]
      : []),
    ...judgeBackends(cluster, ingress),
    ...judgeSecrets(cluster, ingress),
  ];
  // All of it is mended in one place.
  const [first, ...rest] = faults.toSorted((a, b) => Number(b.severity === 'critical') - Number(a.severity === 'critical'));
  return first === undefined ? [] : [{ ...first, ref, evidence: rest.map(({ detail }) => detail), next: checkNetworkCall(ref) }];
};

export const checkIngresses: Check = (cluster) =>
  cluster
    .list('ingresses')
    .filter((ingress) => !isDeleted(ingress))
    .flatMap((ingress) => judge(cluster, ingress));
