// Mode basic: a user name and a password (RFC 7617), against one user of the configuration or several with scrypt hashes.

import { AppError } from '../../kit/errors.ts';
import type { SecretHandle, SecretManager } from '../../secrets/manager.ts';
import { hashPassword, type PasswordHash, parsePasswordHash, verifyPassword } from '../../secrets/password.ts';
import { ALL_SCOPES, type Authenticator, readScheme, type Verified, WRONG } from './authenticator.ts';
import type { AuthConfig } from './config.ts';
import { createMemory } from './memory.ts';

const REMEMBER_MS = 5 * 60_000;
/** Each takes 32 MiB and a thread. */
const MAX_AT_ONCE = 2;
const MAX_WAITING = 64;
const MIN_PASSWORD = 12;
const MALFORMED: Verified = { refused: 'malformed', message: 'Basic authentication needs base64 of user:password.' };

interface User {
  readonly scopes: readonly string[];
  readonly hash: PasswordHash;
}

/** user:password from base64; the password may have colons. */
const parse = (credential: string): { name: string; password: string } | undefined => {
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(credential)) return undefined;
  const text = Buffer.from(credential, 'base64').toString('utf8');
  const at = text.indexOf(':');
  return at < 1 ? undefined : { name: text.slice(0, at), password: text.slice(at + 1) };
};

/** Lets some work run at once and some wait; more is refused. */
const createGate = () => {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <Result>(work: () => Promise<Result>): Promise<Result> => {
    if (running >= MAX_AT_ONCE) {
      if (waiting.length >= MAX_WAITING)
        throw new AppError('RATE_LIMITED', 'Too many logins at once: try again.', { details: { retry_after: '2s' } });
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
};

const checkPassword = (value: string): void => {
  if (value.length >= MIN_PASSWORD) return;
  throw new AppError('INVALID_ARGUMENT', `Configuration auth.password: must have at least ${MIN_PASSWORD} characters.`, {
    details: { key: 'auth.password' },
  });
};

export const createBasicAuthenticator = async (
  { username, password, users: configured }: AuthConfig,
  { secrets, now }: { readonly secrets: Pick<SecretManager, 'define' | 'digest'>; readonly now: () => number },
): Promise<Authenticator> => {
  const users = new Map<string, User>();
  for (const [index, { name, hash, scopes }] of configured.entries()) {
    if (users.has(name) || name === username)
      throw new AppError('INVALID_ARGUMENT', `Configuration auth.users: the name ${name} stands there twice.`, {
        details: { key: 'auth.users' },
      });
    users.set(name, { scopes, hash: parsePasswordHash(hash, `auth.users[${index}].hash`) });
  }
  let single: { readonly user: Buffer; readonly handle: SecretHandle } | undefined;
  if (username !== undefined && password !== undefined) {
    const handle = secrets.define('auth.password', password, { check: checkPassword });
    await handle.ready();
    single = { user: secrets.digest(username), handle };
  }
  // An unknown name costs what a known one does.
  const decoy = users.size === 0 ? undefined : parsePasswordHash(await hashPassword('nobody'), 'decoy');
  const memory = createMemory(now);
  const gate = createGate();

  const check = async (name: string, given: string): Promise<Verified> => {
    const user = users.get(name);
    const hash = user?.hash ?? decoy;
    if (hash === undefined) return WRONG;
    const isRight = await gate(() => verifyPassword(given, hash));
    return isRight && user !== undefined ? { caller: { id: `basic:${name}`, groups: [], scopes: user.scopes } } : WRONG;
  };

  return {
    read: (exchange) => readScheme(exchange, 'basic'),
    recall(credential) {
      const login = parse(credential);
      if (login === undefined) return MALFORMED;
      if (single !== undefined) {
        const isUser = single.user.equals(secrets.digest(login.name));
        const isRight = single.handle.judge(secrets.digest(login.password)) === 'accepted';
        if (isUser && isRight) return { caller: { id: `basic:${login.name}`, groups: [], scopes: ALL_SCOPES } };
        if (users.size === 0) return WRONG;
      }
      return memory.recall(secrets.digest(credential));
    },
    async verify(credential) {
      const login = parse(credential);
      if (login === undefined) return MALFORMED;
      return memory.verify(secrets.digest(credential), async () => {
        const verified = await check(login.name, login.password);
        // Wrong ones are forgotten at once: each guess pays.
        return { verified, until: 'caller' in verified ? now() + REMEMBER_MS : 0 };
      });
    },
  };
};
