// The whole way from a source to a destination, hop by hop.

import type { CallContext } from '../../../kit/context.ts';
import { AppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type KubeObject, nameOf } from '../../../upstream/kubernetes/objects.ts';
import { podStatus } from '../../../upstream/kubernetes/status.ts';
import { isPodReady } from '../problems/pods.ts';
import { type End, getEnd, isWorkload, podsOfWorkload, sourcePeers } from './ends.ts';
import { followRoute } from './gateway.ts';
import { type Hop, toVerdict, type Verdict } from './hop.ts';
import { followIngress } from './ingress.ts';
import { type Peer, podPeer, templatePeer } from './peer.ts';
import { policyHops } from './policies-hop.ts';
import type { Target } from './policy.ts';
import { readService } from './read-service.ts';
import { followService } from './service.ts';
import { createWorld, type World } from './world.ts';

export interface Question {
  readonly to: End;
  readonly from: End | undefined;
  readonly port: string | undefined;
}

export interface Reach {
  readonly verdict: Verdict;
  readonly path: readonly Hop[];
  readonly warnings: readonly string[];
}

type Destination = { readonly peer: Peer; readonly target: Target | undefined };

/** The port of a pod by number or name; its only or first declared one when none is given. */
const choosePodPort = (peer: Peer, port: string | undefined): { target: Target | undefined; hop: Hop } => {
  const known = peer.ports.map(({ name, number }) => `${name === undefined ? '' : `${name} `}${number}`).join(', ');
  const found = port === undefined ? peer.ports[0] : peer.ports.find(({ name, number }) => name === port || String(number) === port);
  if (found !== undefined) {
    const others = port === undefined && peer.ports.length > 1 ? `; the first of ${known}, choose with port` : '';
    return {
      target: { number: found.number, protocol: found.protocol },
      hop: { hop: 'port', ref: peer.ref, result: 'ok', detail: `${found.number}/${found.protocol} is a declared container port${others}` },
    };
  }
  if (port === undefined)
    return {
      target: undefined,
      hop: { hop: 'port', ref: peer.ref, result: 'unknown', detail: 'the containers declare no port: give port' },
    };
  const number = Number(port);
  if (!Number.isInteger(number))
    return {
      target: undefined,
      hop: {
        hop: 'port',
        ref: peer.ref,
        result: 'fail',
        detail: `no container port is named ${port}; declared: ${known || 'none'}`,
        fix: 'Use a declared port.',
      },
    };
  return {
    target: { number, protocol: 'TCP' },
    hop: {
      hop: 'port',
      ref: peer.ref,
      result: 'unknown',
      detail: `no container declares ${port} (declared: ${known || 'none'}): it works only if a process listens there`,
    },
  };
};

const podsHop = (pods: readonly KubeObject[], ref: string): Hop => {
  const ready = pods.filter(isPodReady);
  const sick = pods.filter((pod) => !isPodReady(pod)).map((pod) => `${nameOf(pod)} (${podStatus(pod).status})`);
  const rest = sick.length === 0 ? '' : `; not ready: ${sick.slice(0, 3).join(', ')}${sick.length > 3 ? ` +${sick.length - 3}` : ''}`;
  return ready.length > 0
    ? { hop: 'pods', ref, result: 'ok', detail: `${ready.length} of ${pods.length} ready${rest}` }
    : {
        hop: 'pods',
        ref,
        result: 'fail',
        detail: pods.length === 0 ? 'no pods' : `none of ${pods.length} ready${rest}`,
        fix: 'Mend the pods: kubernetes_find_problems names the cause.',
      };
};

const followPods = async (
  world: World,
  to: End,
  port: string | undefined,
): Promise<{ hops: readonly Hop[]; destinations: readonly Destination[] }> => {
  const object = await getEnd(world, to);
  const ref = `${to.kind}/${to.name}`;
  const labels = await world.namespaceLabels(to.namespace);
  const pods = to.kind === 'pod' ? [object] : await podsOfWorkload(world, object, to.namespace);
  const peers = pods.length > 0 ? pods.map((pod) => podPeer(pod, labels)) : [templatePeer(object, ref, labels)];
  const [first] = peers;
  if (first === undefined) return { hops: [podsHop(pods, ref)], destinations: [] };
  const { target, hop } = choosePodPort(first, port);
  return { hops: [podsHop(pods, ref), hop], destinations: peers.map((peer) => ({ peer, target })) };
};

const followToService = async (world: World, to: End, port: string | undefined) => {
  const { hops, targets } = followService(await readService(world, await getEnd(world, to), port));
  const labels = await world.namespaceLabels(to.namespace);
  return { hops, destinations: targets.map(({ pod, target }) => ({ peer: podPeer(pod, labels), target })) };
};

const NOT_POSSIBLE = 'service/x, pod/x, deployment/x, ingress/x, httproute/x';

/** Hops to the pods, and the policies on the way. Ends with the first hop of a service that cannot work. */
const follow = async (world: World, { to, from, port }: Question): Promise<readonly Hop[]> => {
  if (to.kind === 'ingress' || to.kind === 'httproute') {
    const object = await getEnd(world, to);
    const hops = to.kind === 'ingress' ? await followIngress(world, object) : await followRoute(world, object);
    if (from === undefined) return hops;
    return [
      ...hops,
      {
        hop: 'source',
        ref: `${from.kind}/${from.name}`,
        result: 'unknown',
        detail: `how ${from.kind}/${from.name} gets to the entry is not followed: its address may lie outside of the cluster`,
      },
    ];
  }
  const isPods = to.kind === 'pod' || isWorkload(to.resource);
  if (!isPods && to.kind !== 'service') {
    throw new AppError('INVALID_ARGUMENT', `Traffic does not end at ${to.kind}.`, { details: { argument: 'to', expected: NOT_POSSIBLE } });
  }
  const { hops, destinations } = isPods ? await followPods(world, to, port) : await followToService(world, to, port);
  const sources = from === undefined ? undefined : await sourcePeers(world, from);
  if (destinations.length === 0) return hops;
  return [...hops, ...(await policyHops(world, sources, destinations))];
};

export const reach = async (client: KubernetesClient, question: Question, ctx: CallContext): Promise<Reach> => {
  const world = createWorld(client, ctx);
  const path = await follow(world, question);
  return { verdict: toVerdict(path), path, warnings: [...world.warnings] };
};
