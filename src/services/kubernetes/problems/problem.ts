// What the checks find, and how findings that have one cause become one problem.

import type { NextCall } from '../../../kit/result.ts';
import { type KubeObject, kindOf, nameOf, namespaceOf } from '../../../upstream/kubernetes/objects.ts';
import type { Snapshot } from './snapshot.ts';

export type Severity = 'critical' | 'warning' | 'info';

/** An object as problems name it: the kind in small letters. */
export interface Ref {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
}

/** A field, as kubernetes_get_resource takes its path. */
export interface Place {
  /** The object that has the field. */
  readonly of: Ref;
  readonly field: string;
  /** `none` where nothing stands. */
  readonly value: string;
}

export interface Problem {
  readonly severity: Severity;
  /** The owner that a person would mend: the Deployment rather than its pods. */
  readonly ref: Ref;
  /** One word, as Kubernetes says it where it does. */
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly since?: number | undefined;
  readonly detail: string;
  /** The field that shows it, or that would mend it. */
  readonly at: Place;
  /** The family of checks that found it. */
  readonly check?: string | undefined;
  readonly evidence?: readonly string[] | undefined;
  /** Objects in which it shows, such as the pods of `ref`. */
  readonly involves?: readonly Ref[] | undefined;
  /** Says that something is wrong, not why: evidence of a cause on the same object, a problem of its own without one. */
  readonly isSymptom?: boolean | undefined;
  /** Of symptoms the last to speak: a count of pods says less than what one of them says of itself. */
  readonly isOutcome?: boolean | undefined;
  /** Objects whose own problem explains this one. */
  readonly because?: readonly Ref[] | undefined;
  /** The call that shows more. */
  readonly next?: Pick<NextCall, 'tool' | 'arguments'> | undefined;
}

/** One family of checks: a pure function of what was read. */
export type Check = (cluster: Snapshot, now: number) => readonly Problem[];

export const refKey = ({ kind, name, namespace }: Ref): string => `${namespace ?? ''}/${kind}/${name}`;
/** `deployment/web`. */
export const refText = ({ kind, name }: Ref): string => `${kind}/${name}`;
export const toRef = (object: KubeObject): Ref => ({
  kind: kindOf(object).toLowerCase(),
  name: nameOf(object),
  namespace: namespaceOf(object),
});

/** `1 pod`, `3 pods`. */
export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Up to three names, the rest as a number. */
export const someOf = (names: readonly string[], most = 3): string =>
  names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} +${names.length - most}`;

export const latestOf = (times: readonly (number | undefined)[]): number | undefined => {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
};

export const earliestOf = (times: readonly (number | undefined)[]): number | undefined => {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
};

export const groupBy = <Item>(items: Iterable<Item>, toKey: (item: Item) => string): Map<string, Item[]> => {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const key = toKey(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
};
