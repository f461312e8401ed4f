// From an HTTPRoute to its backends: the Gateways it names, what their controller says of it, the Services behind it.

import type { ApiResource } from '../../../upstream/kubernetes/discovery.ts';
import {
  conditionsOf,
  type Fields,
  type KubeObject,
  listAt,
  namespaceOf,
  numberAt,
  textAt,
  textsAt,
} from '../../../upstream/kubernetes/objects.ts';
import type { Hop } from './hop.ts';
import { type Backend, followBackend } from './ingress.ts';
import type { World } from './world.ts';

const parentName = (parent: Fields, namespace: string): { name: string; namespace: string } => ({
  name: textAt(parent, 'name') ?? '',
  namespace: textAt(parent, 'namespace') ?? namespace,
});

/** What the controller wrote about the route, per parent. Pure. */
export const judgeRouteStatus = (route: KubeObject): readonly Hop[] => {
  const parents = listAt(route, 'status', 'parents');
  if (parents.length === 0) return [{ hop: 'route', result: 'unknown', detail: 'no controller has said anything about this route' }];
  return parents.map((parent): Hop => {
    const ref = `gateway/${textAt(parent, 'parentRef', 'name') ?? '?'}`;
    const bad = conditionsOf({ status: parent }).find(
      ({ type, status }) => (type === 'Accepted' || type === 'ResolvedRefs') && status === 'False',
    );
    return bad === undefined
      ? { hop: 'route', ref, result: 'ok', detail: 'accepted' }
      : {
          hop: 'route',
          ref,
          result: 'fail',
          detail: `${bad.type} is False: ${bad.reason ?? ''} ${bad.message ?? ''}`.trim(),
          fix: `Mend what ${ref} refuses: ${bad.reason ?? bad.type}.`,
        };
  });
};

const judgeGateway = async (
  world: World,
  gateways: ApiResource | undefined,
  { name, namespace }: { name: string; namespace: string },
): Promise<Hop> => {
  const ref = `gateway/${name}`;
  if (gateways === undefined) return { hop: 'gateway', ref, result: 'unknown', detail: 'this cluster does not serve gateways' };
  const gateway = await world.client.find(gateways, { name, namespace, signal: world.signal });
  if (gateway === undefined)
    return {
      hop: 'gateway',
      ref,
      result: 'fail',
      detail: `there is no gateway ${name} in ${namespace}`,
      fix: `Create it, or name another in parentRefs.`,
    };
  const programmed = conditionsOf(gateway).find(({ type }) => type === 'Programmed');
  if (programmed?.status === 'False')
    return {
      hop: 'gateway',
      ref,
      result: 'fail',
      detail: `not programmed: ${programmed.reason ?? ''} ${programmed.message ?? ''}`.trim(),
      fix: `Mend ${ref}.`,
    };
  const addresses = listAt(gateway, 'status', 'addresses').map((address) => textAt(address, 'value') ?? '?');
  return programmed === undefined
    ? { hop: 'gateway', ref, result: 'unknown', detail: 'no controller has programmed it' }
    : { hop: 'gateway', ref, result: 'ok', detail: `programmed${addresses.length > 0 ? `, ${addresses.join(', ')}` : ''}` };
};

/** Services that the rules send to, each with the routes that lead there. */
export const routeBackends = (route: KubeObject): readonly (Backend & { readonly namespace: string })[] => {
  const own = namespaceOf(route) ?? '';
  const [host = '*'] = textsAt(route, 'spec', 'hostnames');
  return listAt(route, 'spec', 'rules').flatMap((rule, at) => {
    const paths = listAt(rule, 'matches').map((match) => `${host}${textAt(match, 'path', 'value') ?? '/'}`);
    return listAt(rule, 'backendRefs').map((backend, index) => {
      const isService = (textAt(backend, 'kind') ?? 'Service') === 'Service';
      const port = numberAt(backend, 'port');
      return {
        routes: paths.length === 0 ? [`${host}/`] : paths,
        service: isService ? textAt(backend, 'name') : undefined,
        port: port === undefined ? undefined : String(port),
        namespace: textAt(backend, 'namespace') ?? own,
        field: `spec.rules[${at}].backendRefs[${index}]`,
      };
    });
  });
};

export const followRoute = async (world: World, route: KubeObject): Promise<readonly Hop[]> => {
  const own = namespaceOf(route) ?? '';
  const { groups } = await world.client.discovery({ signal: world.signal });
  const gateways = groups
    .find(({ name }) => name === 'gateway.networking.k8s.io')
    ?.versions[0]?.resources.find(({ kind }) => kind === 'Gateway');
  const parents = listAt(route, 'spec', 'parentRefs').filter((parent) => (textAt(parent, 'kind') ?? 'Gateway') === 'Gateway');
  const backends = routeBackends(route);
  const followed = await Promise.all(
    backends.map((backend) => followBackend(world, backend, { namespace: backend.namespace, sources: undefined })),
  );
  return [
    ...(await Promise.all(parents.map((parent) => judgeGateway(world, gateways, parentName(parent, own))))),
    ...judgeRouteStatus(route),
    ...(backends.length === 0 ? [{ hop: 'backend', result: 'unknown' as const, detail: 'no rule names a backend' }] : followed.flat()),
  ];
};
