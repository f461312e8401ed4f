// Discovery documents: the aggregated form (two requests), or the older one (a request per group and version).
import { toAppError } from '../../kit/errors.ts';
import type { Api, CallOptions } from './api.ts';
import type { ApiGroup, ApiResource, ApiVersion, Discovery } from './discovery.ts';
import { booleanAt, type Fields, listAt, textAt, textsAt } from './objects.ts';

const DISCOVERY = ['v2', 'v2beta1']
  .map((version) => `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`)
  .join(',');
const ACCEPT = `${DISCOVERY},application/json`;
const PARALLEL = 10;

type Unavailable = Discovery['unavailable'][number];

interface Part {
  readonly groups: readonly ApiGroup[];
  readonly unavailable: readonly Unavailable[];
}

export const fetchDiscovery = async (api: Api, options: CallOptions): Promise<Discovery> => {
  const parts = await Promise.all([fetchRoot(api, '/api', options), fetchRoot(api, '/apis', options)]);
  return { groups: parts.flatMap(({ groups }) => groups), unavailable: parts.flatMap(({ unavailable }) => unavailable) };
};

const fetchRoot = async (api: Api, path: '/api' | '/apis', options: CallOptions): Promise<Part> => {
  const { body } = await api.json({ ...options, path, accept: ACCEPT, api: `discovery ${path}` });
  if (textAt(body, 'kind') === 'APIGroupDiscoveryList') return readAggregated(body);
  const versions =
    path === '/api' ? textsAt(body, 'versions').map((version) => ({ group: '', version })) : listAt(body, 'groups').flatMap(readGroup);
  return fetchEach(api, versions, options);
};

const readAggregated = (body: unknown): Part => {
  const groups = listAt(body, 'items').map((item): ApiGroup => {
    const name = textAt(item, 'metadata', 'name') ?? '';
    return { name, versions: listAt(item, 'versions').map((version) => readVersion(name, version)) };
  });
  const unavailable = groups.flatMap(({ name, versions }) =>
    versions
      .filter(({ isFresh }) => !isFresh)
      .map(({ version }) => ({ group: name, version, reason: 'the backend of this API does not answer' })),
  );
  return { groups, unavailable };
};

const readVersion = (group: string, fields: Fields): ApiVersion => {
  const version = textAt(fields, 'version') ?? '';
  const resources = listAt(fields, 'resources').map((resource): ApiResource => {
    const plural = textAt(resource, 'resource') ?? '';
    return {
      // The kind's own group and version stand here only where they differ (Scale): a resource lives where it is listed.
      group,
      version,
      plural,
      kind: textAt(resource, 'responseKind', 'kind') ?? '',
      singular: textAt(resource, 'singularResource') ?? '',
      shortNames: textsAt(resource, 'shortNames'),
      categories: textsAt(resource, 'categories'),
      verbs: textsAt(resource, 'verbs'),
      namespaced: textAt(resource, 'scope') === 'Namespaced',
      subresources: listAt(resource, 'subresources').map((one) => ({
        name: textAt(one, 'subresource') ?? '',
        kind: textAt(one, 'responseKind', 'kind') ?? '',
        verbs: textsAt(one, 'verbs'),
      })),
    };
  });
  return { version, isFresh: textAt(fields, 'freshness') !== 'Stale', resources };
};

interface GroupVersion {
  readonly group: string;
  readonly version: string;
}

/** The preferred version first, as in the aggregated form. */
const readGroup = (fields: Fields): readonly GroupVersion[] => {
  const group = textAt(fields, 'name') ?? '';
  const preferred = textAt(fields, 'preferredVersion', 'version') ?? '';
  const versions = new Set([preferred, ...listAt(fields, 'versions').map((version) => textAt(version, 'version') ?? '')]);
  return [...versions].filter((version) => version !== '').map((version) => ({ group, version }));
};

const fetchEach = async (api: Api, wanted: readonly GroupVersion[], options: CallOptions): Promise<Part> => {
  const outcomes: { at: GroupVersion; version?: ApiVersion; reason?: string }[] = [];
  const queue = [...wanted.entries()];
  const work = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [index, at] = next;
      const path = at.group === '' ? ['api', at.version] : ['apis', at.group, at.version];
      try {
        const { body } = await api.json({ ...options, path, api: 'discovery /apis/{group}/{version}' });
        outcomes[index] = { at, version: readLegacyVersion(at, body) };
      } catch (error) {
        // One broken aggregated API must not hide all the others; a login that is refused is refused for all.
        const { code, message } = toAppError(error);
        if (code === 'UNAUTHENTICATED' || code === 'CANCELLED' || code === 'DEADLINE_EXCEEDED') throw error;
        outcomes[index] = { at, reason: message };
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, work));
  const groups = [...new Set(wanted.map(({ group }) => group))].map(
    (name): ApiGroup => ({
      name,
      versions: outcomes.flatMap(({ at, version }) => (at.group === name && version !== undefined ? [version] : [])),
    }),
  );
  return { groups, unavailable: outcomes.flatMap(({ at, reason }) => (reason === undefined ? [] : [{ ...at, reason }])) };
};

const readLegacyVersion = ({ group, version }: GroupVersion, body: unknown): ApiVersion => {
  const entries = listAt(body, 'resources').map((entry) => ({ entry, name: textAt(entry, 'name') ?? '' }));
  const resources = entries
    .filter(({ name }) => !name.includes('/'))
    .map(
      ({ entry, name }): ApiResource => ({
        group,
        version,
        plural: name,
        kind: textAt(entry, 'kind') ?? '',
        singular: textAt(entry, 'singularName') ?? '',
        shortNames: textsAt(entry, 'shortNames'),
        categories: textsAt(entry, 'categories'),
        verbs: textsAt(entry, 'verbs'),
        namespaced: booleanAt(entry, 'namespaced'),
        subresources: entries
          .filter((sub) => sub.name.startsWith(`${name}/`))
          .map((sub) => ({
            name: sub.name.slice(name.length + 1),
            kind: textAt(sub.entry, 'kind') ?? '',
            verbs: textsAt(sub.entry, 'verbs'),
          })),
      }),
    );
  return { version, isFresh: true, resources };
};
