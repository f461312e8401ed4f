// Services without a way to a pod: selectors that match nothing, and no endpoint that is ready.

import { nearestNames } from '../../../kit/nearest.ts';
import { type Fields, fieldsAt, type KubeObject, listAt, mapAt, namespaceOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { activePods } from './pods.ts';
import { type Check, countOf, groupBy, type Problem, refKey, toRef } from './problem.ts';
import { isDeleted, labelsOf, type Snapshot, selects } from './snapshot.ts';

const SERVICE_NAME = 'kubernetes.io/service-name';

export const checkNetworkCall = (ref: { kind: string; name: string; namespace?: string | undefined }): Problem['next'] => ({
  tool: 'kubernetes_check_network',
  arguments: { to: `${ref.kind}/${ref.name}`, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }) },
});

/** Absent `ready` counts as ready (EndpointConditions of discovery.k8s.io/v1). */
export const isReadyEndpoint = (endpoint: Fields): boolean => fieldsAt(endpoint, 'conditions')['ready'] !== false;

/** What another selector would match: labels of a pod that differ in some keys, or only a little in all. */
export const nearLabels = (selector: Readonly<Record<string, string>>, pods: readonly KubeObject[]): string | undefined => {
  const keys = Object.keys(selector);
  const candidates = pods.map((pod) => {
    const labels = labelsOf(pod);
    const different = keys.filter((key) => labels[key] !== selector[key]);
    const isNear =
      different.length < keys.length || different.every((key) => nearestNames(selector[key] ?? '', [labels[key] ?? '']).length > 0);
    return { isNear, words: different.map((key) => `${key}=${labels[key] ?? '<none>'}`) };
  });
  return candidates
    .filter(({ isNear }) => isNear)
    .toSorted((a, b) => a.words.length - b.words.length)[0]
    ?.words.join(', ');
};

const judge = (cluster: Snapshot, service: KubeObject, slices: readonly KubeObject[]): readonly Problem[] => {
  const selector = mapAt(service, 'spec', 'selector');
  if (Object.keys(selector).length === 0 || textAt(service, 'spec', 'type') === 'ExternalName' || isDeleted(service)) return [];
  const ref = toRef(service);
  const own = cluster.isRead('pods') ? activePods(cluster).filter((pod) => namespaceOf(pod) === ref.namespace) : [];
  const chosen = own.filter((pod) => selects(selector, labelsOf(pod)));
  const words = Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
  const common = { ref, next: checkNetworkCall(ref) };
  if (cluster.isRead('pods') && chosen.length === 0) {
    const idle = scaledToZero(cluster, selector, ref.namespace);
    if (idle !== undefined)
      return [{ ...common, severity: 'info', reason: 'ScaledToZero', detail: `no endpoints: ${idle} has 0 replicas` }];
    const near = nearLabels(selector, own);
    return [
      {
        ...common,
        severity: 'warning',
        reason: 'SelectorMatchesNothing',
        detail: `selector ${words} matches no pod${near === undefined ? '' : `; near: pods with ${near}`}`,
      },
    ];
  }
  const endpoints = slices.flatMap((slice) => listAt(slice, 'endpoints'));
  if (!cluster.isRead('endpointslices') || endpoints.some(isReadyEndpoint)) return [];
  return [
    {
      ...common,
      severity: 'critical',
      reason: 'NoReadyEndpoints',
      detail: `no ready endpoint: ${countOf(chosen.length, 'pod')} behind it, none ready`,
      isSymptom: true,
      because: chosen.map((pod) => cluster.ownerOf(pod)),
    },
  ];
};

/** The workload that the selector means, when it wants no pods. */
const scaledToZero = (cluster: Snapshot, selector: Readonly<Record<string, string>>, namespace: string | undefined): string | undefined => {
  const found = (['deployments', 'statefulsets'] as const)
    .flatMap((plural) => cluster.list(plural))
    .find((object) => namespaceOf(object) === namespace && selects(selector, mapAt(object, 'spec', 'template', 'metadata', 'labels')));
  const ref = found === undefined ? undefined : toRef(found);
  return found !== undefined && fieldsAt(found, 'spec')['replicas'] === 0 && ref !== undefined ? `${ref.kind}/${ref.name}` : undefined;
};

export const checkServices: Check = (cluster) => {
  const slices = groupBy(cluster.list('endpointslices'), (slice) =>
    refKey({ kind: 'service', name: labelsOf(slice)[SERVICE_NAME] ?? '', namespace: namespaceOf(slice) }),
  );
  return cluster.list('services').flatMap((service) => judge(cluster, service, slices.get(refKey(toRef(service))) ?? []));
};
