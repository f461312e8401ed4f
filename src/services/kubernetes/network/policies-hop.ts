// The hops of policies: what the source may send, what the destination may receive, and what else may decide.

import { toAppError } from '../../../kit/errors.ts';
import { type KubeObject, nameOf } from '../../../upstream/kubernetes/objects.ts';
import { resourceName } from '../../../upstream/kubernetes/resources.ts';
import { someOf } from '../problems/problem.ts';
import { distinct } from './ends.ts';
import type { Hop, Result } from './hop.ts';
import { type Peer, podPeer } from './peer.ts';
import { allowedPeers, type Direction, type Judgement, judgePolicies, policiesOn, type Target } from './policy.ts';
import type { World } from './world.ts';

export interface Way {
  readonly from: Peer;
  readonly to: Peer;
  readonly target: Target;
}

const END: Readonly<Record<Direction, string>> = { egress: 'source', ingress: 'destination' };
const MAX_RULES = 4;

const labelWords = ({ labels }: Peer): string => {
  const [key, value] = ['app.kubernetes.io/name', 'app', 'k8s-app', 'name']
    .map((name) => [name, labels[name]] as const)
    .find(([, text]) => text !== undefined) ??
    Object.entries(labels)[0] ?? ['', ''];
  return key === '' ? 'its pods' : `pods ${key}=${value}`;
};

const toFix = (direction: Direction, { from, to, target }: Way, policies: readonly string[]): string => {
  const own = direction === 'ingress' ? to : from;
  const other = direction === 'ingress' ? from : to;
  const port = `port ${target.number}${target.protocol === 'TCP' ? '' : `/${target.protocol}`}`;
  const space = other.namespace === own.namespace ? '' : ` in namespace ${other.namespace}`;
  return `Allow ${direction} ${direction === 'ingress' ? 'from' : 'to'} ${labelWords(other)}${space} on ${port} in a NetworkPolicy of ${own.namespace} that selects ${labelWords(own)} (now: ${policies.join(', ')}).`;
};

const describe = (judgement: Judgement, allowed: readonly string[], direction: Direction): string => {
  if (judgement.policies.length === 0) return `no policy restricts ${direction}`;
  if (judgement.rule !== undefined) return `allowed by ${judgement.rule}`;
  const names = judgement.policies.join(', ');
  return judgement.allowed === undefined
    ? `${names}: ${judgement.why ?? 'not decided'}`
    : `no rule of ${names} allows it${allowed.length > 0 ? ` (they allow: ${someOf(allowed, MAX_RULES)})` : ''}`;
};

interface Judged {
  readonly way: Way;
  readonly judgement: Judgement;
  /** What the policies let in instead. */
  readonly allowed: readonly string[];
}

/** Which of the pods: by source where there are several, else by destination. */
const shareWords = (denied: readonly Judged[], judged: readonly Judged[]): string => {
  const refs = (some: readonly Judged[], end: 'from' | 'to'): readonly string[] => [...new Set(some.map(({ way }) => way[end].ref))];
  const end = refs(judged, 'from').length > 1 ? 'from' : 'to';
  const [all, refused] = [refs(judged, end), refs(denied, end)];
  return `${end} ${refused.length} of ${all.length} kinds of pods: ${someOf(refused)}`;
};

/** All ways in one hop: the words of the worst, and how many fare so. */
const toHop = (direction: Direction, judged: readonly Judged[]): Hop => {
  const denied = judged.filter(({ judgement }) => judgement.allowed === false);
  const open = judged.filter(({ judgement }) => judgement.allowed === undefined);
  const [first] = denied.length > 0 ? denied : open.length > 0 ? open : judged;
  if (first === undefined) return { hop: `${END[direction]} ${direction}`, result: 'unknown', detail: 'no pod to judge' };
  // Of one source every refused pod is a refused request; of several sources it depends on which is meant.
  const isOneSource = new Set(judged.map(({ way }) => way.from.ref)).size === 1;
  const isRefused = denied.length > 0 && (isOneSource || denied.length === judged.length);
  const result: Result = isRefused ? 'fail' : denied.length + open.length > 0 ? 'unknown' : 'ok';
  const { way, judgement } = first;
  const share = denied.length > 0 && denied.length < judged.length ? `; so ${shareWords(denied, judged)}` : '';
  const own = direction === 'ingress' ? way.to : way.from;
  return {
    hop: `${END[direction]} ${direction}`,
    ref: judgement.policies.length === 0 ? own.ref : `networkpolicy/${judgement.policies[0]}`,
    result,
    detail: `${describe(judgement, first.allowed, direction)}${share}`,
    ...(denied.length > 0 ? { fix: toFix(direction, way, judgement.policies) } : {}),
  };
};

