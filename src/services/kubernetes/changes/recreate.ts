// A deleted object as it can be made again: without what the server owns, and without what would bind it to what is gone.

import { type Fields, fieldsAt, type KubeObject, kindOf, textAt } from '../../../upstream/kubernetes/objects.ts';

const GONE_METADATA = [
  ...['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp', 'selfLink'],
  ...['deletionTimestamp', 'deletionGracePeriodSeconds', 'generateName'],
];
/** Notes of controllers that bind an object to one that is gone: a claim that calls itself bound, and has no volume, is lost for good. */
const GONE_ANNOTATIONS = [
  'pv.kubernetes.io/bind-completed',
  'pv.kubernetes.io/bound-by-controller',
  'volume.kubernetes.io/selected-node',
  'volume.kubernetes.io/storage-provisioner',
  'volume.beta.kubernetes.io/storage-provisioner',
];
/** They only say how the deletion goes on, or come by themselves. */
const GONE_FINALIZERS = ['foregroundDeletion', 'orphan', 'kubernetes.io/pvc-protection', 'kubernetes.io/pv-protection'];
/** Labels and selectors that the Job controller makes from the identity of a Job. */
const JOB_LABELS = ['controller-uid', 'batch.kubernetes.io/controller-uid', 'batch.kubernetes.io/job-name', 'job-name'];

const omit = (fields: Fields, gone: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => !gone.includes(key)));

const withoutLabels = (metadata: Fields, gone: readonly string[]): Fields => ({
  ...metadata,
  ...(metadata['labels'] === undefined ? {} : { labels: omit(fieldsAt(metadata, 'labels'), gone) }),
});

const withoutNotes = (metadata: Fields): Fields => {
  const annotations = omit(fieldsAt(metadata, 'annotations'), GONE_ANNOTATIONS);
  const { finalizers } = metadata;
  const kept = Array.isArray(finalizers) ? finalizers.filter((name) => !GONE_FINALIZERS.includes(String(name))) : [];
  return {
    ...omit(metadata, ['annotations', 'finalizers']),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(kept.length === 0 ? {} : { finalizers: kept }),
  };
};

const toJobSpec = (spec: Fields): Fields => {
  if (spec['manualSelector'] === true) return spec;
  const template = fieldsAt(spec, 'template');
  return { ...omit(spec, ['selector']), template: { ...template, metadata: withoutLabels(fieldsAt(template, 'metadata'), JOB_LABELS) } };
};

const SPECS: Readonly<Record<string, (spec: Fields) => Fields>> = {
  Job: toJobSpec,
  // Bound to a node, and with the volume of a token that was made for it.
  Pod: (spec) => omit(spec, ['nodeName', 'priority', 'preemptionPolicy', 'ephemeralContainers']),
  PersistentVolumeClaim: (spec) => omit(spec, ['volumeName']),
  PersistentVolume: (spec) => omit(spec, ['claimRef']),
};

export const toRecreated = (object: KubeObject): KubeObject => {
  const kind = kindOf(object);
  const metadata = withoutLabels(withoutNotes(omit(fieldsAt(object, 'metadata'), GONE_METADATA)), kind === 'Job' ? JOB_LABELS : []);
  const { status: _, ...rest } = object;
  const spec = SPECS[kind];
  return { ...rest, metadata, ...(spec === undefined || rest['spec'] === undefined ? {} : { spec: spec(fieldsAt(rest, 'spec')) }) };
};

/** What a deletion loses for good, in words; empty = nothing but the history of the object. */
export const lossesOf = (object: KubeObject, propagation: string): string[] => {
  const kind = kindOf(object);
  const words: string[] = [];
  if (kind === 'Pod') words.push('the pod starts anew: its logs and local data are gone');
  if (kind === 'PersistentVolumeClaim') words.push('the claim comes back empty: it will not find its volume again by itself');
  if (kind === 'PersistentVolume') words.push('the volume comes back unbound');
  if (kind === 'Namespace') words.push('what was in the namespace does not come back');
  if (kind === 'CustomResourceDefinition') words.push('objects of this kind do not come back');
  if (kind === 'Job') words.push('the Job runs anew');
  if (kind === 'Secret' && textAt(object, 'type') === 'kubernetes.io/service-account-token') words.push('the token is issued anew');
  if (propagation !== 'orphan' && ['CronJob', 'Job'].includes(kind))
    words.push('finished Jobs and pods, with their logs, do not come back');
  return words;
};
