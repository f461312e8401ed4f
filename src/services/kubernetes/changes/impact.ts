// What a change of a workload touches beside its own fields: pods, autoscalers, budgets, Services, and who would take it back.

import { toAppError } from '../../../kit/errors.ts';
import { matchesSelector, selects } from '../../../upstream/kubernetes/label-selector.ts';
import {
  controllerOf,
  fieldsAt,
  type KubeObject,
  kindOf,
  mapAt,
  metadataOf,
  nameOf,
  numberAt,
  podLabelsOf,
  textAt,
} from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES, type ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import type { Difference } from './difference.ts';
import type { Work } from './update.ts';

export interface Impact {
  readonly facts: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

/** Labels and annotations of tools that bring objects back to what their source says, and how they are told. */
const KEEPERS: readonly (readonly [string, (value: string) => string])[] = [
  ['argocd.argoproj.io/tracking-id', (value) => `Argo CD application ${value.split(':')[0]}`],
  ['argocd.argoproj.io/instance', (value) => `Argo CD application ${value}`],
  ['kustomize.toolkit.fluxcd.io/name', (value) => `Flux Kustomization ${value}`],
  ['helm.toolkit.fluxcd.io/name', (value) => `Flux HelmRelease ${value}`],
  ['meta.helm.sh/release-name', (value) => `Helm release ${value}`],
];

/** Who would take the change back, or lose it with the next of its own. */
export const keeperOf = (object: KubeObject): string | undefined => {
  const { labels, annotations } = metadataOf(object);
  const owner = controllerOf(object);
  if (owner !== undefined) return `${owner.kind} ${owner.name}, its owner,`;
  for (const [key, words] of KEEPERS) {
    const value = annotations[key] ?? labels[key];
    if (value !== undefined) return words(value);
  }
  return undefined;
};

/** A plus: what may not be read is told and costs nothing else. */
const readAll = async ({ client, ctx }: Work, resource: ResourceRef, namespace: string | undefined, warnings: string[]) => {
  try {
    return (await client.listAll(resource, { namespace, signal: ctx.signal })).items;
  } catch (thrown) {
    const error = toAppError(thrown);
    if (error.code === 'CANCELLED' || error.code === 'DEADLINE_EXCEEDED') throw thrown;
    warnings.push(`${resource.plural} could not be read: ${error.message}`);
    return [];
  }
};

export const scalersOf = async (work: Work, object: KubeObject, warnings: string[]): Promise<string[]> =>
  (await readAll(work, RESOURCES.horizontalpodautoscalers, metadataOf(object).namespace, warnings))
    .filter(
      (item) =>
        textAt(item, 'spec', 'scaleTargetRef', 'kind') === kindOf(object) &&
        textAt(item, 'spec', 'scaleTargetRef', 'name') === nameOf(object),
    )
    .map((item) => `HPA ${nameOf(item)} (${numberAt(item, 'spec', 'minReplicas') ?? 1}..${numberAt(item, 'spec', 'maxReplicas')})`);

export const budgetsOf = async (work: Work, object: KubeObject, warnings: string[]): Promise<string[]> =>
  (await readAll(work, RESOURCES.poddisruptionbudgets, metadataOf(object).namespace, warnings))
    .filter((item) => matchesSelector(fieldsAt(item, 'spec', 'selector'), podLabelsOf(object)))
    .map((item) => `${nameOf(item)}: ${numberAt(item, 'status', 'disruptionsAllowed') ?? 0} disruptions allowed now`);

export const servicesOf = async (work: Work, object: KubeObject, warnings: string[]): Promise<string[]> => {
  const labels = podLabelsOf(object);
  if (Object.keys(labels).length === 0) return [];
  return (await readAll(work, RESOURCES.services, metadataOf(object).namespace, warnings))
    .filter((item) => selects(mapAt(item, 'spec', 'selector'), labels))
    .map(nameOf);
};

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'ReplicationController']);

const replicasOf = (object: KubeObject): number =>
  kindOf(object) === 'DaemonSet'
    ? (numberAt(object, 'status', 'desiredNumberScheduled') ?? 0)
    : (numberAt(object, 'spec', 'replicas') ?? 1);

const surgesBeforeItTakes = (object: KubeObject): boolean =>
  kindOf(object) === 'Deployment' &&
  textAt(object, 'spec', 'strategy', 'type') !== 'Recreate' &&
  fieldsAt(object, 'spec', 'strategy', 'rollingUpdate')['maxUnavailable'] !== 1;

const touches = (changes: readonly Difference[], ...path: readonly string[]): boolean =>
  changes.some((change) => path.every((key, index) => change.path[index] === key));

const isPaused = (object: KubeObject): boolean => fieldsAt(object, 'spec')['paused'] === true;

/** Only rolling kinds replace pods by themselves when their template changes. */
const restartsOf = (after: KubeObject, changes: readonly Difference[]): number => {
  const rolls = ['Deployment', 'StatefulSet', 'DaemonSet'].includes(kindOf(after)) && !isPaused(after);
  const strategy = textAt(after, 'spec', 'updateStrategy', 'type');
  return rolls && strategy !== 'OnDelete' && touches(changes, 'spec', 'template') ? replicasOf(after) : 0;
};

export const readImpact = async (
  work: Work,
  { before, after, changes }: { readonly before: KubeObject; readonly after: KubeObject; readonly changes: readonly Difference[] },
): Promise<Impact> => {
  const warnings: string[] = [];
  const keeper = changes.length === 0 ? undefined : keeperOf(before);
  if (keeper !== undefined) warnings.push(`${keeper} may take this back with its next change or sync`);
  if (!WORKLOADS.has(kindOf(after))) return { facts: {}, warnings };
  const podsRestarted = restartsOf(after, changes);
  const scales = touches(changes, 'spec', 'replicas');
  const [old, fresh] = [replicasOf(before), replicasOf(after)];
  const [scalers, budgets, services] = await Promise.all([
    scales ? scalersOf(work, before, warnings) : [],
    podsRestarted > 0 ? budgetsOf(work, before, warnings) : [],
    podsRestarted > 0 || fresh < old ? servicesOf(work, before, warnings) : [],
  ]);
  for (const scaler of scalers) warnings.push(`${scaler} sets the replicas and will revert this`);
  if (scales && fresh === 0 && old > 0) warnings.push(`outage: ${kindOf(before)} ${nameOf(before)} will have no pods`);
  else if (podsRestarted > 0 && replicasOf(after) === 1 && !surgesBeforeItTakes(after))
    warnings.push('outage: its only pod stops before the new one runs');
  return {
    facts: {
      podsRestarted,
      ...(scales ? { podsBefore: old, podsAfter: fresh } : {}),
      ...(budgets.length > 0 ? { disruptionBudgets: budgets } : {}),
      ...(services.length > 0 ? { services } : {}),
    },
    warnings,
  };
};
