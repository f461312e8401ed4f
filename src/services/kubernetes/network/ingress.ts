// From an Ingress to its backends: class, address, certificates, and every Service that a rule names.

import { nearestNames } from '../../../kit/nearest.ts';
import {
  type Fields,
  type KubeObject,
  listAt,
  mapAt,
  nameOf,
  namespaceOf,
  numberAt,
  textAt,
  valueAt,
} from '../../../upstream/kubernetes/objects.ts';
import { isNotFound } from '../../../upstream/kubernetes/reads.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { toPeers } from './ends.ts';
import type { Hop } from './hop.ts';
import { type Peer, podPeer } from './peer.ts';
import { policyHops } from './policies-hop.ts';
import { findService, readService, serviceNames } from './read-service.ts';
import { followService } from './service.ts';
import { unlessForbidden, type World } from './world.ts';

const DEFAULT_CLASS = 'ingressclass.kubernetes.io/is-default-class';
const OLD_CLASS = 'kubernetes.io/ingress.class';

/** The class of an Ingress against those that exist. Pure. */
export const judgeClass = (ingress: KubeObject, classes: readonly KubeObject[] | undefined): Hop => {
  const hop = 'class';
  const wanted = textAt(ingress, 'spec', 'ingressClassName');
  const old = mapAt(ingress, 'metadata', 'annotations')[OLD_CLASS];
  if (classes === undefined) return { hop, result: 'unknown', detail: 'ingress classes may not be read' };
  if (wanted === undefined && old !== undefined)
    return { hop, result: 'unknown', detail: `chosen by the old annotation ${OLD_CLASS}: ${old}` };
  const found =
    wanted === undefined
      ? classes.find((one) => mapAt(one, 'metadata', 'annotations')[DEFAULT_CLASS] === 'true')
      : classes.find((one) => nameOf(one) === wanted);
  if (found !== undefined) {
    return {
      hop,
      ref: `ingressclass/${nameOf(found)}`,
      result: 'ok',
      detail: `${nameOf(found)}${wanted === undefined ? ' by default' : ''}, controller ${textAt(found, 'spec', 'controller') ?? '?'}`,
    };
  }
  const names = classes.map(nameOf);
  if (wanted === undefined)
    return {
      hop,
      result: 'fail',
      detail: `names no class, and none is the default (there are: ${names.join(', ') || 'none'})`,
      fix: 'Set spec.ingressClassName.',
    };
  const [near] = nearestNames(wanted, names, 1);
  return {
    hop,
    ref: `ingressclass/${wanted}`,
    result: 'fail',
    detail: `there is no IngressClass ${wanted}${names.length > 0 ? `; there are: ${names.join(', ')}` : ''}`,
    fix: `Set spec.ingressClassName to ${near ?? names[0] ?? 'an existing class'}.`,
  };
};

const judgeAddress = (ingress: KubeObject): Hop => {
  const addresses = listAt(ingress, 'status', 'loadBalancer', 'ingress').map((one) => textAt(one, 'ip') ?? textAt(one, 'hostname') ?? '?');
  return addresses.length > 0
    ? { hop: 'address', result: 'ok', detail: addresses.join(', ') }
    : { hop: 'address', result: 'unknown', detail: 'no controller has written an address into its status' };
};

const judgeTls = async (world: World, ingress: KubeObject): Promise<readonly Hop[]> => {
  const namespace = namespaceOf(ingress) ?? '';
  const names = [...new Set(listAt(ingress, 'spec', 'tls').flatMap((tls) => textAt(tls, 'secretName') ?? []))];
  return Promise.all(
    names.map(async (name): Promise<Hop> => {
      const ref = `secret/${name}`;
      let isForbidden = false;
      // As a table row: the key never comes here.
      const row = await unlessForbidden(
        world.client.getTable(RESOURCES.secrets, { name, namespace, signal: world.signal }).then(
          () => true,
          (thrown: unknown) => {
            if (!isNotFound(thrown)) throw thrown;
            return false;
          },
        ),
        () => {
          isForbidden = true;
        },
      );
      if (isForbidden) return { hop: 'certificate', ref, result: 'unknown', detail: 'secrets may not be read' };
      return row === true
        ? { hop: 'certificate', ref, result: 'ok', detail: 'the TLS secret is there' }
        : {
            hop: 'certificate',
            ref,
            result: 'unknown',
            detail: 'the TLS secret is absent: HTTPS gets the certificate of the controller, if any',
            fix: `Create the TLS secret ${name} in ${namespace}.`,
          };
    }),
  );
};

export interface Backend {
  /** `shop.example.com/api/cart`. */
  readonly routes: readonly string[];
  readonly service: string | undefined;
  readonly port: string | undefined;
  /** Of the first of them: `spec.rules[0].http.paths[0].backend`. */
  readonly field: string;
}

const toBackend = (route: string, backend: Fields, field: string): Backend => {
  const port = valueAt(backend, 'service', 'port', 'name') ?? numberAt(backend, 'service', 'port', 'number');
  return { routes: [route], service: textAt(backend, 'service', 'name'), port: port === undefined ? undefined : String(port), field };
};

