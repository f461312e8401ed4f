// Objects as they may be shown: without what only the server needs, and never with the value of a Secret.

import type { Kubernetes } from './kubernetes.ts';
import { type Fields, fieldsAt, type KubeObject, mapAt, textAt } from './objects.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';
/** Longer values are whole documents (Helm releases): nothing that would reappear as it is. */
const MAX_LEARNT = 4096;

const omit = (fields: Fields, gone: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([key]) => !gone.includes(key)));

const isEmpty = (value: unknown): boolean =>
  value === null || value === undefined || (typeof value === 'object' && Object.keys(value).length === 0);

const toHidden = (text: string, { fingerprint, learnSecret }: Kubernetes): Fields => {
  if (text.length <= MAX_LEARNT) learnSecret(text);
  return { size: Buffer.byteLength(text), hash: fingerprint(text) };
};

const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

/** Key names, sizes and keyed hashes instead of values: two Secrets can be compared, none can be read. */
const hideSecret = (object: KubeObject, service: Kubernetes): KubeObject => {
  const data = Object.entries(mapAt(object, 'data')).map(([key, value]) => [key, toHidden(decode(value), service)]);
  const plain = Object.entries(mapAt(object, 'stringData')).map(([key, value]) => [key, toHidden(value, service)]);
  return { ...omit(object, ['stringData']), data: Object.fromEntries([...data, ...plain]) };
};

const isSecret = (object: KubeObject): boolean => object['kind'] === 'Secret' && textAt(object, 'apiVersion') === 'v1';

/** What every view may start from: Secrets hidden, the copy of the manifest in annotations gone (it repeats Secret data). */
export const toSafe = (object: KubeObject, service: Kubernetes): KubeObject => {
  const metadata = fieldsAt(object, 'metadata');
  const annotations = omit(fieldsAt(metadata, 'annotations'), [LAST_APPLIED]);
  const cleaned = { ...object, metadata: { ...omit(metadata, ['annotations']), ...(isEmpty(annotations) ? {} : { annotations }) } };
  return isSecret(object) ? hideSecret(cleaned, service) : cleaned;
};

/** For reading: no managed fields, no identifiers that help nobody, no empty fields. */
export const toReadable = (object: KubeObject, service: Kubernetes): KubeObject => {
  const safe = toSafe(object, service);
  const metadata = omit(fieldsAt(safe, 'metadata'), ['managedFields', 'selfLink', 'uid', 'resourceVersion', 'generateName']);
  return Object.fromEntries(Object.entries({ ...safe, metadata }).filter(([, value]) => !isEmpty(value)));
};
