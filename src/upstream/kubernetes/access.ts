// Questions about rights: who am I, may I, may another, what may I.
import type { Api, CallOptions } from './api.ts';
import { booleanAt, fieldsAt, type KubeObject, listAt, textAt, textsAt } from './objects.ts';

/** A resource of the API, or (with `path`) a URL such as `/metrics`. */
export interface AccessQuestion {
  readonly verb: string;
  readonly group?: string | undefined;
  readonly version?: string | undefined;
  /** Plural; `*` = any. */
  readonly resource?: string | undefined;
  readonly subresource?: string | undefined;
  readonly name?: string | undefined;
  /** Absent = in all namespaces, or a kind without. */
  readonly namespace?: string | undefined;
  readonly path?: string | undefined;
}

export interface Subject {
  readonly user?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly uid?: string | undefined;
}

export interface AccessAnswer {
  readonly allowed: boolean;
  /** An authorizer has refused for good (not only not allowed). */
  readonly denied: boolean;
  /** The binding that allows it, in the authorizer's words. */
  readonly reason: string | undefined;
  readonly evaluationError: string | undefined;
}

export interface Identity {
  readonly username: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

export interface ResourceRule {
  readonly verbs: readonly string[];
  readonly groups: readonly string[];
  readonly resources: readonly string[];
  readonly names: readonly string[];
}

export interface Rules {
  readonly resourceRules: readonly ResourceRule[];
  readonly pathRules: readonly { readonly verbs: readonly string[]; readonly paths: readonly string[] }[];
  /** Some authorizer cannot list its rules: more may be allowed. */
  readonly incomplete: boolean;
  readonly evaluationError: string | undefined;
}

export interface Access {
  selfSubjectReview(options: CallOptions): Promise<Identity>;
  accessReview(question: AccessQuestion, options: CallOptions): Promise<AccessAnswer>;
  /** Needs the right to create subjectaccessreviews: FORBIDDEN without. */
  subjectAccessReview(subject: Subject, question: AccessQuestion, options: CallOptions): Promise<AccessAnswer>;
  rulesReview(options: CallOptions & { readonly namespace: string }): Promise<Rules>;
}

const AUTHORIZATION = 'authorization.k8s.io';

export const createAccess = (api: Api): Access => {
  /** A review is a POST that changes nothing. */
  const review = async (group: string, kind: string, spec: object | undefined, { signal, timeoutMs }: CallOptions): Promise<KubeObject> => {
    const plural = `${kind.toLowerCase()}s`;
    const body = { apiVersion: `${group}/v1`, kind, ...(spec === undefined ? {} : { spec }) };
    const answer = await api.json({
      method: 'POST',
      path: ['apis', group, 'v1', plural],
      body,
      idempotent: true,
      signal,
      timeoutMs,
      api: `create ${plural}.${group}`,
    });
    return fieldsAt(answer.body, 'status');
  };
  return {
    selfSubjectReview: async (options) => {
      const { userInfo } = (await review('authentication.k8s.io', 'SelfSubjectReview', undefined, options)) as { userInfo?: unknown };
      const extra = Object.keys(fieldsAt(userInfo, 'extra')).map((key) => [key, textsAt(userInfo, 'extra', key)] as const);
      return {
        username: textAt(userInfo, 'username') ?? '',
        uid: textAt(userInfo, 'uid'),
        groups: textsAt(userInfo, 'groups'),
        extra: Object.fromEntries(extra),
      };
    },
    accessReview: async (question, options) =>
      toAnswer(await review(AUTHORIZATION, 'SelfSubjectAccessReview', toAttributes(question), options)),
    subjectAccessReview: async ({ user, groups, uid }, question, options) =>
      toAnswer(await review(AUTHORIZATION, 'SubjectAccessReview', { user, groups, uid, ...toAttributes(question) }, options)),
    rulesReview: async ({ namespace, ...options }) =>
      toRules(await review(AUTHORIZATION, 'SelfSubjectRulesReview', { namespace }, options)),
  };
};

const toAttributes = ({ path, verb, ...resource }: AccessQuestion): object =>
  path === undefined ? { resourceAttributes: { verb, ...resource } } : { nonResourceAttributes: { verb, path } };

const toAnswer = (status: KubeObject): AccessAnswer => ({
  allowed: booleanAt(status, 'allowed'),
  denied: booleanAt(status, 'denied'),
  reason: textAt(status, 'reason'),
  evaluationError: textAt(status, 'evaluationError'),
});

const toRules = (status: KubeObject): Rules => ({
  resourceRules: listAt(status, 'resourceRules').map((rule) => ({
    verbs: textsAt(rule, 'verbs'),
    groups: textsAt(rule, 'apiGroups'),
    resources: textsAt(rule, 'resources'),
    names: textsAt(rule, 'resourceNames'),
  })),
  pathRules: listAt(status, 'nonResourceRules').map((rule) => ({ verbs: textsAt(rule, 'verbs'), paths: textsAt(rule, 'nonResourceURLs') })),
  incomplete: booleanAt(status, 'incomplete'),
  evaluationError: textAt(status, 'evaluationError'),
});
