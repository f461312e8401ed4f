// kubernetes_list_resources: objects of any kind, as compact as the question allows.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import { toNameMatcher } from '../../../kit/match.ts';
import { cursor, fieldSelector, fields, labelSelector, limit, namespace, sortBy } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { explainNamespace, type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { resourceName } from '../../../upstream/kubernetes/resources.ts';
import { explainForbiddenList } from '../forbidden.ts';
import type { ListCall } from '../list-call.ts';
import { answerImages } from '../list-images.ts';
import { answerFields, answerFull } from '../list-objects.ts';
import { answerCount, answerKinds, answerNames, answerTable } from '../list-rows.ts';

const VIEWS = ['table', 'names', 'count', 'images', 'full'] as const;
const MAX_KINDS = 20;

const input = z.object({
  kind: z.string().min(1).max(500).meta({
    description: 'Kind, plural, short name, deployments.apps, or group/version/Kind; comma list for several.',
    sent: 'e.g. pods, deployments.apps; comma list',
  }),
  namespace,
  name: z.string().min(1).max(500).optional().describe('Substring, glob or /regex/ of the name.'),
  labelSelector,
  fieldSelector,
  view: z.enum(VIEWS).default('table').describe('images = image inventory; full = whole objects without managedFields.'),
  fields,
  groupBy: z.string().min(1).max(300).optional().describe('Path, label, or a column as printed such as STATUS; gives counts per value.'),
  sortBy: sortBy(),
  limit: limit(50),
  cursor,
});

const output = z.object({
  kind: z.string(),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.unknown())),
  states: z.record(z.string(), z.number()),
  names: z.array(z.string()),
  total: z.number(),
  atLeast: z.number(),
  groups: z.record(z.string(), z.number()),
  images: z.array(z.record(z.string(), z.unknown())),
  items: z.array(z.record(z.string(), z.unknown())),
  resourceVersion: z.string(),
  errors: z.array(z.object({ kind: z.string(), code: z.string(), message: z.string() })),
});

const VIEW_ANSWERS = { table: answerTable, names: answerNames, count: answerCount, images: answerImages, full: answerFull } as const;

const answerOne = async (call: ListCall): Promise<Answer> => {
  if (call.groupBy !== undefined) return answerCount(call);
  if (call.fields !== undefined && call.view !== 'full') return answerFields(call);
  return VIEW_ANSWERS[call.view](call);
};

/** `all` and other categories of the API stand for the kinds in them. */
const expandCategories = async (given: readonly string[], client: KubernetesClient, ctx: CallContext): Promise<readonly string[]> => {
  const words = given.map((word) => word.trim()).filter((word) => word !== '');
  const { groups } = await client.discovery(ctx);
  const kinds = groups.flatMap(({ versions }) => versions[0]?.resources ?? []);
  const expand = (word: string): readonly string[] => {
    const members = kinds
      .filter(({ categories, verbs }) => categories.includes(word.toLowerCase()) && verbs.includes('list'))
      .map(resourceName);
    return members.length > 0 ? members : [word];
  };
  return [...new Set(words.flatMap(expand))];
};

/** An empty list says why: no match, or no such namespace. */
const explainEmpty = async (answer: Answer, call: ListCall, ctx: CallContext): Promise<Answer> => {
  const isEmpty = answer.list?.items.length === 0 && ctx.cursor === undefined && answer.empty === undefined;
  if (!isEmpty) return answer;
  const filters = (['name', 'labelSelector', 'fieldSelector'] as const).flatMap((key) =>
    call[key] === undefined ? [] : [`${key}=${call[key]}`],
  );
  const absent = await explainNamespace(call.client, call.namespace, ctx);
  const scope = call.namespace === undefined || !call.resource.namespaced ? '' : ` in namespace ${call.namespace}`;
  const detail = absent ?? `No ${resourceName(call.resource)}${scope}${filters.length > 0 ? ` match ${filters.join(', ')}` : ''}.`;
  return { ...answer, empty: { reason: 'no_match', detail } };
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_list_resources',
    title: 'List resources',
    description:
      'Lists objects of any kind with status as kubectl shows it; filters, counts, projects fields. Then kubernetes_get_resource.',
    effect: 'read',
    cacheFor: '2s',
    input,
    output,
    run: async (args, service, ctx) => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const words = await expandCategories(args.kind.split(','), client, ctx);
      if (words.length === 0 || words.length > MAX_KINDS) {
        throw new AppError('INVALID_ARGUMENT', `Name between one and ${MAX_KINDS} kinds.`, {
          details: { argument: 'kind', limit: MAX_KINDS },
        });
      }
      const matches = args.name === undefined ? undefined : await toNameMatcher(args.name);
      const toCall = async (word: string): Promise<ListCall> => {
        const { resource, subresource } = await client.resolveKind(word, ctx);
        if (subresource !== undefined)
          throw new AppError('INVALID_ARGUMENT', 'Subresources cannot be listed.', { details: { argument: 'kind' } });
        return { ...args, client, cluster, service, ctx, resource, matches };
      };
      const [word = ''] = words;
      if (words.length > 1) return answerKinds(words, toCall, { cluster, namespace: args.namespace, limit: args.limit, ctx });
      const call = await toCall(word);
      try {
        return await explainEmpty(await answerOne(call), call, ctx);
      } catch (thrown) {
        throw await explainForbiddenList(toAppError(thrown), thrown, call);
      }
    },
  }),
];
