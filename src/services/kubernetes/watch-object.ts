// Watches one object until it is as wanted, or definitely will not be, with progress.

import type { CallContext } from '../../kit/context.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import { type KubeObject, nameOf } from '../../upstream/kubernetes/objects.ts';
import type { ResourceRef } from '../../upstream/kubernetes/resources.ts';
import type { Condition, Judgement } from './wait-condition.ts';

export interface Watched {
  readonly result: 'met' | 'failed' | 'timeout';
  /** The last observed state, in words. */
  readonly state: string;
  readonly object: KubeObject | undefined;
}

export interface WatchCall {
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

export const watchObject = async (call: WatchCall): Promise<Watched> => {
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
