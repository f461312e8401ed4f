// Field selectors: each kind supports a few fields and refuses all others, in the words of its own conversion function.
import { isTrueAt, numberAt, objectsAt, textAt } from './json.ts';
import type { KubernetesObject } from './object.ts';
import type { Resource } from './resources.ts';
import { badRequest } from './status.ts';

export interface FieldSelector {
  readonly isEmpty: boolean;
  matches(object: KubernetesObject): boolean;
  /** The name that the selector asks for, when it asks for exactly one. */
  readonly name: string | undefined;
}

type Reader = (object: KubernetesObject) => string;

interface FieldRules {
  readonly fields: Readonly<Record<string, Reader>>;
  readonly refusal: (field: string) => string;
}

interface Term {
  readonly field: string;
  readonly isEqual: boolean;
  readonly value: string;
}

const at =
  (...path: readonly string[]): Reader =>
  (object) =>
    textAt(object, ...path);

const name: Reader = ({ metadata }) => metadata.name;
const namespace: Reader = ({ metadata }) => metadata.namespace ?? '';
const METADATA = { 'metadata.name': name, 'metadata.namespace': namespace };

const unsupported = (field: string): string => `field label not supported: ${field}`;
const unknown = (field: string): string => `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`;

const nodeName = at('spec', 'nodeName');

const firstPodAddress: Reader = (object) => textAt(objectsAt(object, 'status', 'podIPs')[0], 'ip');

const eventSource: Reader = (object) => textAt(object, 'source', 'component') || textAt(object, 'reportingComponent');

const involved = (prefix: string): Record<string, Reader> =>
  Object.fromEntries(
    ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((field) => [
      `${prefix}.${field}`,
      at('involvedObject', field),
    ]),
  );

/** Readers work on the stored form, which for events is that of the core group. */
const RULES: Readonly<Record<string, FieldRules>> = {
  '/pods': {
    refusal: unsupported,
    fields: {
      ...METADATA,
      'spec.nodeName': nodeName,
      'spec.host': nodeName,
      'spec.restartPolicy': at('spec', 'restartPolicy'),
      'spec.schedulerName': at('spec', 'schedulerName'),
      'spec.serviceAccountName': at('spec', 'serviceAccountName'),
      'spec.hostNetwork': (object) => String(isTrueAt(object, 'spec', 'hostNetwork')),
      'status.phase': at('status', 'phase'),
      'status.podIP': firstPodAddress,
      // Accepted by the conversion, but in no pod's set of fields: it selects pods only by the empty value.
      'status.podIPs': () => '',
      'status.nominatedNodeName': at('status', 'nominatedNodeName'),
    },
  },
  '/nodes': {
    refusal: unsupported,
    fields: { 'metadata.name': name, 'spec.unschedulable': (object) => String(isTrueAt(object, 'spec', 'unschedulable')) },
  },
  '/replicationcontrollers': {
    refusal: unsupported,
    fields: { ...METADATA, 'status.replicas': (object) => String(numberAt(object, 'status', 'replicas')) },
  },
  '/namespaces': { refusal: unsupported, fields: { 'metadata.name': name, 'status.phase': at('status', 'phase') } },
  '/secrets': { refusal: unsupported, fields: { ...METADATA, type: at('type') } },
  '/services': {
    refusal: unsupported,
    fields: { ...METADATA, 'spec.clusterIP': at('spec', 'clusterIP'), 'spec.type': at('spec', 'type') },
  },
  '/events': {
    refusal: unsupported,
    fields: {
      ...METADATA,
      ...involved('involvedObject'),
      reason: at('reason'),
      reportingComponent: at('reportingComponent'),
      source: eventSource,
      type: at('type'),
    },
  },
  'events.k8s.io/events': {
    refusal: unsupported,
    fields: {
      ...METADATA,
      ...involved('regarding'),
      reason: at('reason'),
      reportingController: at('reportingComponent'),
      type: at('type'),
    },
  },
  'batch/jobs': {
    refusal: (field) => `field label "${field}" not supported for Job`,
    fields: { ...METADATA, 'status.successful': (object) => String(numberAt(object, 'status', 'succeeded')) },
  },
  'certificates.k8s.io/certificatesigningrequests': {
    refusal: unsupported,
    fields: { 'metadata.name': name, 'spec.signerName': at('spec', 'signerName') },
  },
};

const DEFAULT_RULES: FieldRules = { fields: METADATA, refusal: unknown };

const customRules = (resource: Resource): FieldRules => {
  const declared = objectsAt(resource.custom?.version, 'selectableFields').map((field) => textAt(field, 'jsonPath').replace(/^\./, ''));
  const fields = Object.fromEntries(declared.map((path) => [path, at(...path.split('.'))]));
  return { fields: { ...METADATA, ...fields }, refusal: unsupported };
};

const rulesOf = (resource: Resource): FieldRules => {
  if (resource.custom !== undefined) return customRules(resource);
  return RULES[`${resource.group}/${resource.resource}`] ?? DEFAULT_RULES;
};

/** Splits at commas that no backslash protects. */
const splitTerms = (text: string): string[] => text.match(/(?:\\.|[^,\\]|\\$)+/gs) ?? [];

const unescapeValue = (value: string): string => {
  if (!/[\\,=]/.test(value)) return value;
  const bad = /\\(?![\\,=])(.?)/s.exec(value.replace(/\\[\\,=]/g, ''));
  if (bad !== null) throw badRequest(`invalid field selector: invalid escape sequence: \\${bad[1] ?? ''}`);
  const open = /[,=]/.exec(value.replace(/\\[\\,=]/g, ''));
  if (open !== null) throw badRequest(`invalid field selector: unescaped character in value: ${open[0].charCodeAt(0)}`);
  return value.replace(/\\([\\,=])/g, '$1');
};

const parseTerm = (selector: string, term: string): Term => {
  const found = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
  if (found === null) throw badRequest(`invalid selector: '${selector}'; can't understand '${term}'`);
  return { field: found[1] ?? '', isEqual: found[2] !== '!=', value: unescapeValue(found[3] ?? '') };
};

/** Parses the `fieldSelector` parameter for a resource; 400 with the real message for fields that its kind does not support. */
export const parseFieldSelector = (text: string, resource: Resource): FieldSelector => {
  const rules = rulesOf(resource);
  const terms = splitTerms(text)
    .sort()
    .map((term) => parseTerm(text, term));
  const tests = terms.map(({ field, isEqual, value }) => {
    const read = Object.hasOwn(rules.fields, field) ? rules.fields[field] : undefined;
    if (read === undefined) throw badRequest(rules.refusal(field));
    return (object: KubernetesObject): boolean => (read(object) === value) === isEqual;
  });
  return {
    isEmpty: terms.length === 0,
    matches: (object) => tests.every((test) => test(object)),
    name: terms.find(({ field, isEqual }) => field === 'metadata.name' && isEqual)?.value,
  };
};
