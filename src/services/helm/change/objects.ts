// The objects of a planned change: what comes, changes and goes, what the server says to it, and what may be reached at all.

import type { ChangeTarget, Check, FieldChange } from '../../../kit/change.ts';
import { AppError } from '../../../kit/errors.ts';
import { requirePermit } from '../../../kit/permit.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { Kubernetes } from '../../../upstream/kubernetes/kubernetes.ts';
import { fieldsAt, listAt, mapAt, numberAt, valueAt } from '../../../upstream/kubernetes/objects.ts';
import { type ResourceRef, resourceName } from '../../../upstream/kubernetes/resources.ts';
import { compareManifests, isVersionLabel, type ObjectChange } from '../release/compare.ts';
import { readDrift } from '../release/drift.ts';
import { identityOf, imagesOf, type Manifest, type ManifestObject } from '../release/manifest.ts';
import { inParallel, type LiveObject, readLive, resolve } from '../release/resources.ts';

export interface ObjectPlan {
  readonly targets: readonly ChangeTarget[];
  readonly diff: readonly FieldChange[];
  readonly counts: Readonly<Record<string, number>>;
  readonly warnings: readonly string[];
  readonly checks: readonly Check[];
}

export interface ObjectPlanInput {
  readonly client: KubernetesClient;
  readonly service: Kubernetes;
  readonly signal: AbortSignal;
  /** Of the revision that is deployed now. */
  readonly before: Manifest;
  readonly after: Manifest;
  /** Paths that differ with each rendering: `identity path`. */
  readonly volatile?: ReadonlySet<string>;
}

/** Objects whose change the server is asked about. */
const MAX_CHECKED = 100;
const KEEP = 'helm.sh/resource-policy';
const GENERATED = '(generated anew with each rendering)';

/** An upgrade leaves alone what says `keep`. */
const isKept = ({ object }: ManifestObject): boolean => mapAt(object, 'metadata', 'annotations')[KEEP] === 'keep';

/** An uninstall leaves alone whatever bears the annotation, whatever it says: so Helm 3.21 and 4.2 do (`filterManifestsToKeep`). */
export const isLeft = ({ object }: ManifestObject): boolean => mapAt(object, 'metadata', 'annotations')[KEEP] !== undefined;

export const objectRef = (cluster: string, { kind, namespace, name }: ManifestObject, resource: ResourceRef | undefined): string =>
  resource === undefined
    ? `k8s://${cluster}/${namespace}/${kind}/${name}`
    : `k8s://${cluster}/${resource.namespaced ? namespace : '_'}/${resourceName(resource)}/${name}`;

/** Helm reaches the cluster by itself: what the policy would refuse to a request of ours, it must refuse here. @throws FORBIDDEN */
export const permitAll = async (
  client: KubernetesClient,
  objects: readonly ManifestObject[],
  signal: AbortSignal,
  /** Those among them that go. */
  gone: readonly ManifestObject[] = [],
): Promise<void> => {
  const going = new Set(gone.map(identityOf));
  await inParallel(objects, async (object) => {
    const { kind, namespace, name } = object;
    const deletes = going.has(identityOf(object));
    const resource = await resolve(client, object, signal);
    const namespaced = resource?.namespaced ?? true;
    const names = resource === undefined ? [kind] : [resource.plural, resource.kind, resourceName(resource)];
    requirePermit({ cluster: client.target.name, ...(namespaced ? { namespace } : {}), namespaced, kind: names, change: true, deletes });
    if (!namespaced || client.allowedNamespaces.length === 0 || client.allowedNamespaces.includes(namespace)) return;
    throw new AppError('FORBIDDEN', `${kind} ${name} is for the namespace ${namespace}, which may not be reached.`, {
      details: { by: 'policy', setting: 'kubernetes.namespaces', allowedNamespaces: client.allowedNamespaces },
    });
  });
};

/**
 * A template may look up any object with the rights of the server, before anything is refused: who may not read Secrets everywhere may not have it do
 * so. Values are templates too, in charts that render them (`tpl`). @throws FORBIDDEN
 */
export const permitLookups = (client: KubernetesClient, service: Kubernetes): void => {
  // Then the API server itself sees the caller.
  if (service.identity === 'impersonate') return;
  const refuse = (why: string, cause?: AppError): never => {
    throw new AppError(
      'FORBIDDEN',
      `Templates of this chart or these values may look up any object (lookup, {{ }}), with the rights of the server: ${why}`,
      {
        details: {
          ...(cause?.details ?? { by: 'policy', allowedNamespaces: client.allowedNamespaces }),
          setting: 'kubernetes.identity',
        },
        cause,
      },
    );
  };
  if (client.allowedNamespaces.length > 0) refuse(`only ${client.allowedNamespaces.join(', ')} may be reached.`);
  try {
    requirePermit({ cluster: client.target.name, kind: ['secrets', 'Secret'], change: false });
  } catch (thrown) {
    if (thrown instanceof AppError) refuse(thrown.message, thrown);
    throw thrown;
  }
};

