// Mode bearer: a static token, signed tokens by a shared key or an issuer, opaque tokens by introspection. Several may be configured.

import type { Logger } from '../../kit/context.ts';
import { checkStrength } from '../../secrets/generate.ts';
import type { SecretHandle, SecretManager } from '../../secrets/manager.ts';
import { ALL_SCOPES, type Authenticator, readScheme, type Verified, WRONG } from './authenticator.ts';
import type { AuthConfig } from './config.ts';
import { createIntrospection } from './introspection.ts';
import { createIssuer, type Issuer } from './issuer.ts';
import { createIssuerVerifier, createSharedKeyVerifier, isSignedToken, refuse, type TokenRules } from './jwt.ts';
import { createMemory, type Remembered } from './memory.ts';

export interface BearerDeps {
  readonly secrets: Pick<SecretManager, 'define' | 'digest'>;
  readonly now: () => number;
  readonly logger: Logger;
  /** Without a slash at its end. */
  readonly publicUrl: string | undefined;
}

export interface BearerAuthenticator extends Authenticator {
  /** Where tokens come from, when an issuer is configured. */
  readonly issuer: Issuer | undefined;
}

const MIN_JWT_SECRET = 32;
/** RFC 6750, 2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

const toIssuer = (config: AuthConfig, { now, logger }: BearerDeps): Issuer | undefined => {
  const { oidcIssuerUrl, oidcDiscoveryUrl, oidcIssuer, jwksFile } = config;
  if (oidcIssuerUrl === undefined && oidcDiscoveryUrl === undefined && jwksFile === undefined) return undefined;
  const derived = oidcIssuerUrl === undefined ? undefined : `${oidcIssuerUrl.replace(/\/$/, '')}/.well-known/openid-configuration`;
  return createIssuer({
    discoveryUrl: jwksFile === undefined ? (oidcDiscoveryUrl ?? derived) : undefined,
    expectedIssuer: oidcIssuer ?? oidcIssuerUrl,
    jwksFile,
    timeoutMs: config.oidcHttpTimeoutSec * 1000,
    ttlMs: config.oidcJwksCacheTtlSec * 1000,
    now,
    logger,
  });
};

/** The header says which key is meant; what it says about the algorithm is never believed. */
const isSymmetric = (token: string): boolean => {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.', 1)[0] ?? '', 'base64url').toString());
    return typeof header === 'object' && header !== null && 'alg' in header && String(header.alg).startsWith('HS');
  } catch {
    return false;
  }
};

/** Resolves when secrets that stand elsewhere were read; the issuer is asked in the background. */
export const createBearerAuthenticator = async (config: AuthConfig, deps: BearerDeps): Promise<BearerAuthenticator> => {
  const { secrets, now, publicUrl } = deps;
  const audiences = [config.oidcAudience ?? publicUrl ?? config.oidcClientId].filter((one) => one !== undefined);
  const rules: TokenRules = { audiences, publicUrl: config.oidcAudience === undefined ? publicUrl : undefined, now };
  const memory = createMemory(now);
  const define = async (name: string, value: string | undefined, least?: number): Promise<SecretHandle | undefined> => {
    if (value === undefined) return undefined;
    const handle = secrets.define(name, value, least === undefined ? {} : { check: (text) => checkStrength(text, name, least) });
    await handle.ready();
    // What an old key has signed must not live on in memory.
    handle.onChange(() => memory.clear());
    return handle;
  };
  const fixed = await define('auth.bearerToken', config.bearerToken, 16);
  const shared = await define('auth.jwtSecret', config.jwtSecret, MIN_JWT_SECRET);
  const client = await define('auth.introspection.clientSecret', config.introspection.clientSecret);
  const issuer = toIssuer(config, deps);
  void issuer?.get().catch(() => undefined);

  const byIssuer = issuer === undefined ? undefined : createIssuerVerifier(issuer, rules);
  const byKey =
    shared === undefined
      ? undefined
      : createSharedKeyVerifier(() => shared.current(), {
          ...rules,
          audiences: config.oidcAudience === undefined ? [] : audiences,
          algorithm: config.jwtAlgorithm,
          issuer: issuer === undefined ? config.oidcIssuer : undefined,
        });
  const { url, clientId } = config.introspection;
  const byQuestion =
    url === undefined || clientId === undefined || client === undefined
      ? undefined
      : createIntrospection({
          ...rules,
          url,
          clientId,
          clientSecret: () => client.current(),
          timeoutMs: config.oidcHttpTimeoutSec * 1000,
          issuer: config.oidcIssuer ?? config.oidcIssuerUrl,
        });
  const choose = (token: string): ((token: string) => Promise<Remembered>) | undefined => {
    if (!isSignedToken(token)) return byQuestion;
    const signed = isSymmetric(token) ? (byKey ?? byIssuer) : (byIssuer ?? byKey);
    return signed ?? byQuestion;
  };

  return {
    issuer,
    read: (exchange) => readScheme(exchange, 'bearer'),
    recall(token): Verified | undefined {
      if (!TOKEN.test(token)) return refuse('malformed');
      const digest = secrets.digest(token);
      const verdict = fixed?.judge(digest);
      if (verdict === 'accepted') return { caller: { id: 'token:default', groups: [], scopes: ALL_SCOPES } };
      return memory.recall(digest) ?? (choose(token) === undefined ? WRONG : undefined);
    },
    async verify(token) {
      const check = choose(token);
      return check === undefined ? WRONG : memory.verify(secrets.digest(token), () => check(token));
    },
  };
};
