/** Putting objects into a mirror's etcd, past every check and every default of a write: what is stored is what was given. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '../backend.ts';
import { at, KubernetesApi, listAt, textAt } from './api.ts';
import type { KubernetesMirror } from './bed.ts';

/** Any object of the API. */
export interface MirrorObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export interface LoadOptions {
  /** Add to what the mirror shows. Otherwise all that was loaded before is taken away, and everything of the given kinds. */
  readonly keep?: boolean;
}

/** One resource of the API: where it is asked for, and where the API server stores it. */
interface Resource {
  readonly path: string;
  readonly storage: string;
  readonly namespaced: boolean;
}

/** Resources that are not stored under their own name (kubernetes: pkg/kubeapiserver/default_storage_factory_builder.go). */
const STORED_ELSEWHERE: Readonly<Record<string, string>> = {
  '/replicationcontrollers': 'controllers',
  '/endpoints': 'services/endpoints',
  '/nodes': 'minions',
  '/services': 'services/specs',
  'networking.k8s.io/ingresses': 'ingress',
  'apiextensions.k8s.io/customresourcedefinitions': 'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices': 'apiregistration.k8s.io/apiservices',
};

/**
 * Shows exactly `objects` in the mirror: their uids, times, managed fields and status stay as given; the API server alone numbers them
 * (resourceVersion, rising in the given order). Definitions of custom resources go first, and are waited for. Then everything is read
 * back through the API server: an object that it cannot show is an error here, and not a puzzle later.
 *
 * The API server keeps a few objects of its own and puts them back: the system namespaces, the Service `default/kubernetes`, the APIServices
 * of its own groups, flow control, two ConfigMaps of `kube-system`. Objects of the set under these names stay as given, save for APIServices,
 * whose status it rewrites, and the ConfigMap `extension-apiserver-authentication`, to which it adds its own authorities. It also wants an
 * IPAddress for each cluster address of a Service: where the set has none, one is made.
 */
export async function loadObjects(mirror: KubernetesMirror, objects: readonly MirrorObject[], options: LoadOptions = {}): Promise<void> {
  const all: Json[] = JSON.parse(JSON.stringify(objects));
  const ofKind = (kind: string) => all.filter((object) => at(object, 'kind') === kind);
  const api = new KubernetesApi(mirror.kubeconfig);
  try {
    const definitions = ofKind('CustomResourceDefinition');
    const present = listAt(await api.json('/apis/apiextensions.k8s.io/v1/customresourcedefinitions'), 'items');
    const resources = new ResourceFinder(api, definitions, present);
    const etcd = new Etcd(mirror.etcd);
    if (options.keep !== true) await clear(api, etcd, resources, all);
    for (const definition of definitions) await put(etcd, resources, definition);
    await Promise.all(definitions.map((definition) => untilServed(api, definition)));
    resources.refresh();
    await remember(etcd, resources, all);
    const addresses = ofKind('IPAddress');
    await reserveAddresses(api, etcd, resources, ofKind('Service'));
    const rest = all.filter((object) => !definitions.includes(object) && !addresses.includes(object));
    for (const object of rest) await put(etcd, resources, object);
    await verify(api, resources, rest);
    for (const address of addresses) await put(etcd, resources, address);
    await verify(api, resources, all);
  } finally {
    await api.close();
  }
}

/** Where the folders are noted that objects were loaded into, so that a later set can replace them. */
const LOADED = '/loaded-folders';

/** Folders without whose objects the API server itself would stumble: they are emptied only for a set that has such objects. */
const NEEDED = ['servicecidrs', 'apiregistration.k8s.io/apiservices', 'flowschemas', 'prioritylevelconfigurations'];

/**
 * Takes away what was loaded before, and what the API server made by itself of the given kinds. What the new set has too stays until it is
 * overwritten. Services go before their addresses, lest the API server repairs them and says so in an event.
 */
async function clear(api: KubernetesApi, etcd: Etcd, resources: ResourceFinder, objects: readonly Json[]): Promise<void> {
  const given = objects.filter((object) => !resources.isNew(object));
  const loaded = (await etcd.get(LOADED)).split('\n').filter((folder) => folder !== '' && !NEEDED.includes(folder));
  const folders = new Set(['services/specs', ...loaded, ...(await foldersOf(resources, given))]);
  const wanted = new Set(await Promise.all(given.map((object) => keyFor(resources, object))));
  for (const folder of folders) {
    const keys = await etcd.keys(`/registry/${folder}/`);
    for (const key of keys) if (!wanted.has(key)) await etcd.delete(key);
    if (folder === 'services/specs') await api.json('/api/v1/services'); // Answers when the API server has seen them go.
  }
}

