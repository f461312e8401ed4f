// kubernetes_explain_api: what the cluster serves, and what a field means.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { toNameMatcher } from '../../../kit/match.ts';
import { cursor, limit } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { Discovery } from '../../../upstream/kubernetes/discovery.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { apiVersionOf } from '../../../upstream/kubernetes/resources.ts';
import { explainSchema } from '../explain.ts';

const VIEWS = ['resources', 'versions', 'schema'] as const;

const input = z.object({
  kind: z
    .string()
    .min(1)
    .max(400)
    .optional()
    .meta({ description: 'Kind or path of a field, such as deployment.spec.strategy.', sent: 'e.g. deployment.spec.strategy' }),
  group: z.string().max(253).optional().describe('Only this API group; "core" or "" = the core group.'),
  namespaced: z.boolean().optional().describe('Only kinds with (or without) namespaces.'),
  view: z.enum(VIEWS).optional().describe('Absent = schema when kind is given, else resources.'),
  limit: limit(50),
  cursor,
});

const output = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  path: z.string(),
  type: z.string(),
  description: z.string(),
  enum: z.array(z.unknown()),
  fields: z.array(z.record(z.string(), z.unknown())),
  columns: z.array(z.string()),
  rows: z.array(z.array(z.unknown())),
  unavailable: z.array(z.record(z.string(), z.unknown())),
});

type Args = z.infer<typeof input>;

const skipOf = ({ cursor: state }: CallContext): number => Number((state as { skip?: number } | undefined)?.skip ?? 0);

const isGroup = (wanted: string | undefined, name: string): boolean => wanted === undefined || name === (wanted === 'core' ? '' : wanted);

/** The word before the first dot that is a kind, with its group when that is what the dots mean. */
const resolvePath = async (text: string, client: KubernetesClient, ctx: CallContext) => {
  const parts = text.split('.');
  // `deployments.apps` is a kind; `deployment.spec.replicas` is a path. The longest reading as a kind wins.
  for (let length = parts.length; length > 1; length--) {
    const found = await client.resolveKind(parts.slice(0, length).join('.'), ctx).catch(() => undefined);
    if (found !== undefined) return { resource: found.resource, path: parts.slice(length) };
  }
  const { resource } = await client.resolveKind(parts[0] ?? text, ctx);
  return { resource, path: parts.slice(1) };
};

const answerSchema = async (
  kind: string,
  client: KubernetesClient,
  ctx: CallContext,
  head: Record<string, unknown>,
  { limit: most }: Args,
): Promise<Answer> => {
  const { resource, path } = await resolvePath(kind, client, ctx);
  const document = await client.openapi(resource, ctx);
  const view = explainSchema(document, resource, path);
  const skip = skipOf(ctx);
  const ordered = view.fields.toSorted((a, b) => Number(b.required ?? false) - Number(a.required ?? false));
  return {
    summary: `${view.path} <${view.type}>`,
    head: {
      ...head,
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      path: view.path,
      type: view.type,
      ...(view.description === undefined ? {} : { description: view.description }),
      ...(view.enum.length > 0 ? { enum: view.enum } : {}),
    },
    list: {
      key: 'fields',
      items: ordered.slice(skip, skip + most),
      optional: ['enum', 'description'],
      total: ordered.length,
      resume: { state: { skip }, ...(skip + most < ordered.length ? { end: { skip: skip + most } } : {}) },
      narrow: 'Name one field in kind, such as deployment.spec.strategy.',
    },
  };
};

const toRows = (discovery: Discovery, { group, namespaced }: Args, matches: ((text: string) => boolean) | undefined): unknown[][] =>
  discovery.groups
    .filter(({ name }) => isGroup(group, name))
    .flatMap(({ versions }) => versions.slice(0, 1))
    .flatMap(({ resources }) => resources)
    .filter((resource) => namespaced === undefined || resource.namespaced === namespaced)
    .filter((resource) => matches === undefined || matches(resource.plural) || matches(resource.kind))
    .map((resource) => [
      resource.plural,
      resource.shortNames.join(','),
      apiVersionOf(resource),
      resource.kind,
      resource.namespaced,
      resource.verbs.join(','),
    ]);

const toVersionRows = (discovery: Discovery, { group }: Args): unknown[][] =>
  discovery.groups
    .filter(({ name }) => isGroup(group, name))
    .flatMap(({ name, versions }) =>
      versions.map((version, index) => [
        name === '' ? 'core' : name,
        version.version,
        index === 0 ? 'preferred' : 'served',
        version.resources.length,
      ]),
    );

const answerRows = (
  columns: readonly string[],
  rows: readonly unknown[][],
  head: Record<string, unknown>,
  ctx: CallContext,
  { limit: most }: Args,
): Answer => {
  const skip = skipOf(ctx);
  return {
    summary: `${rows.length} ${columns[0] === 'NAME' ? 'kinds' : 'versions'}`,
    head,
    list: {
      key: 'rows',
      columns,
      items: rows.slice(skip, skip + most),
      optional: ['VERBS', 'SHORT'],
      total: rows.length,
      resume: { state: { skip }, ...(skip + most < rows.length ? { end: { skip: skip + most } } : {}) },
      narrow: 'Narrow with kind, group or namespaced.',
    },
    ...(rows.length === 0 ? { empty: { reason: 'no_match', detail: 'No kind of this cluster matches.' } } : {}),
  };
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_explain_api',
    title: 'Explain API',
    description: 'Lists API resources and versions, or explains a field. Use before writing manifests.',
    effect: 'read',
    cacheFor: '10m',
    input,
    output,
    run: async (args, service, ctx) => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const view = args.view ?? (args.kind === undefined ? 'resources' : 'schema');
      if (view === 'schema' && args.kind !== undefined) return answerSchema(args.kind, client, ctx, { cluster }, args);
      const discovery = await client.discovery(ctx);
      const head = { cluster, ...(discovery.unavailable.length > 0 ? { unavailable: discovery.unavailable } : {}) };
      if (view === 'versions') return answerRows(['GROUP', 'VERSION', 'STATE', 'KINDS'], toVersionRows(discovery, args), head, ctx, args);
      const matches = args.kind === undefined ? undefined : await toNameMatcher(args.kind, 'kind');
      return answerRows(['NAME', 'SHORT', 'APIVERSION', 'KIND', 'NAMESPACED', 'VERBS'], toRows(discovery, args, matches), head, ctx, args);
    },
  }),
];
