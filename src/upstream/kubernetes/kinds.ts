// Words to kinds: an index over what a cluster serves.
import { AppError } from '../../kit/errors.ts';
import { nearestNames } from '../../kit/nearest.ts';
import type { ApiResource, Discovery } from './discovery.ts';
import { apiVersionOf, resourceName } from './resources.ts';

export interface ResolvedKind {
  readonly resource: ApiResource;
  readonly subresource: string | undefined;
}

export interface KindIndex {
  /** undefined: no such kind. Throws AMBIGUOUS, and INVALID_ARGUMENT for a subresource that the kind does not have. */
  find(text: string): ResolvedKind | undefined;
  nearest(text: string): readonly string[];
}

/** Groups that come with Kubernetes; any other group is an extension, whatever its name ends with. */
const BUILT_IN_GROUPS: ReadonlySet<string> = new Set([
  '',
  'apps',
  'batch',
  'autoscaling',
  'policy',
  'extensions',
  ...'admissionregistration apiextensions apiregistration authentication authorization certificates coordination discovery events flowcontrol.apiserver internal.apiserver networking node rbac.authorization resource scheduling storage storagemigration'
    .split(' ')
    .map((name) => `${name}.k8s.io`),
]);

interface Wanted {
  readonly word: string;
  readonly group?: string | undefined;
  readonly version?: string | undefined;
  readonly subresource?: string | undefined;
}

export const createKindIndex = (discovery: Discovery): KindIndex => {
  const all = discovery.groups.flatMap(({ versions }) => versions.flatMap(({ resources }) => resources));
  const byWord = new Map<string, ApiResource[]>();
  const byShortName = new Map<string, ApiResource[]>();
  for (const resource of all) {
    for (const word of new Set([resource.plural, resource.singular, resource.kind].map((name) => name.toLowerCase())))
      add(byWord, word, resource);
    for (const word of resource.shortNames) add(byShortName, word.toLowerCase(), resource);
  }
  const lookUp = ({ word, group, version, subresource }: Wanted): ResolvedKind | undefined => {
    const fits = (resource: ApiResource) =>
      (group === undefined || resource.group === group) && (version === undefined || resource.version === version);
    // A full name beats a short one of another kind.
    const full = byWord.get(word)?.filter(fits) ?? [];
    const resource = choose(full.length > 0 ? full : (byShortName.get(word)?.filter(fits) ?? []), word);
    return resource === undefined ? undefined : { resource, subresource: checkSubresource(resource, subresource) };
  };
  return {
    find: (text) => {
      for (const wanted of readWords(text, all)) {
        const found = lookUp(wanted);
        if (found !== undefined) return found;
      }
      return undefined;
    },
    nearest: (text) =>
      nearestNames(
        text.split(/[/.]/)[0] ?? text,
        all.flatMap(({ plural, kind }) => [plural, kind]),
      ),
  };
};

const add = (map: Map<string, ApiResource[]>, word: string, resource: ApiResource) => {
  const list = map.get(word);
  if (list === undefined) map.set(word, [resource]);
  else list.push(resource);
};

/** Every way to read the text, the likeliest first. */
const readWords = (text: string, all: readonly ApiResource[]): readonly Wanted[] => {
  const parts = text.trim().toLowerCase().split('/');
  const [first = '', second = '', third = '', ...rest] = parts;
  const sub = rest.length === 0 ? undefined : rest.join('/');
  if (parts.length === 1) return readDotted(first);
  if (isVersion(first))
    return [{ group: '', version: first, word: second, subresource: third === '' ? undefined : [third, ...rest].join('/') }];
  if (parts.length === 2)
    return [...readDotted(first).map((wanted) => ({ ...wanted, subresource: second })), { group: first, word: second }];
  if (isVersion(second)) return [{ group: first, version: second, word: third, subresource: sub }];
  const subresource = parts.slice(1).join('/');
  return all.some(({ group }) => group === first)
    ? [{ group: first, word: second, subresource: third }]
    : readDotted(first).map((wanted) => ({ ...wanted, subresource }));
};

const isVersion = (text: string): boolean => /^v\d+((alpha|beta)\d+)?$/.test(text);

/** `deployments`, `deployments.apps`, `deployments.v1.apps`. */
const readDotted = (text: string): readonly Wanted[] => {
  const dot = text.indexOf('.');
  if (dot < 0) return [{ word: text }];
  const word = text.slice(0, dot);
  const group = text.slice(dot + 1);
  const [version = '', ...name] = group.split('.');
  return [{ word, group }, ...(isVersion(version) ? [{ word, version, group: name.join('.') }] : [])];
};

/** Candidates stand in the server's order of groups and versions: the first of a group is its preferred version. */
const choose = (candidates: readonly ApiResource[], word: string): ApiResource | undefined => {
  const [first] = candidates;
  const builtIn = candidates.find(({ group }) => group === '') ?? candidates.find(({ group }) => BUILT_IN_GROUPS.has(group));
  const groups = new Set(candidates.map(({ group }) => group));
  if (builtIn !== undefined || groups.size <= 1) return builtIn ?? first;
  const choices = [...groups]
    .flatMap((group) => candidates.filter((one) => one.group === group).slice(0, 1))
    .map((one) => `${apiVersionOf(one)}/${one.kind}`);
  throw new AppError('INVALID_ARGUMENT', `"${word.slice(0, 100)}" is a kind of several groups: name one of the choices.`, {
    details: { argument: 'kind', reason: 'AMBIGUOUS', choices },
  });
};

const checkSubresource = (resource: ApiResource, wanted: string | undefined): string | undefined => {
  if (wanted === undefined || resource.subresources.some(({ name }) => name === wanted)) return wanted;
  const choices = resource.subresources.map(({ name }) => `${resourceName(resource)}/${name}`);
  throw new AppError('INVALID_ARGUMENT', `${resource.kind} has no subresource "${wanted.slice(0, 100)}".`, {
    details: { argument: 'kind', nearest: nearestNames(`${resourceName(resource)}/${wanted}`, choices), choices },
  });
};
