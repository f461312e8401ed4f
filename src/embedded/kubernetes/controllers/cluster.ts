// What controllers work with: the store, the present, and the ways in which they write.
import { hexOf, MINUTE, type Shop, uuidOf } from '../../shop.ts';
import { withDefaults } from '../defaults.ts';
import { at, isEqual, type Json, type JsonObject, listAt, numberAt, textAt, toMicroTime, toTime } from '../json.ts';
import { withCreatedFields, withUpdatedFields } from '../managers.ts';
import type { KubernetesObject, ObjectMeta, OwnerReference } from '../object.ts';
import type { ObjectStore } from '../store.ts';

export const CONTROLLER = 'kube-controller-manager';

export interface EventNote {
  readonly type?: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  readonly host?: string;
  readonly container?: string;
}

/** Events of the same cause within this time become one with a count. */
const EVENT_WINDOW = 60 * MINUTE;

export class Cluster {
  readonly store: ObjectStore;
  readonly shop: Shop;
  readonly #clock: () => number;
  /** Objects by owner, for each list that was looked at: a changed collection is another list. */
  readonly #owned = new WeakMap<readonly KubernetesObject[], Map<string, KubernetesObject[]>>();
  #made = 0;
  #dueAt = Number.POSITIVE_INFINITY;

  constructor(store: ObjectStore, shop: Shop, clock: () => number) {
    this.store = store;
    this.shop = shop;
    this.#clock = clock;
  }

  get now(): number {
    return this.#clock();
  }

  /** When something will change by itself, if nobody writes before. */
  get dueAt(): number {
    return this.#dueAt;
  }

  resetDue(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
  }

  /** Asks to be looked at again at a time. */
  wakeAt(time: number): void {
    if (time > this.now) this.#dueAt = Math.min(this.#dueAt, time);
  }

  /** A text that no other object of this cluster was made from. */
  next(): string {
    this.#made += 1;
    return `${this.shop.seed}/made/${this.#made}`;
  }

