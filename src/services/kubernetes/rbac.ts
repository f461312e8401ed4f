// RBAC read from its objects: who is bound to what, and which rule allows a verb. Webhook authorizers are not in there.

import type { CallContext } from '../../kit/context.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import { type KubeObject, kindOf, listAt, nameOf, namespaceOf, textAt, textsAt } from '../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../upstream/kubernetes/resources.ts';

export interface Question {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string | undefined;
  readonly name: string | undefined;
  /** undefined = in all namespaces, or a kind without. */
  readonly namespace: string | undefined;
}

export interface Rule {
  readonly verbs: readonly string[];
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly names: readonly string[];
}

export interface Binding {
  readonly ref: string;
  readonly role: string;
  readonly namespace: string | undefined;
  readonly subjects: readonly string[];
  readonly rules: readonly Rule[];
}

const toRules = (role: KubeObject | undefined): Rule[] =>
  listAt(role, 'rules').map((rule) => ({
    verbs: textsAt(rule, 'verbs'),
    groups: listOfTexts(rule, 'apiGroups'),
    resources: textsAt(rule, 'resources'),
    names: textsAt(rule, 'resourceNames'),
  }));

/** The core group is the empty text, which must not get lost. */
const listOfTexts = (object: KubeObject, key: string): string[] => {
  const value = object[key];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
};

/** `user:x`, `group:x`, `sa:namespace/name`. */
const toSubject = (subject: KubeObject): string => {
  const name = textAt(subject, 'name') ?? '';
  if (textAt(subject, 'kind') === 'ServiceAccount') return `sa:${textAt(subject, 'namespace') ?? ''}/${name}`;
  return `${textAt(subject, 'kind') === 'Group' ? 'group' : 'user'}:${name}`;
};

/** All bindings with the rules of their roles. FORBIDDEN without the right to read RBAC objects. */
export const readBindings = async (client: KubernetesClient, { signal }: Pick<CallContext, 'signal'>): Promise<Binding[]> => {
  const all = { signal };
  const [roles, clusterRoles, roleBindings, clusterRoleBindings] = await Promise.all([
    client.listAll(RESOURCES.roles, all),
    client.listAll(RESOURCES.clusterroles, all),
    client.listAll(RESOURCES.rolebindings, all),
    client.listAll(RESOURCES.clusterrolebindings, all),
  ]);
  const byKey = new Map<string, KubeObject>([
    ...roles.items.map((role) => [`Role/${namespaceOf(role)}/${nameOf(role)}`, role] as const),
    ...clusterRoles.items.map((role) => [`ClusterRole/${nameOf(role)}`, role] as const),
  ]);
  return [...roleBindings.items, ...clusterRoleBindings.items].map((binding) => {
    const kind = textAt(binding, 'roleRef', 'kind') ?? '';
    const name = textAt(binding, 'roleRef', 'name') ?? '';
    const namespace = namespaceOf(binding);
    return {
      ref: `${kindOf(binding) === 'RoleBinding' || namespace !== undefined ? `RoleBinding/${namespace}` : 'ClusterRoleBinding'}/${nameOf(binding)}`,
      role: `${kind}/${name}`,
      namespace,
      subjects: listAt(binding, 'subjects').map(toSubject),
      rules: toRules(byKey.get(kind === 'Role' ? `Role/${namespace}/${name}` : `ClusterRole/${name}`)),
    };
  });
};

const has = (list: readonly string[], wanted: string): boolean => list.includes('*') || list.includes(wanted);

const coversResource = ({ resources }: Rule, { resource, subresource }: Question): boolean =>
  subresource === undefined
    ? has(resources, resource)
    : resources.some((item) => ['*', `${resource}/${subresource}`, `*/${subresource}`, `${resource}/*`].includes(item));

/** Does this rule allow it? As the RBAC authorizer decides. */
export const isAllowedBy = (rule: Rule, question: Question): boolean =>
  has(rule.verbs, question.verb) &&
  has(rule.groups, question.group) &&
  coversResource(rule, question) &&
  (rule.names.length === 0 || (question.name !== undefined && rule.names.includes(question.name)));

/** Does this binding reach where the question asks? */
export const isInScope = ({ namespace }: Binding, question: Question): boolean =>
  namespace === undefined || namespace === question.namespace;

/** What a rule lacks to allow it; undefined when it is about something else altogether. */
export const lackOf = (rule: Rule, question: Question): string | undefined => {
  const isNear = has(rule.groups, question.group) && (coversResource(rule, question) || rule.resources.includes(question.resource));
  if (!isNear) return undefined;
  if (!coversResource(rule, question)) return `subresource ${question.subresource ?? ''}`;
  if (!has(rule.verbs, question.verb)) return `verb ${question.verb} (has ${rule.verbs.join(', ')})`;
  return `name ${question.name ?? '(any)'} (has ${rule.names.join(', ')})`;
};
