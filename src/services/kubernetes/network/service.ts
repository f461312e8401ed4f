// From a Service to a port of its pods: type, port, selector, endpoints, targetPort against what containers declare.

import { nearestNames } from '../../../kit/nearest.ts';
import { type Fields, type KubeObject, listAt, mapAt, nameOf, numberAt, textAt, valueAt } from '../../../upstream/kubernetes/objects.ts';
import { podStatus } from '../../../upstream/kubernetes/status.ts';
import { countOf } from '../problems/problem.ts';
import { isReadyEndpoint, nearLabels } from '../problems/services.ts';
import type { Hop } from './hop.ts';
import { podPeer } from './peer.ts';
import type { Target } from './policy.ts';

export interface ServiceFacts {
  readonly service: KubeObject;
  readonly slices: readonly KubeObject[];
  /** Pods that the selector chooses, ended ones left out. */
  readonly pods: readonly KubeObject[];
  /** Other pods of the namespace, read only when the selector chooses none. */
  readonly others: readonly KubeObject[];
  /** Name or number, as the caller or an Ingress says it; absent = the first. */
  readonly port: string | undefined;
}

export interface ServiceWay {
  readonly hops: readonly Hop[];
  /** Where the traffic ends in each pod; none when it does not get that far. */
  readonly targets: readonly { readonly pod: KubeObject; readonly target: Target }[];
}

const refOf = ({ service }: ServiceFacts): string => `service/${nameOf(service)}`;
const portText = (port: Fields): string => [textAt(port, 'name'), numberAt(port, 'port')].filter((part) => part !== undefined).join(' ');

/** Number, name, or nothing for the first. */
const choosePort = ({ service, port }: ServiceFacts): { chosen: Fields | undefined; ports: readonly Fields[] } => {
  const ports = listAt(service, 'spec', 'ports');
  const chosen =
    port === undefined ? ports[0] : ports.find((one) => textAt(one, 'name') === port || String(numberAt(one, 'port')) === port);
  return { chosen, ports };
};

const portHop = (facts: ServiceFacts, chosen: Fields | undefined, ports: readonly Fields[]): Hop => {
  const ref = refOf(facts);
  const known = ports.map(portText).join(', ');
  if (chosen !== undefined) {
    const target = valueAt(chosen, 'targetPort') ?? numberAt(chosen, 'port');
    const others = ports.filter((port) => port !== chosen).map(portText);
    const rest =
      facts.port === undefined && others.length > 0 ? `; the first of ${ports.length}, choose with port: also ${others.join(', ')}` : '';
    return {
      hop: 'port',
      ref,
      result: 'ok',
      detail: `${portText(chosen)}/${textAt(chosen, 'protocol') ?? 'TCP'} to targetPort ${String(target)}${rest}`,
    };
  }
  if (ports.length === 0) {
    // A headless Service without ports only names its pods.
    return { hop: 'port', ref, result: 'unknown', detail: 'the service lists no port' };
  }
  const [near] = nearestNames(
    facts.port ?? '',
    ports.flatMap((port) => [textAt(port, 'name') ?? '', String(numberAt(port, 'port'))]).filter((name) => name !== ''),
    1,
  );
  return {
    hop: 'port',
    ref,
    result: 'fail',
    detail: `there is no port ${facts.port}; ports: ${known}${near === undefined ? '' : `; near: ${near}`}`,
    fix: `Use one of the ports of ${ref}: ${known}.`,
  };
};

const selectorHop = (facts: ServiceFacts): Hop => {
  const selector = mapAt(facts.service, 'spec', 'selector');
  const words = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const ref = refOf(facts);
  if (facts.pods.length > 0)
    return { hop: 'selector', ref, result: 'ok', detail: `${words} matches ${facts.pods.length} pod${facts.pods.length === 1 ? '' : 's'}` };
  const near = nearLabels(selector, facts.others);
  return {
    hop: 'selector',
    ref,
    result: 'fail',
    detail: `${words} matches no pod${near === undefined ? '' : `; near: pods with ${near}`}`,
    fix: `Make the selector of ${ref} match the labels of its pods${near === undefined ? '' : ` (${near})`}, or start the workload it means.`,
  };
};

const MAX_NAMED = 4;

const endpointsHop = (facts: ServiceFacts): Hop => {
  const ref = refOf(facts);
  const endpoints = facts.slices.flatMap((slice) => listAt(slice, 'endpoints'));
  const nameOfEndpoint = (endpoint: Fields): string =>
    textAt(endpoint, 'targetRef', 'name') ?? String(valueAt(endpoint, 'addresses', '0') ?? '?');
  const ready = endpoints.filter(isReadyEndpoint);
  const states = new Map(facts.pods.map((pod) => [nameOf(pod), podStatus(pod)]));
  const sick = endpoints
    .filter((endpoint) => !isReadyEndpoint(endpoint))
    .map(nameOfEndpoint)
    .map((name) => {
      const state = states.get(name);
      return state === undefined ? name : `${name} (${state.status}, ${state.ready}/${state.containers} ready)`;
    });
  const rest =
    sick.length === 0
      ? ''
      : `; not ready: ${sick.slice(0, MAX_NAMED).join(', ')}${sick.length > MAX_NAMED ? ` +${sick.length - MAX_NAMED}` : ''}`;
  if (ready.length > 0) return { hop: 'endpoints', ref, result: 'ok', detail: `${ready.length} of ${endpoints.length} ready${rest}` };
  const waiting = facts.pods.map((pod) => `${nameOf(pod)} (${podStatus(pod).status})`);
  return {
    hop: 'endpoints',
    ref,
    result: 'fail',
    detail: endpoints.length === 0 ? `none; its pods: ${waiting.slice(0, MAX_NAMED).join(', ')}` : `0 of ${endpoints.length} ready${rest}`,
    fix: `Mend the pods behind ${ref}: kubernetes_find_problems names the cause.`,
  };
};

