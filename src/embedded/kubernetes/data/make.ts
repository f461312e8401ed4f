// Makes the data files beside it from a Kubernetes API description and a freshly started API server. See README.md; not part of the product's run time.
//   node make.ts <swagger.json> <API server URL> <bearer token>
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

interface Subresource {
  readonly subresource: string;
}

interface Resource {
  readonly resource: string;
  readonly scope: string;
  readonly verbs: readonly string[];
  readonly subresources?: Subresource[];
}

interface Group {
  readonly metadata: { readonly name?: string };
  versions: { version: string; resources: Resource[] }[];
}

const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';

const [swaggerFile, server, token] = process.argv.slice(2);
if (swaggerFile === undefined || server === undefined || token === undefined) {
  throw new Error('usage: node make.ts <swagger.json> <API server URL> <bearer token>');
}

const fetchJson = async (path: string, accept = 'application/json'): Promise<Json> => {
  const response = await fetch(`${server}${path}`, { headers: { accept, authorization: `Bearer ${token}` } });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  const body: Json = JSON.parse(await response.text());
  return body;
};

/** Made by the shop itself, or bound to the machine that the server ran on. */
const LEFT_OUT = new Set(['events', 'leases', 'configmaps', 'services', 'ipaddresses', 'secrets']);

const isGroupList = (value: unknown): value is { items: Group[] } => typeof value === 'object' && value !== null && 'items' in value;

const write = (name: string, content: string | Buffer): void => writeFileSync(new URL(name, import.meta.url), content);

const swagger: { paths: Record<string, unknown>; definitions: Record<string, unknown> } = JSON.parse(readFileSync(swaggerFile, 'utf8'));

const base = (group: string | undefined, version: string): string =>
  group === undefined ? `/api/${version}` : `/apis/${group}/${version}`;

/** Keeps what the description of this release has: the server may be newer. */
const isDescribed = (group: string | undefined, version: string, resource: Resource, subresource?: string): boolean => {
  const scope = resource.scope === 'Namespaced' ? '/namespaces/{namespace}' : '';
  const path = `${base(group, version)}${scope}/${resource.resource}`;
  return (subresource === undefined ? path : `${path}/{name}/${subresource}`) in swagger.paths;
};

const discoveryOf = async (path: string): Promise<Group[]> => {
  const list = await fetchJson(path, DISCOVERY);
  if (!isGroupList(list)) throw new Error(`${path}: no aggregated discovery`);
  for (const group of list.items) {
    const name = group.metadata.name;
    for (const version of group.versions) {
      version.resources = version.resources
        .filter((resource) => isDescribed(name, version.version, resource))
        .map((resource) => {
          const { subresources, ...rest } = resource;
          const kept = (subresources ?? []).filter(({ subresource }) => isDescribed(name, version.version, resource, subresource));
          return kept.length === 0 ? rest : { ...rest, subresources: kept };
        });
    }
    group.versions = group.versions.filter((version) => version.resources.length > 0);
  }
  return list.items.filter((group) => group.versions.length > 0);
};

const groups = [...(await discoveryOf('/api')), ...(await discoveryOf('/apis'))];
write('discovery.json', `${JSON.stringify(groups)}\n`);

const columns: Record<string, Json> = {};
const objects: Json[] = [];
for (const group of groups) {
  for (const version of group.versions) {
    for (const resource of version.resources.filter(({ verbs }) => verbs.includes('list'))) {
      const path = `${base(group.metadata.name, version.version)}/${resource.resource}`;
      const table = await fetchJson(`${path}?limit=1&includeObject=None`, TABLE);
      if (typeof table !== 'object' || table === null || Array.isArray(table)) throw new Error(`${path}: no table`);
      const name = group.metadata.name === undefined ? resource.resource : `${resource.resource}.${group.metadata.name}`;
      columns[name] ??= table['columnDefinitions'] ?? [];
      const list = await fetchJson(path);
      if (typeof list !== 'object' || list === null || Array.isArray(list)) throw new Error(`${path}: no list`);
      const kind = String(list['kind']).replace(/List$/, '');
      if (version === group.versions[0] && resource.verbs.includes('create') && !LEFT_OUT.has(resource.resource)) {
        for (const item of Array.isArray(list['items']) ? list['items'] : []) {
          if (typeof item === 'object' && item !== null) objects.push({ kind, apiVersion: list['apiVersion'] ?? '', ...item });
        }
      }
    }
  }
}
/** Defaults of fields: what is always there when Go writes an empty object, and what a key of a list may leave out. */
const defaultsOf = async (): Promise<Record<string, Record<string, Json>>> => {
  const defaults: Record<string, Record<string, Json>> = {};
  const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  const below = (value: unknown, ...path: string[]): Record<string, unknown> => {
    const found = path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), value);
    return isRecord(found) ? found : {};
  };
  for (const path of Object.keys(below(await fetchJson('/openapi/v3'), 'paths'))) {
    const schemas = below(await fetchJson(`/openapi/v3/${path}`), 'components', 'schemas');
    for (const [name, schema] of Object.entries(schemas)) {
      for (const [field, property] of Object.entries(below(schema, 'properties'))) {
        const value: Json = JSON.parse(JSON.stringify(below(property)['default'] ?? null));
        if (value === null || !(field in below(swagger.definitions[name], 'properties'))) continue;
        defaults[name] = { ...defaults[name], [field]: value };
      }
    }
  }
  return defaults;
};

write('defaults.json.gz', gzipSync(JSON.stringify(await defaultsOf()), { level: 9 }));
write('columns.json.gz', gzipSync(JSON.stringify(columns), { level: 9 }));
write('bootstrap.json.gz', gzipSync(JSON.stringify(objects), { level: 9 }));
write('openapi.json.gz', gzipSync(JSON.stringify(swagger), { level: 9 }));
