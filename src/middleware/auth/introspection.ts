// Opaque tokens: the authorization server is asked about them (RFC 7662), and its word holds for a short time.

import { AppError } from '../../kit/errors.ts';
import { fetchDocument } from './issuer.ts';
import { isForUs, refuse, type TokenRules, toTokenCaller } from './jwt.ts';
import type { Remembered } from './memory.ts';

const REMEMBER_MS = 30_000;
const REMEMBER_INACTIVE_MS = 5000;

export interface IntrospectionOptions extends TokenRules {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: () => Promise<string>;
  readonly timeoutMs: number;
  /** Expected `iss`, where the answer has one. */
  readonly issuer: string | undefined;
}

/** Client credentials are form-encoded before they are joined (RFC 6749, 2.3.1). */
const toBasic = (id: string, secret: string): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

export const createIntrospection =
  ({ url, clientId, clientSecret, timeoutMs, issuer, ...rules }: IntrospectionOptions): ((token: string) => Promise<Remembered>) =>
  async (token) => {
    const init = {
      method: 'POST',
      headers: { accept: 'application/json', authorization: toBasic(clientId, await clientSecret()) },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }),
    };
    const { status, body } = await fetchDocument(url, init, timeoutMs).catch((cause: unknown) => {
      throw new AppError('SERVICE_UNAVAILABLE', 'The introspection endpoint does not answer.', {
        details: { service: 'oidc', retry_after: '5s' },
        cause,
      });
    });
    if (status !== 200)
      throw new AppError('SERVICE_UNAVAILABLE', `The introspection endpoint answered ${status}: check auth.introspection.`, {
        details: { service: 'oidc', retry_after: '30s' },
      });
    const now = rules.now();
    const exp = typeof body['exp'] === 'number' ? body['exp'] * 1000 : Number.POSITIVE_INFINITY;
    if (body['active'] !== true) return { verified: refuse('inactive'), until: now + REMEMBER_INACTIVE_MS };
    if (exp <= now) return { verified: refuse('expired'), until: 0 };
    if (issuer !== undefined && body['iss'] !== undefined && body['iss'] !== issuer) return { verified: refuse('issuer'), until: 0 };
    if (body['aud'] !== undefined && rules.audiences.length > 0 && !isForUs(body['aud'], rules))
      return { verified: refuse('audience'), until: 0 };
    const caller = toTokenCaller(body, typeof body['iss'] === 'string' ? body['iss'] : 'opaque');
    if (caller === undefined) return { verified: refuse('malformed'), until: 0 };
    return { verified: { caller }, until: Math.min(now + REMEMBER_MS, exp) };
  };