/** What an upgrade or a rollback takes away: it is in the manifest before, and no longer in the one after. */
export const goneBetween = (before: Manifest, after: Manifest): readonly ManifestObject[] => {
  const left = new Set(after.objects.map(identityOf));
  return before.objects.filter((object) => !left.has(identityOf(object)) && !isKept(object));
};

/** The few facts of a new object that people look for. */
const facts = ({ object, kind }: ManifestObject): unknown => {
  const images = imagesOf(object);
  const replicas = numberAt(object, 'spec', 'replicas');
  const ports = listAt(object, 'spec', 'ports').map((port) => valueAt(port, 'port'));
  const found = {
    ...(images.length > 0 ? { images } : {}),
    ...(replicas === undefined ? {} : { replicas }),
    ...(kind === 'Service' && ports.length > 0 ? { ports } : {}),
  };
  return Object.keys(found).length > 0 ? found : kind;
};

const toChanges = ({ object, operation, differences }: ObjectChange, ref: string, volatile: ReadonlySet<string>): FieldChange[] => {
  if (operation === 'create') return [{ ref, path: '(whole object)', after: facts(object) }];
  if (operation === 'delete') return isKept(object) ? [] : [{ ref, path: '(whole object)', before: facts(object) }];
  return differences
    .filter((one) => !isVersionLabel(one))
    .map(({ path, before, after }) => {
      const isGenerated = volatile.has(`${identityOf(object)} ${path}`);
      return {
        ref,
        path,
        ...(before === undefined ? {} : { before: isGenerated ? '(hidden)' : before }),
        ...(after === undefined ? {} : { after: isGenerated ? GENERATED : after }),
      };
    });
};

const toOperation = ({ object, operation }: ObjectChange): ChangeTarget['operation'] =>
  operation === 'delete' && isKept(object) ? 'unchanged' : operation;

/** Kinds whose objects may not be deleted, asked once for each kind and namespace. */
export const findUndeletable = async (client: KubernetesClient, objects: readonly LiveObject[], signal: AbortSignal): Promise<string[]> => {
  const places = new Map(
    objects.flatMap(({ resource, wanted }) =>
      resource === undefined
        ? []
        : [[`${resourceName(resource)} ${resource.namespaced ? wanted.namespace : ''}`, { resource, wanted }] as const],
    ),
  );
  const answers = await inParallel([...places.values()], async ({ resource, wanted }) => {
    const { group, plural, namespaced } = resource;
    const question = { verb: 'delete', group, resource: plural, ...(namespaced ? { namespace: wanted.namespace } : {}) };
    return { ref: wanted.ref, allowed: (await client.accessReview(question, { signal })).allowed };
  });
  return answers.filter(({ allowed }) => !allowed).map(({ ref }) => ref);
};

export const toPermissionCheck = (forbidden: readonly string[]): Check =>
  forbidden.length > 0
    ? { name: 'permission', result: 'fail', detail: `no right to change ${forbidden.slice(0, 5).join(', ')}` }
    : { name: 'permission', result: 'pass' };

interface Verdict {
  readonly ref: string;
  /** `silent`: the server could not be asked, because the namespace is not there yet or it knows no dry-run apply. */
  readonly answer: 'accepted' | 'forbidden' | 'refused' | 'silent';
  readonly words?: string;
}

const askOne = async (client: KubernetesClient, object: ManifestObject, signal: AbortSignal): Promise<Verdict> => {
  const { ref } = object;
  const resource = await resolve(client, object, signal);
  if (resource === undefined) return { ref, answer: 'silent' };
  const scope = resource.namespaced ? { namespace: object.namespace } : {};
  const body = { ...object.object, metadata: { ...fieldsAt(object.object, 'metadata'), ...scope } };
  try {
    await client.apply(resource, { name: object.name, ...scope, object: body, force: true, dryRun: true, signal });
    return { ref, answer: 'accepted' };
  } catch (thrown) {
    if (!(thrown instanceof AppError)) throw thrown;
    if (thrown.code === 'FORBIDDEN') return { ref, answer: 'forbidden' };
    if (thrown.code === 'INVALID_ARGUMENT')
      return { ref, answer: 'refused', words: `${ref}: ${String(thrown.details['upstream'] ?? thrown.message)}` };
    if (['NOT_FOUND', 'INTERNAL', 'UNSUPPORTED', 'CONFLICT'].includes(thrown.code)) return { ref, answer: 'silent' };
    throw thrown;
  }
};

