// Whose log is meant: from a pod, a workload or a node service to the streams that are read.

import type { CallContext } from '../../kit/context.ts';
import { AppError } from '../../kit/errors.ts';
import type { KubernetesClient } from '../../upstream/kubernetes/client.ts';
import {
  type KubeObject,
  kindOf,
  listAt,
  mapAt,
  metadataOf,
  nameOf,
  numberAt,
  textAt,
  valueAt,
} from '../../upstream/kubernetes/objects.ts';
import { RESOURCES } from '../../upstream/kubernetes/resources.ts';
import { podStatus } from '../../upstream/kubernetes/status.ts';

const MAX_PODS = 10;
const DEFAULT_CONTAINER = 'kubectl.kubernetes.io/default-container';

/** One log to read. */
export interface LogSource {
  readonly pod: string;
  readonly container: string;
  readonly previous: boolean;
}

export interface LogSources {
  /** The pods that are read. */
  readonly pods: readonly KubeObject[];
  readonly sources: readonly LogSource[];
  /** Containers of these pods that are not read. */
  readonly otherContainers: readonly string[];
  /** Pods of the workload beyond the bound. */
  readonly otherPods: readonly string[];
  readonly notes: readonly string[];
}

const isFine = (pod: KubeObject): boolean =>
  ['Running', 'Completed', 'Succeeded'].includes(podStatus(pod).status) && podStatus(pod).restarts === 0;

/** Failing first, then newest. */
const byInterest = (a: KubeObject, b: KubeObject): number =>
  Number(isFine(a)) - Number(isFine(b)) || (metadataOf(b).createdAt ?? 0) - (metadataOf(a).createdAt ?? 0);

const podsBySelector = async (
  client: KubernetesClient,
  workload: KubeObject,
  namespace: string,
  { signal }: CallContext,
): Promise<readonly KubeObject[]> => {
  const labels = Object.entries(mapAt(workload, 'spec', 'selector', 'matchLabels'));
  const expressions = listAt(workload, 'spec', 'selector', 'matchExpressions').map((term) => {
    const values = Array.isArray(term['values']) ? term['values'].map(String).join(',') : '';
    const key = textAt(term, 'key') ?? '';
    const operator = textAt(term, 'operator');
    if (operator === 'In' || operator === 'NotIn') return `${key} ${operator.toLowerCase()} (${values})`;
    return operator === 'DoesNotExist' ? `!${key}` : key;
  });
  const labelSelector = [...labels.map(([key, value]) => `${key}=${value}`), ...expressions].join(',');
  if (labelSelector === '') return [];
  return (await client.listAll(RESOURCES.pods, { namespace, labelSelector, signal })).items;
};

/** Pods of the newest job of a CronJob. */
const podsOfCronJob = async (
  client: KubernetesClient,
  cronJob: KubeObject,
  namespace: string,
  ctx: CallContext,
): Promise<readonly KubeObject[]> => {
  const { uid } = metadataOf(cronJob);
  const { items } = await client.listAll(RESOURCES.jobs, { namespace, signal: ctx.signal });
  const jobs = items
    .filter((job) => metadataOf(job).owners.some((owner) => owner.uid === uid))
    .toSorted((a, b) => (metadataOf(b).createdAt ?? 0) - (metadataOf(a).createdAt ?? 0));
  const [job] = jobs;
  return job === undefined ? [] : podsBySelector(client, job, namespace, ctx);
};

const readPods = async (client: KubernetesClient, name: string, namespace: string, ctx: CallContext): Promise<readonly KubeObject[]> => {
  const at = name.indexOf('/');
  const address = { namespace, signal: ctx.signal };
  if (at < 0) return [await client.get(RESOURCES.pods, { ...address, name })];
  const { resource } = await client.resolveKind(name.slice(0, at), ctx);
  const object = { ...(await client.get(resource, { ...address, name: name.slice(at + 1) })), kind: resource.kind };
  if (resource.kind === 'Pod') return [object];
  if (resource.kind === 'CronJob') return podsOfCronJob(client, object, namespace, ctx);
  if (resource.kind === 'Service')
    return podsBySelector(client, { spec: { selector: { matchLabels: mapAt(object, 'spec', 'selector') } } }, namespace, ctx);
  if (
    valueAt(object, 'spec', 'selector', 'matchLabels') === undefined &&
    valueAt(object, 'spec', 'selector', 'matchExpressions') === undefined
  ) {
    throw new AppError('INVALID_ARGUMENT', `${kindOf(object)} has no pods to read logs of.`, {
      details: { argument: 'name', expected: 'a pod, deployment/x, statefulset/x, daemonset/x, job/x, cronjob/x or node/x:service' },
    });
  }
  return podsBySelector(client, object, namespace, ctx);
};

