import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../upstream/kubernetes/objects.ts';
import type { Peer } from './peer.ts';
import { allowedPeers, type Direction, isInBlock, judgePolicies } from './policy.ts';

const peer = (name: string, more: Partial<Peer> = {}): Peer => ({
  ref: `pod/${name}`,
  namespace: 'shop',
  labels: { app: name },
  namespaceLabels: { 'kubernetes.io/metadata.name': more.namespace ?? 'shop' },
  addresses: ['10.1.2.3'],
  isHostNetwork: false,
  ports: [{ name: 'http', number: 8080, protocol: 'TCP' }],
  ...more,
});

const policy = (name: string, spec: Record<string, unknown>, namespace = 'shop'): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec,
});

const web = peer('web');
const cart = peer('cart');
const scraper = peer('prometheus', {
  namespace: 'observability',
  namespaceLabels: { 'kubernetes.io/metadata.name': 'observability', team: 'sre' },
});
const TCP = { number: 8080, protocol: 'TCP' };
const judge = (direction: Direction, policies: readonly KubeObject[], own: Peer, other: Peer, target = TCP) =>
  judgePolicies(direction, policies, { own, other, target });
const toCart = (rules: unknown, extra: Record<string, unknown> = {}) =>
  policy('p', { podSelector: { matchLabels: { app: 'cart' } }, ingress: rules, ...extra });

