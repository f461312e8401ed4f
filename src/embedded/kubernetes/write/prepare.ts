// What a write does to an object before it is stored: the strategies of the API server's registries, for all kinds alike.
import { randomBytes, randomUUID } from 'node:crypto';
import type { ResourceContext } from '../context.ts';
import { withDefaults } from '../defaults.ts';
import { isEqual, isObject, type JsonObject, objectAt, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { qosClassOf } from '../pod-status.ts';
import type { Resource } from '../resources.ts';
import { schemaOf } from '../schema.ts';
import { withSchemaDefaults } from '../validate.ts';
import { admit } from './admission.ts';
import { withCanonicalQuantities } from './quantities.ts';

/** Kinds that count how often their specification was written. */
const COUNTED = new Set([
  'pods',
  'deployments.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'jobs.batch',
  'cronjobs.batch',
  'horizontalpodautoscalers.autoscaling',
  'poddisruptionbudgets.policy',
  'ingresses.networking.k8s.io',
  'ingressclasses.networking.k8s.io',
  'networkpolicies.networking.k8s.io',
  'ipaddresses.networking.k8s.io',
  'servicecidrs.networking.k8s.io',
  'endpointslices.discovery.k8s.io',
  'priorityclasses.scheduling.k8s.io',
  'flowschemas.flowcontrol.apiserver.k8s.io',
  'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
  'customresourcedefinitions.apiextensions.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
]);

export const hasGeneration = (resource: Resource): boolean => resource.custom !== undefined || COUNTED.has(resource.storage);

export const hasStatus = (resource: Resource): boolean => resource.subresources.some(({ name }) => name === 'status');

const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';

/** The five characters that the server appends to `generateName`. */
export const randomSuffix = (length = 5): string => [...randomBytes(length)].map((byte) => LETTERS.charAt(byte % LETTERS.length)).join('');

/** The status with which a kind begins, where it is not simply empty. */
const FIRST_STATUS: Readonly<Record<string, JsonObject>> = {
  'poddisruptionbudgets.policy': { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 },
  'horizontalpodautoscalers.autoscaling': { desiredReplicas: 0, currentMetrics: null },
  'statefulsets.apps': { replicas: 0, availableReplicas: 0 },
  'daemonsets.apps': { currentNumberScheduled: 0, numberMisscheduled: 0, desiredNumberScheduled: 0, numberReady: 0 },
  'replicasets.apps': { replicas: 0 },
  replicationcontrollers: { replicas: 0 },
};

const firstStatus = (object: KubernetesObject, resource: Resource): JsonObject | undefined => {
  if (resource.storage === 'pods') return { phase: 'Pending', qosClass: qosClassOf(object) };
  const status = object['status'];
  return FIRST_STATUS[resource.storage] ?? (isObject(status) ? status : undefined);
};

/** With the defaults of the kind: the server's own, or those that a custom kind declares. */
const completed = (resource: Resource, object: KubernetesObject): KubernetesObject => {
  if (resource.custom === undefined) return withDefaults(withCanonicalQuantities(object));
  const { metadata, kind, apiVersion, ...rest } = object;
  const content = withSchemaDefaults(rest, schemaOf(resource) ?? {});
  return { ...(isObject(content) ? content : rest), kind, apiVersion, metadata };
};

export interface Created {
  readonly object: KubernetesObject;
  /** What the client wrote, with defaults, before admission. */
  readonly written: KubernetesObject;
}

/** Secrets take plain text too, but keep it encoded. */
const withEncodedText = (resource: Resource, object: KubernetesObject): KubernetesObject => {
  const { stringData, ...rest } = object;
  if (resource.storage !== 'secrets' || !isObject(stringData)) return object;
  const encoded = Object.fromEntries(
    Object.entries(stringData).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]),
  );
  return {
    ...rest,
    kind: object.kind,
    apiVersion: object.apiVersion,
    metadata: object.metadata,
    data: { ...objectAt(object, 'data'), ...encoded },
  };
};

/** Parts that defaults fill in here, but that belong to the server: allocated addresses, finalizers, a first phase. */
const SERVER_PARTS: Readonly<Record<string, readonly string[]>> = {
  services: ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'],
  namespaces: ['finalizers'],
};

const toWritten = (resource: Resource, complete: KubernetesObject, given: KubernetesObject): KubernetesObject => {
  const { status, ...rest } = complete;
  const parts = SERVER_PARTS[resource.storage] ?? [];
  const own = objectAt(given, 'spec');
  const spec = Object.fromEntries(
    Object.entries(objectAt(complete, 'spec')).filter(([key]) => !parts.includes(key) || own[key] !== undefined),
  );
  const { kind, apiVersion, metadata } = complete;
  const kept = status === undefined || hasStatus(resource) ? {} : { status };
  return { ...rest, kind, apiVersion, metadata, ...(complete['spec'] === undefined ? {} : { spec }), ...kept };
};

