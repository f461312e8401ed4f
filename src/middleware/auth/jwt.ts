// Signed tokens (JWT): by a shared key, or by the keys of an issuer. Algorithm, issuer, audience and expiry are always checked.

import type { JWTPayload, JWTVerifyOptions } from 'jose';
import type { Caller } from '../../kit/context.ts';
import type { Refusal, RefusalReason, Verified } from './authenticator.ts';
import type { Issuer } from './issuer.ts';
import type { Remembered } from './memory.ts';

/** Clocks of two machines differ by no more. */
const TOLERANCE_SEC = 30;
const REMEMBER_MS = 60_000;
const MAX_LENGTH = 16_384;
const ISSUER_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];
const SCOPE = /^(?:read|write|destructive|admin)(?::[a-z][a-z0-9-]*)?$/;
const MAX_SCOPES = 100;
const MAX_GROUPS = 500;

const WORDS: Readonly<Partial<Record<RefusalReason, string>>> = {
  expired: 'The token has expired.',
  'not-yet-valid': 'The token is not valid yet.',
  issuer: 'The token comes from another issuer.',
  audience: 'The token was not issued for this server.',
  signature: 'The signature of the token cannot be verified.',
  malformed: 'The token is malformed.',
};
export const refuse = (refused: RefusalReason): Refusal => ({ refused, message: WORDS[refused] ?? 'The token is not valid.' });

const toStrings = (value: unknown, most: number): readonly string[] =>
  (typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [])
    .filter((item): item is string => typeof item === 'string' && item !== '' && item.length <= 256)
    .slice(0, most);

/** Scopes that this server knows; all others mean nothing here. */
const toScopes = (payload: Readonly<Record<string, unknown>>): readonly string[] => [
  ...new Set([...toStrings(payload['scope'], MAX_SCOPES), ...toStrings(payload['scp'], MAX_SCOPES)].filter((scope) => SCOPE.test(scope))),
];

/** Undefined when the token names nobody. Ids of different issuers never meet. */
export const toTokenCaller = (payload: Readonly<Record<string, unknown>>, prefix: string): Caller | undefined => {
  const subject = [payload['sub'], payload['client_id'], payload['azp']].find((value) => typeof value === 'string' && value !== '');
  if (typeof subject !== 'string' || subject.length > 256 || /\p{Cc}/u.test(subject)) return undefined;
  return { id: `${prefix}#${subject}`, groups: toStrings(payload['groups'], MAX_GROUPS), scopes: toScopes(payload) };
};

/** The audience must be one of these, or an address beneath the public address of this server (RFC 8707). */
export const isForUs = (
  audience: unknown,
  { audiences, publicUrl }: { audiences: readonly string[]; publicUrl: string | undefined },
): boolean =>
  toStrings(Array.isArray(audience) ? audience : [audience], 50).some(
    (one) =>
      audiences.includes(one) || (publicUrl !== undefined && (one.replace(/\/$/, '') === publicUrl || one.startsWith(`${publicUrl}/`))),
  );

const toReason = (thrown: unknown): RefusalReason => {
  const { code, claim } = (thrown ?? {}) as { code?: string; claim?: string };
  if (code === 'ERR_JWT_EXPIRED') return 'expired';
  if (code === 'ERR_JWT_CLAIM_VALIDATION_FAILED') {
    if (claim === 'nbf' || claim === 'iat') return 'not-yet-valid';
    return claim === 'iss' ? 'issuer' : claim === 'aud' ? 'audience' : 'malformed';
  }
  if (code === 'ERR_JWS_INVALID' || code === 'ERR_JWT_INVALID') return 'malformed';
  return 'signature';
};

const toRemembered = (verified: Verified, now: number, exp: number | undefined): Remembered => ({
  verified,
  until: 'caller' in verified && exp !== undefined ? Math.min(now + REMEMBER_MS, exp * 1000) : 0,
});

export interface TokenRules {
  readonly audiences: readonly string[];
  readonly publicUrl: string | undefined;
  readonly now: () => number;
}

/** Three parts, of which the first is an encoded object. */
export const isSignedToken = (token: string): boolean => /^eyJ[\w-]*\.[\w-]+\.[\w-]*$/.test(token);

const toOptions = (rules: TokenRules, more: JWTVerifyOptions): JWTVerifyOptions => ({
  clockTolerance: TOLERANCE_SEC,
  currentDate: new Date(rules.now()),
  requiredClaims: ['exp'],
  ...more,
});

/** By the keys of an issuer. An unknown key id makes the keys be read again, seldom. */
export const createIssuerVerifier =
  (issuer: Issuer, rules: TokenRules): ((token: string) => Promise<Remembered>) =>
  async (token) => {
    if (token.length > MAX_LENGTH) return { verified: refuse('malformed'), until: 0 };
    const { jwtVerify } = await import('jose');
    const check = async (): Promise<{ payload: JWTPayload; issuer: string }> => {
      const { keys, issuer: name } = await issuer.get();
      const { payload } = await jwtVerify(token, keys, toOptions(rules, { algorithms: ISSUER_ALGORITHMS, issuer: name }));
      return { payload, issuer: name };
    };
    const isUnknownKey = (thrown: unknown): boolean => (thrown as { code?: string }).code === 'ERR_JWKS_NO_MATCHING_KEY';
    // Before any key is read, a failure is the issuer's and not the caller's.
    await issuer.get();
    try {
      const { payload, issuer: name } = await check().catch(async (thrown: unknown) => {
        if (isUnknownKey(thrown) && (await issuer.refresh())) return check();
        throw thrown;
      });
      if (!isForUs(payload.aud, rules)) return { verified: refuse('audience'), until: 0 };
      const caller = toTokenCaller(payload, name);
      return toRemembered(caller === undefined ? refuse('malformed') : { caller }, rules.now(), payload.exp);
    } catch (thrown) {
      return { verified: refuse(toReason(thrown)), until: 0 };
    }
  };

/** By a key that both sides know; the algorithm is the configured one, whatever the token says. */
export const createSharedKeyVerifier =
  (
    key: () => Promise<string>,
    { algorithm, issuer, ...rules }: TokenRules & { readonly algorithm: string; readonly issuer: string | undefined },
  ): ((token: string) => Promise<Remembered>) =>
  async (token) => {
    if (token.length > MAX_LENGTH) return { verified: refuse('malformed'), until: 0 };
    const { jwtVerify } = await import('jose');
    const secret = new TextEncoder().encode(await key());
    try {
      const more = { algorithms: [algorithm], ...(issuer === undefined ? {} : { issuer }) };
      const { payload } = await jwtVerify(token, secret, toOptions(rules, more));
      if (rules.audiences.length > 0 && !isForUs(payload.aud, rules)) return { verified: refuse('audience'), until: 0 };
      const caller = toTokenCaller(payload, issuer ?? 'jwt');
      return toRemembered(caller === undefined ? refuse('malformed') : { caller }, rules.now(), payload.exp);
    } catch (thrown) {
      return { verified: refuse(toReason(thrown)), until: 0 };
    }
  };
