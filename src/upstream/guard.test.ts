// The guard of requests to addresses that others name: every spelling of a private address, names that change, redirects, bounds.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGuard } from './guard.ts';

const NO_NAMES = async (): Promise<readonly string[]> => [];
const LIMITS = { maxBytes: 1000, timeoutMs: 5000 };
const LOOPBACK = { schemes: ['http'], networks: ['127.0.0.1', '127.0.0.2'] } as const;

describe('an address', () => {
  const check = (host: string, networks: readonly string[] = []) => createGuard({ networks, resolve: NO_NAMES }).check(`https://${host}/`);

  it.each(['8.8.8.8', '1.1.1.1', '203.0.114.7', '[2606:4700:4700::1111]', '[2a00:1450:4001:830::200e]'])('%s is public', async (host) => {
    await expect(check(host)).resolves.toMatchObject({ addresses: [host.replace(/[[\]]/g, '')] });
  });

  it.each([
    // This host, private networks, link-local, carrier-grade NAT, documentation, benchmarks, multicast, reserved, broadcast.
    ...['127.0.0.1', '127.255.255.254', '0.0.0.0', '0.1.2.3', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '169.254.0.1'],
    ...['169.254.169.254', '100.64.0.1', '100.127.255.254', '100.100.100.200', '168.63.129.16', '192.0.0.1', '192.0.2.1', '198.18.0.1'],
    ...['198.51.100.1', '203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
    // Other spellings of 127.0.0.1 and 169.254.169.254: decimal, hexadecimal, octal, short, full-width digits.
    ...[
      '2130706433',
      '0x7f000001',
      '0x7f.1',
      '0177.0.0.1',
      '017700000001',
      '127.1',
      '127.0.1',
      '2852039166',
      '0xa9fea9fe',
      '0251.0376.0251.0376',
    ],
    ...['１２７.0.0.1', '127。0。0。1', '127.0.0.1.'],
    // IPv6: this host, unspecified, unique local, link-local, site-local, multicast, documentation, metadata.
    ...['[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[fc00::1]', '[fd12:3456::1]', '[fe80::1]', '[fec0::1]', '[ff02::1]', '[2001:db8::1]'],
    ...['[fd00:ec2::254]', '[FD00:0EC2:0:0:0:0:0:254]', '[fe80::a9fe:a9fe]', '[100::1]'],
    // IPv4 inside IPv6: mapped, compatible, translated, NAT64 (also its local prefix), 6to4, Teredo, ISATAP. Public ones lead through gateways too.
    ...['[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[::ffff:0:127.0.0.1]', '[64:ff9b::127.0.0.1]', '[64:ff9b::a9fe:a9fe]'],
    ...['[64:ff9b:1::10.0.0.1]', '[2002:7f00:1::]', '[2002:a9fe:a9fe::1]', '[2001:0:7f00:1::1]', '[2001:0:808:808::80ff:fffe]'],
    ...['[2606:4700::5efe:127.0.0.1]', '[2606:4700::200:5efe:10.0.0.1]', '[::ffff:8.8.8.8]', '[64:ff9b::8.8.8.8]', '[2002:808:808::1]'],
  ])('%s may not be reached', async (host) => {
    const refused = await check(host).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each([
    ['10.20.1.1', '10.20.0.0/16'],
    ['127.0.0.1', '127.0.0.1'],
    ['[fd12::1]', 'fd12::/16'],
    ['[::ffff:10.20.1.1]', '10.20.0.0/16'],
    ['100.64.3.4', '100.64.0.0/10'],
  ])('%s may be reached when %s is listed', async (host, network) => {
    await expect(check(host, [network])).resolves.toBeDefined();
    await expect(check('10.21.0.1', [network])).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it.each([
    ['169.254.169.254', '169.254.0.0/16'],
    ['169.254.169.254', '0.0.0.0/0'],
    ['[fd00:ec2::254]', 'fd00::/8'],
    ['[::ffff:169.254.169.254]', '::/0'],
    ['[64:ff9b::a9fe:a9fe]', '64:ff9b::/96'],
  ])('%s hands out credentials: never, though %s is listed', async (host, network) => {
    await expect(check(host, [network])).rejects.toMatchObject({ code: 'FORBIDDEN', message: expect.stringContaining('metadata') });
  });
});

describe('a URL', () => {
  it.each([
    'http://example.com/',
    'file:///etc/passwd',
    'gopher://example.com/',
    'data:text/plain,x',
    'unix:/var/run/docker.sock',
    'https://user:secret@example.com/',
    'https://exam\tple.com/',
    'https://example.com\\@127.0.0.1/',
    '//example.com/',
    'https://',
    '',
  ])('%j is refused before anything is asked', async (url) => {
    let asked = 0;
    const resolve = async (): Promise<string[]> => {
      asked += 1;
      return ['8.8.8.8'];
    };
    const guard = createGuard({ resolve });
    await expect(guard.check(url)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(guard.fetch(url, LIMITS)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(asked).toBe(0);
  });

  it.each([
    ['docs.example.com', true],
    ['DOCS.EXAMPLE.COM.', true],
    ['deep.below.example.org', true],
    ['example.org', false],
    ['evil-example.org', false],
    ['docs.example.com.evil.net', false],
    ['port.example.net:8443', true],
    ['port.example.net', false],
  ])('of %s is on the list: %s', async (host, isListed) => {
    const hosts = ['docs.example.com', '*.example.org', 'port.example.net:8443'];
    const found = await createGuard({ hosts, resolve: async () => ['8.8.8.8'] })
      .check(`https://${host}/x`)
      .then(
        () => true,
        (error: { code: string }) => (error.code === 'FORBIDDEN' ? false : error),
      );
    expect(found).toBe(isListed);
  });

  it.each([
    ['one private address among public ones', ['8.8.8.8', '10.0.0.1'], 'FORBIDDEN'],
    ['words instead of addresses', ['elsewhere'], 'FORBIDDEN'],
    ['no address', [], 'NOT_FOUND'],
  ])('of a name with %s is refused', async (_, addresses, code) => {
    await expect(createGuard({ resolve: async () => addresses }).check('https://name.example/')).rejects.toMatchObject({ code });
  });

  it('wrong networks stop the start', () => {
    expect(() => createGuard({ networks: ['10.0.0.0/99'] })).toThrow(/is no network/);
  });
});

describe('a request', () => {
  interface Place {
    readonly server: Server;
    readonly port: number;
    readonly seen: {
      readonly url: string;
      readonly host: string;
      readonly method: string;
      readonly authorization: string | undefined;
      readonly body: string;
    }[];
  }
  const open = (address: string, port: number, answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Place> =>
    new Promise((resolve) => {
      const seen: Place['seen'] = [];
      const server = createServer((request, response) => {
        let body = '';
        request.on('data', (chunk: Buffer) => (body += chunk.toString()));
        request.on('end', () => {
          const { url = '', method = '', headers } = request;
          seen.push({ url, method, host: headers.host ?? '', authorization: headers.authorization, body });
          answer(request, response);
        });
      });
      server.listen(port, address, () => resolve({ server, seen, port: (server.address() as AddressInfo).port }));
    });

  let place: Place;
  let other: Place;
  beforeAll(async () => {
    const routes: Readonly<Record<string, (response: ServerResponse) => void>> = {
      '/to-metadata': (response) => void response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
      '/to-private': (response) => void response.writeHead(307, { location: 'http://inside.example/' }).end(),
      '/to-file': (response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
      '/to-other': (response) => void response.writeHead(302, { location: `http://other.example:${place.port}/landed` }).end(),
      '/to-same': (response) => void response.writeHead(307, { location: '/landed' }).end(),
      '/loop': (response) => void response.writeHead(302, { location: '/loop' }).end(),
      '/big': (response) => void response.end('x'.repeat(5000)),
      '/silent': () => {},
      '/dripping': (response) => void response.write('x'),
      '/broken': (response) => void response.destroy(),
    };
    const answer = ({ url = '' }: IncomingMessage, response: ServerResponse): void =>
      (routes[url] ?? ((one) => void one.end('hello')))(response);
    place = await open('127.0.0.1', 0, answer);
    other = await open('127.0.0.2', place.port, answer);
  });
  afterAll(() => {
    for (const { server } of [place, other]) {
      server.closeAllConnections();
      server.close();
    }
  });
  const names: Readonly<Record<string, readonly string[]>> = {
    'place.example': ['127.0.0.1'],
    'other.example': ['127.0.0.2'],
    'inside.example': ['10.0.0.1'],
  };
  const guard = createGuard({ ...LOOPBACK, resolve: async (host) => names[host] ?? [] });
  const at = (path: string): string => `http://place.example:${place.port}${path}`;

  it('goes to the address that was checked, with the name as it was given', async () => {
    const answer = await guard.fetch(at('/x?y=1'), LIMITS);
    expect(answer).toMatchObject({ status: 200, isCut: false, url: at('/x?y=1') });
    expect(answer.body.toString()).toBe('hello');
    expect(place.seen.at(-1)).toMatchObject({ url: '/x?y=1', host: `place.example:${place.port}` });
  });

  it('asks for the address of a name once: a name that changes a moment later leads nowhere else', async () => {
    let asked = 0;
    const rebinding = createGuard({
      ...LOOPBACK,
      networks: ['127.0.0.1'],
      resolve: async () => [asked++ === 0 ? '127.0.0.1' : '127.0.0.2'],
    });
    const before = other.seen.length;
    expect((await rebinding.fetch(at('/rebound'), LIMITS)).body.toString()).toBe('hello');
    expect(place.seen.at(-1)?.url).toBe('/rebound');
    expect([asked, other.seen.length]).toEqual([1, before]);
    await expect(rebinding.fetch(at('/rebound'), LIMITS)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(other.seen.length).toBe(before);
  });

  it.each([
    ['/to-metadata', 'FORBIDDEN'],
    ['/to-private', 'FORBIDDEN'],
    ['/to-file', 'INVALID_ARGUMENT'],
    ['/loop', 'FORBIDDEN'],
  ])('that is redirected by %s is refused', async (path, code) => {
    await expect(guard.fetch(at(path), { ...LIMITS, redirects: 3 })).rejects.toMatchObject({ code });
  });

  it('follows redirects only when asked, and tells another host no headers and no body', async () => {
    expect((await guard.fetch(at('/to-other'), LIMITS)).status).toBe(302);
    const request = { ...LIMITS, redirects: 1, method: 'PUT', body: 'mine', headers: { authorization: 'Bearer mine' } };
    expect((await guard.fetch(at('/to-other'), request)).url).toBe(`http://other.example:${place.port}/landed`);
    expect(other.seen.at(-1)).toMatchObject({ url: '/landed', authorization: undefined, body: '' });
    await guard.fetch(at('/to-same'), request);
    expect(place.seen.at(-1)).toMatchObject({ url: '/landed', method: 'PUT', authorization: 'Bearer mine', body: 'mine' });
  });

  it('ends at its bounds of bytes and time, and when it is cancelled', async () => {
    const big = await guard.fetch(at('/big'), LIMITS);
    expect([big.body.length, big.isCut]).toEqual([1000, true]);
    for (const path of ['/silent', '/dripping'])
      await expect(guard.fetch(at(path), { ...LIMITS, timeoutMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const slowName = createGuard({ ...LOOPBACK, resolve: () => new Promise(() => {}) });
    await expect(slowName.fetch(at('/'), { ...LIMITS, timeoutMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const stopping = new AbortController();
    const waiting = guard.fetch(at('/silent'), { ...LIMITS, signal: stopping.signal });
    stopping.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(guard.fetch(at('/broken'), LIMITS)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' });
  });
});
