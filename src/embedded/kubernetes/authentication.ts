// Who asks: a bearer token of one of four users, or nobody known; and whom they impersonate.
import { randomBytes } from 'node:crypto';
import { type Attributes, type Authorizer, forbidden, SUPERUSERS, type User } from './authorization.ts';
import { StatusError, unauthorized } from './status.ts';

export const USER_NAMES = ['admin', 'operator', 'viewer', 'nobody'] as const;

export type UserName = (typeof USER_NAMES)[number];

const AUTHENTICATED = 'system:authenticated';

const GROUPS: Readonly<Record<UserName, readonly string[]>> = {
  admin: [SUPERUSERS],
  operator: ['demo:operators'],
  viewer: ['demo:viewers'],
  nobody: [],
};

const ANONYMOUS: User = { name: 'system:anonymous', uid: '', groups: ['system:unauthenticated'], extra: {} };

export const toUser = (name: UserName): User => ({ name, uid: '', groups: [...GROUPS[name], AUTHENTICATED], extra: {} });

export class Authenticator {
  readonly #tokens: ReadonlyMap<UserName, string> = new Map(USER_NAMES.map((name) => [name, randomBytes(24).toString('base64url')]));

  /** The token of a user: random, made anew for every instance. */
  tokenOf(name: UserName): string {
    return this.#tokens.get(name) ?? '';
  }

  /** The user of a token, undefined when it is nobody's. */
  find(token: string): User | undefined {
    const found = [...this.#tokens].find(([, known]) => known === token);
    return found === undefined ? undefined : toUser(found[0]);
  }

  /** The user of a request; without a credential that is the anonymous one, a wrong credential is 401. */
  authenticate(request: Request): User {
    const header = request.headers.get('authorization');
    if (header === null) return ANONYMOUS;
    const token = /^bearer\s+(\S+)\s*$/i.exec(header)?.[1];
    const user = token === undefined ? undefined : this.find(token);
    if (user === undefined) throw unauthorized();
    return user;
  }
}

const EXTRA_PREFIX = 'impersonate-extra-';

const splitHeader = (value: string | null): string[] => (value === null ? [] : value.split(',').map((part) => part.trim()));

/** Takes on the user of the Impersonate-* headers, each of which needs the right to impersonate (apiserver, filters/impersonation). */
export const impersonate = (request: Request, user: User, authorizer: Authorizer): User => {
  const name = request.headers.get('impersonate-user');
  const groups = splitHeader(request.headers.get('impersonate-group'));
  const uid = request.headers.get('impersonate-uid');
  const extra = readExtra(request.headers);
  if (name === null) {
    if (groups.length === 0 && uid === null && Object.keys(extra).length === 0) return user;
    const why = `requested [${[...groups, ...(uid === null ? [] : [uid])].join(' ')}] without impersonating a user`;
    throw new StatusError(500, 'InternalError', `Internal error occurred: ${why}`, { details: { causes: [{ message: why }] } });
  }
  demand(authorizer, user, toUserAttributes(user, name));
  for (const group of groups) demand(authorizer, user, { resource: 'groups', name: group });
  if (uid !== null) demand(authorizer, user, { resource: 'uids', name: uid, group: 'authentication.k8s.io' });
  for (const [key, values] of Object.entries(extra)) {
    for (const value of values)
      demand(authorizer, user, { resource: 'userextras', subresource: key, name: value, group: 'authentication.k8s.io' });
  }
  return { name, uid: uid ?? '', groups: withDefaultGroups(name, groups), extra };
};

const readExtra = (headers: Headers): Record<string, string[]> => {
  const extra: Record<string, string[]> = {};
  for (const [key, value] of headers) {
    if (key.startsWith(EXTRA_PREFIX)) extra[decodeURIComponent(key.slice(EXTRA_PREFIX.length))] = splitHeader(value);
  }
  return extra;
};

const toUserAttributes = (_user: User, name: string): Partial<Attributes> => {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  if (account === null) return { resource: 'users', name };
  return { resource: 'serviceaccounts', namespace: account[1] ?? '', name: account[2] ?? '' };
};

const demand = (authorizer: Authorizer, user: User, wanted: Partial<Attributes>): void => {
  const attributes: Attributes = {
    user,
    verb: 'impersonate',
    isResource: true,
    group: '',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: '',
    ...wanted,
  };
  const { isAllowed, reason } = authorizer.decide(attributes);
  if (!isAllowed) throw forbidden(attributes, reason);
};

const withDefaultGroups = (name: string, groups: readonly string[]): string[] => {
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name);
  const own = account === null || groups.length > 0 ? groups : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`];
  if (name === ANONYMOUS.name) return [...own, ...(own.includes('system:unauthenticated') ? [] : ['system:unauthenticated'])];
  return [...own, ...(own.includes(AUTHENTICATED) ? [] : [AUTHENTICATED])];
};
