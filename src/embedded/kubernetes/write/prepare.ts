// What a write does to an object before it is stored: the strategies of the API server's registries, for all kinds alike.
import { randomBytes, randomUUID } from 'node:crypto';
import type { ResourceContext } from '../context.ts';
import { withDefaults } from '../defaults.ts';
import { isEqual, isObject, type JsonObject, toTime } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { admitPod } from '../pod-admission.ts';
import { qosClassOf } from '../pod-status.ts';
import type { Resource } from '../resources.ts';
import { schemaOf } from '../schema.ts';
import { withSchemaDefaults } from '../validate.ts';
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

/** Kinds whose status is never empty from the start. */
const firstStatus = (object: KubernetesObject, resource: Resource): JsonObject | undefined => {
  if (resource.storage === 'pods') return { phase: 'Pending', qosClass: qosClassOf(object) };
  if (resource.storage === 'customresourcedefinitions.apiextensions.k8s.io') return undefined;
  const status = object['status'];
  return isObject(status) ? status : undefined;
};

/** With the defaults of the kind: the server's own, or those that a custom kind declares. */
const completed = (resource: Resource, object: KubernetesObject): KubernetesObject => {
  if (resource.custom === undefined) return withDefaults(withCanonicalQuantities(object));
  const { metadata, kind, apiVersion, ...rest } = object;
  const content = withSchemaDefaults(rest, schemaOf(resource) ?? {});
  return { ...(isObject(content) ? content : rest), kind, apiVersion, metadata };
};

/** Completes a new object: identity, defaults, admission. The given status is dropped where the kind has one of its own. */
export const toCreated = ({ server, resource, info }: ResourceContext, given: KubernetesObject): KubernetesObject => {
  const { status: _status, ...rest } = given;
  const source = hasStatus(resource) ? { ...rest, kind: given.kind, apiVersion: given.apiVersion, metadata: given.metadata } : given;
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
  const named = { ...source, metadata };
  const admitted = resource.storage === 'pods' ? admitPod(named) : named;
  const complete = completed(resource, admitted);
  const status = firstStatus(complete, resource);
  return status === undefined ? complete : { ...complete, status };
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
  const complete = completed(resource, keepAllocated(resource, given, previous));
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
