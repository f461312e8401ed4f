// May this user do that: role-based access evaluated from the roles and bindings in the store (plugin/pkg/auth/authorizer/rbac).
import { type JsonObject, listAt, objectAt, objectsAt, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import { StatusError } from './status.ts';
import type { ObjectStore } from './store.ts';

export interface User {
  readonly name: string;
  readonly uid: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface Attributes {
  readonly user: User;
  readonly verb: string;
  readonly isResource: boolean;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly path: string;
}

export interface Decision {
  readonly isAllowed: boolean;
  readonly reason: string;
}

const RBAC = 'rbac.authorization.k8s.io';

/** Members may do everything, whatever the roles say. */
export const SUPERUSERS = 'system:masters';

const has = (rule: JsonObject, key: string, ...wanted: readonly string[]): boolean =>
  listAt(rule, key).some((value) => typeof value === 'string' && wanted.includes(value));

const allows = (rule: JsonObject, attributes: Attributes): boolean => {
  if (!has(rule, 'verbs', '*', attributes.verb)) return false;
  if (!attributes.isResource) return listAt(rule, 'nonResourceURLs').some((url) => matchesPath(url, attributes.path));
  const { resource, subresource } = attributes;
  const names = listAt(rule, 'resourceNames');
  const resources = subresource === '' ? ['*', resource] : ['*', `${resource}/${subresource}`, `*/${subresource}`];
  return (
    has(rule, 'apiGroups', '*', attributes.group) &&
    has(rule, 'resources', ...resources) &&
    (names.length === 0 || names.includes(attributes.name))
  );
};

const matchesPath = (url: unknown, path: string): boolean => {
  if (typeof url !== 'string') return false;
  return url === '*' || url === path || (url.endsWith('*') && path.startsWith(url.replace(/\*+$/, '')));
};

/** The first subject of a binding that is this user. */
const subjectOf = (binding: KubernetesObject, user: User): JsonObject | undefined =>
  objectsAt(binding, 'subjects').find((subject) => {
    const name = textAt(subject, 'name');
    if (subject['kind'] === 'User') return name === user.name;
    if (subject['kind'] === 'Group') return user.groups.includes(name);
    const namespace = textAt(subject, 'namespace') || (binding.metadata.namespace ?? '');
    return user.name === `system:serviceaccount:${namespace}:${name}`;
  });

const describe = (binding: KubernetesObject, subject: JsonObject): string => {
  const { name, namespace } = binding.metadata;
  const place = namespace === undefined ? `"${name}"` : `"${name}/${namespace}"`;
  const role = objectAt(binding, 'roleRef');
  const kind = textAt(subject, 'kind');
  const who =
    kind === 'ServiceAccount' ? `${textAt(subject, 'name')}/${textAt(subject, 'namespace') || namespace}` : textAt(subject, 'name');
  return `${binding.kind} ${place} of ${textAt(role, 'kind')} "${textAt(role, 'name')}" to ${kind} "${who}"`;
};

export interface GrantedRule {
  readonly rule: JsonObject;
  readonly source: string;
}

export class Authorizer {
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  decide(attributes: Attributes): Decision {
    if (attributes.user.groups.includes(SUPERUSERS)) return { isAllowed: true, reason: '' };
    const missing: string[] = [];
    const granted = this.#rules(attributes.user, attributes.namespace, missing).find(({ rule }) => allows(rule, attributes));
    if (granted !== undefined) return { isAllowed: true, reason: `RBAC: allowed by ${granted.source}` };
    return { isAllowed: false, reason: missing.length === 0 ? '' : `RBAC: ${toAggregate(missing)}` };
  }

  /** Every rule that a user has in a namespace, cluster-wide ones included. */
  rulesFor(user: User, namespace: string): readonly GrantedRule[] {
    const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] };
    const granted = this.#rules(user, namespace, []);
    // A fresh cluster binds them to cluster-admin; without that binding they are as mighty.
    const isUnbound =
      user.groups.includes(SUPERUSERS) && !granted.some(({ rule }) => has(rule, 'verbs', '*') && has(rule, 'resources', '*'));
    const masters = isUnbound
      ? [
          { rule: all, source: '' },
          { rule: { verbs: ['*'], nonResourceURLs: ['*'] }, source: '' },
        ]
      : [];
    return [...masters, ...granted];
  }

  #rules(user: User, namespace: string, missing: string[]): GrantedRule[] {
    const clusterWide = this.#store.all(`clusterrolebindings.${RBAC}`);
    const local = namespace === '' ? [] : this.#store.all(`rolebindings.${RBAC}`, namespace);
    return [...clusterWide, ...local].flatMap((binding) => {
      const subject = subjectOf(binding, user);
      if (subject === undefined) return [];
      return this.#roleRules(binding, missing).map((rule) => ({ rule, source: describe(binding, subject) }));
    });
  }

  #roleRules(binding: KubernetesObject, missing: string[]): readonly JsonObject[] {
    const name = textAt(binding, 'roleRef', 'name');
    const isCluster = textAt(binding, 'roleRef', 'kind') === 'ClusterRole';
    const role = isCluster
      ? this.#store.get(`clusterroles.${RBAC}`, '', name)
      : this.#store.get(`roles.${RBAC}`, binding.metadata.namespace ?? '', name);
    if (role === undefined) missing.push(`${isCluster ? 'clusterrole' : 'role'}.${RBAC} "${name}" not found`);
    return objectsAt(role, 'rules');
  }
}

const toAggregate = (messages: readonly string[]): string => {
  const unique = [...new Set(messages)];
  return unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
};

const toMessage = ({ user, verb, isResource, group, resource, subresource, namespace, path }: Attributes): string => {
  if (!isResource) return `User "${user.name}" cannot ${verb} path "${path}"`;
  const what = `User "${user.name}" cannot ${verb} resource "${subresource === '' ? resource : `${resource}/${subresource}`}" in API group "${group}"`;
  return namespace === '' ? `${what} at the cluster scope` : `${what} in the namespace "${namespace}"`;
};

/** 403 in the words of the API server. */
export const forbidden = (attributes: Attributes, reason: string): StatusError => {
  const why = reason === '' ? toMessage(attributes) : `${toMessage(attributes)}: ${reason}`;
  const { group, resource, name, isResource } = attributes;
  if (!isResource) return new StatusError(403, 'Forbidden', `forbidden: ${why}`, { details: {} });
  const qualified = group === '' ? resource : `${resource}.${group}`;
  const subject = name === '' ? qualified : `${qualified} "${name}"`;
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${why}`, { details: { name, group, kind: resource } });
};
