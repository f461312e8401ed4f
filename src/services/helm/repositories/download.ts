// Downloads from repositories and registries: only from hosts that the operator named, or to which those hosts lead; never into private networks
// by a detour, and credentials go to their own host alone.

import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { AppError } from '../../../kit/errors.ts';
import { createGuard, type GuardedAnswer } from '../../../upstream/guard.ts';
import type { HelmConfig } from '../config.ts';

const unzip = promisify(gunzip);
const MAX_REDIRECTS = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const FIRST_PAUSE_MS = 200;
/** Private networks are for hosts that the operator named. Metadata services never are. */
const ANY_NETWORK = ['0.0.0.0/0', '::/0'];

export interface DownloadRequest {
  /** Sent to the origin of the first address alone. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxBytes: number;
  readonly signal: AbortSignal;
  /** Statuses beside 200 that are given back instead of thrown. */
  readonly expect?: readonly number[];
  /** Stands in messages: `repository bitnami`. */
  readonly subject: string;
}

export type Download = Pick<GuardedAnswer, 'status' | 'headers' | 'body' | 'url'>;

export interface Downloads {
  get(url: string, request: DownloadRequest): Promise<Download>;
  /** @throws FORBIDDEN when a caller names a host that nobody allowed */
  checkHost(url: string): void;
}

type Options = Pick<HelmConfig, 'repositories' | 'allowedHosts' | 'timeoutSec' | 'maxRetries' | 'httpProxy'>;

const toHttp = ({ url, plainHttp }: HelmConfig['repositories'][number]): URL =>
  new URL(url.replace(/^oci:/, plainHttp ? 'http:' : 'https:'));

const isHost = ({ hostname, port, protocol }: URL, pattern: string): boolean => {
  const [, host = '', wanted] = /^(.*?)(?::(\d+))?$/.exec(pattern.toLowerCase()) ?? [];
  const isPort = wanted === undefined || wanted === (port || (protocol === 'https:' ? '443' : '80'));
  return isPort && (host.startsWith('*.') ? hostname.endsWith(host.slice(1)) && hostname.length > host.length - 1 : hostname === host);
};

export const createDownloads = (options: Options): Downloads => {
  const { repositories, allowedHosts, timeoutSec, maxRetries, httpProxy: proxy } = options;
  const origins = repositories.map(toHttp);
  const own = createGuard({ networks: ANY_NETWORK, schemes: ['https', 'http'], proxy });
  const foreign = createGuard({ schemes: ['https'], proxy });
  /** In the clear only where the operator wrote so. */
  const isTrusted = (url: URL): boolean =>
    origins.some(({ origin }) => origin === url.origin) ||
    (url.protocol === 'https:' && (origins.some(({ host }) => host === url.host) || allowedHosts.some((pattern) => isHost(url, pattern))));

  const follow = async (first: string, { headers = {}, maxBytes, signal }: DownloadRequest): Promise<Download & { isCut: boolean }> => {
    let url = first;
    const { origin } = new URL(first);
    for (let followed = 0; ; followed += 1) {
      const isOwn = new URL(url).origin === origin;
      const guard = isTrusted(new URL(url)) ? own : foreign;
      const answer = await guard.fetch(url, { headers: isOwn ? headers : {}, maxBytes, timeoutMs: timeoutSec * 1000, signal });
      const { location } = answer.headers;
      if (!REDIRECTS.has(answer.status) || typeof location !== 'string') return { ...answer, url };
      if (followed >= MAX_REDIRECTS || !URL.canParse(location, url))
        throw new AppError('FORBIDDEN', `${new URL(url).hostname} redirects too often or nowhere.`);
      const next = new URL(location, url);
      if (next.protocol !== 'https:' && new URL(url).protocol === 'https:')
        throw new AppError('FORBIDDEN', `${new URL(url).hostname} redirects to an address without encryption.`);
      url = next.href;
    }
  };

  const attempt = async (url: string, request: DownloadRequest): Promise<Download> => {
    const answer = await follow(url, request);
    if (answer.status !== 200 && request.expect?.includes(answer.status) !== true) throw toError(answer, request.subject);
    if (answer.isCut) throw tooLarge(request);
    return { ...answer, body: await unpack(answer, request) };
  };

  return {
    checkHost(text) {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (url !== undefined && isTrusted(url)) return;
      throw new AppError(
        'FORBIDDEN',
        `Charts may not come from ${url?.host ?? 'there'}: it is no configured repository and not on the list of allowed hosts.`,
        {
          details: { by: 'policy', setting: 'helm.allowedHosts', choices: repositories.map(({ name }) => name) },
        },
      );
    },
    async get(url, request) {
      for (let tried = 0; ; tried += 1) {
        try {
          return await attempt(url, request);
        } catch (thrown) {
          const isPassing = thrown instanceof AppError && thrown.code === 'SERVICE_UNAVAILABLE';
          if (!isPassing || tried >= maxRetries) throw nameSubject(thrown, request.subject);
          await delay(FIRST_PAUSE_MS * 2 ** tried, undefined, { signal: request.signal }).catch(() => {
            throw request.signal.reason;
          });
        }
      }
    },
  };
};

const tooLarge = ({ subject, maxBytes }: DownloadRequest): AppError =>
  new AppError('PAYLOAD_TOO_LARGE', `What the ${subject} sends is larger than ${Math.round(maxBytes / 1024 / 1024)} MB.`, {
    details: { service: 'helm', limit: maxBytes },
  });

/** Some servers send packed bodies to clients that asked for plain ones. */
const unpack = async ({ headers, body }: Download, request: DownloadRequest): Promise<Buffer> => {
  if (headers['content-encoding'] !== 'gzip') return body;
  return unzip(body, { maxOutputLength: request.maxBytes }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(request);
    throw new AppError('DATA_ERROR', `What the ${request.subject} sends cannot be unpacked.`, { details: { service: 'helm' }, cause });
  });
};

const toError = ({ status, url }: Download, subject: string): AppError => {
  const { host, pathname } = new URL(url);
  const details = { service: 'helm', status, host };
  if (status === 401)
    return new AppError('UNAUTHENTICATED', `The ${subject} refuses the login.`, { details: { ...details, setting: 'helm.repositories' } });
  if (status === 403)
    return new AppError('FORBIDDEN', `The ${subject} does not allow this to the configured login.`, {
      details: { ...details, by: 'backend' },
    });
  if (status === 404) return new AppError('NOT_FOUND', `The ${subject} has no ${pathname.slice(0, 200)}.`, { details });
  if (status === 429)
    return new AppError('RATE_LIMITED', `The ${subject} limits the rate of requests.`, { details: { ...details, retry_after: '30s' } });
  if (status >= 500)
    return new AppError('SERVICE_UNAVAILABLE', `The ${subject} fails (HTTP ${status}).`, { details: { ...details, retry_after: '30s' } });
  return new AppError('DATA_ERROR', `The ${subject} answers with HTTP ${status}.`, { details });
};

const nameSubject = (thrown: unknown, subject: string): unknown =>
  thrown instanceof AppError && thrown.code === 'SERVICE_UNAVAILABLE' && thrown.details['service'] === undefined
    ? new AppError(thrown.code, `The ${subject} cannot be reached: ${thrown.message}`, {
        details: { ...thrown.details, service: 'helm', retry_after: '30s' },
        cause: thrown,
      })
    : thrown;
