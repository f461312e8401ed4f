// The words `to` and `from`: which objects they mean, and the pods behind them.

import { AppError, toAppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { selectorWords } from '../../../upstream/kubernetes/label-selector.ts';
import { fieldsAt, type KubeObject, nameOf, valueAt } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES, type ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import { getOrNear } from '../missing.ts';
import { isDeleted, isFinished } from '../problems/snapshot.ts';
import { type Peer, podPeer, templatePeer } from './peer.ts';
import type { World } from './world.ts';

export interface End {
  /** In small letters: `service`. */
  readonly kind: string;
  readonly name: string;
  readonly namespace: string;
  readonly resource: ResourceRef;
}

const WORKLOADS = ['deployments', 'statefulsets', 'daemonsets', 'replicasets', 'jobs'] as const;
export const isWorkload = (resource: ResourceRef): boolean => WORKLOADS.some((plural) => RESOURCES[plural].kind === resource.kind);

/** `deployment/x`, or `ns/deployment/x` for another namespace. @throws INVALID_ARGUMENT */
export const parseEnd = async (
  text: string,
  { argument, namespace, client, signal }: { argument: string; namespace: string; client: KubernetesClient; signal: AbortSignal },
): Promise<End> => {
  const parts = text.split('/').map((part) => part.trim());
  const [name = '', kind = '', space = namespace] = parts.toReversed();
  if (parts.length < 2 || parts.length > 3 || parts.includes('')) {
    throw new AppError('INVALID_ARGUMENT', `${argument} is no kind/name.`, {
      details: { argument, expected: 'such as service/web, or other-namespace/deployment/web' },
    });
  }
  const { resource } = await client.resolveKind(kind, { signal }).catch((thrown: unknown) => {
    if (!/^(httproutes?|gateways?)(\.|$)/i.test(kind) || toAppError(thrown).code !== 'INVALID_ARGUMENT') throw thrown;
    throw new AppError('UNSUPPORTED', 'This cluster does not serve the Gateway API.', {
      details: { needs: 'gateway.networking.k8s.io/v1' },
      cause: thrown,
    });
  });
  return { kind: resource.kind.toLowerCase(), name, namespace: space, resource };
};

export const getEnd = ({ client, signal }: World, { resource, name, namespace }: End): Promise<KubeObject> =>
  getOrNear(client, { resource, name, namespace: resource.namespaced ? namespace : undefined, signal });

/** Pods that take part in traffic. */
export const isTakingPart = (pod: KubeObject): boolean => !isFinished(pod) && !isDeleted(pod);

/** Pods of a workload by its selector; none that ended. */
export const podsOfWorkload = async (world: World, workload: KubeObject, namespace: string): Promise<readonly KubeObject[]> => {
  const selector = selectorWords(fieldsAt(workload, 'spec', 'selector'));
  return selector === '' ? [] : (await world.pods(namespace, selector)).filter(isTakingPart);
};

/** Those that policies tell apart: pods alike in labels and ports stand for one another, unless addresses matter. */
export const distinct = (peers: readonly Peer[]): readonly Peer[] => {
  const seen = new Map<string, Peer>();
  for (const peer of peers) {
    const key = JSON.stringify([Object.entries(peer.labels).sort(), peer.ports, peer.isHostNetwork, peer.addresses.length > 0]);
    if (!seen.has(key)) seen.set(key, peer);
  }
  return [...seen.values()];
};

export const toPeers = async (world: World, pods: readonly KubeObject[], namespace: string): Promise<readonly Peer[]> => {
  const labels = await world.namespaceLabels(namespace);
  return distinct(pods.map((pod) => podPeer(pod, labels)));
};

const MAX_SOURCES = 20;

/** The pods that a source means: the pod, the pods of a workload (or what they will be), all pods of a namespace. */
export const sourcePeers = async (world: World, end: End): Promise<readonly Peer[]> => {
  const object = await getEnd(world, end);
  const ref = `${end.kind}/${end.name}`;
  if (end.kind === 'namespace') {
    const peers = await toPeers(world, (await world.pods(end.name)).filter(isTakingPart), end.name);
    return peers.slice(0, MAX_SOURCES);
  }
  const labels = await world.namespaceLabels(end.namespace);
  if (end.kind === 'pod') return [podPeer(object, labels)];
  if (isWorkload(end.resource) || valueAt(object, 'spec', 'template', 'spec') !== undefined) {
    const peers = await toPeers(world, await podsOfWorkload(world, object, end.namespace), end.namespace);
    return peers.length > 0 ? peers : [templatePeer(object, ref, labels)];
  }
  throw new AppError('INVALID_ARGUMENT', `Traffic does not start from ${end.kind} ${nameOf(object)}.`, {
    details: { argument: 'from', expected: 'deployment/x, statefulset/x, pod/x or namespace/x' },
  });
};
