// Which resources are served: the built-in ones from the data file, the custom ones from the definitions in the store.
import { readDataFile } from './data-files.ts';
import { isTrueAt, type Json, type JsonObject, objectAt, objectsAt, parseJson, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import type { ObjectStore } from './store.ts';

export interface Resource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly kind: string;
  readonly listKind: string;
  readonly singular: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly Subresource[];
  /** Where its objects are kept: versions of a group share them, and so do the two event APIs. */
  readonly storage: string;
  /** The version of a CustomResourceDefinition that describes it, with the definition. */
  readonly custom?: { readonly definition: KubernetesObject; readonly version: JsonObject };
}

export interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly string[];
}

export const CUSTOM_RESOURCE_DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io';

export const toGroupVersion = (group: string, version: string): string => (group === '' ? version : `${group}/${version}`);

export const splitGroupVersion = (apiVersion: string): { group: string; version: string } => {
  const [first = '', second] = apiVersion.split('/');
  return second === undefined ? { group: '', version: first } : { group: first, version: second };
};

const readData = (name: string): Json => parseJson(readDataFile(name));

const texts = (value: JsonObject, key: string): string[] => {
  const found = value[key];
  return Array.isArray(found) ? found.filter((item) => typeof item === 'string') : [];
};

const STORAGE_ALIASES: Readonly<Record<string, string>> = { 'events.events.k8s.io': 'events' };

export const toStorage = (group: string, resource: string): string => {
  const qualified = group === '' ? resource : `${resource}.${group}`;
  return STORAGE_ALIASES[qualified] ?? qualified;
};

/** Groups of aggregated discovery in the order in which a server lists them. */
export interface Group {
  readonly name: string;
  readonly versions: readonly string[];
}

export class ResourceRegistry {
  readonly #store: ObjectStore;
  readonly #builtIn: readonly Resource[];
  readonly #groups: readonly Group[];
  #definitions: readonly KubernetesObject[] | undefined;
  #served = new Map<string, Resource>();
  #servedGroups: readonly Group[] = [];

  constructor(store: ObjectStore) {
    this.#store = store;
    const groups = readData('discovery.json');
    const items = Array.isArray(groups) ? groups : [];
    this.#builtIn = [...items.flatMap(toResources), ...METRICS];
    this.#groups = [...items.map(toGroup), { name: 'metrics.k8s.io', versions: ['v1beta1'] }];
  }

  /** The resource of a path, undefined when it is not served. */
  find(group: string, version: string, resource: string): Resource | undefined {
    this.#refresh();
    return this.#served.get(`${group}/${version}/${resource}`);
  }

  /** The resource that holds objects of a type. */
  findKind(apiVersion: string, kind: string): Resource | undefined {
    const { group, version } = splitGroupVersion(apiVersion);
    return this.all().find((resource) => resource.kind === kind && resource.group === group && resource.version === version);
  }

