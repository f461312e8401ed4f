// Reading Kubernetes objects: they stay as the server sent them; a path that is absent, or of another type, reads as undefined or empty.
import { type Fields, isFields, toFields, toList, toText, toTexts } from '../shapes.ts';

/** An object of any kind. `apiVersion` and `kind` are always there, also in lists. */
export type KubeObject = Fields;
export type { Fields } from '../shapes.ts';
export const isObject = isFields;
/** The fields of any value; none of what is no object. */
export const toFieldsOf = toFields;

/** What stands at the end of a path of keys. */
export const valueAt = (object: unknown, ...path: readonly string[]): unknown => {
  let value = object;
  for (const key of path) value = toFields(value)[key];
  return value;
};

export const textAt = (object: unknown, ...path: readonly string[]): string | undefined => toText(valueAt(object, ...path));
export const numberAt = (object: unknown, ...path: readonly string[]): number | undefined => {
  const value = valueAt(object, ...path);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
};
export const booleanAt = (object: unknown, ...path: readonly string[]): boolean => valueAt(object, ...path) === true;
export const fieldsAt = (object: unknown, ...path: readonly string[]): Fields => toFields(valueAt(object, ...path));
/** A list of objects. */
export const listAt = (object: unknown, ...path: readonly string[]): readonly Fields[] => toList(valueAt(object, ...path)).map(toFields);
export const textsAt = (object: unknown, ...path: readonly string[]): readonly string[] => toTexts(valueAt(object, ...path));
/** Labels, annotations, match labels. */
export const mapAt = (object: unknown, ...path: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fieldsAt(object, ...path)).filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
/** Milliseconds since the epoch. */
export const timeAt = (object: unknown, ...path: readonly string[]): number | undefined => {
  const time = Date.parse(textAt(object, ...path) ?? '');
  return Number.isNaN(time) ? undefined : time;
};

export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller: boolean;
}

/** meta/v1 ObjectMeta. Times are milliseconds since the epoch. */
export interface Metadata {
  readonly name: string;
  readonly namespace: string | undefined;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation: number;
  readonly createdAt: number | undefined;
  readonly deletedAt: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly owners: readonly OwnerReference[];
  readonly finalizers: readonly string[];
}

export const metadataOf = (object: KubeObject): Metadata => ({
  name: nameOf(object),
  namespace: namespaceOf(object),
  uid: textAt(object, 'metadata', 'uid') ?? '',
  resourceVersion: textAt(object, 'metadata', 'resourceVersion') ?? '',
  generation: numberAt(object, 'metadata', 'generation') ?? 0,
  createdAt: timeAt(object, 'metadata', 'creationTimestamp'),
  deletedAt: timeAt(object, 'metadata', 'deletionTimestamp'),
  labels: mapAt(object, 'metadata', 'labels'),
  annotations: mapAt(object, 'metadata', 'annotations'),
  owners: ownersOf(object),
  finalizers: textsAt(object, 'metadata', 'finalizers'),
});

export const nameOf = (object: KubeObject): string => textAt(object, 'metadata', 'name') ?? '';
export const namespaceOf = (object: KubeObject): string | undefined => textAt(object, 'metadata', 'namespace');
export const kindOf = (object: KubeObject): string => textAt(object, 'kind') ?? '';
export const ownersOf = (object: KubeObject): readonly OwnerReference[] =>
  listAt(object, 'metadata', 'ownerReferences').map((owner) => ({
    apiVersion: textAt(owner, 'apiVersion') ?? '',
    kind: textAt(owner, 'kind') ?? '',
    name: textAt(owner, 'name') ?? '',
    uid: textAt(owner, 'uid') ?? '',
    controller: booleanAt(owner, 'controller'),
  }));
/** The one owner that manages the object. */
/** Labels of a pod, or of the pods that a workload's template makes. */
export const podLabelsOf = (object: KubeObject): Readonly<Record<string, string>> =>
  kindOf(object) === 'Pod' ? mapAt(object, 'metadata', 'labels') : mapAt(object, 'spec', 'template', 'metadata', 'labels');

export const controllerOf = (object: KubeObject): OwnerReference | undefined => ownersOf(object).find(({ controller }) => controller);

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string | undefined;
  readonly message: string | undefined;
  /** Milliseconds since the epoch. */
  readonly changedAt: number | undefined;
  readonly observedGeneration: number | undefined;
}

export const conditionsOf = (object: KubeObject): readonly Condition[] =>
  listAt(object, 'status', 'conditions').map((condition) => ({
    type: textAt(condition, 'type') ?? '',
    status: textAt(condition, 'status') ?? '',
    reason: textAt(condition, 'reason'),
    message: textAt(condition, 'message'),
    changedAt: timeAt(condition, 'lastTransitionTime'),
    observedGeneration: numberAt(condition, 'observedGeneration'),
  }));
export const conditionOf = (object: KubeObject, type: string): Condition | undefined =>
  conditionsOf(object).find((condition) => condition.type === type);
export const isTrue = (object: KubeObject, type: string): boolean => conditionOf(object, type)?.status === 'True';
