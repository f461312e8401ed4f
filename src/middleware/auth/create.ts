// Builds the authentication of a start from its configuration. What is missing or weak stops the start and names the key.

import type { Logger } from '../../kit/context.ts';
import { AppError } from '../../kit/errors.ts';
import type { HttpExchange } from '../../kit/http.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { SecretManager } from '../../secrets/manager.ts';
import { createApiKeyAuthenticator } from './api-key.ts';
import type { Authenticator } from './authenticator.ts';
import { createBasicAuthenticator } from './basic.ts';
import { createBearerAuthenticator } from './bearer.ts';
import type { AuthConfig, AuthMode } from './config.ts';
import { createFailures } from './failures.ts';
import type { Authentication, RefusedRequest } from './index.ts';
import { type Issuer, isSafeUrl } from './issuer.ts';
import { createMtlsAuthenticator } from './mtls.ts';

export interface AuthenticationOptions {
  readonly config: AuthConfig;
  readonly secrets: Pick<SecretManager, 'define' | 'digest' | 'watch'>;
  readonly now: () => number;
  readonly logger: Logger;
  readonly realm: string;
  /** Names that scopes and limits may speak of. */
  readonly services: readonly string[];
  readonly publicUrl: string | undefined;
  /** The public address of this server as a request sees it: scheme, host and port. */
  readonly baseUrl: (exchange: HttpExchange) => string;
  /** Client certificates are asked for. */
  readonly hasClientCa: boolean;
  readonly onRefused?: (request: RefusedRequest) => void;
}

export interface BuiltAuthentication extends Authentication {
  /** Where tokens come from; undefined = no issuer is configured. */
  readonly issuer: Issuer | undefined;
  readonly issuerUrl: string | undefined;
}

export const METADATA_PATH = '/.well-known/oauth-protected-resource';

const refuse = (key: string, message: string, extra: Readonly<Record<string, unknown>> = {}): AppError =>
  new AppError('INVALID_ARGUMENT', `Configuration ${key}: ${message}`, { details: { key, ...extra } });

type Need = (config: AuthConfig, hasClientCa: boolean) => boolean;
/** What each mode must have, and the words when it has not. */
const NEEDS: Readonly<Record<AuthMode, { readonly isMet: Need; readonly set: string }>> = {
  apikey: {
    isMet: ({ apiKey, apiKeys }) => apiKey !== undefined || apiKeys.length > 0,
    set: 'auth.apiKey (MCP_AUTH_API_KEY) or auth.apiKeys',
  },
  bearer: {
    isMet: (config) =>
      [config.bearerToken, config.jwtSecret, config.oidcIssuerUrl, config.oidcDiscoveryUrl, config.jwksFile, config.introspection.url].some(
        (value) => value !== undefined,
      ),
    set: 'auth.bearerToken, auth.jwtSecret, auth.oidcIssuerUrl, auth.jwksFile or auth.introspection.url',
  },
  basic: {
    isMet: ({ username, password, users }) => (username !== undefined && password !== undefined) || users.length > 0,
    set: 'auth.username and auth.password, or auth.users',
  },
  mtls: {
    isMet: ({ mtls }, hasClientCa) => mtls.subjects.length > 0 && hasClientCa,
    set: 'server.tls.certFile, keyFile and clientCAFile, and auth.mtls.subjects',
  },
};

const checkOidc = (config: AuthConfig, publicUrl: string | undefined): void => {
  for (const key of ['oidcIssuerUrl', 'oidcDiscoveryUrl'] as const) {
    const url = config[key];
    if (url !== undefined && !isSafeUrl(url))
      throw refuse(`auth.${key}`, 'must be https (http on loopback alone): keys that come unprotected can be forged.');
  }
  const { introspection } = config;
  if (introspection.url !== undefined) {
    if (!isSafeUrl(introspection.url)) throw refuse('auth.introspection.url', 'must be https (http on loopback alone).');
    if (introspection.clientId === undefined || introspection.clientSecret === undefined)
      throw refuse('auth.introspection', 'needs clientId and clientSecret.');
  }
  const hasIssuer = config.oidcIssuerUrl !== undefined || config.oidcDiscoveryUrl !== undefined || config.jwksFile !== undefined;
  if (!hasIssuer) return;
  if (config.jwksFile !== undefined && config.oidcIssuer === undefined && config.oidcIssuerUrl === undefined)
    throw refuse('auth.jwksFile', 'needs auth.oidcIssuer: tokens of other issuers must not pass.');
  if (config.oidcAudience === undefined && config.oidcClientId === undefined && publicUrl === undefined)
    throw refuse('auth.oidcAudience', 'is needed (or server.publicUrl): a token that was issued for another server must not pass here.');
};

const checkKeys = ({ apiKeys }: AuthConfig, services: readonly string[]): void => {
  const names = new Set<string>();
  for (const { name, services: limits, scopes } of apiKeys) {
    if (names.has(name)) throw refuse('auth.apiKeys', `the name ${name} stands there twice.`);
    names.add(name);
    const named = [...limits, ...scopes.flatMap((scope) => scope.split(':').slice(1))];
    const unknown = named.find((service) => !services.includes(service));
    if (unknown === undefined) continue;
    throw refuse('auth.apiKeys', `there is no service ${unknown}.`, { nearest: nearestNames(unknown, services), choices: services });
  }
};

/** Resolves when the first request can be judged. */
export const createAuthentication = async (options: AuthenticationOptions): Promise<BuiltAuthentication> => {
  const { config, secrets, now, logger, realm, publicUrl, baseUrl, hasClientCa, onRefused } = options;
  const { mode } = config;
  const need = NEEDS[mode];
  if (!need.isMet(config, hasClientCa)) throw refuse('auth.enabled', `authentication by ${mode} needs ${need.set}. Nobody could log in.`);
  if (mode === 'bearer') checkOidc(config, publicUrl);
  if (mode === 'apikey') checkKeys(config, options.services);
  const deps = { secrets, now, logger, publicUrl };
  const bearer = mode === 'bearer' ? await createBearerAuthenticator(config, deps) : undefined;
  const others: Readonly<Record<Exclude<AuthMode, 'bearer'>, () => Authenticator | Promise<Authenticator>>> = {
    apikey: () => createApiKeyAuthenticator(config, deps),
    basic: () => createBasicAuthenticator(config, deps),
    mtls: () => createMtlsAuthenticator(config, now),
  };
  const authenticator = bearer ?? (await others[mode as keyof typeof others]());
  const issuer = bearer?.issuer;
  return {
    mode,
    realm,
    authenticator,
    failures: createFailures(config.failuresPerMinute, now),
    issuer,
    issuerUrl: issuer === undefined ? undefined : (config.oidcIssuer ?? config.oidcIssuerUrl),
    metadataUrl: (exchange) => (issuer === undefined ? undefined : `${baseUrl(exchange)}${METADATA_PATH}${exchange.route ?? ''}`),
    onRefused,
  };
};
