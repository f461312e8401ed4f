// Manifests as people write them: one or more YAML or JSON documents, lists too, read within bounds and put in an order that can work.

import { AppError } from '../../../kit/errors.ts';
import { isObject, type KubeObject, kindOf, nameOf, textAt } from '../../../upstream/kubernetes/objects.ts';
import { AS_GO_READS } from '../../../upstream/kubernetes/yaml.ts';

const MAX_OBJECTS = 50;
const MAX_CHARS = 1024 * 1024;
/** Aliases of YAML that multiply: a document of a few lines must not become one of gigabytes. */
const MAX_ALIASES = 100;

/** What others stand on comes first. */
const ORDER: readonly (readonly string[])[] = [
  ['Namespace'],
  ['CustomResourceDefinition', 'PriorityClass', 'StorageClass', 'RuntimeClass', 'IngressClass'],
  ['ServiceAccount', 'ClusterRole', 'Role', 'ClusterRoleBinding', 'RoleBinding'],
  ['ResourceQuota', 'LimitRange', 'NetworkPolicy', 'PodDisruptionBudget'],
  ['ConfigMap', 'Secret', 'PersistentVolume', 'PersistentVolumeClaim', 'Service'],
];
const LAST: readonly string[] = [
  'HorizontalPodAutoscaler',
  'Ingress',
  'APIService',
  'MutatingWebhookConfiguration',
  'ValidatingWebhookConfiguration',
];

const rankOf = (object: KubeObject): number => {
  const kind = kindOf(object);
  if (LAST.includes(kind)) return ORDER.length + 1;
  const rank = ORDER.findIndex((kinds) => kinds.includes(kind));
  return rank < 0 ? ORDER.length : rank;
};

const refuse = (message: string, details: Readonly<Record<string, unknown>> = {}): AppError =>
  new AppError('INVALID_ARGUMENT', message, { details: { argument: 'manifest', ...details } });

const parse = async (text: string): Promise<unknown[]> => {
  const { parseAllDocuments } = await import('yaml');
  const documents = [parseAllDocuments(text, { ...AS_GO_READS, uniqueKeys: true, logLevel: 'silent' })].flat();
  return documents.map((document, index) => {
    const [problem] = document.errors;
    if (problem !== undefined) {
      const line = problem.linePos?.[0].line;
      throw refuse(`Document ${index + 1} of the manifest is no YAML${line === undefined ? '' : ` (line ${line})`}: ${problem.code}.`, {
        document: index + 1,
        ...(line === undefined ? {} : { line }),
      });
    }
    try {
      return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
    } catch {
      throw refuse(`Document ${index + 1} of the manifest has too many aliases.`, { document: index + 1 });
    }
  });
};

const flatten = (value: unknown): unknown[] =>
  isObject(value) && kindOf(value).endsWith('List') && Array.isArray(value['items']) ? [...(value['items'] as unknown[])] : [value];

const check = (value: unknown, index: number): KubeObject => {
  const where = `Object ${index + 1} of the manifest`;
  if (!isObject(value)) throw refuse(`${where} is no object.`, { object: index + 1 });
  const missing = [
    ...(textAt(value, 'apiVersion') === undefined ? ['apiVersion'] : []),
    ...(kindOf(value) === '' ? ['kind'] : []),
    ...(nameOf(value) === '' ? ['metadata.name'] : []),
  ];
  if (missing.length === 0) return value;
  const hint = textAt(value, 'metadata', 'generateName') === undefined ? '' : ' generateName is not taken: apply needs a name.';
  throw refuse(`${where} lacks ${missing.join(', ')}.${hint}`, { object: index + 1, expected: missing.join(', ') });
};

/** What the server writes comes along with copies of live objects: it is no wish. */
const SERVER_FIELDS = ['managedFields', 'resourceVersion', 'uid', 'creationTimestamp', 'generation', 'selfLink'];

const toWish = (object: KubeObject): KubeObject => {
  const { status: _, ...rest } = object;
  const metadata = Object.fromEntries(Object.entries(object['metadata'] as object).filter(([key]) => !SERVER_FIELDS.includes(key)));
  return { ...rest, metadata };
};

/** The objects of a manifest, in the order in which they are applied. */
export const readManifest = async (text: string): Promise<KubeObject[]> => {
  if (text.length > MAX_CHARS)
    throw new AppError('PAYLOAD_TOO_LARGE', 'The manifest is larger than 1 MiB.', { details: { argument: 'manifest', limit: MAX_CHARS } });
  const documents = (await parse(text)).filter((value) => value !== null && value !== undefined);
  const objects = documents.flatMap(flatten).map(check).map(toWish);
  if (objects.length === 0) throw refuse('The manifest has no object.');
  if (objects.length > MAX_OBJECTS) throw refuse(`The manifest has ${objects.length} objects; at most ${MAX_OBJECTS} are applied at once.`);
  return objects.toSorted((a, b) => rankOf(a) - rankOf(b));
};
