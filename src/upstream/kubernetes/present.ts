// Objects as they may be shown: without what only the server needs, and never with the value of a Secret.

import type { Kubernetes } from './kubernetes.ts';
import { type Fields, fieldsAt, type KubeObject, mapAt, metadataOf, textAt } from './objects.ts';
import { isSecretName, teach } from './teach.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

const omit = (fields: Fields, gone: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => !gone.includes(key)));

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);

const toHidden = (text: string, { fingerprint }: Kubernetes): Fields => ({ size: Buffer.byteLength(text), hash: fingerprint(text) });

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** Key names, sizes and keyed hashes instead of values: two Secrets can be compared, none can be read. */
const hideSecret = (object: KubeObject, service: Kubernetes): KubeObject => {
  const { name, namespace } = metadataOf(object);
  const hide = (key: string, text: string): [string, Fields] => {
    teach(key, text, service.learnSecret, [key, name, ...(namespace === undefined ? [] : [namespace])]);
    return [key, toHidden(text, service)];
  };
  const data = Object.entries(mapAt(object, 'data')).map(([key, value]) => {
    const text = decode(value);
    // No text: it can only reappear as it is encoded.
    if (text.includes('\ufffd')) teach('', value, service.learnSecret);
    return hide(key, text);
  });
  const plain = Object.entries(mapAt(object, 'stringData')).map(([key, value]) => hide(key, value));
  return { ...omit(object, ['stringData']), data: Object.fromEntries([...data, ...plain]) };
};

/** The value of a variable as it may be shown; undefined = as it stands. */
export const hideVariable = (variable: unknown, service: Kubernetes): Fields | undefined => {
  const [name, value] = [textAt(variable, 'name') ?? '', textAt(variable, 'value')];
  if (value === undefined || value === '' || !isSecretName(name)) return undefined;
  teach(name, value, service.learnSecret);
  return toHidden(value, service);
};

const hideVariables = (variables: readonly unknown[], service: Kubernetes): readonly unknown[] => {
  const hidden = variables.map((variable) => hideVariable(variable, service));
  if (hidden.every((value) => value === undefined)) return variables;
  return variables.map((variable, at) => (hidden[at] === undefined ? variable : { ...(variable as Fields), value: hidden[at] }));
};

/** Environments wherever they stand: pods, templates, revisions, custom resources. Gives the same object when there is nothing to hide. */
const hideEnvironments = (value: unknown, service: Kubernetes): unknown => {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    const items = value.map((item: unknown) => hideEnvironments(item, service));
    return items.some((item, at) => item !== value[at]) ? items : value;
  }
  let changed: Record<string, unknown> | undefined;
  for (const [key, item] of Object.entries(value)) {
    const hidden = key === 'env' && Array.isArray(item) ? hideVariables(item, service) : hideEnvironments(item, service);
    if (hidden === item) continue;
    changed ??= { ...value };
    changed[key] = hidden;
  }
  return changed ?? value;
};

const isSecret = (object: KubeObject): boolean => object['kind'] === 'Secret' && textAt(object, 'apiVersion') === 'v1';

/** What every view may start from: Secrets hidden, the copy of the manifest in annotations gone (it repeats Secret data). */
export const toSafe = (object: KubeObject, service: Kubernetes): KubeObject => {
  const metadata = fieldsAt(object, 'metadata');
  const annotations = omit(fieldsAt(metadata, 'annotations'), [LAST_APPLIED]);
  const cleaned = { ...object, metadata: { ...omit(metadata, ['annotations']), ...(isEmpty(annotations) ? {} : { annotations }) } };
  return isSecret(object) ? hideSecret(cleaned, service) : (hideEnvironments(cleaned, service) as KubeObject);
};

/** For reading: no managed fields, no identifiers that help nobody, no empty fields. */
export const toReadable = (object: KubeObject, service: Kubernetes): KubeObject => {
  const safe = toSafe(object, service);
  const metadata = omit(fieldsAt(safe, 'metadata'), ['managedFields', 'selfLink', 'uid', 'resourceVersion', 'generateName']);
  return Object.fromEntries(Object.entries({ ...safe, metadata }).filter(([, value]) => !isEmpty(value)));
};
