// How a request line is made: the base path is joined, never replaced, and every segment is encoded by itself.
import { AppError } from '../kit/errors.ts';
import type { Backend } from './ports.ts';

export type QueryValue = string | number | boolean | undefined | readonly string[];
export type Query = Readonly<Record<string, QueryValue>>;

export interface BaseUrl {
  /** Scheme, host and port: never credentials. Safe to show. */
  readonly origin: string;
  /** The base path without a slash at its end. */
  readonly prefix: string;
  readonly loopback: boolean;
  /** `Basic ...` when the address itself carries a login. */
  readonly authorization: string | undefined;
}

/** Reads the configured address of a backend. Throws INVALID_ARGUMENT without repeating the text, which may carry a password. */
export const parseBaseUrl = (text: string, { service, title }: Backend): BaseUrl => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new AppError('INVALID_ARGUMENT', `The address of ${title} is not an http or https URL.`, { details: { service } });
  }
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    origin: url.origin,
    prefix: url.pathname.replace(/\/+$/, ''),
    loopback: isLoopback(url.hostname),
    authorization: url.username === '' ? undefined : `Basic ${Buffer.from(login).toString('base64')}`,
  };
};

export const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' ||
  hostname.endsWith('.localhost') ||
  hostname === '[::1]' ||
  hostname === '::1' ||
  /^127\.\d+\.\d+\.\d+$/.test(hostname);

/**
 * Path and query as they go on the wire. A list of segments may hold any text but an empty one: an empty name would turn
 * "this object" into "all objects". A string is a path of constant words; its slashes separate.
 */
export const toRequestPath = (prefix: string, path: readonly string[] | string, query: Query = {}): string => {
  const segments = typeof path === 'string' ? path.replace(/^\//, '').split('/') : path;
  const encoded = segments.map((segment) => encodeSegment(segment, { mayBeEmpty: typeof path === 'string' }));
  const search = toSearch(query);
  return `${prefix}/${encoded.join('/')}${search === '' ? '' : `?${search}`}`;
};

const encodeSegment = (segment: string, { mayBeEmpty }: { mayBeEmpty: boolean }): string => {
  // Servers resolve dot segments before they route: `..` in a name would address another object.
  if (segment === '.' || segment === '..' || (segment === '' && !mayBeEmpty) || !segment.isWellFormed()) {
    throw new AppError('INVALID_ARGUMENT', 'A name in this call is empty or cannot be part of a path.', {
      details: { reason: 'PATH_SEGMENT' },
    });
  }
  return encodeURIComponent(segment);
};

const toSearch = (query: Query): string => {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value === undefined) continue;
    for (const one of typeof value === 'object' ? value : [value]) search.append(key, String(one));
  }
  return search.toString();
};
