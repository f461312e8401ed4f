// NetworkPolicy reasoning: which policies isolate a pod, and which rule lets a connection through (networking.k8s.io/v1).

import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { isEmptySelector, matchesSelector, selectorWords } from '../../../upstream/kubernetes/label-selector.ts';
import { type KubeObject, listAt, nameOf, namespaceOf, numberAt, textAt, textsAt, valueAt } from '../../../upstream/kubernetes/objects.ts';
import type { Peer } from './peer.ts';

export type Direction = 'ingress' | 'egress';

/** A port of the destination. */
export interface Target {
  readonly number: number;
  readonly protocol: string;
}

export interface Judgement {
  /** Undefined: cannot be decided. */
  readonly allowed: boolean | undefined;
  /** Names of the policies that isolate this end in this direction; none = everything is allowed. */
  readonly policies: readonly string[];
  /** Words of the rule that allows it. */
  readonly rule: string | undefined;
  /** Why it is not decided. */
  readonly why?: string;
}

/** Ingress always counts unless types are named; Egress by default only with egress rules. */
const appliesTo = (policy: KubeObject, direction: Direction): boolean => {
  const types = textsAt(policy, 'spec', 'policyTypes');
  if (types.length > 0) return types.includes(direction === 'ingress' ? 'Ingress' : 'Egress');
  return direction === 'ingress' || listAt(policy, 'spec', 'egress').length > 0;
};

/** Policies of a namespace that isolate one of its pods. */
export const policiesOn = (policies: readonly KubeObject[], end: Peer, direction: Direction): readonly KubeObject[] =>
  policies.filter(
    (policy) =>
      namespaceOf(policy) === end.namespace &&
      appliesTo(policy, direction) &&
      matchesSelector(valueAt(policy, 'spec', 'podSelector'), end.labels),
  );

const familyOf = (address: string): 'ipv4' | 'ipv6' | undefined => (isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined);

/** Is the address in the block? False for what is no block. */
export const isInBlock = (cidr: string, address: string): boolean => {
  const [network = '', prefix = ''] = cidr.split('/');
  const family = familyOf(network);
  const length = Number(prefix);
  if (family === undefined || family !== familyOf(address) || !/^\d+$/.test(prefix) || length > (family === 'ipv4' ? 32 : 128))
    return false;
  const block = new BlockList();
  block.addSubnet(network, length, family);
  return block.check(address, family);
};

/** Undefined: the address of the other end is not known. */
const matchesBlock = (block: unknown, other: Peer): boolean | undefined => {
  if (other.addresses.length === 0) return undefined;
  const cidr = textAt(block, 'cidr') ?? '';
  return other.addresses.some(
    (address) => isInBlock(cidr, address) && !textsAt(block, 'except').some((except) => isInBlock(except, address)),
  );
};

const matchesPeer = (peer: unknown, policy: KubeObject, other: Peer): boolean | undefined => {
  const block = valueAt(peer, 'ipBlock');
  if (block !== undefined) return matchesBlock(block, other);
  const namespaces = valueAt(peer, 'namespaceSelector');
  const pods = valueAt(peer, 'podSelector');
  // An empty peer chooses nothing; without a namespaceSelector only pods of the policy's own namespace are meant.
  if (namespaces === undefined && pods === undefined) return false;
  const isNamespace =
    namespaces === undefined ? other.namespace === namespaceOf(policy) : matchesSelector(namespaces, other.namespaceLabels);
  return isNamespace && (pods === undefined || matchesSelector(pods, other.labels));
};

/** `destination` is the end whose port it is: names are looked up there. */
const matchesPort = (port: unknown, target: Target, destination: Peer): boolean => {
  if ((textAt(port, 'protocol') ?? 'TCP') !== target.protocol) return false;
  const wanted = valueAt(port, 'port');
  if (wanted === undefined) return true;
  if (typeof wanted === 'string') {
    return destination.ports.some(
      ({ name, number, protocol }) => name === wanted && number === target.number && protocol === target.protocol,
    );
  }
  const from = numberAt(port, 'port') ?? -1;
  return target.number >= from && target.number <= (numberAt(port, 'endPort') ?? from);
};

