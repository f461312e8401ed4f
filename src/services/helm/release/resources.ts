// The objects of a release as they are in the cluster: are they there, and do they work?

import { AppError } from '../../../kit/errors.ts';
import { inParallel as workInParallel } from '../../../kit/parallel.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { selectorWords } from '../../../upstream/kubernetes/label-selector.ts';
import { conditionOf, fieldsAt, type KubeObject, listAt, nameOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES, type ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import { rolloutStatus } from '../../../upstream/kubernetes/rollout.ts';
import { jobStatus, phaseStatus, podStatus } from '../../../upstream/kubernetes/status.ts';
import type { ManifestObject } from './manifest.ts';
import { whyRemoved } from './removed-apis.ts';

const PARALLEL = 5;
const MAX_PODS = 100;

export interface LiveObject {
  readonly wanted: ManifestObject;
  /** Undefined: the cluster does not serve this kind. */
  readonly resource: ResourceRef | undefined;
  /** Undefined: absent, or not readable. */
  readonly live: KubeObject | undefined;
  readonly problem: AppError | undefined;
}

export interface ResourceRow {
  readonly ref: string;
  /** `unknown`: it may not be read. */
  readonly exists: boolean | 'unknown';
  readonly ready?: boolean;
  readonly reason?: string;
}

/** Works on all of them, some at a time, in their order. */
export const inParallel = <Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> =>
  workInParallel(items, PARALLEL, work);

const isTolerable = (thrown: unknown): thrown is AppError =>
  thrown instanceof AppError && ['FORBIDDEN', 'UNSUPPORTED', 'INVALID_ARGUMENT', 'NOT_FOUND'].includes(thrown.code);

/** What a kind is to this cluster; undefined = it does not serve it. */
export const resolve = async (
  client: KubernetesClient,
  { apiVersion, kind }: Pick<ManifestObject, 'apiVersion' | 'kind'>,
  signal: AbortSignal,
): Promise<ResourceRef | undefined> =>
  client.resolveKind(`${apiVersion}/${kind}`, { signal }).then(
    ({ resource }) => resource,
    (thrown: unknown) => {
      if (isTolerable(thrown)) return undefined;
      throw thrown;
    },
  );

export const readLive = (client: KubernetesClient, objects: readonly ManifestObject[], signal: AbortSignal): Promise<LiveObject[]> =>
  inParallel(objects, async (wanted) => {
    const resource = await resolve(client, wanted, signal);
    if (resource === undefined) return { wanted, resource, live: undefined, problem: undefined };
    try {
      const live = await client.find(resource, {
        name: wanted.name,
        ...(resource.namespaced ? { namespace: wanted.namespace } : {}),
        signal,
      });
      return { wanted, resource, live: live === undefined ? undefined : { ...live, kind: resource.kind }, problem: undefined };
    } catch (thrown) {
      if (!isTolerable(thrown)) throw thrown;
      return { wanted, resource, live: undefined, problem: thrown };
    }
  });

interface Health {
  readonly ready: boolean;
  readonly reason?: string | undefined;
}

const READY: Health = { ready: true };

const judgeRollout = (object: KubeObject): Health => {
  const { state, message } = rolloutStatus(object);
  return state === 'complete' || state === 'unsupported' ? READY : { ready: false, reason: message };
};

const judgePod = (pod: KubeObject): Health => {
  const { status, ready, containers } = podStatus(pod);
  const isFine = status === 'Completed' || (status === 'Running' && ready === containers);
  return isFine ? READY : { ready: false, reason: `${status}, ${ready}/${containers} containers ready` };
};

const judgeService = (service: KubeObject): Health =>
  textAt(service, 'spec', 'type') === 'LoadBalancer' && listAt(service, 'status', 'loadBalancer', 'ingress').length === 0
    ? { ready: false, reason: 'the load balancer has no address yet' }
    : READY;

const judgeJob = (job: KubeObject, now: number): Health => {
  const { status, reason, completions } = jobStatus(job, now);
  if (status === 'Complete') return READY;
  return { ready: false, reason: reason === undefined ? `${status}, ${completions} completions` : `${status}: ${reason}` };
};

const judgeConditions = (object: KubeObject): Health => {
  const condition = ['Ready', 'Available', 'Established'].map((type) => conditionOf(object, type)).find((one) => one !== undefined);
  if (condition === undefined || condition.status === 'True') return READY;
  return { ready: false, reason: [condition.type, condition.reason, condition.message].filter((word) => word !== undefined).join(': ') };
};

const JUDGES: Readonly<Record<string, (object: KubeObject, now: number) => Health>> = {
  Deployment: judgeRollout,
  DaemonSet: judgeRollout,
  StatefulSet: judgeRollout,
  Pod: judgePod,
  Service: judgeService,
  Job: judgeJob,
  PersistentVolumeClaim: (claim) => (phaseStatus(claim) === 'Bound' ? READY : { ready: false, reason: phaseStatus(claim) }),
};

const judge = (object: KubeObject, now: number): Health =>
  textAt(object, 'metadata', 'deletionTimestamp') === undefined
    ? (JUDGES[object['kind'] as string] ?? judgeConditions)(object, now)
    : { ready: false, reason: 'is being deleted' };

export const toRow = ({ wanted, resource, live, problem }: LiveObject, now: number): ResourceRow => {
  const { ref, apiVersion, kind } = wanted;
  if (problem !== undefined) return { ref, exists: 'unknown', reason: problem.message };
  if (resource === undefined)
    return { ref, exists: false, reason: whyRemoved(apiVersion, kind) ?? `this cluster does not serve ${kind} of ${apiVersion}` };
  if (live === undefined) return { ref, exists: false, ready: false, reason: 'missing' };
  const { ready, reason } = judge(live, now);
  return { ref, exists: true, ready, ...(reason === undefined ? {} : { reason }) };
};

const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'];

/** Why the pods of a workload do not run: `pod web-5d: ImagePullBackOff`. A plus; a refusal costs nothing but these words. */
export const explainPods = async (
  client: KubernetesClient,
  { wanted, live }: LiveObject,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const selector = selectorWords(fieldsAt(live, 'spec', 'selector'));
  if (live === undefined || !WORKLOADS.includes(wanted.kind) || selector === '') return undefined;
  const page = await client
    .list(RESOURCES.pods, { namespace: wanted.namespace, labelSelector: selector, limit: MAX_PODS, signal })
    .catch((thrown: unknown) => {
      if (isTolerable(thrown)) return undefined;
      throw thrown;
    });
  const sick = (page?.items ?? [])
    .map((pod) => ({ name: nameOf(pod), ...podStatus(pod) }))
    .filter(({ status, ready, containers }) => status !== 'Completed' && (status !== 'Running' || ready < containers));
  const [first] = sick;
  if (first === undefined) return undefined;
  const more = sick.length > 1 ? ` and ${sick.length - 1} more` : '';
  return `pod ${first.name}${more}: ${first.status}${first.restarts > 0 ? `, ${first.restarts} restarts` : ''}`;
};

/** Rows of all, with the words of the pods for those that are not ready. */
export const readResources = async (
  client: KubernetesClient,
  objects: readonly ManifestObject[],
  { signal, now }: { signal: AbortSignal; now: number },
): Promise<ResourceRow[]> => {
  const live = await readLive(client, objects, signal);
  return inParallel(live, async (one) => {
    const row = toRow(one, now);
    if (row.ready !== false || row.exists !== true) return row;
    const pods = await explainPods(client, one, signal);
    return pods === undefined ? row : { ...row, reason: `${row.reason ?? 'not ready'}; ${pods}` };
  });
};
