// kubernetes_find_problems: what is broken, why, and what to look at next.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { toTimestamp } from '../../../kit/duration.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import { cursor, limit, namespace } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { ApiResource } from '../../../upstream/kubernetes/discovery.ts';
import { explainNamespace, type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { RESOURCES, resourceName } from '../../../upstream/kubernetes/resources.ts';
import { explainForbiddenList } from '../forbidden.ts';
import { getOrNear } from '../missing.ts';
import { diagnose } from '../problems/diagnose.ts';
import { FAMILIES } from '../problems/families.ts';
import { type Found, findProblems } from '../problems/find.ts';
import { countOf, type Problem, refKey, refText, toRef } from '../problems/problem.ts';
import { KINDS, type Plural } from '../problems/snapshot.ts';

const input = z.object({
  kind: z.string().min(1).max(500).optional().describe('One kind or a comma list; absent = all checks.'),
  name: z.string().min(1).max(400).optional().describe('Diagnose this one object of that kind; deployment/web is accepted, too.'),
  namespace,
  limit: limit(20),
  cursor,
});

const text = z.string();
const found = {
  severity: z.enum(['critical', 'warning', 'info']).optional(),
  reason: text,
  since: text.optional(),
  detail: text.optional(),
  evidence: z.array(text).optional(),
};

const output = z.object({
  problems: z.array(
    z.object({
      ...found,
      namespace: text.optional(),
      ref: text,
      check: text.optional(),
      field: text.optional(),
      value: text.optional(),
      of: text.optional(),
      next: z.object({ tool: text, arguments: z.record(text, z.unknown()) }).optional(),
    }),
  ),
  healthy: z.record(text, z.number()),
  checked: z.array(text),
  notChecked: z.array(text),
  kind: text,
  name: text,
  status: text,
  result: z.enum(['ok', 'fail', 'unknown']),
  cause: z.object({ ...found, ref: text.optional() }),
  checks: z.array(z.object({ check: text, result: z.enum(['ok', 'fail', 'unknown']), detail: text.optional() })),
  events: z.array(z.record(text, z.unknown())),
});

interface ProblemsCall {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly namespace: string | undefined;
  readonly ctx: CallContext;
}

/** Kinds whose healthy objects are counted. */
const COUNTED: readonly Plural[] = [
  'nodes',
  'deployments',
  'statefulsets',
  'daemonsets',
  'pods',
  'jobs',
  'cronjobs',
  'services',
  'ingresses',
  'persistentvolumeclaims',
  'horizontalpodautoscalers',
  'poddisruptionbudgets',
];

/** `of` names the object that has the field where it is another than the one to mend. */
const toFieldItem = ({ ref, at, check }: Problem): Record<string, unknown> => ({
  ...(check === undefined ? {} : { check }),
  field: at.field,
  value: at.value,
  ...(refKey(at.of) === refKey(ref) ? {} : { of: refText(at.of) }),
});

const toItem = (problem: Problem, withNamespace: boolean): Record<string, unknown> => ({
  severity: problem.severity,
  ...(withNamespace && problem.ref.namespace !== undefined ? { namespace: problem.ref.namespace } : {}),
  ref: refText(problem.ref),
  reason: problem.reason,
  ...(problem.since === undefined ? {} : { since: toTimestamp(problem.since) }),
  detail: problem.detail,
  ...toFieldItem(problem),
  ...((problem.evidence ?? []).length === 0 ? {} : { evidence: problem.evidence }),
  ...(problem.next === undefined ? {} : { next: problem.next }),
});

const countHealthy = (
  { reading: { snapshot } }: Found,
  problems: readonly Problem[],
  about: readonly Plural[] | undefined,
): Record<string, number> => {
  const sick = new Set(
    problems.filter(({ severity }) => severity !== 'info').flatMap(({ ref, involves = [] }) => [ref, ...involves].map(refKey)),
  );
  const entries = (about ?? COUNTED).map((plural) => {
    const healthy = snapshot.list(plural).filter((object) => !sick.has(refKey(toRef(object))));
    return [plural, healthy.length] as const;
  });
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
};

const toCounts = (problems: readonly Problem[]): string =>
  (['critical', 'warning', 'info'] as const)
    .map((severity) => ({ severity, count: problems.filter((problem) => problem.severity === severity).length }))
    .filter(({ count }) => count > 0)
    .map(({ severity, count }) => `${count} ${severity}`)
    .join(', ');

/** What has no namespace matters to a namespace only through what follows from it there. */
const isInScope = ({ ref, involves = [] }: Problem, namespace: string | undefined): boolean =>
  namespace === undefined ||
  [ref, ...involves].some((one) => one.namespace === namespace || (one.kind === 'namespace' && one.name === namespace));

const isAbout = ({ ref, involves = [] }: Problem, about: readonly Plural[] | undefined): boolean =>
  about === undefined || [ref, ...involves].some(({ kind }) => about.some((plural) => KINDS[plural].kind.toLowerCase() === kind));

const answerScan = async (about: readonly Plural[] | undefined, most: number, call: ProblemsCall): Promise<Answer> => {
  const { client, cluster, ctx } = call;
  const result = await findProblems(client, { namespace: call.namespace, about }, ctx);
  const { reading, families } = result;
  const problems = result.joined.filter((problem) => isInScope(problem, call.namespace) && isAbout(problem, about));
  const skip = Number((ctx.cursor as { skip?: number } | undefined)?.skip ?? 0);
  const isEmpty = problems.length === 0;
  const absent = isEmpty ? await explainNamespace(client, call.namespace, ctx) : undefined;
  const unable = families.filter((one) => one.problems === undefined).map(({ family }) => family.name);
  return {
    summary: isEmpty
      ? `No problems found${reading.unread.length > 0 ? ' in what could be checked' : ''}`
      : `${countOf(problems.length, 'problem')}: ${toCounts(problems)}`,
    head: {
      cluster,
      namespace: call.namespace ?? 'all',
      healthy: countHealthy(result, problems, about),
      ...(isEmpty ? { checked: families.filter((one) => one.problems !== undefined).map(({ family }) => family.name) } : {}),
      ...(reading.unread.length > 0
        ? { notChecked: [...unable.map((name) => `${name} checks`), ...reading.unread.map(({ kind, why }) => `${kind} (${why})`)] }
        : {}),
    },
    list: {
      key: 'problems',
      items: problems.slice(skip, skip + most).map((problem) => toItem(problem, call.namespace === undefined)),
      total: problems.length,
      resume: { state: { skip }, ...(skip + most < problems.length ? { end: { skip: skip + most } } : {}) },
      narrow: 'Narrow with namespace or kind.',
    },
    ...(isEmpty ? { empty: { reason: 'no_match' as const, detail: absent ?? 'Nothing is wrong in what was checked.' } } : {}),
    ...(reading.warnings.length > 0 ? { warnings: reading.warnings } : {}),
    ...(isEmpty ? {} : { untrusted: true }),
  };
};

/** The built-in kind behind a resource; undefined for others. */
const toPlural = ({ group, plural }: ApiResource): Plural | undefined =>
  Object.hasOwn(KINDS, plural) && KINDS[plural as Plural].group === group ? (plural as Plural) : undefined;

const answerOne = async (resource: ApiResource, name: string, call: ProblemsCall): Promise<Answer> => {
  const { client, cluster, ctx } = call;
  const scope = resource.namespaced ? (call.namespace ?? client.defaultNamespace) : undefined;
  const object = await getOrNear(client, { resource, name, namespace: scope, signal: ctx.signal });
  const { status, result, cause, checks, events, problem, warnings } = await diagnose(client, object, toPlural(resource), ctx);
  const words = { ok: 'No problem found with', fail: 'Something is wrong with', unknown: 'Not everything could be checked of' }[result];
  return {
    summary: `${words} ${resourceName(resource)} ${name}`,
    head: {
      cluster,
      ...(scope === undefined ? {} : { namespace: scope }),
      kind: resourceName(resource),
      name,
      result,
      ...(status === undefined ? {} : { status }),
      ...(cause === undefined ? {} : { cause }),
    },
    sections: [{ key: 'checks', value: checks }, ...(events.length > 0 ? [{ key: 'events', value: events }] : [])],
    ...(problem?.next === undefined ? {} : { next: [{ ...problem.next, why: 'shows more' }] }),
    ...(warnings.length > 0 ? { warnings } : {}),
    untrusted: true,
  };
};

const CHECKED = new Set(FAMILIES.flatMap(({ about }) => about));

const toChecked = (resource: ApiResource): Plural => {
  const plural = toPlural(resource);
  if (plural !== undefined && CHECKED.has(plural)) return plural;
  throw new AppError('INVALID_ARGUMENT', `No check speaks about ${resourceName(resource)} as a kind; give a name to diagnose one object.`, {
    details: { argument: 'kind', choices: [...CHECKED].sort() },
  });
};

/** `deployment` and `web`, or `deployment/web`. */
const splitName = (kind: string | undefined, name: string): { kind: string; name: string } => {
  const at = name.indexOf('/');
  if (at > 0) return { kind: name.slice(0, at), name: name.slice(at + 1) };
  if (kind !== undefined && !kind.includes(',')) return { kind, name };
  throw new AppError('INVALID_ARGUMENT', 'To diagnose one object give its kind, too, and one alone.', {
    details: { argument: 'kind', expected: 'such as deployment' },
  });
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_find_problems',
    title: 'Find problems',
    description: 'Finds unhealthy objects with reason and evidence. Give kind and name to diagnose one.',
    effect: 'read',
    cacheFor: '5s',
    input,
    output,
    run: async (args, service, ctx): Promise<Answer> => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const call: ProblemsCall = { client, cluster, namespace: args.namespace, ctx };
      const resolve = async (word: string): Promise<ApiResource> => (await client.resolveKind(word, ctx)).resource;
      if (args.name !== undefined) {
        const wanted = splitName(args.kind, args.name);
        return answerOne(await resolve(wanted.kind), wanted.name, call);
      }
      const words = (args.kind ?? '').split(',').flatMap((word) => word.trim() || []);
      const about = (await Promise.all(words.map(resolve))).map(toChecked);
      try {
        return await answerScan(about.length > 0 ? about : undefined, args.limit, call);
      } catch (thrown) {
        throw await explainForbiddenList(toAppError(thrown), thrown, { ...call, resource: RESOURCES.pods });
      }
    },
  }),
];
