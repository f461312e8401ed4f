// kubernetes_check_access: may I, may another, why, and who can.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import { namespace } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { AccessAnswer, Subject } from '../../../upstream/kubernetes/access.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { isAllowedBy, isInScope, lackOf, type Question, readBindings } from '../rbac.ts';

const VIEWS = ['check', 'rules', 'who'] as const;
const MAX_LACKS = 5;

const input = z.object({
  verb: z
    .string()
    .min(1)
    .max(60)
    .optional()
    .describe('get, list, watch, create, update, patch, delete, deletecollection, or another verb.'),
  kind: z
    .string()
    .min(1)
    .max(300)
    .optional()
    .meta({ description: 'Kind, or resource with subresource: pods/log, deployments.apps/scale.', sent: 'e.g. pods/log' }),
  name: z.string().max(253).optional().describe('One object by name.'),
  namespace,
  subject: z
    .string()
    .min(3)
    .max(400)
    .optional()
    .meta({ description: 'Another subject; needs the right to ask.', sent: 'user:x, group:x or sa:namespace/x' }),
  view: z
    .enum(VIEWS)
    .default('check')
    .describe('check = is it allowed and why; rules = all I may do in a namespace; who = subjects that may.'),
});

const output = z.object({
  allowed: z.boolean(),
  reason: z.string(),
  question: z.string(),
  subject: z.string(),
  groups: z.array(z.string()),
  decidedBy: z.array(z.record(z.string(), z.unknown())),
  nearest: z.array(z.record(z.string(), z.unknown())),
  missingRule: z.record(z.string(), z.unknown()),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.unknown())),
});

type Args = z.infer<typeof input> & { cluster?: string | undefined };

/** Everybody who has proven who he is belongs to the first group, everybody else to the second: the API server adds them by itself. */
const AUTHENTICATED = 'system:authenticated';
const UNAUTHENTICATED = 'system:unauthenticated';

interface ParsedSubject {
  readonly subject: Subject;
  /** As bindings name it. */
  readonly names: readonly string[];
}

const toUser = (user: string, groups: readonly string[]): ParsedSubject => ({
  subject: { user, groups },
  names: [...(user === '' ? [] : [`user:${user}`]), ...groups.map((group) => `group:${group}`)],
});

/** A service account is a user with three groups. */
const parseSubject = (text: string): ParsedSubject => {
  const [, kind = '', rest = ''] = /^(user|group|sa|serviceaccount):(.+)$/.exec(text) ?? [];
  const [, ownSpace, ownName] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(kind === 'user' ? rest : '') ?? [];
  if (ownSpace !== undefined) return parseSubject(`sa:${ownSpace}/${ownName}`);
  if (kind === 'user') return toUser(rest, [rest === 'system:anonymous' ? UNAUTHENTICATED : AUTHENTICATED]);
  if (kind === 'group') return toUser('', rest === UNAUTHENTICATED || rest === AUTHENTICATED ? [rest] : [rest, AUTHENTICATED]);
  const [space = '', name = ''] = rest.split('/');
  if (kind === '' || space === '' || name === '') {
    throw new AppError('INVALID_ARGUMENT', 'subject must be user:x, group:x or sa:namespace/name.', {
      details: { argument: 'subject', expected: 'user:x, group:x or sa:namespace/x' },
    });
  }
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${space}`, AUTHENTICATED];
  return {
    subject: { user: `system:serviceaccount:${space}:${name}`, groups },
    names: [`sa:${space}/${name}`, `user:system:serviceaccount:${space}:${name}`, ...groups.map((group) => `group:${group}`)],
  };
};

const toQuestion = async (client: KubernetesClient, args: Args, ctx: CallContext): Promise<Question> => {
  if (args.verb === undefined || args.kind === undefined) {
    throw new AppError('INVALID_ARGUMENT', 'verb and kind are needed, such as verb=get kind=pods/log.', {
      details: { argument: args.verb === undefined ? 'verb' : 'kind' },
    });
  }
  const { resource, subresource } = await client.resolveKind(args.kind, ctx);
  return {
    verb: args.verb.toLowerCase(),
    group: resource.group,
    resource: resource.plural,
    subresource,
    name: args.name,
    namespace: resource.namespaced ? args.namespace : undefined,
  };
};

const toWords = ({ verb, group, resource, subresource, name, namespace: space }: Question): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}${name === undefined ? '' : ` ${name}`}${space === undefined ? ' in all namespaces' : ` in ${space}`}`;

const missingRule = ({ verb, group, resource, subresource }: Question) => ({
  apiGroups: [group],
  resources: [subresource === undefined ? resource : `${resource}/${subresource}`],
  verbs: [verb],
});

/** Which bindings decide, or come nearest. Only a plus: without the right to read RBAC the answer stands without it. */
const explainDecision = async (
  client: KubernetesClient,
  question: Question,
  subjects: readonly string[],
  allowed: boolean,
  ctx: CallContext,
): Promise<{ part: Record<string, unknown>; warnings: string[] }> => {
  try {
    const bindings = (await readBindings(client, ctx)).filter((binding) => binding.subjects.some((subject) => subjects.includes(subject)));
    if (allowed) {
      const deciding = bindings.filter(
        (binding) => isInScope(binding, question) && binding.rules.some((rule) => isAllowedBy(rule, question)),
      );
      return { part: { decidedBy: deciding.slice(0, MAX_LACKS).map(({ ref, role }) => ({ binding: ref, role })) }, warnings: [] };
    }
    const near = bindings.flatMap((binding) => {
      const reaches = isInScope(binding, question);
      const allows = binding.rules.some((rule) => isAllowedBy(rule, question));
      const lack =
        allows && !reaches
          ? `reaches only namespace ${binding.namespace}`
          : binding.rules.map((rule) => lackOf(rule, question)).find((text) => text !== undefined);
      return lack === undefined ? [] : [{ binding: binding.ref, role: binding.role, lacks: lack }];
    });
    return {
      part: near.length > 0 ? { nearest: near.slice(0, MAX_LACKS) } : {},
      warnings: bindings.length === 0 ? ['No binding names this subject or its groups.'] : [],
    };
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code !== 'FORBIDDEN') throw thrown;
    return { part: {}, warnings: ['Bindings and roles may not be read with this identity: only the decision is known.'] };
  }
};

