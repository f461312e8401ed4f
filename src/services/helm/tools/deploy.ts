// helm_deploy_release: installs what is absent, upgrades what is there. The plan is the binary's own dry run on the server, compared.

import { z } from 'zod';
import { type Check, change, type Plan } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { AppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { RESOURCES } from '../../../upstream/kubernetes/resources.ts';
import { type Fields, isFields } from '../../../upstream/shapes.ts';
import { applyState, deployOptions, toRunMs, verifyState } from '../change/apply.ts';
import { baseOf, findHistory, refusePending } from '../change/current.ts';
import { goneBetween, permitAll, permitLookups, planObjects } from '../change/objects.ts';
import { planRollback } from '../change/rollback.ts';
import { clusterOf, type DeployState, type HelmState, type HelmUndo, releaseRef } from '../change/state.ts';
import { type Chart, computeValues, isVolatile, usesLookup } from '../charts/chart.ts';
import { openChart } from '../charts/open.ts';
import { checkValues, type Finding } from '../charts/schema.ts';
import { HELM_BINARY } from '../find.ts';
import { type Helm, openCluster } from '../helm.ts';
import { compareManifests } from '../release/compare.ts';
import { diff } from '../release/diff.ts';
import { identityOf, type Manifest, parseManifest } from '../release/manifest.ts';
import { openRevision } from '../release/open.ts';
import { learnRelease, toSafeValues } from '../release/redact.ts';
import { coalesce } from '../release/values.ts';
import { type Release, toRelease } from '../storage/record.ts';
import { checkNamespace, checkReleaseName } from '../storage/storage.ts';

const input = z.object({
  name: z.string().min(1).max(253).describe('Release name.'),
  namespace: z.string().min(1).max(253).describe('Namespace of the release.'),
  chart: z.string().min(1).max(1000).describe('repo/name of a configured repository, oci://host/path/name, or the https URL of a .tgz.'),
  version: z.string().min(1).max(200).optional().describe('Exact, or a range; absent = newest stable. The plan pins it.'),
  values: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('Values of the user. Without reuseValues they replace those of the revision before.'),
  reuseValues: z.boolean().default(false).describe('Start from the values of the current revision.'),
  createNamespace: z.boolean().default(false).describe('Make the namespace when it is absent.'),
  atomic: z.boolean().default(false).describe('Roll back when it fails.'),
});

type Args = z.infer<typeof input>;

const EMPTY: Manifest = { objects: [], unreadable: [] };

interface Rendered {
  readonly release: Release;
  readonly manifest: Manifest;
}

/** What the binary would do, from its own dry run; nothing of it reaches the storage. */
const dryRun = async (state: DeployState, helm: Helm, client: KubernetesClient, ctx: CallContext): Promise<Rendered> => {
  const text = await helm.binary.use({ client, driver: state.storage }, ctx, async (workspace) => {
    const chart = await workspace.put('chart.tgz', state.archive);
    const options = [...deployOptions(state, workspace.major), '--dry-run=server'];
    return workspace.run({ options, positionals: [state.name, chart], values: state.values, timeoutMs: toRunMs(helm, 0, ctx) }, ctx);
  });
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    record = undefined;
  }
  if (!isFields(record))
    throw new AppError('DATA_ERROR', 'The Helm binary answers its dry run with something that is no release.', {
      details: { service: 'helm' },
    });
  const release = toRelease(record);
  return { release, manifest: await parseManifest(release.manifest, state.namespace) };
};

const checkNamespaceThere = async (
  client: KubernetesClient,
  { namespace, createNamespace }: DeployState,
  signal: AbortSignal,
): Promise<Check> => {
  const found = await client.find(RESOURCES.namespaces, { name: namespace, signal }).then(
    (object) => object !== undefined,
    (thrown: unknown) => {
      // Who may not look may still deploy.
      if (thrown instanceof AppError && thrown.code === 'FORBIDDEN') return true;
      throw thrown;
    },
  );
  if (found || createNamespace) return { name: 'namespace', result: 'pass', ...(found ? {} : { detail: `${namespace} is made` }) };
  throw new AppError('FAILED_PRECONDITION', `There is no namespace ${namespace}: createNamespace makes it.`, {
    details: { reason: 'NAMESPACE_ABSENT', argument: 'createNamespace' },
  });
};

