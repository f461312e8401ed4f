// kubernetes_manage_resource: the daily verbs on workloads and nodes.

import { randomInt } from 'node:crypto';
import { z } from 'zod';
import { AppError } from '../../../kit/errors.ts';
import { namespace } from '../../../kit/params.ts';
import type { ApiResource } from '../../../upstream/kubernetes/discovery.ts';
import { fieldsAt, type KubeObject, metadataOf, numberAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import { RESOURCES, resourceName } from '../../../upstream/kubernetes/resources.ts';
import { planCreation } from '../changes/create.ts';
import { changeObjects } from '../changes/define.ts';
import { diffObjects } from '../changes/difference.ts';
import { readImpact } from '../changes/impact.ts';
import { toIntent } from '../changes/intent.ts';
import { type Patch, planPatch } from '../changes/patching.ts';
import { toPlan } from '../changes/plan-one.ts';
import { toTitle } from '../changes/refs.ts';
import { planRollback } from '../changes/rollback.ts';
import type { StepsPlan } from '../changes/steps.ts';
import type { PlannedUpdate, Work } from '../changes/update.ts';
import { refusePair, VERBS } from '../changes/verbs.ts';

const ACTIONS = ['scale', 'restart', 'pause', 'resume', 'undo', 'trigger', 'cordon', 'uncordon'] as const;

const input = z.object({
  action: z.enum(ACTIONS).describe('What to do.'),
  kind: z.string().min(1).max(200).describe('Kind, plural, short name, or deployments.apps.'),
  name: z.string().min(1).max(253).describe('Exact name.'),
  namespace,
  replicas: z.int().min(0).max(100_000).optional().describe('For scale.'),
  revision: z.int().min(1).optional().describe('For undo; absent = the previous one.'),
});

interface Target {
  readonly work: Work;
  readonly resource: ApiResource;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly object: KubeObject;
  readonly title: string;
}

const patchTarget = ({ work, object, ...target }: Target, patch: Patch): Promise<PlannedUpdate> =>
  planPatch(work, { ...target, before: object }, patch);

const planVerb = async (target: Target, action: keyof typeof VERBS, pinned: unknown): Promise<StepsPlan> => {
  const { work, resource, object, title } = target;
  const verb = VERBS[action];
  if (!verb.kinds.includes(resource.kind)) throw refusePair(action, resource.kind);
  const pin = pinned ?? verb.pin?.(work.ctx.now());
  const planned = await patchTarget(target, verb.patch({ ...object, kind: resource.kind }, pin));
  const check = verb.check?.(object);
  return toPlan(work, {
    planned,
    summary: `${verb.words} ${title}`,
    done: `${title} ${verb.done}`,
    verify: verb.verify,
    how: verb.how,
    ...(pin === undefined ? {} : { pin }),
    ...(check === undefined ? {} : { checks: [check] }),
  });
};

const planScale = async (target: Target, replicas: number | undefined): Promise<StepsPlan> => {
  const { work, resource, namespace, name, object, title } = target;
  const { client, ctx } = work;
  if (!resource.subresources.some((one) => one.name === 'scale')) throw refusePair('scale', resource.kind);
  if (replicas === undefined)
    throw new AppError('INVALID_ARGUMENT', 'scale needs replicas.', { details: { argument: 'replicas', expected: 'a number from 0' } });
  const scale = await client.get(resource, { name, namespace, subresource: 'scale', signal: ctx.signal });
  const place = { resource, subresource: 'scale', namespace, name, before: scale };
  const planned = await planPatch(work, place, { patchType: 'merge', patch: { spec: { replicas } } });
  const from = numberAt(scale, 'spec', 'replicas') ?? 0;
  const after = { ...object, spec: { ...fieldsAt(object, 'spec'), replicas } };
  const changes = diffObjects(toIntent(object), toIntent(after));
  const { facts, warnings } = await readImpact(work, { before: object, after, changes });
  return toPlan(work, {
    planned,
    summary: `Scale ${title} from ${from} to ${replicas}`,
    done: `${title} scaled from ${from} to ${replicas}`,
    verify: `${replicas} of ${replicas} replicas ready`,
    how: `scale back to ${from}`,
    impact: facts,
    warnings,
  });
};

const planRolloutUndo = async (target: Target, wanted: number | undefined): Promise<StepsPlan> => {
  const { work, resource, object, title } = target;
  if (!['Deployment', 'StatefulSet', 'DaemonSet'].includes(resource.kind)) throw refusePair('undo', resource.kind);
  const { revision, current, patch } = await planRollback(work, { ...object, kind: resource.kind }, wanted);
  return toPlan(work, {
    planned: await patchTarget(target, patch),
    summary: `Roll ${title} back from revision ${current} to ${revision}`,
    done: `${title} rolled back to the template of revision ${revision}`,
    verify: 'its rollout is complete',
    how: `put the template of revision ${current} back`,
  });
};

const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const SUFFIX = 5;
/** Names of Jobs become labels of their pods, which are shorter than names. */
const MAX_JOB_NAME = 63;

const makeJobName = (name: string): string =>
  `${name.slice(0, MAX_JOB_NAME - SUFFIX - '-manual-'.length)}-manual-${Array.from({ length: SUFFIX }, () => LETTERS[randomInt(LETTERS.length)]).join('')}`;

/** As `kubectl create job --from=cronjob/x` makes it. */
const toJob = (cronJob: KubeObject, name: string): KubeObject => {
  const template = fieldsAt(cronJob, 'spec', 'jobTemplate');
  const { uid, namespace, name: owner } = metadataOf(cronJob);
  const annotations = { 'cronjob.kubernetes.io/instantiate': 'manual', ...fieldsAt(template, 'metadata', 'annotations') };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name,
      namespace,
      annotations,
      labels: fieldsAt(template, 'metadata', 'labels'),
      ownerReferences: [{ apiVersion: 'batch/v1', kind: 'CronJob', name: owner, uid, controller: true }],
    },
    spec: fieldsAt(template, 'spec'),
  };
};