const statusesOf = (pod: KubeObject): Map<string, KubeObject> =>
  new Map(
    [...listAt(pod, 'status', 'initContainerStatuses'), ...listAt(pod, 'status', 'containerStatuses')].map((status) => [
      textAt(status, 'name') ?? '',
      status,
    ]),
  );

/** The higher, the more its log is worth: crashing now, failed, restarted. */
const troubleOf = (status: KubeObject | undefined): number => {
  if (status === undefined) return 0;
  if (/CrashLoop|Error/.test(textAt(status, 'state', 'waiting', 'reason') ?? '')) return 4;
  if ((numberAt(status, 'state', 'terminated', 'exitCode') ?? 0) !== 0) return 3;
  return (numberAt(status, 'restartCount') ?? 0) > 0 ? 2 : 0;
};

const isWaitingAfterCrash = (status: KubeObject | undefined): boolean =>
  textAt(status, 'state', 'waiting', 'reason') === 'CrashLoopBackOff' && valueAt(status, 'lastState', 'terminated') !== undefined;

const namesOf = (pod: KubeObject): { init: string[]; main: string[] } => ({
  init: listAt(pod, 'spec', 'initContainers').map((container) => textAt(container, 'name') ?? ''),
  main: [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'ephemeralContainers')].map(
    (container) => textAt(container, 'name') ?? '',
  ),
});

const chooseContainers = (pod: KubeObject, wanted: string | undefined): readonly string[] => {
  const { init, main } = namesOf(pod);
  if (wanted === '*') return [...init, ...main];
  if (wanted !== undefined) {
    if ([...init, ...main].includes(wanted)) return [wanted];
    throw new AppError('INVALID_ARGUMENT', `The pod ${nameOf(pod)} has no container ${wanted.slice(0, 80)}.`, {
      details: { argument: 'container', choices: [...init, ...main] },
    });
  }
  const statuses = statusesOf(pod);
  const worst = [...init, ...main]
    .map((name) => ({ name, trouble: troubleOf(statuses.get(name)) }))
    .sort((a, b) => b.trouble - a.trouble)[0];
  if (worst !== undefined && worst.trouble > 0) return [worst.name];
  return [mapAt(pod, 'metadata', 'annotations')[DEFAULT_CONTAINER] ?? main[0] ?? ''];
};

/** Chooses pods and containers; says what was left aside. */
export const findLogSources = async (
  client: KubernetesClient,
  { name, namespace, container, previous }: { name: string; namespace: string; container: string | undefined; previous: boolean },
  ctx: CallContext,
): Promise<LogSources> => {
  const pods = (await readPods(client, name, namespace, ctx)).toSorted(byInterest);
  const notes: string[] = [];
  const read = pods.slice(0, MAX_PODS);
  const sources = read.flatMap((pod) => {
    const statuses = statusesOf(pod);
    return chooseContainers(pod, container).map((containerName): LogSource => {
      const fallsBack = !previous && isWaitingAfterCrash(statuses.get(containerName));
      if (fallsBack) notes.push(`${nameOf(pod)}/${containerName} waits in CrashLoopBackOff: this is the log of its last run.`);
      return { pod: nameOf(pod), container: containerName, previous: previous || fallsBack };
    });
  });
  const chosen = new Set(sources.map((source) => source.container));
  const all = new Set(read.flatMap((pod) => [...namesOf(pod).init, ...namesOf(pod).main]));
  return {
    pods: read,
    sources,
    otherContainers: [...all].filter((one) => !chosen.has(one)),
    otherPods: pods.slice(MAX_PODS).map(nameOf),
    notes,
  };
};
