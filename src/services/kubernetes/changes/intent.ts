// The part of an object that people and controllers want, without what the server notes down and what the object reports of itself.

import { hash } from 'node:crypto';
import { type Fields, fieldsAt, type KubeObject, kindOf, listAt, textAt } from '../../../upstream/kubernetes/objects.ts';

/** Written by the server alone. */
const SERVER_FIELDS = ['managedFields', 'resourceVersion', 'generation', 'uid', 'creationTimestamp', 'selfLink', 'deletionTimestamp'];
const OPTIONAL_SERVER_FIELDS = ['deletionGracePeriodSeconds'];
/** Written by clients and controllers for themselves. */
const NOTES = [
  'kubectl.kubernetes.io/last-applied-configuration',
  'deployment.kubernetes.io/revision',
  'deprecated.daemonset.template.generation',
];

const omit = (fields: Fields, gone: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => !gone.includes(key)));

const withoutEmpty = (key: string, value: Fields): Fields => (Object.keys(value).length === 0 ? {} : { [key]: value });

export interface IntentOptions {
  /** The status is what is changed (subresource `status`). */
  readonly withStatus?: boolean;
}

/** Taints that controllers derive from conditions and from a cordon. */
const isDerived = (taint: unknown): boolean => textAt(taint, 'key')?.startsWith('node.kubernetes.io/') === true;

const withoutDerivedTaints = (object: KubeObject): KubeObject => {
  const spec = fieldsAt(object, 'spec');
  if (kindOf(object) !== 'Node' || spec['taints'] === undefined) return object;
  const taints = listAt(spec, 'taints').filter((taint) => !isDerived(taint));
  return { ...object, spec: { ...omit(spec, ['taints']), ...(taints.length === 0 ? {} : { taints }) } };
};

export const toIntent = (object: KubeObject, { withStatus = false }: IntentOptions = {}): KubeObject => {
  const metadata = fieldsAt(object, 'metadata');
  const annotations = omit(fieldsAt(metadata, 'annotations'), NOTES);
  const kept = omit(metadata, [...SERVER_FIELDS, ...OPTIONAL_SERVER_FIELDS, 'annotations']);
  return {
    ...omit(withoutDerivedTaints(object), withStatus ? ['metadata'] : ['metadata', 'status']),
    metadata: { ...kept, ...withoutEmpty('annotations', annotations) },
  };
};

/** A Scale of zero comes without its number. */
export const withZero = (object: KubeObject): KubeObject =>
  kindOf(object) === 'Scale' ? { ...object, spec: { replicas: 0, ...fieldsAt(object, 'spec') } } : object;

const GUARD_CHARS = 24;

/** Equal as long as nobody wants something else: resource versions rise with every report of a status. */
export const toGuard = (object: KubeObject | undefined, options?: IntentOptions): string =>
  object === undefined
    ? 'absent'
    : hash('sha256', JSON.stringify([fieldsAt(object, 'metadata')['uid'], toIntent(object, options)]), 'hex').slice(0, GUARD_CHARS);