/** Distinct backends with the routes that lead to them. */
export const backendsOf = (ingress: KubeObject): readonly Backend[] => {
  const fallback = valueAt(ingress, 'spec', 'defaultBackend');
  const all = [
    ...listAt(ingress, 'spec', 'rules').flatMap((rule, at) =>
      listAt(rule, 'http', 'paths').map((path, index) => {
        const route = `${textAt(rule, 'host') ?? '*'}${textAt(path, 'path') ?? '/'}`;
        return toBackend(route, path['backend'] as Fields, `spec.rules[${at}].http.paths[${index}].backend`);
      }),
    ),
    ...(fallback === undefined ? [] : [toBackend('everything else', fallback as Fields, 'spec.defaultBackend')]),
  ];
  const groups = new Map<string, Backend>();
  for (const backend of all) {
    const key = `${backend.service}:${backend.port}`;
    const known = groups.get(key);
    groups.set(key, known === undefined ? backend : { ...known, routes: [...known.routes, ...backend.routes] });
  }
  return [...groups.values()];
};

/** The controller's pods: those behind the load balancer whose address the Ingress shows. */
const controllerPeers = async (world: World, ingress: KubeObject): Promise<readonly Peer[] | undefined> => {
  const addresses = new Set(
    listAt(ingress, 'status', 'loadBalancer', 'ingress').flatMap((one) => textAt(one, 'ip') ?? textAt(one, 'hostname') ?? []),
  );
  const services = await unlessForbidden(world.client.listAll(RESOURCES.services, { signal: world.signal }), () => undefined);
  const balancer = services?.items.find(
    (service) =>
      textAt(service, 'spec', 'type') === 'LoadBalancer' &&
      Object.keys(mapAt(service, 'spec', 'selector')).length > 0 &&
      listAt(service, 'status', 'loadBalancer', 'ingress').some((one) => addresses.has(textAt(one, 'ip') ?? textAt(one, 'hostname') ?? '')),
  );
  if (balancer === undefined) return undefined;
  const { pods } = await readService(world, balancer, undefined);
  return toPeers(world, pods, namespaceOf(balancer) ?? '');
};

const MAX_ROUTES = 3;

/** One line for a backend that works; all hops for one that does not. */
export const followBackend = async (
  world: World,
  backend: Backend,
  { namespace, sources }: { namespace: string; sources: readonly Peer[] | undefined },
): Promise<readonly Hop[]> => {
  const routes = `${backend.routes.slice(0, MAX_ROUTES).join(', ')}${backend.routes.length > MAX_ROUTES ? ` +${backend.routes.length - MAX_ROUTES}` : ''}`;
  if (backend.service === undefined)
    return [{ hop: 'backend', result: 'unknown', detail: `${routes}: a backend that is no Service, not followed` }];
  const ref = `service/${backend.service}`;
  const service = await findService(world, backend.service, namespace);
  if (service === undefined) {
    const [near] = nearestNames(backend.service, await serviceNames(world, namespace), 1);
    return [
      {
        hop: 'backend',
        ref,
        result: 'fail',
        detail: `${routes}: there is no service ${backend.service} in ${namespace}${near === undefined ? '' : `; near: ${near}`}`,
        fix: near === undefined ? `Create the service ${backend.service}.` : `Name service ${near} as the backend.`,
      },
    ];
  }
  const { hops, targets } = followService(await readService(world, service, backend.port));
  const labels = await world.namespaceLabels(namespace);
  const policies =
    targets.length === 0 || sources === undefined
      ? []
      : await policyHops(
          world,
          sources,
          targets.map(({ pod, target }) => ({ peer: podPeer(pod, labels), target })),
        );
  const all = [...hops, ...policies];
  const bad = all.filter(({ result }) => result !== 'ok');
  const ready = all.find(({ hop }) => hop === 'endpoints')?.detail ?? '';
  if (bad.length === 0) {
    const allowed = sources === undefined ? '' : ', policies let the controller in';
    return [{ hop: 'backend', ref, result: 'ok', detail: `${routes} to port ${backend.port ?? '?'}: endpoints ${ready}${allowed}` }];
  }
  return bad.map((hop) => ({ ...hop, hop: `backend ${hop.hop}`, ref: hop.ref ?? ref, detail: `${routes}: ${hop.detail}` }));
};

/** Are the backends shut by policies while the controller is not known? Then nobody can tell. */
const unknownController = async (world: World, namespace: string): Promise<readonly Hop[]> => {
  const policies = await world.policies(namespace);
  return policies?.length === 0
    ? []
    : [
        {
          hop: 'policies',
          result: 'unknown',
          detail: `the pods of the ingress controller are not known, and ${namespace} has network policies: ask again with to=service/x and from`,
        },
      ];
};

export const followIngress = async (world: World, ingress: KubeObject): Promise<readonly Hop[]> => {
  const namespace = namespaceOf(ingress) ?? '';
  const classes = await unlessForbidden(world.client.listAll(RESOURCES.ingressclasses, { signal: world.signal }), () => undefined);
  const sources = await controllerPeers(world, ingress);
  const backends = backendsOf(ingress);
  const followed = await Promise.all(backends.map((backend) => followBackend(world, backend, { namespace, sources })));
  return [
    judgeClass(ingress, classes?.items),
    judgeAddress(ingress),
    ...(await judgeTls(world, ingress)),
    ...(backends.length === 0 ? [{ hop: 'backend', result: 'fail' as const, detail: 'no rule and no default backend' }] : followed.flat()),
    ...(sources === undefined ? await unknownController(world, namespace) : []),
  ];
};
