// kubernetes_wait_for_resource: watches one object until it is as wanted, or definitely will not be.

import { z } from 'zod';
import { formatDuration, parseDuration } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { namespace, timeout } from '../../../kit/params.ts';
import type { Answer } from '../../../kit/result.ts';
import { tool } from '../../../kit/tool.ts';
import { type Kubernetes, openCluster } from '../../../upstream/kubernetes/kubernetes.ts';
import { type KubeObject, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import { resourceName } from '../../../upstream/kubernetes/resources.ts';
import { groupEvents } from '../describe.ts';
import { parseCondition } from '../wait-condition.ts';
import { type WatchCall, watchObject } from '../watch-object.ts';

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

/** Why it is not there yet: its newest events. A plus, so that a refusal here costs nothing. */
const readEvents = async ({ client, ctx }: WatchCall, object: KubeObject | undefined): Promise<readonly Record<string, unknown>[]> => {
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
      const call: WatchCall = { client, resource, name: args.name, namespace: scope, condition, timeoutMs, ctx };
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
