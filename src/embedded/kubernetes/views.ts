// Objects as another API version shows them: the store keeps one form, and a few kinds are served in two.
import { at, type JsonObject, objectAt, objectsAt, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import { type Resource, toGroupVersion } from './resources.ts';

const views = new WeakMap<KubernetesObject, Map<string, KubernetesObject>>();

/** The core form of an event in the terms of events.k8s.io. */
const toEventsGroup = (event: KubernetesObject): KubernetesObject => ({
  kind: 'Event',
  apiVersion: 'events.k8s.io/v1',
  metadata: event.metadata,
  eventTime: event['eventTime'] ?? null,
  ...(event['series'] === undefined ? {} : { series: event['series'] }),
  ...pick(event, { reportingComponent: 'reportingController', reportingInstance: 'reportingInstance', action: 'action', reason: 'reason' }),
  regarding: event['involvedObject'] ?? {},
  ...pick(event, { related: 'related', message: 'note', type: 'type' }),
  deprecatedSource: event['source'] ?? {},
  deprecatedFirstTimestamp: event['firstTimestamp'] ?? null,
  deprecatedLastTimestamp: event['lastTimestamp'] ?? null,
  ...pick(event, { count: 'deprecatedCount' }),
});

/** The way back, for events that are created through events.k8s.io. */
export const toCoreEvent = (event: KubernetesObject): KubernetesObject => ({
  kind: 'Event',
  apiVersion: 'v1',
  metadata: event.metadata,
  involvedObject: event['regarding'] ?? {},
  ...pick(event, { reason: 'reason', note: 'message' }),
  source: event['deprecatedSource'] ?? {},
  firstTimestamp: event['deprecatedFirstTimestamp'] ?? null,
  lastTimestamp: event['deprecatedLastTimestamp'] ?? null,
  ...pick(event, { deprecatedCount: 'count', type: 'type' }),
  eventTime: event['eventTime'] ?? null,
  ...(event['series'] === undefined ? {} : { series: event['series'] }),
  ...pick(event, { action: 'action', related: 'related' }),
  reportingComponent: textAt(event, 'reportingController'),
  reportingInstance: textAt(event, 'reportingInstance'),
});

/** Takes fields over under their new names; empty texts are left out as Go's omitempty does. */
const pick = (source: JsonObject, names: Readonly<Record<string, string>>): JsonObject => {
  const picked: JsonObject = {};
  for (const [from, to] of Object.entries(names)) if (source[from] !== undefined && source[from] !== '') picked[to] = source[from];
  return picked;
};

/** autoscaling/v1 knows one CPU target; the rest travels in annotations (pkg/apis/autoscaling/v1/conversion.go). */
const toAutoscalingV1 = (autoscaler: KubernetesObject): KubernetesObject => {
  const { metrics: _metrics, behavior, ...spec } = isRecord(autoscaler['spec']);
  const { currentMetrics: _current, conditions, ...status } = isRecord(autoscaler['status']);
  const metrics = objectsAt(autoscaler, 'spec', 'metrics');
  const cpu = metrics.find(
    (metric) => textAt(metric, 'resource', 'name') === 'cpu' && at(metric, 'resource', 'target', 'averageUtilization') !== undefined,
  );
  const statuses = objectsAt(autoscaler, 'status', 'currentMetrics');
  const current = statuses.find((metric) => textAt(metric, 'resource', 'name') === 'cpu');
  const others = metrics.filter((metric) => metric !== cpu);
  const annotations = {
    ...autoscaler.metadata.annotations,
    ...(statuses.length === 0 ? {} : { 'autoscaling.alpha.kubernetes.io/current-metrics': JSON.stringify(statuses.map(toMetricStatusV1)) }),
    ...(conditions === undefined ? {} : { 'autoscaling.alpha.kubernetes.io/conditions': JSON.stringify(conditions) }),
    ...(others.length === 0 ? {} : { 'autoscaling.alpha.kubernetes.io/metrics': JSON.stringify(others) }),
    ...(behavior === undefined ? {} : { 'autoscaling.alpha.kubernetes.io/behavior': JSON.stringify(behavior) }),
  };
  const target = at(cpu, 'resource', 'target', 'averageUtilization');
  const used = at(current, 'resource', 'current', 'averageUtilization');
  return {
    kind: autoscaler.kind,
    apiVersion: 'autoscaling/v1',
    metadata: { ...autoscaler.metadata, annotations },
    spec: { ...spec, ...(target === undefined ? {} : { targetCPUUtilizationPercentage: target }) },
    status: { ...status, ...(used === undefined ? {} : { currentCPUUtilizationPercentage: used }) },
  };
};

/** The older shape of a current metric: flat names. */
const toMetricStatusV1 = (metric: JsonObject): JsonObject => {
  const { name, current } = objectAt(metric, 'resource');
  if (name === undefined) return metric;
  return {
    type: 'Resource',
    resource: { name, currentAverageUtilization: at(current, 'averageUtilization'), currentAverageValue: at(current, 'averageValue') },
  };
};

const isRecord = (value: unknown): JsonObject => (typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {});

const convert = (object: KubernetesObject, apiVersion: string): KubernetesObject => {
  if (apiVersion === 'events.k8s.io/v1') return toEventsGroup(object);
  if (apiVersion === 'autoscaling/v1') return toAutoscalingV1(object);
  // Versions of a custom kind without a conversion webhook differ by name only.
  return { ...object, apiVersion };
};

/** The object in the version of the resource through which it is read. */
export const toView = (object: KubernetesObject, { group, version }: Resource): KubernetesObject => {
  const apiVersion = toGroupVersion(group, version);
  if (object.apiVersion === apiVersion) return object;
  const known = views.get(object) ?? new Map<string, KubernetesObject>();
  views.set(object, known);
  const view = known.get(apiVersion) ?? convert(object, apiVersion);
  known.set(apiVersion, view);
  return view;
};
