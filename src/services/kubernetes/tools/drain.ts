// kubernetes_drain_node: cordons a node and evicts its pods by the eviction API, which respects disruption budgets.

import { z } from 'zod';
import type { Check } from '../../../kit/change.ts';
import { parseDuration } from '../../../kit/duration.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { booleanAt, type KubeObject, metadataOf, nameOf, namespaceOf } from '../../../upstream/kubernetes/objects.ts';
import { formatBytes, formatCores } from '../../../upstream/kubernetes/quantity.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { changeObjects } from '../changes/define.ts';
import { blockedBy, type DrainPods, podName, requestsOf, roomElsewhere, sortPods } from '../changes/drain-pods.ts';
import { evictPods } from '../changes/evict-pods.ts';
import { planPatch } from '../changes/patching.ts';
import { toRef } from '../changes/refs.ts';
import type { Step, StepsPlan } from '../changes/steps.ts';
import type { Work } from '../changes/update.ts';

const input = z.object({
  name: z.string().min(1).max(253).describe('Node.'),
  ignoreDaemonSets: z.boolean().default(true).describe('Leave pods of DaemonSets where they are; they would come back at once.'),
  deleteEmptyDir: z.boolean().default(false).describe('Also pods with emptyDir volumes: their data is lost.'),
  force: z.boolean().default(false).describe('Also pods without a controller: they do not come back.'),
  gracePeriod: z.string().max(32).optional().describe('Such as 30s; absent = as each pod says.'),
  wait: z.string().max(32).default('2m').describe('How long to evict and to wait for pods to be gone.'),
});

type Args = z.infer<typeof input>;

const MAX_NAMES = 10;
const names = (pods: readonly KubeObject[]): string =>
  `${pods.slice(0, MAX_NAMES).map(podName).join(', ')}${pods.length > MAX_NAMES ? ` and ${pods.length - MAX_NAMES} more` : ''}`;

const WHY: Readonly<Record<keyof DrainPods['refused'], string>> = {
  ignoreDaemonSets: 'belong to DaemonSets and would come back at once: set ignoreDaemonSets to leave them',
  deleteEmptyDir: 'have emptyDir volumes, whose data is lost: set deleteEmptyDir to accept that',
  force: 'have no controller and do not come back: set force to accept that',
};

const toChecks = ({ refused }: DrainPods): Check[] =>
  Object.entries(refused)
    .filter(([, pods]) => pods.length > 0)
    .map(([option, pods]) => ({ name: option, result: 'fail', detail: `${names(pods)} ${WHY[option as keyof DrainPods['refused']]}` }));

const podsOn = async (client: KubernetesClient, name: string, signal: AbortSignal): Promise<readonly KubeObject[]> =>
  (await client.listAll(RESOURCES.pods, { fieldSelector: `spec.nodeName=${name}`, signal })).items;

const refOf = (cluster: string, pod: KubeObject): string =>
  toRef({ cluster, resource: RESOURCES.pods, namespace: namespaceOf(pod), name: nameOf(pod) });

const toEvictionStep = ({ client, cluster }: Work, pods: DrainPods, { name, gracePeriod, ...rules }: Args): Step => {
  const place = { cluster, resource: RESOURCES.nodes, name };
  const seconds = gracePeriod === undefined ? undefined : Math.round(parseDuration(gracePeriod, 'gracePeriod') / 1000);
  return {
    place,
    title: `the pods of ${name}`,
    target: { ref: toRef(place), operation: 'evict' },
    run: async (ctx, waitMs) => {
      const { gone, ending, blocked, isCancelled } = await evictPods({
        client,
        node: name,
        pods: pods.evicted,
        gracePeriodSeconds: seconds,
        waitMs,
        ctx,
      });
      const held = Object.entries(blocked);
      const left = [...ending.map((pod) => `${pod} (evicted, still ending)`), ...held.map(([pod, why]) => `${pod}: ${why}`)];
      return {
        targets: pods.evicted
          .filter((pod) => blocked[podName(pod)] === undefined)
          .map((pod) => ({ ref: refOf(cluster, pod), operation: 'evict' })),
        done: gone,
        shown: { evicted: gone.length, ...(ending.length > 0 ? { ending } : {}) },
        ...(left.length === 0 ? {} : { notDone: left }),
        ...(left.length === 0
          ? {}
          : {
              failure: {
                reason: isCancelled ? 'CANCELLED' : held.length > 0 ? 'DISRUPTION_BUDGET' : 'PARTIAL',
                message: isCancelled
                  ? 'The drain was ended half-way; call again to go on.'
                  : `The node is not drained yet: ${held.length} pods not evicted, ${ending.length} still ending. Call again to go on.`,
              },
            }),
      };
    },
    verify: async (_, __, { signal }) => {
      const { evicted } = sortPods(await podsOn(client, name, signal), rules);
      return evicted.length === 0
        ? { result: 'pass', detail: `no evictable pod remains on ${name}` }
        : { result: 'fail', detail: `${evicted.length} evictable pods are on ${name}` };
    },
  };
};

