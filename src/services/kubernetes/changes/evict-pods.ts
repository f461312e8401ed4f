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
  readonly node: string;
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
const PAUSE_MS = 1000;
/** Pods that are held are tried again by turns, so many in each round: a budget that opens opens for one of them. */
const TRIED_AGAIN = 20;

type State = 'waiting' | 'ending' | 'gone';

const HOLDING = new Set(['DISRUPTION_BUDGET', 'SEVERAL_DISRUPTION_BUDGETS']);

/** A budget may open, and a rate limit ends; anything else is final for this pod. */
const isPassing = (thrown: unknown): boolean =>
  thrown instanceof AppError && (thrown.code === 'RATE_LIMITED' || HOLDING.has(String(thrown.details['reason'])));

const uidOf = (pod: KubeObject): string => metadataOf(pod).uid;

/** The pods that are still on the node, in one request, however many are watched. */
const readUids = async (client: KubernetesClient, node: string, signal: AbortSignal): Promise<ReadonlySet<string>> =>
  new Set((await client.listAll(RESOURCES.pods, { fieldSelector: `spec.nodeName=${node}`, signal })).items.map(uidOf));

export const evictPods = async ({ client, node, pods, gracePeriodSeconds, waitMs, ctx }: Eviction): Promise<Evicted> => {
  const limit = AbortSignal.timeout(Math.max(waitMs, 1));
  const signal = AbortSignal.any([ctx.signal, limit]);
  const states = new Map<KubeObject, State>(pods.map((pod) => [pod, 'waiting']));
  const reasons = new Map<KubeObject, string>();
  const count = (state: State): number => [...states.values()].filter((one) => one === state).length;
  const tell = (number: number): void => {
    const held = number === 0 ? '' : `, ${number} held by budgets`;
    ctx.progress({
      progress: count('gone') + count('ending') / 2,
      total: pods.length,
      message: `${count('gone')} of ${pods.length} pods gone${held}`,
    });
  };
  /** Gives whether it is worth another try. */
  const evict = async (pod: KubeObject): Promise<boolean> => {
    const { name, namespace, uid } = metadataOf(pod);
    try {
      await client.evict({ name, namespace, uid, gracePeriodSeconds, signal });
      states.set(pod, 'ending');
      reasons.delete(pod);
      return false;
    } catch (thrown) {
      const error = toAppError(thrown);
      if (error.code === 'NOT_FOUND' || error.code === 'CONFLICT') {
        states.set(pod, 'gone');
        reasons.delete(pod);
        return false;
      }
      if (signal.aborted) return true;
      reasons.set(pod, error.message);
      return isPassing(thrown);
    }
  };
  /** Tries some side by side; gives those that are held. */
  const tryAll = async (some: readonly KubeObject[]): Promise<KubeObject[]> => {
    const queue = [...some];
    const held: KubeObject[] = [];
    const work = async (): Promise<void> => {
      for (let pod = queue.shift(); pod !== undefined && !signal.aborted; pod = queue.shift()) if (await evict(pod)) held.push(pod);
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, some.length) }, work));
    return held;
  };
  const look = async (): Promise<void> => {
    const there = await readUids(client, node, signal);
    for (const [pod, state] of states) if (state === 'ending' && !there.has(uidOf(pod))) states.set(pod, 'gone');
  };
  /** One pod that is held, or never ends, keeps no other waiting. */
  const work = async (): Promise<void> => {
    let held = await tryAll(pods);
    for (;;) {
      if (count('ending') > 0) await look();
      tell(held.length);
      if (held.length === 0 && count('ending') === 0) return;
      await delay(PAUSE_MS, undefined, { signal });
      held = [...held.slice(TRIED_AGAIN), ...(await tryAll(held.slice(0, TRIED_AGAIN)))];
    }
  };
  // The time that is over, or a caller who has left, ends the work and not the report.
  await work().catch((thrown: unknown) => {
    if (!signal.aborted) throw thrown;
  });
  const named = (state: State): string[] => [...states].filter(([, one]) => one === state).map(([pod]) => podName(pod));
  const blocked = [...states]
    .filter(([, one]) => one === 'waiting')
    .map(([pod]) => [podName(pod), reasons.get(pod) ?? 'not tried yet'] as const);
  return { gone: named('gone'), ending: named('ending'), blocked: Object.fromEntries(blocked), isCancelled: ctx.signal.aborted };
};
