// Objects that somebody still writes through an API version that is gone or going: the next apply of that manifest is refused.
// Source: the Kubernetes deprecated API migration guide.

import { type Fields, fieldsAt, type KubeObject, listAt, mapAt, textAt, timeAt } from '../../../upstream/kubernetes/objects.ts';
import { placeIn } from './place.ts';
import { agoText, lookAt } from './pods.ts';
import { type Check, type Problem, toRef } from './problem.ts';
import type { Plural } from './snapshot.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Group and version to the release that no longer serves it. */
const REMOVED: Readonly<Record<string, string>> = {
  'extensions/v1beta1': '1.22',
  'apps/v1beta1': '1.16',
  'apps/v1beta2': '1.16',
  'networking.k8s.io/v1beta1': '1.22',
  'admissionregistration.k8s.io/v1beta1': '1.22',
  'apiregistration.k8s.io/v1beta1': '1.22',
  'storage.k8s.io/v1beta1': '1.27',
  'batch/v1beta1': '1.25',
  'discovery.k8s.io/v1beta1': '1.25',
  'policy/v1beta1': '1.25',
  'autoscaling/v2beta1': '1.25',
  'autoscaling/v2beta2': '1.26',
};

export const DEPRECATABLE = [
  'deployments',
  'daemonsets',
  'statefulsets',
  'replicasets',
  'ingresses',
  'ingressclasses',
  'cronjobs',
  'endpointslices',
  'poddisruptionbudgets',
  'horizontalpodautoscalers',
  'storageclasses',
  'networkpolicies',
] as const satisfies readonly Plural[];

/** Of the managed fields only those that a removed version wrote, without what they own: the rest is long and says nothing here. */
export const reduceManagedFields = (object: KubeObject): KubeObject => {
  const { managedFields: _, ...metadata } = fieldsAt(object, 'metadata');
  const kept = listAt(object, 'metadata', 'managedFields').flatMap((entry): readonly Fields[] => {
    const { fieldsV1: __, ...rest } = entry;
    return REMOVED[textAt(entry, 'apiVersion') ?? ''] === undefined ? [] : [rest];
  });
  return { ...object, metadata: kept.length === 0 ? metadata : { ...metadata, managedFields: kept } };
};

/** What kubectl would apply again. */
const appliedVersion = (object: KubeObject): string | undefined =>
  /"apiVersion":\s*"([^"]+)"/.exec(mapAt(object, 'metadata', 'annotations')[LAST_APPLIED] ?? '')?.[1];

const judge = (object: KubeObject, now: number): readonly Problem[] => {
  const ref = toRef(object);
  const applied = appliedVersion(object) ?? '';
  const common = { ref, reason: 'DeprecatedApi', next: lookAt(ref, 'describe') };
  if (REMOVED[applied] !== undefined)
    return [
      {
        ...common,
        severity: 'warning',
        detail: `its manifest says ${applied}, which is not served since ${REMOVED[applied]}: the next kubectl apply of it is refused`,
        at: { ...placeIn(object, `metadata.annotations["${LAST_APPLIED}"]`), value: `apiVersion ${applied}` },
      },
    ];
  const [entry] = listAt(object, 'metadata', 'managedFields');
  if (entry === undefined) return [];
  const version = textAt(entry, 'apiVersion') ?? '';
  const manager = textAt(entry, 'manager') ?? '?';
  return [
    {
      ...common,
      severity: 'info',
      detail: `${manager} wrote it as ${version}${agoText(timeAt(entry, 'time'), now)}, which is not served since ${REMOVED[version]}`,
      at: placeIn(object, `metadata.managedFields[?manager=${manager}].apiVersion`),
    },
  ];
};

export const checkDeprecated: Check = (cluster, now) =>
  DEPRECATABLE.flatMap((plural) => cluster.list(plural)).flatMap((object) => judge(object, now));
