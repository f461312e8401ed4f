// Requests to addresses that callers or settings name: only to hosts that are meant, never into private networks by a detour (SSRF).

import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { AppError } from '../kit/errors.ts';

const MAX_REDIRECTS = 5;
const MAX_ADDRESSES = 16;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export interface GuardOptions {
  /** Hosts that may be asked: `docs.example.com`, `*.example.com` for all below it, with or without `:port`. Absent = every public one. */
  readonly hosts?: readonly string[];
  /** Networks beside the public ones that may be reached, such as `10.20.0.0/16`. Metadata services never. */
  readonly networks?: readonly string[];
  /** `https` alone by default. */
  readonly schemes?: readonly ('http' | 'https')[];
  /** An http or https proxy through which all goes. Then it resolves the names, and its own rules say which addresses may be reached. */
  readonly proxy?: string | undefined;
  /** All addresses of a name. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

export interface GuardedRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How many redirects are followed; each is checked like the first address. */
  readonly redirects?: number;
  /** Of the body as it is sent: nothing is unpacked here. */
  readonly maxBytes: number;
  /** Of the whole exchange, redirects included. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface GuardedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
  /** There was more than `maxBytes`. */
  readonly isCut: boolean;
  /** Where it came from after redirects. */
  readonly url: string;
}

export interface Guard {
  /** Throws FORBIDDEN for what may not be reached, INVALID_ARGUMENT for what is no such URL. */
  check(url: string): Promise<{ readonly url: URL; readonly addresses: readonly string[] }>;
  fetch(url: string, request: GuardedRequest): Promise<GuardedAnswer>;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Metadata of cloud instances: link-local, a unique local and two public addresses. They hand out credentials. */
const METADATA: ReadonlySet<string> = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  'fd00:ec2::254',
  'fd00:ec2::23',
  '100.100.100.200',
  '168.63.129.16',
  'fe80::a9fe:a9fe',
  'fd20:ce::254',
]);

const fromBytes = (bytes: readonly number[]): Address => ipaddr.fromByteArray([...bytes]);

/** IPv4 addresses that an IPv6 address carries: mapped, compatible, NAT64, 6to4, Teredo (its server, and its client inverted), ISATAP. */
const embeddedIn = (address: ipaddr.IPv6): Address[] => {
  const bytes = address.toByteArray();
  const starts = (...prefix: number[]): boolean => prefix.every((byte, at) => bytes[at] === byte);
  const zeros = (from: number, to: number): boolean => bytes.slice(from, to).every((byte) => byte === 0);
  const last = bytes.slice(12);
  if (zeros(0, 10) && ((bytes[10] === 0xff && bytes[11] === 0xff) || zeros(10, 12))) return [fromBytes(last)];
  if (zeros(0, 8) && bytes[8] === 0xff && bytes[9] === 0xff && zeros(10, 12)) return [fromBytes(last)];
  if (starts(0x00, 0x64, 0xff, 0x9b)) return [fromBytes(last)];
  if (starts(0x20, 0x02)) return [fromBytes(bytes.slice(2, 6))];
  if (starts(0x20, 0x01, 0, 0)) return [fromBytes(bytes.slice(4, 8)), fromBytes(last.map((byte) => byte ^ 0xff))];
  if ((bytes[8] === 0 || bytes[8] === 2) && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) return [fromBytes(last)];
  return [];
};

const isMetadata = (address: Address): boolean => METADATA.has(address.toString());

/** Why an address may not be reached; undefined = it may. An address that carries another is as good as the worse of both. */
const findFault = (address: Address, networks: readonly [Address, number][]): string | undefined => {
  const inner = address.kind() === 'ipv6' ? embeddedIn(address as ipaddr.IPv6) : [];
  if ([address, ...inner].some(isMetadata)) return 'a metadata service';
  const isListed = (one: Address): boolean => networks.some(([network, bits]) => network.kind() === one.kind() && one.match(network, bits));
  if (isListed(address) || (inner.length > 0 && inner.every(isListed))) return undefined;
  // Forms that carry an IPv4 address are no way to a public host either: they lead through gateways.
  const range = address.range();
  return range === 'unicast' && inner.length === 0 ? undefined : `${range === 'unicast' ? 'embedded' : range} addresses`;
};