/** Paths that a second rendering makes anew: passwords, certificates, times. */
const findVolatile = async (chart: Chart, first: Rendered, again: () => Promise<Rendered>, helm: Helm): Promise<ReadonlySet<string>> => {
  if (!isVolatile(chart)) return new Set();
  const changes = compareManifests(first.manifest, (await again()).manifest, helm.kubernetes);
  return new Set(changes.flatMap(({ object, differences }) => differences.map(({ path }) => `${identityOf(object)} ${path}`)));
};

const crdsOf = (chart: Chart): string[] => [
  ...[...chart.files.keys()].filter((path) => /^crds\/.+\.ya?ml$/.test(path)),
  ...chart.subcharts.flatMap((subchart) => crdsOf(subchart).map((path) => `charts/${subchart.name}/${path}`)),
];

const toSchemaCheck = (findings: readonly Finding[]): Check => {
  const errors = findings.filter(({ level }) => level === 'error');
  if (errors.length === 0) return { name: 'values schema', result: 'pass' };
  return {
    name: 'values schema',
    result: 'fail',
    detail: errors
      .slice(0, 5)
      .map(({ path, message }) => `${path}: ${message}`)
      .join('; '),
  };
};

const failedSchema = (check: Check, findings: readonly Finding[]): AppError =>
  new AppError('INVALID_ARGUMENT', `The values do not fit the schema of the chart: ${check.detail ?? ''}.`, {
    details: { argument: 'values', findings: findings.slice(0, 20) },
  });

