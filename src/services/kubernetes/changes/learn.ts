// What a change brings along is learnt before it is sent: a server that refuses an object may repeat it.

import type { Kubernetes } from '../../../upstream/kubernetes/kubernetes.ts';
import { fieldsAt, isObject, type KubeObject, kindOf } from '../../../upstream/kubernetes/objects.ts';
import { toSafe } from '../../../upstream/kubernetes/present.ts';

const MAPS = ['data', 'stringData'] as const;

/** Teaches the redactor the secrets of an object, or of a patch of one. */
export const learnObject = (object: KubeObject, service: Kubernetes): void => {
  toSafe(object, service);
  if (kindOf(object) !== 'Secret') return;
  // A number where a text belongs is refused, with the number in the words.
  for (const value of MAPS.flatMap((map) => Object.values(fieldsAt(object, map)))) {
    if (typeof value === 'number') service.learnSecret(String(value));
  }
};

const POINTER = /^\/(data|stringData)\/([^/]+)$/;

/** A patch as the part of the object that it sets. */
const toPart = (patch: unknown): KubeObject => {
  if (!Array.isArray(patch)) return isObject(patch) ? patch : {};
  const part: Record<string, Record<string, unknown>> = {};
  for (const { path, value } of patch.filter(isObject)) {
    const [, map, key] = POINTER.exec(String(path)) ?? [];
    if (map !== undefined && key !== undefined) part[map] = { ...part[map], [key]: value };
  }
  return part;
};

export const learnPatch = (patch: unknown, before: KubeObject, service: Kubernetes): void => {
  const { apiVersion, kind, metadata } = before;
  learnObject({ ...toPart(patch), apiVersion, kind, metadata } as KubeObject, service);
};
