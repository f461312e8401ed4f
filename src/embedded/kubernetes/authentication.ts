// Who asks: a bearer token of one of four users, or nobody known; and whom they impersonate.
import { randomBytes } from 'node:crypto';
import { type Attributes, type Authorizer, forbidden, SUPERUSERS, type User } from './authorization.ts';
import { badRequest, unauthorized } from './status.ts';

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
    // Other schemes are not this server's: it sees no credential.
    if (token === undefined) return ANONYMOUS;
    const user = this.find(token);
    if (user === undefined) throw unauthorized();
    return user;
  }
}

const EXTRA_PREFIX = 'impersonate-extra-';

const splitHeader = (value: string | null): string[] => (value === null ? [] : value.split(',').map((part) => part.trim()));

/** Takes on the user of the Impersonate-* headers, each of which needs the right to impersonate (apiserver, filters/impersonation). */
export const impersonate = (request: Request, user: User, authorizer: Authorizer, target: Attributes): User => {
  const name = request.headers.get('impersonate-user') ?? '';
  const groups = splitHeader(request.headers.get('impersonate-group'));
  const uid = request.headers.get('impersonate-uid') ?? '';
  const extra = readExtra(request.headers);
  const wanted: User = { name, uid, groups, extra };
  if (name === '') {
    if (groups.length === 0 && uid === '' && Object.keys(extra).length === 0) return user;
    throw badRequest(`requested ${toGoText(wanted)} without impersonating a user name`);
  }
  // Since 1.36 a refusal names the narrower right, of which the wide one is a part.
  if (!mayImpersonate(wanted, user, authorizer)) throw forbidden({ ...target, user, verb: `impersonate-on:user-info:${target.verb}` }, '');
  return { name, uid, groups: withDefaultGroups(name, groups), extra };
};

/** The user as Go prints it. */
const toGoText = ({ name, uid, groups, extra }: User): string => {
  const list = (values: readonly string[]): string => `[]string{${values.map((value) => JSON.stringify(value)).join(', ')}}`;
  const keys = Object.entries(extra).map(([key, values]) => `${JSON.stringify(key)}:${list(values)}`);
  const extraText = keys.length === 0 ? 'map[string][]string(nil)' : `map[string][]string{${keys.join(', ')}}`;
  return `&user.DefaultInfo{Name:${JSON.stringify(name)}, UID:${JSON.stringify(uid)}, Groups:${groups.length === 0 ? '[]string(nil)' : list(groups)}, Extra:${extraText}}`;
};

const mayImpersonate = ({ name, uid, groups, extra }: User, user: User, authorizer: Authorizer): boolean => {
  const may = (wanted: Partial<Attributes>): boolean => authorizer.decide({ ...NOTHING, user, ...wanted }).isAllowed;
  const group = 'authentication.k8s.io';
  return (
    may(toUserAttributes(name)) &&
    groups.every((member) => may({ resource: 'groups', name: member })) &&
    (uid === '' || may({ resource: 'uids', name: uid, group })) &&
    Object.entries(extra).every(([key, values]) =>
      values.every((value) => may({ resource: 'userextras', subresource: key, name: value, group })),
    )
  );
};

const NOTHING = {
  verb: 'impersonate',
  isResource: true,
  group: '',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path: '',
} as const;

const readExtra = (headers: Headers): Record<string, string[]> => {
  const extra: Record<string, string[]> = {};
  for (const [key, value] of headers) {
    if (key.startsWith(EXTRA_PREFIX)) extra[decodeURIComponent(key.slice(EXTRA_PREFIX.length))] = splitHeader(value);
  }
  return extra;
};

const toUserAttributes = (name: string): Partial<Attributes> => {
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(name);
  if (account === null) return { resource: 'users', name };
  return { resource: 'serviceaccounts', namespace: account[1] ?? '', name: account[2] ?? '' };
};

const withDefaultGroups = (name: string, groups: readonly string[]): string[] => {
  const account = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name);
  const own = account === null || groups.length > 0 ? groups : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`];
  if (name === ANONYMOUS.name) return [...own, ...(own.includes('system:unauthenticated') ? [] : ['system:unauthenticated'])];
  return [...own, ...(own.includes(AUTHENTICATED) ? [] : [AUTHENTICATED])];
};
