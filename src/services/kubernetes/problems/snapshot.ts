// A cluster, or one namespace of it, at one moment: the objects that were read, with the indexes that checks look things up in.

import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import {
  controllerOf,
  type KubeObject,
  kindOf,
  mapAt,
  metadataOf,
  nameOf,
  namespaceOf,
  textAt,
} from '../../../upstream/kubernetes/objects.ts';
import { ADD_ONS, RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { workloadOf } from '../usage.ts';
import { groupBy, type Ref, refKey, toRef } from './problem.ts';

/** What the checks read. */
export const KINDS = { ...RESOURCES, ...ADD_ONS } as const;

/** One of these by its plural. */
export type Plural = keyof typeof KINDS;

export interface Snapshot {
  /** Empty also when the kind was not read: ask `isRead` before concluding that something is absent. */
  list(plural: Plural): readonly KubeObject[];
  isRead(plural: Plural): boolean;
  find(plural: Plural, name: string, namespace?: string): KubeObject | undefined;
  /** Warnings, in no order. */
  readonly events: readonly KubeEvent[];
  eventsAbout(ref: Ref): readonly KubeEvent[];
  /** What a person would mend: the Deployment, StatefulSet ... of a pod, the CronJob of a Job, else the object itself. */
  ownerOf(object: KubeObject): Ref;
  /** The object behind a workload's ref, where it was read. */
  workload(ref: Ref): KubeObject | undefined;
  podsOf(ref: Ref): readonly KubeObject[];
}

export interface SnapshotParts {
  readonly objects: Readonly<Partial<Record<Plural, readonly KubeObject[]>>>;
  readonly events?: readonly KubeEvent[];
}

const WORKLOADS: Readonly<Record<string, Plural>> = {
  deployment: 'deployments',
  replicaset: 'replicasets',
  statefulset: 'statefulsets',
  daemonset: 'daemonsets',
  job: 'jobs',
  cronjob: 'cronjobs',
  pod: 'pods',
};

/** `deployment/web` as a ref. */
const parseRef = (text: string, namespace: string | undefined): Ref => {
  const at = text.indexOf('/');
  return { kind: text.slice(0, at), name: text.slice(at + 1), namespace };
};

const keyOf = (object: KubeObject): string => `${namespaceOf(object) ?? ''}/${nameOf(object)}`;

export const createSnapshot = ({ objects, events = [] }: SnapshotParts): Snapshot => {
  const indexes = new Map<Plural, Map<string, KubeObject>>();
  const list = (plural: Plural): readonly KubeObject[] => objects[plural] ?? [];
  const find = (plural: Plural, name: string, namespace = ''): KubeObject | undefined => {
    const index = indexes.get(plural) ?? new Map(list(plural).map((object) => [keyOf(object), object]));
    indexes.set(plural, index);
    return index.get(`${namespace}/${name}`);
  };
  const workload = (ref: Ref): KubeObject | undefined => {
    const plural = WORKLOADS[ref.kind];
    return plural === undefined ? undefined : find(plural, ref.name, ref.namespace);
  };
  /** One step up: of a ReplicaSet its Deployment, of a Job its CronJob. */
  const climb = (ref: Ref): Ref => {
    if (ref.kind !== 'replicaset' && ref.kind !== 'job') return ref;
    const owner = controllerOf(workload(ref) ?? {});
    return owner === undefined ? ref : { kind: owner.kind.toLowerCase(), name: owner.name, namespace: ref.namespace };
  };
  const ownerOf = (object: KubeObject): Ref =>
    climb(kindOf(object) === 'Pod' ? parseRef(workloadOf(object), namespaceOf(object)) : toRef(object));
  let podIndex: Map<string, KubeObject[]> | undefined;
  let eventIndex: Map<string, KubeEvent[]> | undefined;
  return {
    list,
    find,
    workload,
    ownerOf,
    isRead: (plural) => objects[plural] !== undefined,
    events,
    eventsAbout: (ref) => {
      eventIndex ??= groupBy(events, ({ regarding }) =>
        refKey({ kind: regarding.kind.toLowerCase(), name: regarding.name, namespace: regarding.namespace }),
      );
      return eventIndex.get(refKey(ref)) ?? [];
    },
    podsOf: (ref) => {
      podIndex ??= groupBy(list('pods'), (pod) => refKey(ownerOf(pod)));
      return podIndex.get(refKey(ref)) ?? [];
    },
  };
};

export const isDeleted = (object: KubeObject): boolean => metadataOf(object).deletedAt !== undefined;
export const isFinished = (pod: KubeObject): boolean => ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase') ?? '');

export const labelsOf = (object: KubeObject): Readonly<Record<string, string>> => mapAt(object, 'metadata', 'labels');
