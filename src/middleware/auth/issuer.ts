// The keys of an OpenID Connect issuer: found by discovery or in a file, remembered, read again when they are old, and used on while the issuer is down.

import { readFile, stat } from 'node:fs/promises';
import type { JSONWebKeySet, LocalJWKSet } from 'jose';
import type { Logger } from '../../kit/context.ts';
import { AppError, toAppError } from '../../kit/errors.ts';

export interface Issued {
  /** Expected `iss`. */
  readonly issuer: string;
  readonly keys: LocalJWKSet;
}

export interface Issuer {
  /** Throws SERVICE_UNAVAILABLE when no keys were ever read. */
  get(): Promise<Issued>;
  /** For a key id that is not known: reads the keys again, at most once a minute. False = it was just done. */
  refresh(): Promise<boolean>;
  /** The discovery document, as it was read. Undefined with keys from a file. */
  metadata(): Promise<Readonly<Record<string, unknown>> | undefined>;
}

export interface IssuerOptions {
  readonly discoveryUrl: string | undefined;
  /** What the discovery document must name as its issuer. */
  readonly expectedIssuer: string | undefined;
  readonly jwksFile: string | undefined;
  readonly timeoutMs: number;
  readonly ttlMs: number;
  readonly now: () => number;
  readonly logger: Logger;
}

type Document = Readonly<Record<string, unknown>>;
interface Loaded extends Issued {
  readonly metadata: Document | undefined;
  readonly at: number;
}

const FORCED_EVERY_MS = 60_000;
const RETRY_AFTER_MS = 5000;
const STALE_MS = 24 * 3_600_000;
const MAX_BYTES = 1_048_576;

const isLocal = (hostname: string): boolean => /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(hostname);

/** Tokens are only as safe as the way their keys came. */
export const isSafeUrl = (text: string): boolean => {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return protocol === 'https:' || (protocol === 'http:' && isLocal(hostname));
};

const unavailable = (message: string, cause?: unknown): AppError =>
  new AppError('SERVICE_UNAVAILABLE', message, {
    details: { service: 'oidc', retry_after: '5s' },
    ...(cause === undefined ? {} : { cause }),
  });

const withoutSlash = (text: string): string => text.replace(/\/$/, '');

/** A JSON object over HTTP, bounded in bytes and time, without redirects. */
export const fetchDocument = async (url: string, init: RequestInit, timeoutMs: number): Promise<{ status: number; body: Document }> => {
  if (!isSafeUrl(url)) throw unavailable('The issuer names an address without https.');
  const response = await fetch(url, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > MAX_BYTES) throw unavailable('The issuer answered too much.');
  }
  const body: unknown = response.status === 200 ? JSON.parse(text) : {};
  if (typeof body !== 'object' || body === null) throw unavailable('The issuer answered no JSON object.');
  return { status: response.status, body: body as Document };
};

export const createIssuer = ({ discoveryUrl, expectedIssuer, jwksFile, timeoutMs, ttlMs, now, logger }: IssuerOptions): Issuer => {
  let loaded: Loaded | undefined;
  let loading: Promise<Loaded> | undefined;
  let failedAt = Number.NEGATIVE_INFINITY;
  let forcedAt = Number.NEGATIVE_INFINITY;
  let signature = '';

  const read = async (url: string): Promise<Document> => {
    const { status, body } = await fetchDocument(url, { headers: { accept: 'application/json' } }, timeoutMs);
    if (status !== 200) throw unavailable(`The issuer answered ${status}.`);
    return body;
  };
  const readKeys = async (metadata: Document | undefined): Promise<JSONWebKeySet> => {
    if (jwksFile !== undefined) return JSON.parse(await readFile(jwksFile, 'utf8')) as JSONWebKeySet;
    const uri = metadata?.['jwks_uri'];
    if (typeof uri !== 'string') throw unavailable('The discovery document of the issuer names no jwks_uri.');
    return (await read(uri)) as unknown as JSONWebKeySet;
  };
  const load = async (): Promise<Loaded> => {
    const { createLocalJWKSet } = await import('jose');
    const metadata = discoveryUrl === undefined ? undefined : await read(discoveryUrl);
    const named = metadata?.['issuer'];
    // Tokens carry the name as the issuer writes it; a slash at the end is a common difference to what operators write.
    const issuer = metadata === undefined ? (expectedIssuer ?? '') : typeof named === 'string' ? named : '';
    if (issuer === '' || (expectedIssuer !== undefined && withoutSlash(issuer) !== withoutSlash(expectedIssuer)))
      throw unavailable('The discovery document names another issuer than auth.oidcIssuerUrl or auth.oidcIssuer.');
    return { issuer, metadata, keys: createLocalJWKSet(await readKeys(metadata)), at: now() };
  };
  const loadOnce = (): Promise<Loaded> => {
    loading ??= load()
      .then((next) => {
        loaded = next;
        return next;
      })
      .catch((thrown: unknown) => {
        failedAt = now();
        const error = thrown instanceof AppError ? thrown : unavailable('The issuer of tokens does not answer.', thrown);
        logger.warn(
          { reason: toAppError(error).message, keys: loaded === undefined ? 'none' : 'stale' },
          'the keys of the issuer cannot be read',
        );
        throw error;
      })
      .finally(() => {
        loading = undefined;
      });
    return loading;
  };
  /** A file is looked at with every question: that costs little, and a rotation counts at once. */
  const followFile = async (): Promise<void> => {
    if (jwksFile === undefined) return;
    const found = await stat(jwksFile).catch(() => undefined);
    const next = found === undefined ? signature : `${found.ino} ${found.mtimeMs} ${found.size}`;
    if (next !== signature) await loadOnce().catch(() => undefined);
    signature = next;
  };
  const mayTry = (): boolean => now() - failedAt >= RETRY_AFTER_MS;

  const get = async (): Promise<Loaded> => {
    await followFile();
    const age = loaded === undefined ? Number.POSITIVE_INFINITY : now() - loaded.at;
    if (loaded !== undefined && age < ttlMs) return loaded;
    if (!mayTry()) {
      if (loaded !== undefined && age < STALE_MS) return loaded;
      throw unavailable('The keys of the issuer cannot be read.');
    }
    if (loaded === undefined || age >= STALE_MS) return loadOnce();
    const stale = loaded;
    return loadOnce().catch(() => stale);
  };
  return {
    get,
    async refresh() {
      if (now() - forcedAt < FORCED_EVERY_MS) return false;
      forcedAt = now();
      await loadOnce().catch(() => undefined);
      return true;
    },
    metadata: async () => (await get()).metadata,
  };
};