const parseAddress = (text: string): Address | undefined => {
  const bare = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  return ipaddr.IPv4.isValidFourPartDecimal(bare) || ipaddr.IPv6.isValid(bare) ? ipaddr.parse(bare) : undefined;
};

const parseNetworks = (texts: readonly string[]): [Address, number][] =>
  texts.map((text) => {
    try {
      const address = text.includes('/') ? undefined : ipaddr.parse(text);
      return address === undefined ? ipaddr.parseCIDR(text) : [address, address.kind() === 'ipv4' ? 32 : 128];
    } catch {
      throw new AppError('INVALID_ARGUMENT', `${text.slice(0, 60)} is no network such as 10.20.0.0/16.`, {
        details: { argument: 'networks' },
      });
    }
  });

const isAllowed = ({ hostname, port, protocol }: URL, hosts: readonly string[]): boolean =>
  hosts.some((pattern) => {
    const [, host = '', wantedPort] = /^(.*?)(?::(\d+))?$/.exec(pattern.toLowerCase()) ?? [];
    const isPort = wantedPort === undefined || wantedPort === (port || (protocol === 'https:' ? '443' : '80'));
    const name = hostname.replace(/\.$/, '');
    return isPort && (host.startsWith('*.') ? name.endsWith(host.slice(1)) && name.length > host.length - 1 : name === host);
  });

const resolveByDns = async (host: string): Promise<readonly string[]> => (await lookup(host, { all: true })).map(({ address }) => address);

const forbidden = (url: URL, words: string): AppError =>
  new AppError('FORBIDDEN', `${url.hostname} may not be reached: ${words}.`, { details: { host: url.hostname } });