async function remember(etcd: Etcd, resources: ResourceFinder, objects: readonly Json[]): Promise<void> {
  const folders = new Set([...(await etcd.get(LOADED)).split('\n'), ...(await foldersOf(resources, objects)), 'ipaddresses']);
  await etcd.put(LOADED, [...folders].join('\n'));
}

async function foldersOf(resources: ResourceFinder, objects: readonly Json[]): Promise<string[]> {
  return Promise.all(objects.map(async (object) => (await resources.of(object)).storage));
}

/** Stores one object; the API server numbers it, so a number that it brings along is left out. */
async function put(etcd: Etcd, resources: ResourceFinder, object: Json): Promise<void> {
  const number = at(object, 'metadata', 'resourceVersion');
  const text = JSON.stringify(object, (name, value) => (name === 'resourceVersion' && value === number ? undefined : value));
  await etcd.put(await keyFor(resources, object), text);
}

/** The key under which the API server stores an object. */
async function keyFor(resources: ResourceFinder, object: Json): Promise<string> {
  const { storage, namespaced } = await resources.of(object);
  const namespace = textAt(object, 'metadata', 'namespace');
  if (namespaced === (namespace === ''))
    throw new Error(`${nameOf(object)}: ${namespaced ? 'has no namespace' : 'must not have a namespace'}`);
  return ['/registry', storage, ...(namespaced ? [namespace] : []), textAt(object, 'metadata', 'name')].join('/');
}

/**
 * Gives each cluster address of a Service the IPAddress that belongs to it, and waits until it is seen. Without it the API server's repair
 * loop writes a warning event for the Service; one that is older than a minute and has no Service yet would be deleted.
 */
async function reserveAddresses(api: KubernetesApi, etcd: Etcd, resources: ResourceFinder, services: readonly Json[]): Promise<void> {
  const reserved = services.flatMap((service) =>
    listAt(service, 'spec', 'clusterIPs')
      .map(String)
      .filter((address) => address !== 'None')
      .map((address) => ipAddress(address, service)),
  );
  for (const address of reserved) await put(etcd, resources, address);
  const waiting = new Set(reserved.map((address) => textAt(address, 'metadata', 'name')));
  if (waiting.size === 0) return;
  await api.watchUntil('/apis/networking.k8s.io/v1/ipaddresses', (address) => {
    waiting.delete(textAt(address, 'metadata', 'name'));
    return waiting.size === 0;
  });
}

function ipAddress(address: string, service: Json): Json {
  const labels = {
    'ipaddress.kubernetes.io/ip-family': address.includes(':') ? 'IPv6' : 'IPv4',
    'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
  };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'IPAddress',
    metadata: { name: address, uid: randomUUID(), creationTimestamp: new Date().toISOString().replace(/\.\d+Z$/, 'Z'), labels },
    spec: {
      parentRef: {
        group: '',
        resource: 'services',
        namespace: textAt(service, 'metadata', 'namespace'),
        name: textAt(service, 'metadata', 'name'),
      },
    },
  };
}

/** Waits until the API server serves the resource of a definition, in every version. */
async function untilServed(api: KubernetesApi, definition: Json): Promise<void> {
  const [group, plural] = [textAt(definition, 'spec', 'group'), textAt(definition, 'spec', 'names', 'plural')];
  const versions = listAt(definition, 'spec', 'versions').filter((version) => at(version, 'served') === true);
  for (const version of versions) await untilOk(api, `/apis/${group}/${textAt(version, 'name')}/${plural}?limit=1`);
}

/** Asks until the answer is good: discovery and handlers of a new definition appear without any event. */
async function untilOk(api: KubernetesApi, path: string): Promise<void> {
  const end = performance.now() + 30_000;
  for (let answer = await api.request(path); answer.status !== 200; answer = await api.request(path)) {
    if (performance.now() > end) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    await delay(50);
  }
}

