// kubernetes_get_resource: objects by name, from a few lines to everything.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import { fields, namespace } from '../../../kit/params.ts';
import { parsePath, select } from '../../../kit/paths.ts';
import type { Answer, NextCall, Section } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { ApiResource } from '../../../upstream/kubernetes/discovery.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { type KubeObject, kindOf, nameOf } from '../../../upstream/kubernetes/objects.ts';
import { toReadable, toSafe } from '../../../upstream/kubernetes/present.ts';
import { resourceName } from '../../../upstream/kubernetes/resources.ts';
import { podStatus } from '../../../upstream/kubernetes/status.ts';
import { toDescription } from '../describe.ts';
import { isConfigMaps, learnNamespace } from '../learn-secrets.ts';
import { toRolloutSections } from '../revisions.ts';
import { scanTable } from '../scan.ts';
import { toSummary } from '../summary.ts';

const VIEWS = ['summary', 'describe', 'status', 'rollout', 'full', 'yaml'] as const;
const MAX_NAMES = 20;

const input = z.object({
  kind: z
    .string()
    .min(1)
    .max(200)
    .describe('Kind, plural, short name, deployments.apps, or group/version/Kind; kind/name is accepted too.'),
  name: z.string().min(1).max(5000).meta({ description: 'Name, or comma list of up to 20.', sent: 'comma list for several' }),
  namespace,
  view: z
    .enum(VIEWS)
    .default('summary')
    .describe('describe adds events and related objects; rollout adds revisions and their differences.'),
  fields,
});

const anything = z.unknown();
const output = z.object({
  kind: z.string(),
  name: z.string(),
  items: z.array(z.record(z.string(), anything)),
  missing: z.array(z.string()),
  object: z.record(z.string(), anything),
  status: anything,
  conditions: z.array(z.record(z.string(), anything)),
  containers: z.array(z.record(z.string(), anything)),
  spec: anything,
  events: anything,
  pods: z.array(z.record(z.string(), anything)),
  rollout: z.record(z.string(), anything),
  revisions: z.array(z.record(z.string(), anything)),
  yaml: z.string(),
  fields: z.record(z.string(), anything),
  labels: z.string(),
  replicas: z.record(z.string(), anything),
  ownerChain: z.array(z.string()),
  services: z.array(z.string()),
  autoscaler: z.array(z.string()),
  disruptionBudgets: z.array(z.string()),
  quota: z.array(z.string()),
  endpoints: z.record(z.string(), anything),
  allocation: z.record(z.string(), anything),
  volumes: z.array(z.string()),
  allConditions: z.array(z.record(z.string(), anything)),
});

interface GetCall {
  readonly client: KubernetesClient;
  readonly cluster: string;
  readonly service: Kubernetes;
  readonly ctx: CallContext;
  readonly resource: ApiResource;
  readonly namespace: string | undefined;
  readonly view: (typeof VIEWS)[number];
  readonly fields: readonly string[] | undefined;
}

const toHead = ({ cluster, resource, namespace: scope }: GetCall): Record<string, unknown> => ({
  cluster,
  ...(resource.namespaced ? { namespace: scope } : {}),
  kind: resourceName(resource),
});

const selectFields = (object: KubeObject, paths: readonly string[]): Record<string, unknown> =>
  Object.fromEntries(paths.map((text) => [text, select(object, parsePath(text)) ?? null]).filter(([, value]) => value !== null));

/** The next step that helps most, by what is wrong. */
const toNext = (object: KubeObject, call: GetCall): NextCall[] => {
  const arguments_ = { name: nameOf(object), namespace: call.namespace };
  if (kindOf(object) !== 'Pod') return [];
  const { status, restarts } = podStatus(object);
  if (/CrashLoop|Error|OOM/.test(status) || restarts > 0)
    return [{ tool: 'kubernetes_get_logs', arguments: { ...arguments_, previous: true }, why: 'why the last run ended' }];
  return status === 'Running' || status === 'Completed'
    ? []
    : [{ tool: 'kubernetes_find_problems', arguments: { kind: 'pod', ...arguments_ }, why: `why it is ${status}` }];
};

const answerYaml = async (object: KubeObject, call: GetCall): Promise<Answer> => {
  const { stringify } = await import('yaml');
  return {
    head: { ...toHead(call), name: nameOf(object) },
    sections: [{ key: 'yaml', value: stringify(toReadable(object, call.service), { lineWidth: 0 }) }],
    untrusted: true,
  };
};

const toWholeSections = (object: KubeObject, call: GetCall): Section[] => {
  const { status, ...rest } = toReadable(object, call.service);
  return [{ key: 'object', value: rest }, ...(status === undefined ? [] : [{ key: 'status', value: status }])];
};