/** Completes a new object: identity, defaults, admission. The given status is dropped where the kind has one of its own. */
export const toCreated = (context: ResourceContext, given: KubernetesObject): Created => {
  const { server, resource, info } = context;
  const { status: _status, ...rest } = withEncodedText(resource, given);
  const source = hasStatus(resource)
    ? { ...rest, kind: given.kind, apiVersion: given.apiVersion, metadata: given.metadata }
    : withEncodedText(resource, given);
  const { name, generateName, labels, annotations, ownerReferences, finalizers } = source.metadata;
  const base = name === '' && generateName !== undefined ? `${generateName.slice(0, 58)}${randomSuffix()}` : name;
  const metadata = {
    name: base,
    ...(generateName === undefined ? {} : { generateName }),
    ...(resource.namespaced ? { namespace: info.namespace } : {}),
    uid: randomUUID(),
    ...(hasGeneration(resource) ? { generation: 1 } : {}),
    creationTimestamp: toTime(server.clock()),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(ownerReferences === undefined ? {} : { ownerReferences }),
    ...(finalizers === undefined ? {} : { finalizers }),
  };
  const complete = completed(resource, { ...source, metadata });
  const object = withoutEmptyMaps(completed(resource, admit(context, complete)));
  const status = firstStatus(object, resource);
  return { object: status === undefined ? object : { ...object, status }, written: toWritten(resource, withoutEmptyMaps(complete), given) };
};

/** Go leaves empty maps out. */
const withoutEmptyMaps = (object: KubernetesObject): KubernetesObject => {
  const { labels, annotations, ...metadata } = object.metadata;
  const kept = {
    ...metadata,
    name: object.metadata.name,
    ...(labels === undefined || Object.keys(labels).length === 0 ? {} : { labels }),
    ...(annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
  const { data, ...rest } = object;
  const isEmptied = (object.kind === 'ConfigMap' || object.kind === 'Secret') && isObject(data) && Object.keys(data).length === 0;
  return isEmptied ? { ...rest, kind: object.kind, apiVersion: object.apiVersion, metadata: kept } : { ...object, metadata: kept };
};

/** Metadata that only the server writes stays as it was. */
const withServerMetadata = (object: KubernetesObject, previous: KubernetesObject, generation: number | undefined): KubernetesObject => {
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generateName } = previous.metadata;
  const { labels, annotations, ownerReferences, finalizers, name, namespace } = object.metadata;
  return {
    ...object,
    metadata: {
      name,
      ...(generateName === undefined ? {} : { generateName }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(generation === undefined ? {} : { generation }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
      ...(deletionGracePeriodSeconds === undefined ? {} : { deletionGracePeriodSeconds }),
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(finalizers === undefined || finalizers.length === 0 ? {} : { finalizers }),
    },
  };
};

const specificationOf = (object: KubernetesObject): JsonObject => {
  const { metadata: _metadata, status: _status, kind: _kind, apiVersion: _apiVersion, ...rest } = object;
  return rest;
};

/** An update of the object itself: the status stays, the generation counts a changed specification. */
export const toUpdated = (resource: Resource, given: KubernetesObject, previous: KubernetesObject): KubernetesObject => {
  const complete = withoutEmptyMaps(completed(resource, keepAllocated(resource, withEncodedText(resource, given), previous)));
  const { status: _status, ...rest } = complete;
  const object: KubernetesObject = hasStatus(resource)
    ? {
        ...rest,
        kind: complete.kind,
        apiVersion: complete.apiVersion,
        metadata: complete.metadata,
        ...(previous['status'] === undefined ? {} : { status: previous['status'] }),
      }
    : complete;
  const isChanged = !isEqual(specificationOf(object), specificationOf(previous));
  const generation = previous.metadata.generation;
  return withServerMetadata(object, previous, generation === undefined ? undefined : generation + (isChanged ? 1 : 0));
};

/** An update of the status: everything else stays, but labels and annotations of the metadata may come along. */
export const toStatusUpdated = (given: KubernetesObject, previous: KubernetesObject): KubernetesObject => {
  const { metadata } = given;
  const object = {
    ...previous,
    metadata: { ...previous.metadata, labels: metadata.labels, annotations: metadata.annotations },
    status: given['status'],
  };
  return withServerMetadata(dropUndefined(object), previous, previous.metadata.generation);
};

const dropUndefined = (
  object: JsonObject & Pick<KubernetesObject, 'kind' | 'apiVersion'> & { metadata: JsonObject & { name: string } },
): KubernetesObject => {
  const { labels, annotations, ...metadata } = object.metadata;
  const texts = (value: unknown): Record<string, string> | undefined =>
    typeof value === 'object' && value !== null
      ? Object.fromEntries(Object.entries(value).map(([key, text]) => [key, String(text)]))
      : undefined;
  const [labelTexts, annotationTexts] = [texts(labels), texts(annotations)];
  return {
    ...object,
    metadata: {
      ...metadata,
      name: object.metadata.name,
      ...(labelTexts === undefined ? {} : { labels: labelTexts }),
      ...(annotationTexts === undefined ? {} : { annotations: annotationTexts }),
    },
  };
};

/** What the server gave a Service stays with it when a client leaves it out. */
const keepAllocated = (resource: Resource, given: KubernetesObject, previous: KubernetesObject): KubernetesObject => {
  if (resource.storage !== 'services') return given;
  const [spec, before] = [given['spec'], previous['spec']];
  if (!isObject(spec) || !isObject(before)) return given;
  const kept = Object.fromEntries(
    ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy'].flatMap((key) => (before[key] === undefined ? [] : [[key, before[key]]])),
  );
  return { ...given, spec: { ...kept, ...spec } };
};