/** Throws if the API server does not show one of the objects. */
async function verify(api: KubernetesApi, resources: ResourceFinder, objects: readonly Json[]): Promise<void> {
  const paths = new Set(await Promise.all(objects.map(async (object) => (await resources.of(object)).path)));
  const shown = new Set<string>();
  for (const path of paths) {
    const list = await api.json(path, { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' });
    for (const item of listAt(list, 'items')) shown.add(`${path} ${placeOf(item)}`);
  }
  for (const object of objects) {
    const { path } = await resources.of(object);
    if (!shown.has(`${path} ${placeOf(object)}`)) throw new Error(`the API server does not show ${nameOf(object)}`);
  }
}

/** Finds the resource of an object by what the API server itself says about its kinds. */
class ResourceFinder {
  readonly #api: KubernetesApi;
  readonly #groups: ReadonlySet<string>;
  readonly #coming: ReadonlySet<string>;
  readonly #known = new Map<string, Promise<Json>>();

  /** `definitions`: of custom resources, in the set that is loaded; `present`: those that the API server has already. */
  constructor(api: KubernetesApi, definitions: readonly Json[], present: readonly Json[]) {
    this.#api = api;
    this.#groups = new Set([...definitions, ...present].map((definition) => textAt(definition, 'spec', 'group')));
    const kind = (definition: Json) => `${textAt(definition, 'spec', 'group')} ${textAt(definition, 'spec', 'names', 'kind')}`;
    this.#coming = new Set(definitions.map(kind)).difference(new Set(present.map(kind)));
  }

  /** True of a custom resource that the API server did not know when the loading began. */
  isNew(object: Json): boolean {
    return this.#coming.has(`${groupOf(object)} ${textAt(object, 'kind')}`);
  }

  /** Ask again: definitions have appeared. */
  refresh(): void {
    this.#known.clear();
  }

  async of(object: Json): Promise<Resource> {
    const version = textAt(object, 'apiVersion');
    const base = version.includes('/') ? `/apis/${version}` : `/api/${version}`;
    const asked = this.#known.get(base) ?? this.#api.json(base);
    this.#known.set(base, asked);
    const found = listAt(await asked, 'resources').find(
      (entry) => at(entry, 'kind') === at(object, 'kind') && !textAt(entry, 'name').includes('/'),
    );
    if (found === undefined) throw new Error(`${nameOf(object)}: the API server knows no such kind`);
    const [plural, group] = [textAt(found, 'name'), groupOf(object)];
    const named = this.#groups.has(group) ? `${group}/${plural}` : plural;
    return {
      path: `${base}/${plural}`,
      storage: STORED_ELSEWHERE[`${group}/${plural}`] ?? named,
      namespaced: at(found, 'namespaced') === true,
    };
  }
}

/** The requests to etcd that are needed, through its JSON gateway. */
class Etcd {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  async put(key: string, value: string): Promise<void> {
    await this.#post('/v3/kv/put', { key: base64(key), value: base64(value) });
  }

  /** The text under a key; empty if there is none. */
  async get(key: string): Promise<string> {
    const answer = await this.#post('/v3/kv/range', { key: base64(key) });
    return Buffer.from(textAt(answer, 'kvs', 0, 'value'), 'base64').toString();
  }

  /** All keys that begin with `prefix`, which ends in a slash. */
  async keys(prefix: string): Promise<string[]> {
    const end = `${prefix.slice(0, -1)}0`; // "0" is the character after "/".
    const answer = await this.#post('/v3/kv/range', { key: base64(prefix), range_end: base64(end), keys_only: true });
    return listAt(answer, 'kvs').map((entry) => Buffer.from(textAt(entry, 'key'), 'base64').toString());
  }

  async delete(key: string): Promise<void> {
    await this.#post('/v3/kv/deleterange', { key: base64(key) });
  }

  async #post(path: string, body: Json): Promise<Json> {
    const response = await fetch(`${this.#url}${path}`, { method: 'POST', body: JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`etcd ${path}: ${response.status} ${text}`);
    const answer: Json = JSON.parse(text);
    return answer;
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

function groupOf(object: Json): string {
  const version = textAt(object, 'apiVersion');
  return version.includes('/') ? version.slice(0, version.indexOf('/')) : '';
}

function placeOf(object: Json): string {
  return `${textAt(object, 'metadata', 'namespace')}/${textAt(object, 'metadata', 'name')}`;
}

function nameOf(object: Json): string {
  return `${textAt(object, 'apiVersion')} ${textAt(object, 'kind')} ${placeOf(object)}`;
}
