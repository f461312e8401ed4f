// Events, alike from both of their APIs: events.k8s.io/v1, and core where that is not served or a selector is only known there.
import { AppError } from '../../kit/errors.ts';
import type { ListOptions, Lists, PageInfo } from './lists.ts';
import { type Fields, type KubeObject, numberAt, textAt, timeAt } from './objects.ts';
import { RESOURCES, type ResourceRef } from './resources.ts';

export interface ObjectReference {
  readonly apiVersion: string | undefined;
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly uid: string | undefined;
  /** `spec.containers{web}`. */
  readonly fieldPath: string | undefined;
}

export interface KubeEvent {
  /** Milliseconds since the epoch: the last time it was seen. */
  readonly at: number;
  readonly firstAt: number;
  readonly count: number;
  readonly type: string;
  readonly reason: string;
  /** Written by workloads and controllers: untrusted. */
  readonly message: string;
  readonly regarding: ObjectReference;
  /** Component and host. */
  readonly source: string;
  readonly name: string;
  readonly namespace: string | undefined;
}

export interface EventOptions extends ListOptions {
  /** Only events about this object: any of its parts, `uid` being the surest. */
  readonly about?:
    | { readonly kind?: string | undefined; readonly name?: string | undefined; readonly uid?: string | undefined }
    | undefined;
  readonly type?: 'Normal' | 'Warning' | undefined;
  readonly reason?: string | undefined;
}

export interface EventPage extends PageInfo {
  /** In the server's order (by name): not by time. */
  readonly events: readonly KubeEvent[];
}

export interface Events {
  /** One page. `fieldSelector` may speak of `involvedObject.*` or `regarding.*`. */
  events(options: EventOptions): Promise<EventPage>;
}

const CORE_EVENTS: ResourceRef = { ...RESOURCES.events, group: '' };

export const createEvents = ({ list }: Lists): Events => {
  let resource: ResourceRef = RESOURCES.events;
  const fetch = async (options: EventOptions) => list(resource, { ...options, fieldSelector: toSelector(options, resource) });
  return {
    events: async (options) => {
      const { items, ...page } = await fetch(options).catch((error: unknown) => {
        const isAbsent = error instanceof AppError && error.code === 'UNSUPPORTED' && resource !== CORE_EVENTS;
        if (!isAbsent) throw error;
        resource = CORE_EVENTS;
        return fetch(options);
      });
      return { ...page, events: items.map(toEvent) };
    },
  };
};

const toSelector = ({ about = {}, type, reason, fieldSelector = '' }: EventOptions, { group }: ResourceRef): string | undefined => {
  const subject = group === '' ? 'involvedObject' : 'regarding';
  const given = fieldSelector.split(',').map((term) => term.trim().replace(/^(involvedObject|regarding)\./, `${subject}.`));
  // The two APIs have different names for who reports.
  const renamed = given.map((term) =>
    group === ''
      ? term.replace(/^reportingController\b/, 'reportingComponent')
      : term.replace(/^(reportingComponent|source)(?=[=!])/, 'reportingController'),
  );
  const own = [
    ...Object.entries(about).map(([key, value]) => (value === undefined ? '' : `${subject}.${key}=${escapeValue(value)}`)),
    type === undefined ? '' : `type=${type}`,
    reason === undefined ? '' : `reason=${escapeValue(reason)}`,
  ];
  const terms = [...own, ...renamed].filter((term) => term !== '');
  return terms.length === 0 ? undefined : terms.join(',');
};

/** As `fields.EscapeValue` of the API machinery. */
const escapeValue = (value: string): string => value.replace(/[\\,=]/g, '\\$&');

/** Core and events.k8s.io name the same fields differently; any of the times may be null. */
const toEvent = (event: KubeObject): KubeEvent => {
  const created = timeAt(event, 'metadata', 'creationTimestamp') ?? 0;
  const times = [
    timeAt(event, 'series', 'lastObservedTime'),
    timeAt(event, 'deprecatedLastTimestamp') ?? timeAt(event, 'lastTimestamp'),
    timeAt(event, 'eventTime'),
  ];
  const firstAt = timeAt(event, 'deprecatedFirstTimestamp') ?? timeAt(event, 'firstTimestamp') ?? timeAt(event, 'eventTime') ?? created;
  const known = times.filter((time) => time !== undefined);
  const source = (event['deprecatedSource'] ?? event['source']) as Fields | undefined;
  return {
    at: known.length === 0 ? created : Math.max(...known),
    firstAt,
    count: numberAt(event, 'series', 'count') ?? numberAt(event, 'deprecatedCount') ?? numberAt(event, 'count') ?? 1,
    type: textAt(event, 'type') ?? 'Normal',
    reason: textAt(event, 'reason') ?? '',
    message: textAt(event, 'note') ?? textAt(event, 'message') ?? '',
    regarding: toReference(event['regarding'] ?? event['involvedObject']),
    source: [
      textAt(event, 'reportingController') ?? textAt(event, 'reportingComponent') ?? textAt(source, 'component'),
      textAt(source, 'host'),
    ]
      .filter(Boolean)
      .join(' '),
    name: textAt(event, 'metadata', 'name') ?? '',
    namespace: textAt(event, 'metadata', 'namespace'),
  };
};

const toReference = (reference: unknown): ObjectReference => ({
  apiVersion: textAt(reference, 'apiVersion'),
  kind: textAt(reference, 'kind') ?? '',
  name: textAt(reference, 'name') ?? '',
  namespace: textAt(reference, 'namespace'),
  uid: textAt(reference, 'uid'),
  fieldPath: textAt(reference, 'fieldPath'),
});