describe('network policies', () => {
  it.each<[string, KubeObject[], Peer, boolean | undefined]>([
    ['no policy at all', [], web, true],
    ['a policy of other pods', [policy('p', { podSelector: { matchLabels: { app: 'email' } } })], web, true],
    ['a policy of another namespace', [policy('p', { podSelector: {} }, 'data')], web, true],
    ['a policy for egress alone', [policy('p', { podSelector: {}, policyTypes: ['Egress'] })], web, true],
    ['no rules: default deny', [policy('p', { podSelector: {}, policyTypes: ['Ingress'] })], web, false],
    ['no types named: ingress counts', [policy('p', { podSelector: {} })], web, false],
    ['an empty rule lets all in', [toCart([{}])], scraper, true],
    ['an empty from lets all in', [toCart([{ from: [] }])], scraper, true],
    ['a podSelector', [toCart([{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }])], web, true],
    ['a podSelector does not reach into other namespaces', [toCart([{ from: [{ podSelector: {} }] }])], scraper, false],
    ['a namespaceSelector', [toCart([{ from: [{ namespaceSelector: { matchLabels: { team: 'sre' } } }] }])], scraper, true],
    ['an empty namespaceSelector is every namespace', [toCart([{ from: [{ namespaceSelector: {} }] }])], scraper, true],
    [
      'both selectors of one peer must hold',
      [toCart([{ from: [{ namespaceSelector: { matchLabels: { team: 'sre' } }, podSelector: { matchLabels: { app: 'web' } } }] }])],
      scraper,
      false,
    ],
    [
      'selectors of two peers are alternatives',
      [toCart([{ from: [{ namespaceSelector: { matchLabels: { team: 'sre' } } }, { podSelector: { matchLabels: { app: 'web' } } }] }])],
      web,
      true,
    ],
    [
      'expressions',
      [toCart([{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['email'] }] } }] }])],
      web,
      true,
    ],
    ['an address block', [toCart([{ from: [{ ipBlock: { cidr: '10.1.0.0/16' } }] }])], web, true],
    ['an exception of a block', [toCart([{ from: [{ ipBlock: { cidr: '10.1.0.0/16', except: ['10.1.2.0/24'] } }] }])], web, false],
    [
      'a block, the address not known',
      [toCart([{ from: [{ ipBlock: { cidr: '10.1.0.0/16' } }] }])],
      peer('new', { addresses: [] }),
      undefined,
    ],
    ['an empty peer chooses nothing', [toCart([{ from: [{}] }])], web, false],
    ['the port by number', [toCart([{ ports: [{ port: 8080 }] }])], web, true],
    ['the port by name', [toCart([{ ports: [{ port: 'http' }] }])], web, true],
    ['another port', [toCart([{ ports: [{ port: 9090 }] }])], web, false],
    ['another protocol', [toCart([{ ports: [{ port: 8080, protocol: 'UDP' }] }])], web, false],
    ['any port of a protocol', [toCart([{ ports: [{ protocol: 'TCP' }] }])], web, true],
    ['a range of ports', [toCart([{ ports: [{ port: 8000, endPort: 8100 }] }])], web, true],
    ['a range that ends before', [toCart([{ ports: [{ port: 8000, endPort: 8079 }] }])], web, false],
    [
      'the peer of one rule with the port of another is not enough',
      [
        toCart([
          { from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 9090 }] },
          { ports: [{ port: 8080 }], from: [{ podSelector: { matchLabels: { app: 'email' } } }] },
        ]),
      ],
      web,
      false,
    ],
    ['policies add up', [policy('deny', { podSelector: {} }), toCart([{}])], web, true],
    ['a pod in the host network', [policy('deny', { podSelector: {} })], peer('node', { isHostNetwork: true }), undefined],
  ])('ingress: %s', (_, policies, from, allowed) => {
    expect(judge('ingress', policies, cart, from).allowed).toBe(allowed);
  });

  it.each<[string, Record<string, unknown>, boolean]>([
    ['counts by default only with rules', { podSelector: {} }, true],
    [
      'no types named, egress rules present',
      { podSelector: {}, egress: [{ to: [{ podSelector: { matchLabels: { app: 'email' } } }] }] },
      false,
    ],
    ['named without rules: default deny', { podSelector: {}, policyTypes: ['Egress'] }, false],
    ['a rule that matches', { podSelector: {}, egress: [{ to: [{ podSelector: { matchLabels: { app: 'cart' } } }] }] }, true],
    ['a named port is looked up at the destination', { podSelector: {}, egress: [{ ports: [{ port: 'http' }] }] }, true],
    ['a block of addresses', { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }] }, false],
  ])('egress: %s', (_, spec, allowed) => {
    expect(judge('egress', [policy('p', spec)], web, cart).allowed).toBe(allowed);
  });

  it('names the policies that isolate and the rule that allows', () => {
    const policies = [
      policy('deny', { podSelector: {} }),
      toCart([{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 8080 }] }]),
    ];
    expect(judge('ingress', policies, cart, web)).toEqual({
      allowed: true,
      policies: ['deny', 'p'],
      rule: 'p: from pods app=web, port 8080',
    });
    expect(allowedPeers(policies, cart, TCP)).toEqual(['p: from pods app=web, port 8080']);
  });

  it('compares addresses of one family only', () => {
    expect(isInBlock('10.0.0.0/8', '10.255.0.1')).toBe(true);
    expect(isInBlock('fd00::/8', 'fd00:10::1')).toBe(true);
    expect(isInBlock('10.0.0.0/8', 'fd00::1')).toBe(false);
    expect(isInBlock('0.0.0.0/0', '203.0.113.9')).toBe(true);
    expect(isInBlock('nonsense', '10.0.0.1')).toBe(false);
  });

  const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('a', 'b'), { maxKeys: 2 });
  const arbitraryPeer = fc.record({ labels, namespace: fc.constantFrom('shop', 'data') }).map((given) => peer('x', given));
  const rule = fc.record({
    from: fc.array(fc.record({ podSelector: fc.record({ matchLabels: labels }) }), { maxLength: 2 }),
    ports: fc.constantFrom([], [{ port: 8080 }], [{ port: 1 }]),
  });
  const arbitraryPolicy = fc
    .record({ podSelector: fc.record({ matchLabels: labels }), ingress: fc.array(rule, { maxLength: 3 }) })
    .map((spec) => policy('p', spec));

  it('another policy never shuts what one policy opens', () => {
    fc.assert(
      fc.property(
        fc.array(arbitraryPolicy, { minLength: 1, maxLength: 3 }),
        arbitraryPolicy,
        arbitraryPeer,
        arbitraryPeer,
        (policies, extra, own, other) => {
          const before = judge('ingress', policies, own, other);
          fc.pre(before.allowed === true && before.policies.length > 0);
          expect(judge('ingress', [...policies, extra], own, other).allowed).toBe(true);
        },
      ),
    );
  });

  it('a rule for everything makes the other rules of a policy meaningless', () => {
    fc.assert(
      fc.property(arbitraryPolicy, arbitraryPeer, arbitraryPeer, (given, own, other) => {
        const spec = given['spec'] as { ingress: unknown[] };
        const open = policy('p', { ...spec, ingress: [...spec.ingress, {}] });
        expect(judge('ingress', [open], own, other).allowed).toBe(true);
      }),
    );
  });

  it('the order of policies and rules does not matter', () => {
    fc.assert(
      fc.property(fc.array(arbitraryPolicy, { maxLength: 4 }), arbitraryPeer, arbitraryPeer, (policies, own, other) => {
        expect(judge('ingress', policies.toReversed(), own, other).allowed).toBe(judge('ingress', policies, own, other).allowed);
      }),
    );
  });
});
