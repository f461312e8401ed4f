// Which proxy leads to an address: the conventions of HTTP_PROXY, HTTPS_PROXY and NO_PROXY as Go programs read them.
import { BlockList, isIP } from 'node:net';
import { isLoopback } from './url.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The proxy's URL, or undefined for a direct connection. Loopback is always direct. Lower-case names count as well. */
export const findProxy = (address: string, env: Environment): string | undefined => {
  if (!URL.canParse(address)) return undefined;
  const url = new URL(address);
  const read = (name: string) => env[name] || env[name.toLowerCase()] || undefined;
  const proxy = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (proxy === undefined || isLoopback(url.hostname) || isExempt(url, read('NO_PROXY') ?? '')) return undefined;
  return proxy.includes('://') ? proxy : `http://${proxy}`;
};

const isExempt = (url: URL, list: string): boolean => {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  return list
    .toLowerCase()
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
    .some((entry) => entry === '*' || matchesNetwork(host, entry) || matchesName(host, port, entry));
};

const matchesNetwork = (host: string, entry: string): boolean => {
  const [network = '', bits = ''] = entry.split('/');
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d+$/.test(bits) || Number(bits) > (family === 4 ? 32 : 128)) return false;
  const kind = family === 4 ? 'ipv4' : 'ipv6';
  const block = new BlockList();
  block.addSubnet(network, Number(bits), kind);
  return block.check(host, kind);
};

/** `example.com` means the name and all below it, `.example.com` and `*.example.com` only those below. */
const matchesName = (host: string, port: string, entry: string): boolean => {
  const [, name = '', entryPort] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
  if (isIP(entry) === 0 && entryPort !== undefined && entryPort !== port) return false;
  const plain = isIP(entry) === 0 ? name.replace(/^\*/, '') : entry;
  if (plain.startsWith('.')) return host.endsWith(plain);
  return host === plain || (isIP(host) === 0 && host.endsWith(`.${plain}`));
};