const answerCheck = async (client: KubernetesClient, args: Args, head: Record<string, unknown>, ctx: CallContext): Promise<Answer> => {
  const question = await toQuestion(client, args, ctx);
  const asked = { ...question, group: question.group, version: undefined };
  let answer: AccessAnswer;
  let names: readonly string[];
  let who: Record<string, unknown>;
  if (args.subject === undefined) {
    const [reviewed, identity] = await Promise.all([client.accessReview(asked, ctx), client.selfSubjectReview(ctx)]);
    answer = reviewed;
    const [, space, account] = /^system:serviceaccount:([^:]+):(.+)$/.exec(identity.username) ?? [];
    names = [
      `user:${identity.username}`,
      ...(space === undefined ? [] : [`sa:${space}/${account}`]),
      ...identity.groups.map((group) => `group:${group}`),
    ];
    who = { subject: identity.username, groups: identity.groups };
  } else {
    const parsed = parseSubject(args.subject);
    answer = await client.subjectAccessReview(parsed.subject, asked, ctx);
    names = parsed.names;
    who = { subject: args.subject };
  }
  const { part, warnings } = await explainDecision(client, question, names, answer.allowed, ctx);
  return {
    summary: `${answer.allowed ? 'ALLOWED' : 'REFUSED'}: ${String(who['subject'])} ${toWords(question)}`,
    head: {
      ...head,
      allowed: answer.allowed,
      question: toWords(question),
      ...who,
      ...(answer.reason === undefined ? {} : { reason: answer.reason }),
      ...part,
      ...(answer.allowed ? {} : { missingRule: missingRule(question) }),
    },
    ...(warnings.length > 0 ? { warnings } : {}),
  };
};

const answerRules = async (client: KubernetesClient, args: Args, head: Record<string, unknown>, ctx: CallContext): Promise<Answer> => {
  const space = args.namespace ?? client.defaultNamespace;
  const [rules, identity] = await Promise.all([
    client.rulesReview({ namespace: space, signal: ctx.signal }),
    client.selfSubjectReview(ctx),
  ]);
  const rows = rules.resourceRules.map(({ verbs, groups, resources, names }) => [
    resources.join(','),
    groups.map((group) => (group === '' ? 'core' : group)).join(','),
    verbs.join(','),
    names.join(','),
  ]);
  return {
    summary: `${identity.username} in ${space}: ${rows.length} rules`,
    head: { ...head, namespace: space, subject: identity.username, groups: identity.groups },
    list: { key: 'rows', columns: ['RESOURCES', 'GROUPS', 'VERBS', 'NAMES'], items: rows, optional: ['NAMES'], total: rows.length },
    ...(rules.incomplete ? { warnings: ['Some authorizer cannot list its rules: more may be allowed.'] } : {}),
  };
};

const answerWho = async (client: KubernetesClient, args: Args, head: Record<string, unknown>, ctx: CallContext): Promise<Answer> => {
  const question = await toQuestion(client, args, ctx);
  const bindings = (await readBindings(client, ctx)).filter(
    (binding) => isInScope(binding, question) && binding.rules.some((rule) => isAllowedBy(rule, question)),
  );
  const rows = bindings.flatMap(({ ref, role, subjects }) => subjects.map((subject) => [subject, ref, role]));
  return {
    summary: `${rows.length} subjects may ${toWords(question)}`,
    head: { ...head, question: toWords(question) },
    list: {
      key: 'rows',
      columns: ['SUBJECT', 'BINDING', 'ROLE'],
      items: rows.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)),
      total: rows.length,
      narrow: 'Name a namespace or an object.',
    },
    warnings: ['From RBAC objects alone: webhook authorizers, the node authorizer and the group system:masters are not in them.'],
    ...(rows.length === 0 ? { empty: { reason: 'no_match', detail: 'No binding allows it.' } } : {}),
  };
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_check_access',
    title: 'Check access',
    description: 'Answers "can I" and "who can" for a verb on a resource. Use after FORBIDDEN.',
    effect: 'read',
    input,
    output,
    run: async (args, service, ctx) => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const head = { cluster, ...(args.namespace === undefined ? {} : { namespace: args.namespace }) };
      if (args.view === 'rules') return answerRules(client, args, head, ctx);
      return args.view === 'who' ? answerWho(client, args, head, ctx) : answerCheck(client, args, head, ctx);
    },
  }),
];
