import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createForwarding } from './forwarded.ts';

const PROXIES = ['10.0.0.0/8', '2001:db8:1::/48', '192.0.2.10'];
const addressOf = (peer: string, headers: Readonly<Record<string, string>>, networks: readonly string[] = PROXIES): string =>
  createForwarding(networks, undefined).toAddress(peer, new Headers(headers));

describe('the client address', () => {
  it.each([
    ['the peer when nobody is trusted', '198.51.100.1', { 'x-forwarded-for': '203.0.113.1' }, '198.51.100.1'],
    ['the client of a proxy', '10.1.1.1', { 'x-forwarded-for': '203.0.113.1' }, '203.0.113.1'],
    ['the rightmost that is no proxy', '10.1.1.1', { 'x-forwarded-for': '1.2.3.4, 203.0.113.1, 10.9.9.9, 192.0.2.10' }, '203.0.113.1'],
    ['the first proxy when all are proxies', '10.1.1.1', { 'x-forwarded-for': '10.2.2.2, 10.3.3.3' }, '10.2.2.2'],
    ['X-Real-IP where there is no chain', '10.1.1.1', { 'x-real-ip': '203.0.113.2' }, '203.0.113.2'],
    ['the proxy when it says nothing', '10.1.1.1', {}, '10.1.1.1'],
    ['the last known hop when the next is nonsense', '10.1.1.1', { 'x-forwarded-for': '203.0.113.1, evil' }, '10.1.1.1'],
    ['not a number that means an address to some', '10.1.1.1', { 'x-forwarded-for': '3405803777' }, '10.1.1.1'],
    ['an address with a port', '10.1.1.1', { 'x-forwarded-for': '203.0.113.1:4711' }, '203.0.113.1'],
    ['IPv6 in brackets', '10.1.1.1', { 'x-forwarded-for': '[2001:db8:2::7]:4711' }, '2001:db8:2::7'],
    ['IPv6 behind an IPv6 proxy', '2001:db8:1::5', { 'x-forwarded-for': '2001:db8:9::1' }, '2001:db8:9::1'],
    ['IPv4 that came over IPv6', '::ffff:10.1.1.1', { 'x-forwarded-for': '::ffff:203.0.113.1' }, '203.0.113.1'],
  ])('is %s', (_, peer, headers, expected) => {
    expect(addressOf(peer, headers)).toBe(expected);
  });

  it('is the peer without any configuration, whatever headers say', () => {
    expect(addressOf('127.0.0.1', { 'x-forwarded-for': '203.0.113.1', 'x-real-ip': '203.0.113.1' }, [])).toBe('127.0.0.1');
    expect(addressOf('::ffff:198.51.100.7', {}, [])).toBe('198.51.100.7');
  });

  it('never throws and never is what an untrusted peer wrote', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[\x20-\x7e]*$/), (text) => {
        expect(addressOf('198.51.100.1', { 'x-forwarded-for': text })).toBe('198.51.100.1');
        expect(typeof addressOf('10.1.1.1', { 'x-forwarded-for': text })).toBe('string');
      }),
    );
  });

  it.each(['10.0.0.0/33', 'proxy.example.com', '', '10.0.0'])('%s is no network: the start stops', (network) => {
    expect(() => createForwarding([network], undefined)).toThrow(/server\.trustedProxies/);
  });
});