const planTrigger = async ({ work, resource, namespace, object, title }: Target, pinned: unknown): Promise<StepsPlan> => {
  const { client, cluster } = work;
  if (resource.kind !== 'CronJob') throw refusePair('trigger', resource.kind);
  const name = typeof pinned === 'string' ? pinned : makeJobName(metadataOf(object).name);
  const job = toJob(object, name);
  const { step, diff, warnings } = await planCreation(work, {
    resource: RESOURCES.jobs,
    namespace,
    name,
    object: job,
    write: (options) => client.create(RESOURCES.jobs, { ...options, object: job, namespace }),
  });
  const policy = textAt(object, 'spec', 'concurrencyPolicy') ?? 'Allow';
  return {
    summary: `Run ${title} now as Job ${name}`,
    scope: { cluster, ...(namespace === undefined ? {} : { namespace }) },
    targets: [step.target],
    diff,
    checks: [{ name: 'server dry run', result: 'pass' }],
    warnings: [...warnings, ...(policy === 'Allow' ? [] : [`its concurrencyPolicy ${policy} does not count for runs by hand`])],
    verify: 'the Job is there; with wait: it is complete',
    undo: { possible: false, how: `delete the Job with kubernetes_delete_resource; what it did stays done` },
    pin: name,
    state: { client, cluster, steps: [step], results: [], summary: `${title} runs as Job ${name}` },
  };
};

export default [
  changeObjects({
    name: 'kubernetes_manage_resource',
    title: 'Manage resource',
    description: 'Scales, restarts, pauses, resumes or undoes a workload, triggers a CronJob, cordons or uncordons a node.',
    effect: 'write',
    input,
    async plan({ action, kind, name, replicas, revision, ...args }, work, pin) {
      const { client, cluster, ctx } = work;
      const { resource, subresource } = await client.resolveKind(kind, ctx);
      if (subresource !== undefined) throw refusePair(action, `${resourceName(resource)}/${subresource}`);
      const scope = resource.namespaced ? (args.namespace ?? client.defaultNamespace) : undefined;
      const object = await client.get(resource, { name, namespace: scope, signal: ctx.signal });
      const title = toTitle({ cluster, resource, namespace: scope, name });
      const target: Target = { work, resource: resource as ApiResource, namespace: scope, name, object, title };
      if (action === 'scale') return planScale(target, replicas);
      if (action === 'undo') return planRolloutUndo(target, revision);
      return action === 'trigger' ? planTrigger(target, pin) : planVerb(target, action, pin);
    },
  }),
];