const peerWords = (peer: unknown): string => {
  const cidr = textAt(peer, 'ipBlock', 'cidr');
  if (cidr !== undefined) {
    const except = textsAt(peer, 'ipBlock', 'except');
    return except.length === 0 ? cidr : `${cidr} except ${except.join(', ')}`;
  }
  const words = (key: string, noun: string): string => {
    const selector = valueAt(peer, key);
    return selector === undefined ? '' : isEmptySelector(selector) ? `all ${noun}` : `${noun} ${selectorWords(selector)}`;
  };
  return [words('podSelector', 'pods'), words('namespaceSelector', 'namespaces')].filter((part) => part !== '').join(' in ');
};

const portWords = (port: unknown): string => {
  const from = valueAt(port, 'port');
  const end = numberAt(port, 'endPort');
  const protocol = textAt(port, 'protocol') ?? 'TCP';
  return `${from === undefined ? 'any port' : String(from)}${end === undefined ? '' : `-${end}`}${protocol === 'TCP' ? '' : `/${protocol}`}`;
};

const peersOf = (rule: unknown, direction: Direction): readonly unknown[] => listAt(rule, direction === 'ingress' ? 'from' : 'to');

/** `from pods app=web, port 8080`. */
const ruleWords = (rule: unknown, direction: Direction): string => {
  const peers = peersOf(rule, direction).map(peerWords);
  const ports = listAt(rule, 'ports').map(portWords);
  const preposition = direction === 'ingress' ? 'from' : 'to';
  return `${preposition} ${peers.length === 0 ? 'anywhere' : peers.join(' or ')}${ports.length === 0 ? '' : `, port ${ports.join(', ')}`}`;
};

/** What a policy lets through, for a reader without a source: one line per rule that covers the port. */
export const allowedPeers = (policies: readonly KubeObject[], end: Peer, target: Target | undefined): readonly string[] =>
  policies.flatMap((policy) =>
    listAt(policy, 'spec', 'ingress')
      .filter((rule) => {
        const ports = listAt(rule, 'ports');
        return target === undefined || ports.length === 0 || ports.some((port) => matchesPort(port, target, end));
      })
      .map((rule) => `${nameOf(policy)}: ${ruleWords(rule, 'ingress')}`),
  );

/** May `own` receive from (ingress) or send to (egress) `other`? Rules of several policies add up. */
export const judgePolicies = (
  direction: Direction,
  policies: readonly KubeObject[],
  { own, other, target }: { own: Peer; other: Peer; target: Target },
): Judgement => {
  const selecting = policiesOn(policies, own, direction);
  const names = selecting.map(nameOf);
  if (selecting.length === 0) return { allowed: true, policies: names, rule: undefined };
  if (own.isHostNetwork || other.isHostNetwork)
    return { allowed: undefined, policies: names, rule: undefined, why: 'a pod in the host network: the network plugin decides' };
  const destination = direction === 'ingress' ? own : other;
  let isOpen = false;
  for (const policy of selecting) {
    for (const rule of listAt(policy, 'spec', direction)) {
      const ports = listAt(rule, 'ports');
      if (ports.length > 0 && !ports.some((port) => matchesPort(port, target, destination))) continue;
      const peers = peersOf(rule, direction);
      const answers = peers.map((peer) => matchesPeer(peer, policy, other));
      if (peers.length === 0 || answers.includes(true))
        return { allowed: true, policies: names, rule: `${nameOf(policy)}: ${ruleWords(rule, direction)}` };
      if (answers.includes(undefined)) isOpen = true;
    }
  }
  if (isOpen)
    return { allowed: undefined, policies: names, rule: undefined, why: 'a rule names an address block, and the address is not known' };
  return { allowed: false, policies: names, rule: undefined };
};