const toImpact = (pods: DrainPods, all: readonly KubeObject[], nodes: readonly KubeObject[], { name }: Args) => {
  const wanted = requestsOf(pods.evicted);
  const free = roomElsewhere(nodes, all, name);
  const owners: Record<string, number> = {};
  for (const pod of pods.evicted) {
    const owner = metadataOf(pod).owners.find(({ controller }) => controller);
    const key = owner === undefined ? 'no controller' : `${namespaceOf(pod)}/${owner.kind}/${owner.name}`;
    owners[key] = (owners[key] ?? 0) + 1;
  }
  return {
    isShort: free.cpu < wanted.cpu || free.memory < wanted.memory,
    facts: {
      podsEvicted: pods.evicted.length,
      owners,
      kept: Object.fromEntries(Object.entries(pods.kept).map(([why, kept]) => [why, kept.length])),
      requested: `${formatCores(wanted.cpu)} CPU, ${formatBytes(wanted.memory)}`,
      freeElsewhere: `${formatCores(free.cpu)} CPU, ${formatBytes(free.memory)}`,
    },
  };
};

const planDrain = async (args: Args, work: Work): Promise<StepsPlan> => {
  const { client, cluster, ctx } = work;
  const { name } = args;
  const { signal } = ctx;
  const node = await client.get(RESOURCES.nodes, { name, signal });
  const [all, nodes, budgets] = await Promise.all([
    client.listAll(RESOURCES.pods, { signal }),
    client.listAll(RESOURCES.nodes, { signal }),
    client.listAll(RESOURCES.poddisruptionbudgets, { signal }),
  ]);
  const pods = sortPods(
    all.items.filter((pod) => (pod['spec'] as { nodeName?: string } | undefined)?.nodeName === name),
    args,
  );
  const cordon = await planPatch(
    work,
    { resource: RESOURCES.nodes, namespace: undefined, name, before: node },
    { patchType: 'merge', patch: { spec: { unschedulable: true } } },
  );
  const blocked = blockedBy(pods.evicted, budgets.items);
  const { facts, isShort } = toImpact(pods, all.items, nodes.items, args);
  const failed = toChecks(pods);
  return {
    summary: `Drain Node ${name}: ${booleanAt(node, 'spec', 'unschedulable') ? 'cordoned already' : 'cordon it'}, evict ${pods.evicted.length} pods`,
    scope: { cluster },
    targets: [
      cordon.step.target,
      ...pods.evicted.map((pod) => ({ ref: refOf(cluster, pod), operation: 'evict' as const, guard: metadataOf(pod).uid })),
    ],
    diff: cordon.diff,
    impact: { ...facts, ...(Object.keys(blocked).length > 0 ? { blockedByBudget: blocked } : {}) },
    checks: [{ name: 'server dry run', result: 'pass' }, ...failed],
    warnings: [
      ...(isShort ? ['the other nodes have less free than these pods ask for: some may stay pending'] : []),
      ...(pods.evicted.some((pod) => nameOf(pod) === work.service.ownPod)
        ? ['this server itself may run on this node: its pod goes with the others, and the drain then ends half-way; call again to go on']
        : []),
      ...(args.deleteEmptyDir ? ['data in emptyDir volumes is lost'] : []),
      ...Object.keys(blocked).map((budget) => `the budget ${budget} allows no eviction now: the drain waits for it, at most for wait`),
    ],
    verify: 'no evictable pod remains on the node',
    undo: { possible: cordon.changes.length > 0, how: 'uncordon the node; the pods do not come back by that' },
    state: {
      client,
      cluster,
      results: [],
      steps: [cordon.step, toEvictionStep(work, pods, args)],
      summary: `Node ${name} drained: ${pods.evicted.length} pods evicted`,
    },
  };
};

export default [
  changeObjects({
    name: 'kubernetes_drain_node',
    title: 'Drain node',
    description: 'Cordons a node and evicts its pods, respecting disruption budgets.',
    effect: 'delete',
    input,
    plan: (args, work) => planDrain(args as Args, work),
  }),
];