const judgeDirection = async (world: World, direction: Direction, ways: readonly Way[]): Promise<Hop> => {
  const judged: Judged[] = [];
  for (const way of ways) {
    const [own, other] = direction === 'ingress' ? [way.to, way.from] : [way.from, way.to];
    const policies = await world.policies(own.namespace);
    const judgement =
      policies === undefined
        ? { allowed: undefined, policies: ['policies'], rule: undefined, why: 'may not be read' }
        : judgePolicies(direction, policies, { own, other, target: way.target });
    const isRefused = judgement.allowed === false && direction === 'ingress' && policies !== undefined;
    judged.push({ way, judgement, allowed: isRefused ? allowedPeers(policiesOn(policies, own, direction), own, way.target) : [] });
  }
  return toHop(direction, judged);
};

/** Without a source: who is let in. Nobody at all is a block. */
const describeIngress = (policies: readonly KubeObject[], to: Peer, target: Target | undefined): Hop => {
  const selecting = policiesOn(policies, to, 'ingress');
  const hop = 'destination ingress';
  const [first] = selecting;
  if (first === undefined) return { hop, ref: to.ref, result: 'ok', detail: 'no policy restricts ingress' };
  const allowed = allowedPeers(selecting, to, target);
  const names = selecting.map(nameOf).join(', ');
  if (allowed.length === 0) {
    return {
      hop,
      ref: `networkpolicy/${names.split(', ')[0]}`,
      result: 'fail',
      detail: `no rule of ${names} lets anything in on this port`,
      fix: `Allow ingress to ${labelWords(to)} in a NetworkPolicy of ${to.namespace} (now: ${names}).`,
    };
  }
  const rest = allowed.length > MAX_RULES ? ` +${allowed.length - MAX_RULES}` : '';
  return {
    hop,
    ref: `networkpolicy/${names.split(', ')[0]}`,
    result: 'ok',
    detail: `only ${allowed.slice(0, MAX_RULES).join('; ')}${rest}; give from to judge one source`,
  };
};

const DNS: Target = { number: 53, protocol: 'UDP' };

/** Who may not ask for names reaches nothing by name: the rule that egress policies most often lack. */
const judgeDns = async (world: World, sources: readonly Peer[]): Promise<readonly Hop[]> => {
  const restricted: Peer[] = [];
  for (const source of sources) {
    const policies = (await world.policies(source.namespace)) ?? [];
    if (policiesOn(policies, source, 'egress').length > 0) restricted.push(source);
  }
  const [source] = restricted;
  if (source === undefined) return [];
  const servers = await world.pods('kube-system', 'k8s-app=kube-dns').catch((thrown: unknown) => {
    if (toAppError(thrown).code !== 'FORBIDDEN') throw thrown;
    return [];
  });
  const [server] = servers;
  if (server === undefined) return [];
  const peer = podPeer(server, await world.namespaceLabels('kube-system'));
  const policies = (await world.policies(source.namespace)) ?? [];
  const own = peer.ports.find(({ name, protocol }) => protocol === 'UDP' && name === 'dns')?.number ?? DNS.number;
  const judgement = judgePolicies('egress', policies, { own: source, other: peer, target: { ...DNS, number: own } });
  if (judgement.allowed !== false) return [];
  return [
    {
      hop: 'names',
      ref: `networkpolicy/${judgement.policies[0]}`,
      result: 'fail',
      detail: `no rule of ${judgement.policies.join(', ')} allows the source to ask the cluster's DNS (UDP ${own})`,
      fix: `Allow egress to pods k8s-app=kube-dns in namespace kube-system on port ${own}/UDP.`,
    },
  ];
};