const planDeploy = async (args: Args, helm: Helm, ctx: CallContext): Promise<Plan<HelmState>> => {
  const { client, cluster } = await openCluster(helm, clusterOf(args), ctx);
  const address = { cluster, namespace: checkNamespace(args.namespace), name: checkReleaseName(args.name) };
  const values: Fields = args.values ?? {};
  // Whatever fails from here on may repeat them.
  toSafeValues(values, helm.kubernetes);
  const history = await findHistory(helm, client, address, ctx);
  refusePending(history, address);
  const { chart, source } = await openChart(helm, args, ctx.signal);
  if (chart.metadata['type'] === 'library')
    throw new AppError('INVALID_ARGUMENT', `${chart.name} is a library chart: it cannot be installed.`, { details: { argument: 'chart' } });
  const base = baseOf(history);
  const before = base === undefined ? undefined : await openRevision(helm, client, base, ctx.signal);
  const { reuseValues, createNamespace, atomic } = args;
  const state: DeployState = {
    action: 'deploy',
    ...address,
    before: history[0]?.revision,
    undoTo: base?.revision,
    storage: history[0]?.storage,
    archive: source.archive,
    values,
    reuseValues,
    createNamespace,
    atomic,
  };
  const namespaceCheck = await checkNamespaceThere(client, state, ctx.signal);
  const findings = await checkValues(chart, computeValues(chart, reuseValues ? coalesce(before?.release.values ?? {}, values) : values));
  const schemaCheck = toSchemaCheck(findings);
  if (schemaCheck.result === 'fail') throw failedSchema(schemaCheck, findings);
  const given = [values, reuseValues ? before?.release.values : undefined];
  if (usesLookup(chart) || JSON.stringify(given).includes('{{')) permitLookups(client, helm.kubernetes);
  const rendered = await dryRun(state, helm, client, ctx);
  const hookText = rendered.release.hooks.map(({ manifest }) => manifest).join('\n---\n');
  const hookObjects = (await parseManifest(hookText, address.namespace)).objects;
  learnRelease(rendered.release, [...rendered.manifest.objects, ...hookObjects], helm.kubernetes);
  const old = before?.manifest ?? EMPTY;
  const gone = goneBetween(old, rendered.manifest);
  await permitAll(client, [...old.objects, ...rendered.manifest.objects, ...hookObjects], ctx.signal, gone);
  const volatile = await findVolatile(chart, rendered, () => dryRun(state, helm, client, ctx), helm);
  const objects = await planObjects({
    client,
    service: helm.kubernetes,
    signal: ctx.signal,
    before: before?.manifest ?? EMPTY,
    after: rendered.manifest,
    volatile,
  });
  const isInstall = before === undefined;
  const events = isInstall ? ['pre-install', 'post-install'] : ['pre-upgrade', 'post-upgrade'];
  const hooks = rendered.release.hooks.filter((hook) => hook.events.some((event) => events.includes(event)));
  const crds = crdsOf(chart);
  const changedValues = diff(
    toSafeValues(before?.release.values ?? {}, helm.kubernetes),
    toSafeValues(rendered.release.values, helm.kubernetes),
  );
  const ref = releaseRef(address);
  const warnings = [
    ...(!isInstall && !reuseValues && changedValues.some(({ op }) => op === 'remove')
      ? ['values of the revision before are dropped: reuseValues keeps them']
      : []),
    ...(chart.metadata['deprecated'] === true ? ['the chart is deprecated'] : []),
    ...(source.isVerified ? [] : ['the source tells no digest beforehand']),
    ...findings.filter(({ level }) => level !== 'error').map(({ path, message }) => `${path} ${message}`),
    ...(volatile.size > 0 ? [`${volatile.size} fields are generated anew with each rendering`] : []),
    ...(rendered.manifest.unreadable.length > 0 ? [`no objects: ${rendered.manifest.unreadable.join(', ')}`] : []),
    ...objects.warnings,
  ];
  const next = (history[0]?.revision ?? 0) + 1;
  return {
    summary: `${isInstall ? 'Install' : 'Upgrade'} ${address.namespace}/${address.name} with ${chart.name}-${chart.version} as revision ${next}`,
    scope: { cluster, namespace: address.namespace },
    targets: [
      {
        ref,
        operation: isInstall ? 'create' : 'update',
        ...(history[0] === undefined ? {} : { version: `${history[0].revision}:${history[0].resourceVersion}` }),
      },
      ...objects.targets,
    ],
    diff: [
      {
        ref,
        path: 'chart',
        ...(before === undefined ? {} : { before: `${before.release.chart.name}-${before.release.chart.version}` }),
        after: `${chart.name}-${chart.version} (${source.digest})`,
      },
      ...changedValues.map(({ path, before: old, after }) => ({
        ref,
        path: `values.${path}`,
        ...(old === undefined ? {} : { before: old }),
        ...(after === undefined ? {} : { after }),
      })),
      ...objects.diff,
    ],
    impact: {
      action: isInstall ? 'install' : 'upgrade',
      objects: objects.counts,
      ...(hooks.length > 0 ? { hooks: hooks.map(({ kind, name, events: own }) => `${kind}/${name} (${own.join(', ')})`) } : {}),
      ...(crds.length > 0 ? { crds: isInstall ? crds : crds.map((path) => `${path} (not changed by an upgrade)`) } : {}),
    },
    checks: [namespaceCheck, schemaCheck, ...objects.checks],
    warnings,
    verify: 'the release is deployed and its objects are ready',
    undo: isInstall
      ? { possible: false, how: `helm_uninstall_release removes a first install (name=${address.name}, namespace=${address.namespace})` }
      : { possible: true, how: `roll back to revision ${state.undoTo}` },
    state,
  };
};

export default [
  change<Helm, typeof input.shape, HelmState, HelmUndo>({
    name: 'helm_deploy_release',
    title: 'Deploy release',
    description: 'Installs or upgrades a release. The plan shows the rendered diff.',
    effect: 'write',
    needs: HELM_BINARY,
    task: true,
    input,
    bulky: ['values'],
    plan: planDeploy,
    apply: applyState,
    verify: (plan, _, wait, helm, ctx) => verifyState(plan, wait, helm, ctx),
    undo: (undo, helm, ctx) => planRollback(undo, helm, ctx),
  }),
];