  all(): readonly Resource[] {
    this.#refresh();
    return [...this.#served.values()];
  }

  groups(): readonly Group[] {
    this.#refresh();
    return this.#servedGroups;
  }

  hasVersion(group: string, version: string): boolean {
    return this.groups().some(({ name, versions }) => name === group && versions.includes(version));
  }

  of(group: string, version: string): readonly Resource[] {
    return this.all().filter((resource) => resource.group === group && resource.version === version);
  }

  /** Custom kinds follow their definitions at once: a changed list of definitions is seen at the next question. */
  #refresh(): void {
    const definitions = this.#store.all(CUSTOM_RESOURCE_DEFINITIONS);
    if (definitions === this.#definitions) return;
    this.#definitions = definitions;
    const custom = definitions.flatMap(toCustomResources);
    this.#served = new Map(
      [...this.#builtIn, ...custom].map((resource) => [`${resource.group}/${resource.version}/${resource.resource}`, resource]),
    );
    this.#servedGroups = [...this.#groups, ...customGroups(custom)];
  }
}

const toGroup = (group: Json): Group => ({
  name: textAt(group, 'metadata', 'name'),
  versions: objectsAt(group, 'versions').map((version) => textAt(version, 'version')),
});

const toResources = (group: Json): Resource[] => {
  const name = textAt(group, 'metadata', 'name');
  return objectsAt(group, 'versions').flatMap((version) =>
    objectsAt(version, 'resources').map((resource) => toBuiltIn(name, textAt(version, 'version'), resource)),
  );
};

const toBuiltIn = (group: string, version: string, resource: JsonObject): Resource => {
  const kind = textAt(resource, 'responseKind', 'kind');
  const plural = textAt(resource, 'resource');
  return {
    group,
    version,
    resource: plural,
    kind,
    listKind: `${kind}List`,
    singular: textAt(resource, 'singularResource'),
    namespaced: resource['scope'] === 'Namespaced',
    verbs: texts(resource, 'verbs'),
    shortNames: texts(resource, 'shortNames'),
    categories: texts(resource, 'categories'),
    subresources: objectsAt(resource, 'subresources').map((subresource) => ({
      name: textAt(subresource, 'subresource'),
      kind: textAt(subresource, 'responseKind', 'kind'),
      group: textAt(subresource, 'responseKind', 'group'),
      version: textAt(subresource, 'responseKind', 'version'),
      verbs: texts(subresource, 'verbs'),
    })),
    storage: toStorage(group, plural),
  };
};

/** Served by metrics-server through aggregation; computed, never stored. */
const toMetrics = (resource: string, kind: string, namespaced: boolean): Resource => ({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  resource,
  kind,
  listKind: `${kind}List`,
  singular: '',
  namespaced,
  verbs: ['get', 'list'],
  shortNames: [],
  categories: [],
  subresources: [],
  storage: `${resource}.metrics.k8s.io`,
});

const METRICS: readonly Resource[] = [toMetrics('nodes', 'NodeMetrics', false), toMetrics('pods', 'PodMetrics', true)];

const CUSTOM_VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];

const toCustomResources = (definition: KubernetesObject): Resource[] => {
  const spec = objectAt(definition, 'spec');
  const names = objectAt(spec, 'names');
  const plural = textAt(names, 'plural');
  const group = textAt(spec, 'group');
  const kind = textAt(names, 'kind');
  return objectsAt(spec, 'versions')
    .filter((version) => isTrueAt(version, 'served'))
    .map((version) => ({
      group,
      version: textAt(version, 'name'),
      resource: plural,
      kind,
      listKind: textAt(names, 'listKind') || `${kind}List`,
      singular: textAt(names, 'singular') || kind.toLowerCase(),
      namespaced: spec['scope'] === 'Namespaced',
      verbs: CUSTOM_VERBS,
      shortNames: texts(names, 'shortNames'),
      categories: texts(names, 'categories'),
      subresources: toCustomSubresources(version, kind),
      storage: toStorage(group, plural),
      custom: { definition, version },
    }));
};

const toCustomSubresources = (version: JsonObject, kind: string): Subresource[] => {
  const verbs = ['get', 'patch', 'update'];
  const offered = objectAt(version, 'subresources');
  return [
    ...(offered['status'] === undefined ? [] : [{ name: 'status', kind, group: '', version: '', verbs }]),
    ...(offered['scale'] === undefined ? [] : [{ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs }]),
  ];
};

const customGroups = (resources: readonly Resource[]): Group[] => {
  const names = [...new Set(resources.map(({ group }) => group))].sort();
  return names.map((name) => ({
    name,
    versions: [...new Set(resources.filter(({ group }) => group === name).map(({ version }) => version))].sort(byVersion),
  }));
};

/** Kubernetes' order of versions: stable before beta before alpha, higher before lower (apimachinery, pkg/version). */
export const byVersion = (left: string, right: string): number => {
  const [a, b] = [rankOf(left), rankOf(right)];
  for (let index = 0; index < a.length; index += 1) {
    const difference = (b[index] ?? 0) - (a[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left < right ? -1 : left > right ? 1 : 0;
};

const rankOf = (version: string): [number, number, number] => {
  const found = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (found === null) return [0, 0, 0];
  const stage = found[2] === undefined ? 3 : found[2] === 'beta' ? 2 : 1;
  return [stage, Number(found[1]), Number(found[3] ?? 0)];
};