const answerOne = async (name: string, call: GetCall): Promise<Answer> => {
  const { client, resource, ctx, service, view } = call;
  const address = { name, namespace: call.namespace, signal: ctx.signal };
  const object = { ...(await client.get(resource, address)), kind: resource.kind };
  const head = { ...toHead(call), name };
  if (call.fields !== undefined)
    return { head, sections: [{ key: 'fields', value: selectFields(toSafe(object, service), call.fields) }], untrusted: true };
  if (view === 'yaml') return answerYaml(object, call);
  if (view === 'full') return { head, sections: toWholeSections(object, call), untrusted: true };
  if (view === 'status') return { head, sections: [{ key: 'status', value: toSafe(object, service)['status'] ?? {} }], untrusted: true };
  if (view === 'rollout') return { head, sections: await toRolloutSections(client, object, service, ctx), untrusted: true };
  const printed = await client.getTable(resource, address);
  const summary = toSummary(object, printed, service);
  const next = toNext(object, call);
  if (view === 'summary') return { head, sections: summary, next };
  const { sections, warnings } = await toDescription({ client, object, service, ctx });
  const kept = summary.filter(({ key }) => key !== 'containers' || !sections.some((section) => section.key === 'containers'));
  return { head, sections: [...kept, ...sections], ...(warnings.length > 0 ? { warnings } : {}), next, untrusted: true };
};

const toItem = (object: KubeObject, call: GetCall): Record<string, unknown> => {
  if (call.fields !== undefined) return { name: nameOf(object), ...selectFields(toSafe(object, call.service), call.fields) };
  if (call.view === 'full' || call.view === 'yaml') return toReadable(object, call.service);
  if (call.view === 'status') return { name: nameOf(object), status: object['status'] };
  return Object.fromEntries(toSummary(object, { columns: [], row: undefined }, call.service).map(({ key, value }) => [key, value]));
};

const answerMany = async (names: readonly string[], call: GetCall): Promise<Answer> => {
  const { items, missing } = await call.client.getMany(call.resource, { names, namespace: call.namespace, signal: call.ctx.signal });
  const objects = items.map((item) => toItem({ ...item, kind: call.resource.kind }, call));
  return {
    summary: `${items.length} of ${names.length} ${resourceName(call.resource)}`,
    head: { ...toHead(call), ...(missing.length > 0 ? { missing } : {}) },
    list: { key: 'items', items: objects, total: objects.length },
    untrusted: true,
  };
};

/** A missing object lists the near names. */
const explainMissing = async (thrown: unknown, name: string, call: GetCall): Promise<unknown> => {
  const error = toAppError(thrown);
  if (error.code !== 'NOT_FOUND') return thrown;
  const scan = await scanTable(call.client, call.resource, {
    namespace: call.resource.namespaced ? call.namespace : undefined,
    labelSelector: undefined,
    fieldSelector: undefined,
    signal: call.ctx.signal,
  }).catch(() => undefined);
  const nearest = nearestNames(name, scan?.rows.map((row) => row.name) ?? []);
  return new AppError('NOT_FOUND', error.message, {
    details: { ...error.details, ...(nearest.length > 0 ? { nearest } : {}) },
    cause: error,
  });
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_get_resource',
    title: 'Get resource',
    description: 'Gets objects by name. describe adds events and related objects, rollout adds revisions.',
    effect: 'read',
    cacheFor: '2s',
    input,
    output,
    run: async (args, service, ctx) => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const { resource, subresource } = await client.resolveKind(args.kind, ctx);
      if (subresource !== undefined)
        throw new AppError('INVALID_ARGUMENT', 'Name the kind without a subresource; view=status shows the status.', {
          details: { argument: 'kind' },
        });
      const names = args.name
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '');
      if (names.length === 0 || names.length > MAX_NAMES)
        throw new AppError('INVALID_ARGUMENT', `Name between one and ${MAX_NAMES} objects.`, {
          details: { argument: 'name', limit: MAX_NAMES },
        });
      const scope = resource.namespaced ? (args.namespace ?? client.defaultNamespace) : undefined;
      const call: GetCall = { client, cluster, service, ctx, resource, namespace: scope, view: args.view, fields: args.fields };
      const [name = ''] = names;
      if (isConfigMaps(resource) && scope !== undefined) await learnNamespace(scope, client, service, ctx);
      if (names.length > 1) return answerMany(names, call);
      try {
        return await answerOne(name, call);
      } catch (thrown) {
        throw await explainMissing(thrown, name, call);
      }
    },
  }),
];
