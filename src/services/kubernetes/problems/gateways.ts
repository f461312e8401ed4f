// Gateways and routes that lead nowhere: refused by their controller, attached to nothing, backends that are not there.

import { nearestNames } from '../../../kit/nearest.ts';
import { conditionsOf, type KubeObject, listAt, nameOf, namespaceOf, numberAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import { routeBackends } from '../network/gateway.ts';
import { placeIn } from './place.ts';
import { lookAt } from './pods.ts';
import { type Check, type Problem, toRef } from './problem.ts';
import { checkNetworkCall } from './services.ts';
import { isDeleted, type Snapshot } from './snapshot.ts';

type Fault = Pick<Problem, 'severity' | 'reason' | 'detail' | 'at'>;

const judgeParents = (cluster: Snapshot, route: KubeObject): readonly Fault[] =>
  listAt(route, 'spec', 'parentRefs').flatMap((parent, index): readonly Fault[] => {
    const namespace = textAt(parent, 'namespace') ?? namespaceOf(route) ?? '';
    const name = textAt(parent, 'name') ?? '';
    const isGateway = (textAt(parent, 'kind') ?? 'Gateway') === 'Gateway';
    // Of another namespace only those that were read are known.
    const isKnown =
      cluster.isRead('gateways') &&
      (namespace === namespaceOf(route) || cluster.list('gateways').some((one) => namespaceOf(one) === namespace));
    if (!isGateway || !isKnown || cluster.find('gateways', name, namespace) !== undefined) return [];
    const [near] = nearestNames(name, cluster.list('gateways').map(nameOf), 1);
    const detail = `attaches to gateway ${namespace}/${name}, which does not exist${near === undefined ? '' : `; near: ${near}`}`;
    return [{ severity: 'critical', reason: 'GatewayMissing', detail, at: placeIn(route, `spec.parentRefs[${index}].name`) }];
  });

const judgeBackends = (cluster: Snapshot, route: KubeObject): readonly Fault[] =>
  routeBackends(route).flatMap(({ service: name, port, namespace, field }): readonly Fault[] => {
    if (name === undefined || namespace !== namespaceOf(route) || !cluster.isRead('services')) return [];
    const service = cluster.find('services', name, namespace);
    if (service === undefined) {
      const detail = `a rule leads to service ${name}, which does not exist`;
      return [{ severity: 'critical', reason: 'BackendMissing', detail, at: placeIn(route, `${field}.name`) }];
    }
    const ports = listAt(service, 'spec', 'ports').map((one) => String(numberAt(one, 'port')));
    if (port === undefined || ports.includes(port)) return [];
    const detail = `a rule leads to port ${port} of service ${name}, which has ${ports.join(', ')}`;
    return [{ severity: 'critical', reason: 'BackendPortMissing', detail, at: placeIn(route, `${field}.port`) }];
  });

/** What a controller refuses, in its own words. */
const judgeStatus = (route: KubeObject): readonly Fault[] =>
  listAt(route, 'status', 'parents').flatMap((parent, index): readonly Fault[] => {
    const bad = conditionsOf({ status: parent }).find(
      ({ type, status }) => (type === 'Accepted' || type === 'ResolvedRefs') && status === 'False',
    );
    if (bad === undefined) return [];
    return [
      {
        severity: 'critical',
        reason: bad.reason ?? 'RouteRefused',
        detail: `gateway ${textAt(parent, 'parentRef', 'name') ?? '?'}: ${bad.type} is False: ${bad.message ?? bad.reason ?? ''}`,
        at: placeIn(route, `status.parents[${index}].conditions[?type=${bad.type}].status`),
      },
    ];
  });

const judgeRoute = (cluster: Snapshot, route: KubeObject): readonly Problem[] => {
  const ref = toRef(route);
  // What the spec says comes first: the controller's words follow from it.
  const [first, ...rest] = [...judgeParents(cluster, route), ...judgeBackends(cluster, route), ...judgeStatus(route)];
  return first === undefined ? [] : [{ ...first, ref, evidence: rest.map(({ detail }) => detail), next: checkNetworkCall(ref) }];
};

const judgeGateway = (gateway: KubeObject): readonly Problem[] => {
  const ref = toRef(gateway);
  const bad = conditionsOf(gateway).find(({ type, status }) => (type === 'Accepted' || type === 'Programmed') && status === 'False');
  if (bad === undefined) return [];
  return [
    {
      severity: 'critical',
      ref,
      reason: bad.reason ?? 'GatewayNotProgrammed',
      since: bad.changedAt,
      detail: `${bad.type} is False: ${bad.message ?? bad.reason ?? ''}`,
      at: placeIn(gateway, `status.conditions[?type=${bad.type}].status`),
      next: lookAt(ref, 'describe'),
    },
  ];
};

export const checkGateways: Check = (cluster) => [
  ...cluster
    .list('gateways')
    .filter((one) => !isDeleted(one))
    .flatMap(judgeGateway),
  ...cluster
    .list('httproutes')
    .filter((one) => !isDeleted(one))
    .flatMap((route) => judgeRoute(cluster, route)),
];
