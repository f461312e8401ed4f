// Mode apikey: X-Api-Key against one key or several with rights of their own.

import { hash as digestOf, timingSafeEqual } from 'node:crypto';
import type { Caller } from '../../kit/context.ts';
import { checkStrength } from '../../secrets/generate.ts';
import type { SecretManager, Verdict } from '../../secrets/manager.ts';
import { ALL_SCOPES, type Authenticator, type Verified, WRONG } from './authenticator.ts';
import type { AuthConfig } from './config.ts';

interface Key {
  readonly caller: Caller;
  judge(candidate: { readonly keyed: Buffer; readonly plain: Buffer | undefined }): Verdict;
}

type Configured = AuthConfig['apiKeys'][number];

/** `read` on `kubernetes` alone is `read:kubernetes`; a scope that is narrowed already stays where it fits. */
export const narrowScopes = (scopes: readonly string[], services: readonly string[]): readonly string[] =>
  services.length === 0
    ? scopes
    : scopes.flatMap((scope) => {
        const [, service] = scope.split(':');
        if (service !== undefined) return services.includes(service) ? [scope] : [];
        return services.map((name) => `${scope}:${name}`);
      });

const toCaller = ({ name, scopes, services, namespaces }: Configured): Caller => ({
  id: `key:${name}`,
  groups: [],
  scopes: narrowScopes(scopes, services),
  ...(services.length === 0 ? {} : { services }),
  ...(namespaces.length === 0 ? {} : { namespaces }),
});

const toHashed = (hash: string, expires: number, now: () => number): Key['judge'] => {
  const known = Buffer.from(hash.slice('sha256:'.length), 'hex');
  return ({ plain }) => (plain !== undefined && timingSafeEqual(known, plain) ? (expires > now() ? 'accepted' : 'expired') : 'unknown');
};

const toKey = (
  configured: Configured,
  secrets: Pick<SecretManager, 'define' | 'watch'>,
  now: () => number,
): { key: Key; ready: Promise<void> } => {
  const { name, key, hash, expires: until } = configured;
  const caller = toCaller(configured);
  const expires = until === undefined ? Number.MAX_SAFE_INTEGER : Date.parse(until);
  if (key === undefined && until !== undefined) secrets.watch(`auth.apiKeys.${name}`, expires);
  if (key === undefined) return { key: { caller, judge: toHashed(hash ?? '', expires, now) }, ready: Promise.resolve() };
  const setting = `auth.apiKeys.${name}`;
  const handle = secrets.define(setting, key, { expires, check: (value) => checkStrength(value, setting) });
  return { key: { caller, judge: ({ keyed }) => handle.judge(keyed) }, ready: handle.ready() };
};

/** Resolves when every key that stands elsewhere was read. Throws for weak keys. */
export const createApiKeyAuthenticator = async (
  { apiKey, apiKeys }: AuthConfig,
  { secrets, now }: { readonly secrets: Pick<SecretManager, 'define' | 'digest' | 'watch'>; readonly now: () => number },
): Promise<Authenticator> => {
  const made = apiKeys.map((configured) => toKey(configured, secrets, now));
  if (apiKey !== undefined) {
    const handle = secrets.define('auth.apiKey', apiKey, { check: (value) => checkStrength(value, 'auth.apiKey') });
    made.push({
      key: { caller: { id: 'key:default', groups: [], scopes: ALL_SCOPES }, judge: ({ keyed }) => handle.judge(keyed) },
      ready: handle.ready(),
    });
  }
  await Promise.all(made.map(({ ready }) => ready));
  const keys = made.map(({ key }) => key);
  const hasHashes = apiKeys.some(({ hash }) => hash !== undefined);
  /** Every key is compared, whichever fits: the time tells nothing. */
  const judge = (credential: string): Verified => {
    const candidate = { keyed: secrets.digest(credential), plain: hasHashes ? digestOf('sha256', credential, 'buffer') : undefined };
    let verified: Verified = WRONG;
    for (const { caller, judge: compare } of keys) {
      const verdict = compare(candidate);
      if (verdict === 'accepted') verified = { caller };
      if (verdict === 'expired' && !('caller' in verified)) verified = { refused: 'expired', message: 'This API key has expired.' };
    }
    return verified;
  };
  return {
    read: ({ request }) => request.headers.get('x-api-key') ?? undefined,
    recall: judge,
    verify: async (credential) => judge(credential),
  };
};