export const createGuard = ({ hosts, networks: listed = [], schemes = ['https'], proxy, resolve = resolveByDns }: GuardOptions): Guard => {
  const networks = parseNetworks(listed);

  const parse = (text: string, base?: URL): URL => {
    // Control characters and spaces are dropped by URL parsers: what is checked must be what is sent.
    if (!URL.canParse(text, base?.href) || /[\p{Cc}\s\\]/u.test(text))
      throw new AppError('INVALID_ARGUMENT', 'This is no URL.', { details: { argument: 'url' } });
    const url = new URL(text, base?.href);
    if (!schemes.some((scheme) => url.protocol === `${scheme}:`))
      throw new AppError('INVALID_ARGUMENT', `Only ${schemes.join(' and ')} URLs can be read.`, {
        details: { argument: 'url', choices: schemes },
      });
    if (url.username !== '' || url.password !== '')
      throw new AppError('INVALID_ARGUMENT', 'The URL must not carry a login.', { details: { argument: 'url' } });
    return url;
  };

  const checkUrl = async (url: URL): Promise<{ url: URL; addresses: readonly string[] }> => {
    if (hosts !== undefined && !isAllowed(url, hosts)) throw forbidden(url, 'it is not on the list of allowed hosts');
    // The parser has turned every spelling of an IPv4 address (decimal, octal, hexadecimal, short) into four parts.
    const literal = parseAddress(url.hostname);
    if (literal === undefined && proxy !== undefined) return { url, addresses: [] };
    const found = literal === undefined ? await resolve(url.hostname).catch(() => []) : [literal.toString()];
    if (found.length === 0) throw new AppError('NOT_FOUND', `${url.hostname} has no address.`, { details: { host: url.hostname } });
    for (const text of found) {
      const address = parseAddress(text);
      const fault = address === undefined ? 'addresses that cannot be understood' : findFault(address, networks);
      // One bad address is enough: which of them is used is up to chance.
      if (fault !== undefined) throw forbidden(url, `it leads to ${fault}`);
    }
    return { url, addresses: found.slice(0, MAX_ADDRESSES) };
  };

  const exchange = async ({ url, addresses }: { url: URL; addresses: readonly string[] }, request: GuardedRequest, signal: AbortSignal) => {
    const { Agent, ProxyAgent, request: send } = await import('undici');
    const pinned = addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }));
    // What was checked is what is connected to, whatever the name says a moment later.
    const pin: LookupFunction = (_, options, done) =>
      options.all ? done(null, pinned) : done(null, (pinned[0] as LookupAddress).address, (pinned[0] as LookupAddress).family);
    const limits = { pipelining: 0, maxResponseSize: -1 };
    const agent = proxy === undefined ? new Agent({ connect: { lookup: pin }, ...limits }) : new ProxyAgent({ uri: proxy, ...limits });
    try {
      const { method = 'GET', headers = {}, body = null } = request;
      const response = await send(url, { dispatcher: agent, method, headers: { 'accept-encoding': 'identity', ...headers }, body, signal });
      const read = await readBounded(response.body, request.maxBytes);
      return { status: response.statusCode, headers: response.headers, ...read };
    } finally {
      // Whatever is still coming is not wanted any more.
      await agent.destroy();
    }
  };

  return {
    check: async (url) => checkUrl(parse(url)),
    async fetch(text, request) {
      const limit = AbortSignal.timeout(request.timeoutMs);
      const signal = request.signal === undefined ? limit : AbortSignal.any([limit, request.signal]);
      let url = parse(text);
      let current = request;
      const most = Math.min(request.redirects ?? 0, MAX_REDIRECTS);
      try {
        for (let followed = 0; ; followed += 1) {
          const answer = await exchange(await raceAbort(checkUrl(url), signal), current, signal);
          const { location } = answer.headers;
          if (!REDIRECTS.has(answer.status) || typeof location !== 'string' || most === 0) return { ...answer, url: url.href };
          if (followed >= most) throw forbidden(url, `it redirects more than ${most} times`);
          const next = parse(location, url);
          if (url.protocol === 'https:' && next.protocol === 'http:') throw forbidden(next, 'a redirect must not give up encryption');
          current = toRedirected(current, answer.status, next.origin === url.origin);
          url = next;
        }
      } catch (thrown) {
        throw toGuardError(thrown, url, limit, request);
      }
    },
  };
};

/** As browsers do: the body goes with 303 and with a POST that was moved; what belongs to one host is not told another. */
const toRedirected = (request: GuardedRequest, status: number, isSameOrigin: boolean): GuardedRequest => {
  const { body, method = 'GET', ...rest } = request;
  const isRead = status === 303 || (status < 303 && method === 'POST');
  const own = isSameOrigin ? rest.headers : {};
  return {
    ...rest,
    ...(own === undefined ? {} : { headers: own }),
    method: isRead ? 'GET' : method,
    ...(isRead || body === undefined || !isSameOrigin ? {} : { body }),
  };
};

const raceAbort = async <Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> => {
  signal.throwIfAborted();
  let stop = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  return Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', stop));
};

const readBounded = async (stream: AsyncIterable<Uint8Array>, maxBytes: number): Promise<{ body: Buffer; isCut: boolean }> => {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(size + chunk.byteLength > maxBytes ? chunk.subarray(0, maxBytes - size) : chunk);
    size += chunk.byteLength;
    if (size > maxBytes) return { body: Buffer.concat(chunks), isCut: true };
  }
  return { body: Buffer.concat(chunks), isCut: false };
};

const toGuardError = (thrown: unknown, { hostname }: URL, limit: AbortSignal, { timeoutMs, signal }: GuardedRequest): AppError => {
  if (thrown instanceof AppError) return thrown;
  const how = { details: { host: hostname }, cause: thrown };
  if (signal?.aborted) return new AppError('CANCELLED', 'The request was cancelled.', how);
  if (limit.aborted) return new AppError('DEADLINE_EXCEEDED', `${hostname} did not answer within ${timeoutMs / 1000} s.`, how);
  return new AppError('SERVICE_UNAVAILABLE', `${hostname} could not be reached, or broke off.`, how);
};