/** Kinds of network plugins and meshes that may refuse traffic, too. */
const FOREIGN: readonly (readonly [group: string, kinds: readonly string[]])[] = [
  ['cilium.io', ['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy']],
  ['projectcalico.org', ['NetworkPolicy', 'GlobalNetworkPolicy', 'StagedNetworkPolicy']],
  ['crd.projectcalico.org', ['NetworkPolicy', 'GlobalNetworkPolicy']],
  ['policy.networking.k8s.io', ['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy']],
  ['crd.antrea.io', ['NetworkPolicy', 'ClusterNetworkPolicy']],
  ['security.istio.io', ['AuthorizationPolicy', 'PeerAuthentication']],
];

/** Policies of kinds that are not evaluated here: named, never passed over. */
export const findForeign = async ({ client, signal }: World, namespaces: readonly string[]): Promise<readonly Hop[]> => {
  const { groups } = await client.discovery({ signal });
  const kinds = FOREIGN.flatMap(([group, names]) => {
    const [version] = groups.find(({ name }) => name === group)?.versions ?? [];
    return version?.resources.filter(({ kind }) => names.includes(kind)) ?? [];
  });
  const found = await Promise.all(
    kinds.map(async (resource) => {
      const scopes = resource.namespaced ? namespaces : [undefined];
      const counts = await Promise.all(
        scopes.map((namespace) =>
          client.list(resource, { namespace, limit: 1, signal }).then(
            ({ items, remaining }) => items.length + (remaining ?? 0),
            (thrown: unknown) => {
              if (toAppError(thrown).code !== 'FORBIDDEN') throw thrown;
              return Number.NaN;
            },
          ),
        ),
      );
      return { resource, count: counts.reduce((sum, count) => sum + count, 0) };
    }),
  );
  const present = found.filter(({ count }) => count !== 0);
  if (present.length === 0) return [];
  const words = present.map(({ resource, count }) =>
    Number.isNaN(count) ? `${resourceName(resource)} (may not be read)` : `${count} ${resourceName(resource)}`,
  );
  return [{ hop: 'other policies', result: 'unknown', detail: `not evaluated here, and may refuse it: ${words.join(', ')}` }];
};

const MAX_WAYS = 100;

interface Destination {
  readonly peer: Peer;
  readonly target: Target | undefined;
}

/** One of each kind of pod and port. */
const distinctEnds = (ends: readonly Destination[]): readonly Destination[] => {
  const kept = new Set(distinct(ends.map(({ peer }) => peer)));
  const ports = new Set(ends.map(({ target }) => `${target?.protocol}/${target?.number}`));
  return ports.size > 1 ? ends : ends.filter(({ peer }) => kept.has(peer));
};

/** Egress of the sources and ingress of the destinations; without sources who is let in. */
export const policyHops = async (
  world: World,
  sources: readonly Peer[] | undefined,
  destinations: readonly Destination[],
): Promise<readonly Hop[]> => {
  const namespaces = [...new Set([...(sources ?? []), ...destinations.map(({ peer }) => peer)].map(({ namespace }) => namespace))];
  const foreign = await findForeign(world, namespaces);
  if (sources === undefined) {
    const [first] = destinations;
    const policies = first === undefined ? undefined : await world.policies(first.peer.namespace);
    if (first === undefined) return foreign;
    if (policies === undefined)
      return [{ hop: 'destination ingress', ref: first.peer.ref, result: 'unknown', detail: 'policies may not be read' }, ...foreign];
    return [describeIngress(policies, first.peer, first.target), ...foreign];
  }
  const ends = distinctEnds(destinations);
  const ways = sources
    .flatMap((from) => ends.flatMap(({ peer, target }) => (target === undefined ? [] : [{ from, to: peer, target }])))
    .slice(0, MAX_WAYS);
  if (ways.length === 0) {
    const detail = sources.length === 0 ? 'the source has no pods' : 'no port to judge: give port';
    return [{ hop: 'policies', result: 'unknown', detail }, ...foreign];
  }
  return [
    await judgeDirection(world, 'egress', ways),
    await judgeDirection(world, 'ingress', ways),
    ...(await judgeDns(world, sources)),
    ...foreign,
  ];
};
