// Where a problem shows: a field of an object, as kubernetes_get_resource takes its path, and what stands there.

import { parsePath, select } from '../../../kit/paths.ts';
import type { KubeObject } from '../../../upstream/kubernetes/objects.ts';
import { type Place, type Ref, toRef } from './problem.ts';
import type { Snapshot } from './snapshot.ts';

export type { Place } from './problem.ts';

const MAX_VALUE = 160;

/** Maps as `a=b,c=d`, lists of words with commas, all else as JSON. */
export const toWords = (value: unknown): string => {
  if (value === undefined || value === null) return 'none';
  if (typeof value !== 'object') return String(value);
  const isFlat = Object.values(value).every((item) => typeof item !== 'object');
  if (!isFlat) return JSON.stringify(value);
  return Array.isArray(value)
    ? value.join(',')
    : Object.entries(value)
        .map(([key, item]) => `${key}=${String(item)}`)
        .join(',');
};

const shorten = (text: string): string => (text.length <= MAX_VALUE ? text : `${text.slice(0, MAX_VALUE)}…`);

export const placeIn = (object: KubeObject, field: string): Place => ({
  of: toRef(object),
  field,
  value: shorten(toWords(select(object, parsePath(field)))),
});

/** A key that is no plain word: `["kubernetes.io/arch"]`. */
export const keyOf = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? `.${key}` : `["${key}"]`);

const TEMPLATES: Readonly<Record<string, string>> = { pod: 'spec.', cronjob: 'spec.jobTemplate.spec.template.spec.' };

/** A field of the pod's spec where a person would mend it: in its workload, if that says the same, else in the pod. */
export const placeInTemplate = (cluster: Snapshot, ref: Ref, pod: KubeObject, field: string): Place => {
  const own = placeIn(pod, `spec.${field}`);
  const workload = cluster.workload(ref);
  if (workload === undefined) return own;
  const place = placeIn(workload, `${TEMPLATES[ref.kind] ?? 'spec.template.spec.'}${field}`);
  return place.value === own.value ? place : own;
};
