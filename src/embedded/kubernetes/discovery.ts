// What is served, in both forms: the aggregated documents of /api and /apis, and the older list per group and version.
import { createHash } from 'node:crypto';
import type { JsonObject } from './json.ts';
import { type Group, type Resource, type ResourceRegistry, toGroupVersion } from './resources.ts';

/** The hash that tells clients when a stored version changed (apiserver, pkg/endpoints/discovery/storageversionhash.go). */
const storageVersionHash = ({ group, version, kind }: Resource): string =>
  createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64');

const toVersionEntry = (group: string, version: string): JsonObject => ({ groupVersion: toGroupVersion(group, version), version });

const toApiGroup = ({ name, versions }: Group): JsonObject => ({
  name,
  versions: versions.map((version) => toVersionEntry(name, version)),
  preferredVersion: toVersionEntry(name, versions[0] ?? ''),
});

const named = (registry: ResourceRegistry): readonly Group[] => registry.groups().filter(({ name }) => name !== '');

/** GET /api in the older form. */
export const toApiVersions = (address: string): JsonObject => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
});

/** GET /apis in the older form. */
export const toApiGroupList = (registry: ResourceRegistry): JsonObject => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: named(registry).map(toApiGroup),
});

/** GET /apis/<group>; undefined when it is not served. */
export const findApiGroup = (registry: ResourceRegistry, name: string): JsonObject | undefined => {
  const group = named(registry).find((candidate) => candidate.name === name);
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...toApiGroup(group) };
};

const toApiResources = (resource: Resource): JsonObject[] => {
  const { resource: name, singular, namespaced, kind, verbs, shortNames, categories } = resource;
  const isStored = verbs.includes('create') && verbs.includes('list');
  const main = {
    name,
    singularName: singular,
    namespaced,
    kind,
    verbs: [...verbs],
    ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
    ...(categories.length === 0 ? {} : { categories: [...categories] }),
    ...(isStored ? { storageVersionHash: storageVersionHash(resource) } : {}),
  };
  const parts = resource.subresources.map((subresource) => ({
    name: `${name}/${subresource.name}`,
    singularName: '',
    namespaced,
    ...(subresource.version === '' ? {} : { group: subresource.group, version: subresource.version }),
    kind: subresource.kind,
    verbs: [...subresource.verbs],
  }));
  return [main, ...parts];
};

/** GET /api/v1 and /apis/<group>/<version>; undefined when it is not served. */
export const findApiResourceList = (registry: ResourceRegistry, group: string, version: string): JsonObject | undefined => {
  if (!registry.hasVersion(group, version)) return undefined;
  const list = { kind: 'APIResourceList', ...(group === '' ? {} : { apiVersion: 'v1' }), groupVersion: toGroupVersion(group, version) };
  return { ...list, resources: registry.of(group, version).flatMap(toApiResources) };
};

const toDiscoveryResource = (resource: Resource): JsonObject => {
  const { resource: name, kind, namespaced, singular, verbs, shortNames, categories, custom } = resource;
  const here =
    custom === undefined && resource.group !== 'metrics.k8s.io'
      ? { group: '', version: '' }
      : { group: resource.group, version: resource.version };
  return {
    resource: name,
    responseKind: { ...here, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: singular,
    verbs: [...verbs],
    ...(shortNames.length === 0 ? {} : { shortNames: [...shortNames] }),
    ...(categories.length === 0 ? {} : { categories: [...categories] }),
    ...(resource.subresources.length === 0
      ? {}
      : {
          subresources: resource.subresources.map((subresource) => ({
            subresource: subresource.name,
            responseKind:
              subresource.version === ''
                ? { ...here, kind: subresource.kind }
                : { group: subresource.group, version: subresource.version, kind: subresource.kind },
            verbs: [...subresource.verbs],
          })),
        }),
  };
};

/** GET /api or /apis in the aggregated form of apidiscovery.k8s.io. */
export const toAggregated = (registry: ResourceRegistry, isCore: boolean, version: string): JsonObject => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: `apidiscovery.k8s.io/${version}`,
  metadata: {},
  items: registry
    .groups()
    .filter(({ name }) => (name === '') === isCore)
    .map(({ name, versions }) => ({
      metadata: name === '' ? {} : { name },
      versions: versions.map((served) => ({
        version: served,
        resources: registry.of(name, served).map(toDiscoveryResource),
        freshness: 'Current',
      })),
    })),
});

export const aggregatedContentType = (version: string): string =>
  `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