  create(resource: string, object: KubernetesObject, manager = CONTROLLER, written = object): KubernetesObject {
    const { name, namespace, generateName, labels, annotations, ownerReferences, finalizers, generation } = object.metadata;
    const metadata: ObjectMeta = {
      name,
      ...(generateName === undefined ? {} : { generateName }),
      ...(namespace === undefined ? {} : { namespace }),
      uid: object.metadata.uid ?? uuidOf(this.next()),
      ...(generation === undefined ? {} : { generation }),
      creationTimestamp: toTime(this.now),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined ? {} : { finalizers }),
    };
    const complete = { ...withDefaults(object), metadata };
    const { status: _status, ...content } = withDefaults(written);
    const owned = withCreatedFields(
      complete,
      { ...content, kind: object.kind, apiVersion: object.apiVersion, metadata },
      this.#writer(manager, undefined),
    );
    return this.store.put(resource, owned);
  }

  /** Replaces an object; an unchanged one is left alone. */
  update(
    resource: string,
    object: KubernetesObject,
    previous: KubernetesObject,
    manager = CONTROLLER,
    subresource?: string,
  ): KubernetesObject {
    const { managedFields: _now, resourceVersion: _revision, ...metadata } = object.metadata;
    const { managedFields: _before, resourceVersion: _old, ...before } = previous.metadata;
    if (isEqual({ ...object, metadata }, { ...previous, metadata: before })) return previous;
    return this.store.put(resource, withUpdatedFields(object, previous, this.#writer(manager, subresource)));
  }

  /** Replaces the status alone. */
  updateStatus(resource: string, previous: KubernetesObject, status: JsonObject, manager = CONTROLLER): KubernetesObject {
    return this.update(resource, { ...previous, status }, previous, manager, 'status');
  }

  remove(resource: string, { metadata }: KubernetesObject): void {
    this.store.remove(resource, metadata.namespace ?? '', metadata.name);
  }

  /** Objects that an owner controls. */
  ownedBy(resource: string, owner: KubernetesObject): KubernetesObject[] {
    const all = this.store.all(resource);
    let index = this.#owned.get(all);
    if (index === undefined) {
      index = Map.groupBy(all, ({ metadata }) => controllerOf(metadata)?.uid ?? '');
      this.#owned.set(all, index);
    }
    return [...(index.get(owner.metadata.uid ?? '') ?? [])];
  }

  /** Tells of something that happened to an object; a repetition counts up the event there is. */
  note(about: KubernetesObject, { type = 'Normal', reason, message, component, host, container }: EventNote): void {
    const namespace = about.metadata.namespace ?? 'default';
    const time = toTime(this.now);
    const fieldPath = container === undefined ? undefined : `spec.containers{${container}}`;
    const known = this.store
      .all('events', namespace)
      .findLast(
        (event) =>
          textAt(event, 'involvedObject', 'uid') === about.metadata.uid &&
          textAt(event, 'reason') === reason &&
          textAt(event, 'message') === message &&
          at(event, 'involvedObject', 'fieldPath') === fieldPath &&
          at(event, 'eventTime') === null,
      );
    const isFresh = known !== undefined && this.now - Date.parse(textAt(known, 'lastTimestamp')) < EVENT_WINDOW;
    if (known !== undefined && isFresh) {
      this.update('events', { ...known, count: numberAt(known, 'count') + 1, lastTimestamp: time }, known, component);
      return;
    }
    const { apiVersion, kind, metadata } = about;
    const involvedObject: JsonObject = {
      kind,
      namespace,
      name: metadata.name,
      uid: metadata.uid ?? '',
      apiVersion,
      resourceVersion: metadata.resourceVersion ?? '',
      ...(fieldPath === undefined ? {} : { fieldPath }),
    };
    const content = {
      involvedObject,
      reason,
      message,
      source: { component, ...(host === undefined ? {} : { host }) },
      firstTimestamp: time,
      lastTimestamp: time,
    };
    const name = `${metadata.name}.${hexOf(this.next(), 16)}`;
    const tail = { count: 1, type, eventTime: null, reportingComponent: component, reportingInstance: host ?? '' };
    this.create('events', { kind: 'Event', apiVersion: 'v1', metadata: { name, namespace }, ...content, ...tail }, component);
  }

  /** The scheduler's events have the newer form. */
  noteScheduling(pod: KubernetesObject, type: 'Normal' | 'Warning', reason: string, action: string, message: string): void {
    const namespace = pod.metadata.namespace ?? 'default';
    const { apiVersion, kind, metadata } = pod;
    this.create(
      'events',
      {
        kind: 'Event',
        apiVersion: 'v1',
        metadata: { name: `${metadata.name}.${hexOf(this.next(), 16)}`, namespace },
        involvedObject: {
          kind,
          namespace,
          name: metadata.name,
          uid: metadata.uid ?? '',
          apiVersion,
          resourceVersion: metadata.resourceVersion ?? '',
        },
        reason,
        message,
        source: {},
        firstTimestamp: null,
        lastTimestamp: null,
        type,
        eventTime: toMicroTime(this.now),
        action,
        reportingComponent: 'default-scheduler',
        reportingInstance: 'default-scheduler-demo-control-plane',
      },
      'kube-scheduler',
    );
  }

  #writer(manager: string, subresource: string | undefined): { manager: string; time: string; subresource: string | undefined } {
    return { manager, time: toTime(this.now), subresource };
  }
}

export const controllerOf = (metadata: ObjectMeta): OwnerReference | undefined =>
  metadata.ownerReferences?.find(({ controller }) => controller === true);

export const ownerReferenceTo = ({ apiVersion, kind, metadata }: KubernetesObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

const readiness = new WeakMap<KubernetesObject, boolean>();

export const isReady = (pod: KubernetesObject): boolean => {
  const known = readiness.get(pod);
  if (known !== undefined) return known;
  const ready = listAt(pod, 'status', 'conditions').some(
    (condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
  );
  readiness.set(pod, ready);
  return ready;
};

export const isEnding = ({ metadata }: KubernetesObject): boolean => metadata.deletionTimestamp !== undefined;

export const isEnded = (pod: KubernetesObject): boolean => ['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase'));

/** A number, or a percentage of a total, rounded up or down. */
export const resolveCount = (value: Json | undefined, total: number, roundsUp: boolean): number => {
  if (typeof value === 'number') return value;
  const percent = typeof value === 'string' ? Number.parseFloat(value) : Number.NaN;
  if (Number.isNaN(percent)) return 0;
  return roundsUp ? Math.ceil((total * percent) / 100) : Math.floor((total * percent) / 100);
};
