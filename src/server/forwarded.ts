// Who the client is behind proxies. Forwarded headers are believed from trusted networks alone: anyone can send them.

import ipaddr from 'ipaddr.js';
import { AppError } from '../kit/errors.ts';
import type { HttpExchange } from '../kit/http.ts';

export interface Forwarding {
  /** The peer, or behind trusted proxies the rightmost address that is none of them. */
  toAddress(peer: string, headers: Headers): string;
  /** Scheme, host and port under which the client reached this server. */
  toBaseUrl(exchange: HttpExchange): string;
}

const MAX_HOPS = 32;
const HOST = /^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$|^\[[0-9a-fA-F:.]{2,45}\](?::\d{1,5})?$/;

const isAddress = (text: string): boolean => (text.includes(':') ? ipaddr.IPv6.isValid(text) : ipaddr.IPv4.isValidFourPartDecimal(text));

const parseNetwork = (text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] => {
  const [address = '', bits] = text.split('/');
  try {
    if (!isAddress(address)) throw new Error('no address');
    const parsed = ipaddr.process(address);
    return bits === undefined ? [parsed, parsed.kind() === 'ipv4' ? 32 : 128] : ipaddr.parseCIDR(text);
  } catch {
    throw new AppError('INVALID_ARGUMENT', `Configuration server.trustedProxies: ${text.slice(0, 60)} is no network such as 10.0.0.0/8.`, {
      details: { key: 'server.trustedProxies' },
    });
  }
};

/** An address in its plain form: IPv4 that came over IPv6 is IPv4, ports and brackets are cut. Undefined = none. */
const toPlain = (text: string): string | undefined => {
  const [, bracketed, withPort] = /^\[([^\]]+)\](?::\d+)?$|^(\d{1,3}(?:\.\d{1,3}){3}):\d+$/.exec(text) ?? [];
  const bare = (bracketed ?? withPort ?? text).split('%', 1)[0] ?? '';
  return isAddress(bare) ? ipaddr.process(bare).toString() : undefined;
};

/** @param networks addresses and CIDR ranges; throws INVALID_ARGUMENT for what is neither */
export const createForwarding = (networks: readonly string[], publicUrl: string | undefined): Forwarding => {
  const trusted = networks.map(parseNetwork);
  const isTrusted = (address: string): boolean => {
    const parsed = ipaddr.process(address);
    return trusted.some(([network, bits]) => network.kind() === parsed.kind() && parsed.match(network as never, bits));
  };
  const follow = (peer: string, headers: Headers): string => {
    const chain = (headers.get('x-forwarded-for') ?? headers.get('x-real-ip') ?? '').split(',').slice(-MAX_HOPS);
    let address = peer;
    for (const hop of chain.toReversed()) {
      const next = toPlain(hop.trim());
      // What cannot be read was not written by a proxy of ours: the last known hop counts.
      if (next === undefined) return address;
      address = next;
      if (!isTrusted(next)) return next;
    }
    return address;
  };
  const isTrustedPeer = ({ node }: HttpExchange): boolean => {
    const peer = trusted.length === 0 ? undefined : toPlain(node?.incoming.socket.remoteAddress ?? '');
    return peer !== undefined && isTrusted(peer);
  };
  return {
    toAddress(peer, headers) {
      if (trusted.length === 0) return peer.startsWith('::ffff:') ? peer.slice('::ffff:'.length) : peer;
      const plain = toPlain(peer) ?? peer;
      return ipaddr.isValid(plain) && isTrusted(plain) ? follow(plain, headers) : plain;
    },
    toBaseUrl(exchange) {
      if (publicUrl !== undefined) return publicUrl;
      if (!isTrustedPeer(exchange)) return exchange.url.origin;
      const { headers } = exchange.request;
      const scheme = headers.get('x-forwarded-proto')?.split(',')[0]?.trim();
      const host = headers.get('x-forwarded-host')?.split(',')[0]?.trim();
      const base = new URL(exchange.url.origin);
      const isScheme = scheme === 'https' || scheme === 'http';
      return `${isScheme ? scheme : base.protocol.slice(0, -1)}://${host !== undefined && HOST.test(host) ? host : base.host}`;
    },
  };
};
