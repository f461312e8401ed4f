// kubernetes_wait_for_resource: watches one object until it is as wanted, or definitely will not be.

import { z } from 'zod';
import type { CallContext } from '../../../kit/context.ts';
import { formatDuration, parseDuration } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { namespace, timeout } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { type KubeObject, metadataOf, nameOf } from '../../../upstream/kubernetes/objects.ts';
import { type ResourceRef, resourceName } from '../../../upstream/kubernetes/resources.ts';
import { groupEvents } from '../describe.ts';
import { type Condition, type Judgement, parseCondition } from '../wait-condition.ts';

const MAX_WAIT_MS = 600_000;

const input = z.object({
  kind: z.string().min(1).max(200).describe('Kind, plural, short name, deployments.apps, or group/version/Kind.'),
  name: z.string().min(1).max(253).describe('Exact name.'),
  namespace,
  condition: z.string().min(1).max(500).default('ready').meta({
    description: 'ready, available, complete, exists, deleted, rollout, condition=Type[=Status], jsonpath=path=value.',
    sent: 'ready, available, complete, exists, deleted, rollout, jsonpath=path=value',
  }),
  timeout: timeout('60s'),
});

const output = z.object({
  kind: z.string(),
  name: z.string(),
  condition: z.string(),
  result: z.enum(['met', 'failed', 'timeout']),
  waited: z.string(),
  state: z.string(),
  events: z.array(z.record(z.string(), z.unknown())),
});

interface Outcome {
  readonly result: 'met' | 'failed' | 'timeout';
  readonly state: string;
  readonly object: KubeObject | undefined;
}

interface WaitCall {
  readonly client: KubernetesClient;
  readonly resource: ResourceRef;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly condition: Condition;
  readonly timeoutMs: number;
  readonly ctx: CallContext;
}

/** Aborts the watch when the time is over, without ending the call. */
class TimeIsOver extends Error {}

const watchObject = async (call: WaitCall): Promise<Outcome> => {
  const { client, resource, condition, timeoutMs, ctx } = call;
  const controller = new AbortController();
  const cancelled = (): void => controller.abort(ctx.signal.reason);
  ctx.signal.addEventListener('abort', cancelled, { once: true });
  if (ctx.signal.aborted) cancelled();
  const timer = setTimeout(() => controller.abort(new TimeIsOver()), timeoutMs);
  const started = ctx.now();
  let object: KubeObject | undefined;
  let last: Judgement = { result: 'waiting', state: 'nothing seen yet' };
  try {
    const scope = resource.namespaced ? { namespace: call.namespace } : {};
    for await (const event of client.watch(resource, {
      ...scope,
      fieldSelector: `metadata.name=${call.name}`,
      signal: controller.signal,
    })) {
      if (event.type === 'BOOKMARK') continue;
      if (event.type === 'STATE') object = event.items.find((item) => nameOf(item) === call.name);
      else object = event.type === 'DELETED' ? undefined : event.object;
      last = condition.judge(object === undefined ? undefined : { ...object, kind: resource.kind });
      if (last.result !== 'waiting') return { result: last.result, state: last.state, object };
      const elapsed = Math.max(0, ctx.now() - started);
      ctx.progress({ progress: Math.min(elapsed, timeoutMs), total: timeoutMs, message: last.state });
    }
    return { result: 'timeout', state: last.state, object };
  } catch (thrown) {
    if (controller.signal.reason instanceof TimeIsOver) return { result: 'timeout', state: last.state, object };
    throw thrown;
  } finally {
    clearTimeout(timer);
    ctx.signal.removeEventListener('abort', cancelled);
    controller.abort();
  }
};

/** Why it is not there yet: its newest events. A plus, so that a refusal here costs nothing. */
const readEvents = async ({ client, ctx }: WaitCall, object: KubeObject | undefined): Promise<readonly Record<string, unknown>[]> => {
  if (object === undefined) return [];
  const { uid, namespace: space } = metadataOf(object);
  const page = await client.events({ namespace: space, about: { uid }, limit: 200, signal: ctx.signal }).catch(() => undefined);
  return groupEvents(page?.events ?? [], ctx.now()).slice(0, 5);
};

export default [
  tool<Kubernetes, typeof input.shape>({
    name: 'kubernetes_wait_for_resource',
    title: 'Wait for resource',
    description: 'Waits until an object reaches a condition or fails. Use after a change.',
    effect: 'read',
    task: true,
    input,
    output,
    run: async (args, service, ctx): Promise<Answer> => {
      const { client, cluster } = await openCluster(service, args.cluster, ctx);
      const timeoutMs = parseDuration(args.timeout, 'timeout');
      if (timeoutMs > MAX_WAIT_MS)
        throw new AppError('INVALID_ARGUMENT', 'timeout is at most 10m.', { details: { argument: 'timeout', limit: '10m' } });
      const condition = parseCondition(args.condition);
      const { resource } = await client.resolveKind(args.kind, ctx);
      const scope = resource.namespaced ? (args.namespace ?? client.defaultNamespace) : undefined;
      const call: WaitCall = { client, resource, name: args.name, namespace: scope, condition, timeoutMs, ctx };
      const started = ctx.now();
      const { result, state, object } = await watchObject(call);
      const events = result === 'met' ? [] : await readEvents(call, object);
      return {
        summary: `${result.toUpperCase()}: ${resourceName(resource)} ${args.name} ${args.condition}`,
        head: {
          cluster,
          ...(scope === undefined ? {} : { namespace: scope }),
          kind: resourceName(resource),
          name: args.name,
          condition: args.condition,
          result,
          waited: formatDuration(Math.max(0, ctx.now() - started)),
          state,
        },
        ...(events.length > 0 ? { sections: [{ key: 'events', value: events }], untrusted: true } : {}),
        ...(result === 'met' || object === undefined
          ? {}
          : {
              next: [
                {
                  tool: 'kubernetes_find_problems',
                  arguments: { kind: args.kind, name: args.name, ...(scope === undefined ? {} : { namespace: scope }) },
                  why: 'what stands in the way',
                },
              ],
            }),
      };
    },
  }),
];
