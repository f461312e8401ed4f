// Evicting many pods: side by side, patiently where a budget says "not now", until all are gone or the time is over. What was done is always told.

import { setTimeout as delay } from 'node:timers/promises';
import type { CallContext } from '../../../kit/context.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type KubeObject, metadataOf } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { podName } from './drain-pods.ts';

export interface Eviction {
  readonly client: KubernetesClient;
  readonly pods: readonly KubeObject[];
  readonly gracePeriodSeconds: number | undefined;
  readonly waitMs: number;
  readonly ctx: CallContext;
}

export interface Evicted {
  /** Gone from the node. */
  readonly gone: readonly string[];
  /** Evicted, still ending. */
  readonly ending: readonly string[];
  /** Not evicted, and why. */
  readonly blocked: Readonly<Record<string, string>>;
  /** Set when the caller ended it half-way. */
  readonly isCancelled: boolean;
}

const PARALLEL = 10;
/** kubectl asks every 5 seconds; budgets open when a new pod is ready, often sooner. */
const RETRY_MS = 1000;
const LOOK_MS = 500;

type State = 'waiting' | 'ending' | 'gone';

const isGone = async (client: KubernetesClient, pod: KubeObject, signal: AbortSignal): Promise<boolean> => {
  const { name, namespace, uid } = metadataOf(pod);
  const current = await client.find(RESOURCES.pods, { name, namespace, signal });
  return current === undefined || metadataOf(current).uid !== uid;
};

const HOLDING = new Set(['DISRUPTION_BUDGET', 'SEVERAL_DISRUPTION_BUDGETS']);

export const evictPods = async ({ client, pods, gracePeriodSeconds, waitMs, ctx }: Eviction): Promise<Evicted> => {
  const limit = AbortSignal.timeout(Math.max(waitMs, 1));
  const signal = AbortSignal.any([ctx.signal, limit]);
  const states = new Map<KubeObject, State>(pods.map((pod) => [pod, 'waiting']));
  const reasons = new Map<KubeObject, string>();
  const count = (state: State): number => [...states.values()].filter((one) => one === state).length;
  const tell = (): void => {
    const held = [...reasons.keys()].filter((pod) => states.get(pod) === 'waiting').length;
    const words = held === 0 ? '' : `, ${held} held by budgets`;
    ctx.progress({
      progress: count('gone') + count('ending') / 2,
      total: pods.length,
      message: `${count('gone')} of ${pods.length} pods gone${words}`,
    });
  };
  const evict = async (pod: KubeObject): Promise<void> => {
    const { name, namespace, uid } = metadataOf(pod);
    for (;;) {
      try {
        await client.evict({ name, namespace, uid, gracePeriodSeconds, signal });
        states.set(pod, 'ending');
        reasons.delete(pod);
        return;
      } catch (thrown) {
        const error = toAppError(thrown);
        if (error.code === 'NOT_FOUND' || error.code === 'CONFLICT') {
          states.set(pod, 'gone');
          return;
        }
        if (signal.aborted) return;
        reasons.set(pod, error.message);
        // A budget may open; anything else is final for this pod.
        if (!(thrown instanceof AppError) || !HOLDING.has(String(thrown.details['reason']))) return;
        tell();
        await delay(RETRY_MS, undefined, { signal });
      }
    }
  };
  const follow = async (pod: KubeObject): Promise<void> => {
    while (states.get(pod) === 'ending') {
      if (await isGone(client, pod, signal)) states.set(pod, 'gone');
      else await delay(LOOK_MS, undefined, { signal });
      tell();
    }
  };
  const queue = [...pods];
  const work = async (): Promise<void> => {
    for (let pod = queue.shift(); pod !== undefined && !signal.aborted; pod = queue.shift()) {
      await evict(pod);
      await follow(pod);
    }
  };
  // The time that is over, or a caller who has left, ends the work and not the report.
  await Promise.all(Array.from({ length: Math.min(PARALLEL, pods.length) }, work)).catch((thrown: unknown) => {
    if (!signal.aborted) throw thrown;
  });
  const named = (state: State): string[] => [...states].filter(([, one]) => one === state).map(([pod]) => podName(pod));
  const blocked = [...states]
    .filter(([, one]) => one === 'waiting')
    .map(([pod]) => [podName(pod), reasons.get(pod) ?? 'not tried yet'] as const);
  return { gone: named('gone'), ending: named('ending'), blocked: Object.fromEntries(blocked), isCancelled: ctx.signal.aborted };
};
