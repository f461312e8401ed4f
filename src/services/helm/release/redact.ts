// Values and manifests as they may be shown. Records hold passwords in the clear: in values, in chart defaults, in Secrets, in notes.

import type { Kubernetes } from '../../../upstream/kubernetes/kubernetes.ts';
import type { KubeObject } from '../../../upstream/kubernetes/objects.ts';
import { toSafe } from '../../../upstream/kubernetes/present.ts';
import { isSecretName, teach } from '../../../upstream/kubernetes/teach.ts';
import { type Fields, isFields } from '../../../upstream/shapes.ts';
import type { Release } from '../storage/record.ts';
import type { ManifestObject } from './manifest.ts';

/** Keys that speak of a secret without being one: its name, its place, a switch. */
const NO_SECRET =
  /^(?:existing.*|.*(?:name|names|path|file|ref|refs|enabled|create|annotations|labels|type|class|mode|pull_?secrets?|labelkey|topologykey|keyspace|keepalive)|auth|author|authors|authority|key|keys)$/i;
/** Everything below these is secret. */
const SECRET_MAPS = /^(?:secrets?|secret_?data|string_?data|secret_?env|credentials?|passwords?|tokens?)$/i;
/** What `key` may hold beside the name of a label. */
const KEY_MATERIAL = /-----BEGIN |^[A-Za-z0-9+/=_-]{40,}$/;

const isSecretKey = (key: string, value: unknown): boolean => {
  if (/^keys?$/i.test(key)) return typeof value === 'string' && KEY_MATERIAL.test(value);
  return isSecretName(key) && !NO_SECRET.test(key);
};

const hide = (key: string, value: string | number, { learnSecret, fingerprint }: Kubernetes): Fields => {
  const text = String(value);
  teach(key, text, learnSecret);
  return { size: Buffer.byteLength(text), hash: fingerprint(text) };
};

const isEmptyText = (value: unknown): boolean => value === '' || value === null || value === undefined;

const hideIn = (value: unknown, key: string, isBelowSecret: boolean, service: Kubernetes): unknown => {
  if (Array.isArray(value)) return value.map((item) => hideIn(item, key, isBelowSecret, service));
  if (isFields(value)) {
    // Environment variables in values: `- name: DB_PASSWORD` with `value`.
    const variable = typeof value['name'] === 'string' && Object.hasOwn(value, 'value') ? value['name'] : undefined;
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => {
        const owner = name === 'value' && variable !== undefined ? variable : name;
        return [name, hideIn(item, owner, (isBelowSecret && !NO_SECRET.test(name)) || SECRET_MAPS.test(name), service)];
      }),
    );
  }
  const isScalar = typeof value === 'string' || typeof value === 'number';
  return isScalar && !isEmptyText(value) && (isBelowSecret || isSecretKey(key, value)) ? hide(key, value, service) : value;
};

/** Values with sizes and keyed hashes instead of secrets: two revisions can be compared, none can be read. */
export const toSafeValues = (values: Fields, service: Kubernetes): Fields => hideIn(values, '', false, service) as Fields;

export const toSafeObject = ({ object }: ManifestObject, service: Kubernetes): KubeObject => toSafe(object, service);

/** Before anything of a release is shown: what is secret in it is masked wherever it reappears, such as in notes and ConfigMaps. */
export const learnRelease = (release: Release, objects: readonly ManifestObject[], service: Kubernetes): void => {
  toSafeValues(release.chart.values, service);
  toSafeValues(release.values, service);
  for (const { object } of objects) toSafe(object, service);
};

/** Default values as written, comments and all, without the secrets in them. */
export const toSafeYaml = async (text: string, service: Kubernetes): Promise<string> => {
  const { isMap, isScalar, parseDocument, visit } = await import('yaml');
  const document = parseDocument(text, { logLevel: 'error', prettyErrors: false });
  let isHidden = false;
  visit(document, {
    Pair: (_, pair) => {
      const key = isScalar(pair.key) ? String(pair.key.value) : '';
      const { value } = pair;
      if (!isScalar(value) && !isMap(value)) return;
      const before: unknown = value.toJS(document);
      const after = hideIn(before, key, SECRET_MAPS.test(key), service);
      if (after === before || !isScalar(value)) return;
      isHidden = true;
      value.value = `(hidden: ${JSON.stringify(after)})`;
      delete value.source;
    },
  });
  // As it stands, down to its spaces, when there is nothing to hide.
  return isHidden ? document.toString({ lineWidth: 0 }) : text;
};
