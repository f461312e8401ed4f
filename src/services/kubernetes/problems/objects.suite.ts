// Small objects for the tests of the checks, and the snapshot made of them.

import type { KubeEvent } from '../../../upstream/kubernetes/events.ts';
import { type KubeObject, kindOf } from '../../../upstream/kubernetes/objects.ts';
import { groupBy, type Problem, refText } from './problem.ts';
import { createSnapshot, KINDS, type Plural, type Snapshot } from './snapshot.ts';

export const NOW = Date.parse('2026-03-01T12:00:00Z');
export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** RFC 3339, that long before {@link NOW}. */
export const ago = (milliseconds: number): string => new Date(NOW - milliseconds).toISOString();

type More = Readonly<Record<string, unknown>>;

export interface Head {
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner?: { readonly kind: string; readonly name: string };
  readonly created?: string;
  readonly deleted?: string;
  readonly finalizers?: readonly string[];
}

const CLUSTER_SCOPED = new Set(
  Object.values(KINDS)
    .filter(({ namespaced }) => !namespaced)
    .map(({ kind }) => kind as string),
);

/** An object of a built-in kind, a day old, in the namespace `shop` unless its kind has none. */
export const make = (kind: string, name: string, more: More = {}, head: Head = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: {
    name,
    creationTimestamp: head.created ?? ago(DAY),
    ...(CLUSTER_SCOPED.has(kind) ? {} : { namespace: head.namespace ?? 'shop' }),
    ...(head.labels === undefined ? {} : { labels: head.labels }),
    ...(head.annotations === undefined ? {} : { annotations: head.annotations }),
    ...(head.owner === undefined ? {} : { ownerReferences: [{ ...head.owner, apiVersion: 'v1', uid: head.owner.name, controller: true }] }),
    ...(head.deleted === undefined ? {} : { deletionTimestamp: head.deleted }),
    ...(head.finalizers === undefined ? {} : { finalizers: head.finalizers }),
  },
  ...more,
});

export interface PodFacts {
  readonly ready?: boolean;
  readonly phase?: string;
  readonly state?: More;
  readonly lastState?: More;
  readonly restarts?: number;
  readonly limits?: Readonly<Record<string, string>>;
  readonly spec?: More;
  readonly conditions?: readonly More[];
  /** Without: a pod that no node has taken. */
  readonly hasStatus?: boolean;
}

/** A pod `<deployment>-<hash>-<name>` of a Deployment, with one container `main`. */
export const podOf = (deployment: string, name: string, facts: PodFacts = {}, head: Head = {}): KubeObject => {
  const { ready = true, state = { running: { startedAt: ago(HOUR) } }, lastState = {}, restarts = 0 } = facts;
  return make(
    'Pod',
    `${deployment}-abc-${name}`,
    {
      spec: {
        nodeName: 'node-1',
        containers: [{ name: 'main', image: 'example.com/web:1', resources: { limits: facts.limits ?? {} } }],
        ...facts.spec,
      },
      status: {
        phase: facts.phase ?? 'Running',
        conditions: facts.conditions ?? [
          { type: 'PodScheduled', status: 'True' },
          { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: ago(10 * MINUTE) },
        ],
        ...(facts.hasStatus === false ? {} : { containerStatuses: [{ name: 'main', ready, restartCount: restarts, state, lastState }] }),
      },
    },
    { labels: { app: deployment, 'pod-template-hash': 'abc' }, owner: { kind: 'ReplicaSet', name: `${deployment}-abc` }, ...head },
  );
};

/** A Warning about an object. */
export const warn = (kind: string, name: string, reason: string, message: string, more: Partial<KubeEvent> = {}): KubeEvent => ({
  at: NOW - MINUTE,
  firstAt: NOW - 20 * MINUTE,
  count: 5,
  type: 'Warning',
  reason,
  message,
  regarding: { apiVersion: 'v1', kind, name, namespace: 'shop', uid: undefined, fieldPath: undefined },
  source: 'test',
  name: `${name}.1`,
  namespace: 'shop',
  ...more,
});

const PLURALS = new Map(Object.entries(KINDS).map(([plural, { kind }]) => [kind as string, plural as Plural]));

/** All kinds count as read, except `unread`. */
export const snapshotOf = (objects: readonly KubeObject[], events: readonly KubeEvent[] = [], unread: readonly Plural[] = []): Snapshot => {
  const groups = groupBy(objects, (object) => PLURALS.get(kindOf(object)) ?? '');
  const all = (Object.keys(KINDS) as Plural[]).filter((plural) => !unread.includes(plural));
  return createSnapshot({ objects: Object.fromEntries(all.map((plural) => [plural, groups.get(plural) ?? []])), events });
};

/** `warning deployment/web Reason: detail`. */
export const lines = (problems: readonly Problem[]): readonly string[] =>
  problems.map(({ severity, ref, reason, detail }) => `${severity} ${refText(ref)} ${reason}: ${detail}`);
