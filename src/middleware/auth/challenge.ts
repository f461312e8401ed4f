// WWW-Authenticate: what a refused caller should bring (RFC 9110 11.6.1, RFC 6750 3, RFC 7617, RFC 9728 5.1).

import type { RefusalReason } from './authenticator.ts';
import type { AuthMode } from './config.ts';

export interface ChallengeOptions {
  readonly mode: AuthMode;
  readonly realm: string;
  /** Address of the resource metadata; undefined = no issuer is configured. */
  readonly metadataUrl?: string | undefined;
}

const quote = (text: string): string => `"${text.replace(/[^\x20-\x7e]/g, ' ').replace(/["\\]/g, '\\$&')}"`;
const toText = (scheme: string, fields: Readonly<Record<string, string | undefined>>): string =>
  `${scheme} ${Object.entries(fields)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${quote(value)}`]))
    .join(', ')}`;

/** The scopes that a client should ask for at first. */
const FIRST_SCOPE = 'read';

/** Without a credential a bearer challenge carries no error (RFC 6750, 3.1). */
export const toChallenge = ({ mode, realm, metadataUrl }: ChallengeOptions, reason: RefusalReason, message: string): string => {
  if (mode === 'apikey') return toText('ApiKey', { realm, header: 'X-Api-Key' });
  if (mode === 'basic') return toText('Basic', { realm, charset: 'UTF-8' });
  if (mode === 'mtls') return toText('ClientCertificate', { realm });
  const isWrong = reason !== 'missing';
  return toText('Bearer', {
    realm,
    error: isWrong ? 'invalid_token' : undefined,
    error_description: isWrong ? message : undefined,
    scope: metadataUrl === undefined ? undefined : FIRST_SCOPE,
    resource_metadata: metadataUrl,
  });
};

/** 403: the token is good, its rights are too few. All scopes that the next token needs, in one challenge. */
export const toScopeChallenge = (
  { realm, metadataUrl }: Omit<ChallengeOptions, 'mode'>,
  scopes: readonly string[],
  message: string,
): string =>
  toText('Bearer', {
    realm,
    error: 'insufficient_scope',
    error_description: message,
    scope: scopes.join(' '),
    resource_metadata: metadataUrl,
  });