/** Says only what the server said. */
const toDryRunChecks = (verdicts: readonly Verdict[]): Check[] => {
  const refused = verdicts.flatMap(({ words }) => (words === undefined ? [] : [words]));
  if (refused.length > 0) return [{ name: 'server dry run', result: 'fail', detail: refused.slice(0, 3).join('; ').slice(0, 600) }];
  const accepted = verdicts.filter(({ answer }) => answer === 'accepted').length;
  return accepted === 0
    ? []
    : [{ name: 'server dry run', result: 'pass', detail: `${accepted} of ${verdicts.length} changed objects accepted` }];
};

/** What the server says to each changed object, as a dry run; and what people changed by hand that would be set back. */
const askServer = async (
  { client, service, signal }: ObjectPlanInput,
  changes: readonly ObjectChange[],
  live: readonly LiveObject[],
): Promise<{ checks: Check[]; warnings: string[] }> => {
  const applied = changes.filter(({ operation }) => operation !== 'delete').slice(0, MAX_CHECKED);
  const updated = new Map(changes.filter(({ operation }) => operation === 'update').map((change) => [change.object.ref, change]));
  const verdicts = await inParallel(applied, ({ object }) => askOne(client, object, signal));
  const deleted = live.filter((one, index) => changes[index]?.operation === 'delete' && one.live !== undefined && !isKept(one.wanted));
  const forbidden = [
    ...verdicts.filter(({ answer }) => answer === 'forbidden').map(({ ref }) => ref),
    ...(await findUndeletable(client, deleted, signal)),
  ];
  const silent = verdicts.filter(({ answer }) => answer === 'silent');
  const isAsked = silent.length < verdicts.length || deleted.length > 0;
  const { drift } = await readDrift(
    client,
    applied.filter(({ operation }) => operation === 'update').map(({ object }) => object),
    { service, signal },
  );
  const byHand = drift.filter(({ ref, path }) => updated.get(ref)?.differences.some((one) => one.path === path) === false);
  return {
    checks: [...(isAsked ? [toPermissionCheck(forbidden)] : []), ...toDryRunChecks(verdicts)],
    warnings: [
      ...(silent.length > 0
        ? [
            `the server was not asked about ${silent
              .slice(0, 5)
              .map(({ ref }) => ref)
              .join(', ')}${silent.length > 5 ? ` and ${silent.length - 5} more` : ''}`,
          ]
        : []),
      ...byHand
        .slice(0, 10)
        .map(
          ({ ref, path, actual, expected, manager }) =>
            `${ref} ${path} is ${JSON.stringify(actual)} in the cluster${manager === undefined ? '' : ` (${manager})`}, the chart says ${JSON.stringify(expected)}`,
        ),
    ],
  };
};

/** From one manifest to another. */
export const planObjects = async (input: ObjectPlanInput): Promise<ObjectPlan> => {
  const { client, service, signal, before, after, volatile = new Set<string>() } = input;
  const changes = compareManifests(before, after, service);
  const live = await readLive(
    client,
    changes.map(({ object }) => object),
    signal,
  );
  const known = changes.map((change, index) => ({
    change,
    ref: objectRef(client.target.name, change.object, live[index]?.resource),
    version: numberAt(live[index]?.live, 'metadata', 'generation'),
  }));
  const isQuiet = ({ change }: (typeof known)[number]): boolean =>
    change.operation === 'update' && change.differences.every(isVersionLabel);
  const shown = known.filter((one) => !isQuiet(one));
  const asked = await askServer(input, changes, live);
  const kept = changes.filter(({ object, operation }) => operation === 'delete' && isKept(object)).map(({ object }) => object.ref);
  const count = (operation: string): number => changes.filter((change) => change.operation === operation).length;
  return {
    targets: shown.map(({ change, ref, version }) => ({
      ref,
      operation: toOperation(change),
      ...(version === undefined ? {} : { version: String(version) }),
    })),
    diff: shown.flatMap(({ change, ref }) => toChanges(change, ref, volatile)),
    counts: {
      create: count('create'),
      update: count('update'),
      delete: count('delete') - kept.length,
      unchanged: after.objects.length - count('create') - count('update'),
    },
    warnings: [
      ...(known.length > shown.length ? [`${known.length - shown.length} objects get new version labels only`] : []),
      ...(kept.length > 0 ? [`kept by their resource policy: ${kept.join(', ')}`] : []),
      ...(changes.length > MAX_CHECKED ? [`the server was asked about the first ${MAX_CHECKED} changed objects`] : []),
      ...asked.warnings,
    ],
    checks: asked.checks,
  };
};