/** Number of the target port in one pod; undefined for a name that the pod does not have. */
const resolveTarget = (pod: KubeObject, port: Fields): Target | undefined => {
  const wanted = valueAt(port, 'targetPort') ?? numberAt(port, 'port');
  const protocol = textAt(port, 'protocol') ?? 'TCP';
  if (typeof wanted === 'number') return { number: wanted, protocol };
  const found = podPeer(pod, {}).ports.find((one) => one.name === wanted && one.protocol === protocol);
  return found === undefined ? undefined : { number: found.number, protocol };
};

const targetHop = (facts: ServiceFacts, port: Fields): Hop => {
  const wanted = valueAt(port, 'targetPort') ?? numberAt(port, 'port');
  const protocol = textAt(port, 'protocol') ?? 'TCP';
  const ref = refOf(facts);
  const declared = [
    ...new Set(
      facts.pods.flatMap((pod) => podPeer(pod, {}).ports).map(({ name, number }) => `${name === undefined ? '' : `${name} `}${number}`),
    ),
  ];
  const known = declared.length === 0 ? 'the containers declare no ports' : `the containers declare ${declared.join(', ')}`;
  if (typeof wanted === 'string') {
    const lost = facts.pods.filter((pod) => resolveTarget(pod, port) === undefined);
    const [near] = nearestNames(
      wanted,
      declared.flatMap((text) => text.split(' ')[0] ?? []),
      1,
    );
    if (lost.length === 0) {
      const [first] = facts.pods;
      return {
        hop: 'target port',
        ref,
        result: 'ok',
        detail: `${wanted} is container port ${first === undefined ? '?' : resolveTarget(first, port)?.number}`,
      };
    }
    return {
      hop: 'target port',
      ref,
      result: lost.length === facts.pods.length ? 'fail' : 'unknown',
      detail: `${lost.length} of ${facts.pods.length} pods have no ${protocol} port named ${wanted}; ${known}`,
      fix: `Name a port of the containers in targetPort of ${ref}${near === undefined ? '' : ` (near: ${near})`}.`,
    };
  }
  const isDeclared = facts.pods.some((pod) => podPeer(pod, {}).ports.some((one) => one.number === wanted && one.protocol === protocol));
  if (isDeclared) return { hop: 'target port', ref, result: 'ok', detail: `${String(wanted)}/${protocol} is a declared container port` };
  return {
    hop: 'target port',
    ref,
    result: 'unknown',
    detail: `no container declares ${String(wanted)}/${protocol} (${known}): it works only if a process listens there`,
    fix: `Check that a process listens on ${String(wanted)}; else set targetPort of ${ref}.`,
  };
};

/** A Service without selector: whoever made its endpoints decides. */
const judgeByHand = (facts: ServiceFacts): Hop => {
  const ready = facts.slices.flatMap((slice) => listAt(slice, 'endpoints')).filter(isReadyEndpoint);
  const ref = refOf(facts);
  return ready.length > 0
    ? {
        hop: 'endpoints',
        ref,
        result: 'unknown',
        detail: `no selector: ${countOf(ready.length, 'endpoint')} made by hand, what is behind is not known`,
      }
    : {
        hop: 'endpoints',
        ref,
        result: 'fail',
        detail: 'no selector and no endpoint',
        fix: `Give ${ref} a selector, or EndpointSlices made by hand.`,
      };
};

/** Every hop inside a Service, as far as the traffic gets. */
export const followService = (facts: ServiceFacts): ServiceWay => {
  const ref = refOf(facts);
  if (textAt(facts.service, 'spec', 'type') === 'ExternalName') {
    const name = textAt(facts.service, 'spec', 'externalName') ?? '?';
    return {
      hops: [{ hop: 'service', ref, result: 'unknown', detail: `an alias of ${name}, outside of what can be seen here` }],
      targets: [],
    };
  }
  const { chosen, ports } = choosePort(facts);
  const port = portHop(facts, chosen, ports);
  if (port.result === 'fail') return { hops: [port], targets: [] };
  if (Object.keys(mapAt(facts.service, 'spec', 'selector')).length === 0) return { hops: [port, judgeByHand(facts)], targets: [] };
  const selector = selectorHop(facts);
  if (selector.result === 'fail') return { hops: [port, selector], targets: [] };
  const isHeadless = textAt(facts.service, 'spec', 'clusterIP') === 'None';
  const endpoints = endpointsHop(facts);
  const headless: readonly Hop[] = isHeadless
    ? [
        {
          hop: 'headless',
          ref,
          result: 'ok',
          detail: 'its name gives the addresses of the pods: clients use the target port, not the service port',
        },
      ]
    : [];
  if (chosen === undefined) return { hops: [port, selector, ...headless, endpoints], targets: [] };
  const targets = facts.pods.flatMap((pod) => {
    const target = resolveTarget(pod, chosen);
    return target === undefined ? [] : [{ pod, target }];
  });
  return { hops: [port, selector, ...headless, endpoints, targetHop(facts, chosen)], targets };
};
