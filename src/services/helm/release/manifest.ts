// A manifest as Helm renders it: YAML documents with a comment that names their template.

import { setImmediate as breathe } from 'node:timers/promises';
import { isObject, type KubeObject, kindOf, listAt, nameOf, namespaceOf, textAt, valueAt } from '../../../upstream/kubernetes/objects.ts';
import { AS_GO_READS } from '../../../upstream/kubernetes/yaml.ts';

export interface ManifestObject {
  /** `Deployment/web`; `Deployment/other/web` outside of the release's namespace. */
  readonly ref: string;
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  /** Of the object, else that of the release: right for kinds with namespaces. */
  readonly namespace: string;
  /** The template. */
  readonly source: string | undefined;
  readonly object: KubeObject;
}

export interface Manifest {
  readonly objects: readonly ManifestObject[];
  /** Documents that are no objects: broken YAML, or without kind and name. */
  readonly unreadable: readonly string[];
}

const SEPARATOR = /^---(?:[ \t].*)?\r?$/m;
const SOURCE = /^# Source: (.+)$/m;
const SMALL = 64;

const toObjects = (value: unknown): readonly KubeObject[] => {
  if (!isObject(value)) return [];
  if (kindOf(value) === 'List' || (kindOf(value).endsWith('List') && Array.isArray(valueAt(value, 'items')))) return listAt(value, 'items');
  return [value];
};

export const refOf = (kind: string, name: string, namespace: string, home: string): string =>
  namespace === home ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;

const toManifestObject = (object: KubeObject, source: string | undefined, home: string): ManifestObject | undefined => {
  const [kind, name, apiVersion] = [kindOf(object), nameOf(object), textAt(object, 'apiVersion')];
  if (kind === '' || name === '' || apiVersion === undefined) return undefined;
  const namespace = namespaceOf(object) ?? home;
  return { ref: refOf(kind, name, namespace, home), apiVersion, kind, name, namespace, source, object };
};

/** @param home namespace of the release: that of objects which name none */
export const parseManifest = async (text: string, home: string): Promise<Manifest> => {
  const { parse } = await import('yaml');
  const objects: ManifestObject[] = [];
  const unreadable: string[] = [];
  for (const [index, part] of text.split(SEPARATOR).entries()) {
    if (part.trim() === '') continue;
    // A manifest may be a megabyte: others get their turn.
    if (index % SMALL === SMALL - 1) await breathe();
    const source = SOURCE.exec(part)?.[1]?.trim();
    let value: unknown;
    try {
      value = parse(part, { ...AS_GO_READS, prettyErrors: false, logLevel: 'error', maxAliasCount: 100 });
    } catch {
      unreadable.push(source ?? `document ${index}`);
      continue;
    }
    // Only comments are left of a template whose condition is false.
    if (value === null || value === undefined) continue;
    const found = toObjects(value).map((object) => toManifestObject(object, source, home));
    objects.push(...found.filter((object) => object !== undefined));
    if (found.length === 0 || found.includes(undefined)) unreadable.push(source ?? `document ${index}`);
  }
  return { objects, unreadable };
};

/** The same object in two manifests. The version of the API may change in between. */
export const identityOf = ({ apiVersion, kind, namespace, name }: ManifestObject): string =>
  [apiVersion.includes('/') ? apiVersion.split('/')[0] : '', kind, namespace, name].join(' ');

/** `kind/name`, `kind`, `*`-free; upper and lower case alike. */
export const toRefMatcher = (wanted: readonly string[]): ((object: ManifestObject) => boolean) => {
  const words = wanted.map((word) => word.toLowerCase().split('/'));
  return ({ kind, name }) =>
    words.some(
      ([first = '', second]) =>
        [kind.toLowerCase(), `${kind.toLowerCase()}s`].includes(first) && (second === undefined || second === name.toLowerCase()),
    );
};

const IMAGE_LISTS = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** Images of containers, wherever pods are described. */
export const imagesOf = (value: unknown): string[] => {
  if (Array.isArray(value)) return value.flatMap(imagesOf);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const own = (IMAGE_LISTS as readonly string[]).includes(key)
      ? listAt(value, key)
          .map((container) => textAt(container, 'image'))
          .filter((image) => image !== undefined)
      : [];
    return [...own, ...imagesOf(item)];
  });
};
