// What every object's metadata must fulfil (apimachinery, pkg/api/validation/objectmeta.go).
import { textsAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import type { FieldError } from './status.ts';

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const NAME_WORDS = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const NAME_EXAMPLE = `(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'`;
const VALUE_HELP = `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`;
const SUBDOMAIN_HELP =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const LONGEST_NAME = 63;
const LONGEST_PREFIX = 253;
const LONGEST_ANNOTATIONS = 256 * 1024;

/** What is wrong with the key of a label or annotation. */
const keyFaults = (key: string): string[] => {
  const parts = key.split('/');
  if (parts.length > 2) {
    return [`a qualified name ${NAME_WORDS} ${NAME_EXAMPLE}) with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const [prefix, name = ''] = parts.length === 2 ? parts : [undefined, parts[0]];
  const faults: string[] = [];
  if (prefix === '') faults.push('prefix part must be non-empty');
  else if (prefix !== undefined && prefix.length > LONGEST_PREFIX) faults.push(`prefix part must be no more than ${LONGEST_PREFIX} bytes`);
  else if (prefix !== undefined && !SUBDOMAIN.test(prefix)) faults.push(`prefix part ${SUBDOMAIN_HELP}`);
  if (name === '') faults.push('name part must be non-empty');
  if (name.length > LONGEST_NAME) faults.push(`name part must be no more than ${LONGEST_NAME} bytes`);
  if (!NAME.test(name)) faults.push(`name part ${NAME_WORDS} ${NAME_EXAMPLE})`);
  return faults;
};

const valueFaults = (value: string): string[] => [
  ...(value.length > LONGEST_NAME ? [`must be no more than ${LONGEST_NAME} bytes`] : []),
  ...(VALUE.test(value) ? [] : [VALUE_HELP]),
];

const invalid = (field: string, value: string, why: string): FieldError => ({
  reason: 'FieldValueInvalid',
  message: `Invalid value: ${JSON.stringify(value)}: ${why}`,
  field,
});

/** Faults of labels, which may stand in other places than metadata. */
export const labelFaults = (labels: Readonly<Record<string, string>>, field: string): FieldError[] =>
  Object.entries(labels).flatMap(([key, value]) => [
    ...keyFaults(key).map((why) => invalid(field, key, why)),
    ...valueFaults(value).map((why) => invalid(field, value, why)),
  ]);

const annotationFaults = (annotations: Readonly<Record<string, string>>): FieldError[] => {
  const field = 'metadata.annotations';
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0);
  return [
    ...Object.keys(annotations).flatMap((key) => keyFaults(key.toLowerCase()).map((why) => invalid(field, key, why))),
    ...(size > LONGEST_ANNOTATIONS
      ? [{ reason: 'FieldValueTooLong', message: `Too long: may not be more than ${LONGEST_ANNOTATIONS} bytes`, field }]
      : []),
  ];
};

/** Everything that is wrong with the metadata of an object. */
export const metadataFaults = (object: KubernetesObject): FieldError[] => [
  ...labelFaults(textsAt(object, 'metadata', 'labels'), 'metadata.labels'),
  ...annotationFaults(textsAt(object, 'metadata', 'annotations')),
];

/** An object that ends takes no new finalizer: nobody could rely on it. */
export const finalizerFaults = ({ metadata }: KubernetesObject, previous: KubernetesObject): FieldError[] => {
  if (previous.metadata.deletionTimestamp === undefined) return [];
  const known = new Set(previous.metadata.finalizers ?? []);
  const added = (metadata.finalizers ?? []).filter((finalizer) => !known.has(finalizer));
  if (added.length === 0) return [];
  const list = `[]string{${added.map((finalizer) => JSON.stringify(finalizer)).join(', ')}}`;
  const why = `no new finalizers can be added if the object is being deleted, found new finalizers ${list}`;
  return [{ reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field: 'metadata.finalizers' }];
};
