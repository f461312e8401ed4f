// POST .../pods/<name>/eviction: a deletion that asks the disruption budgets first (kubernetes, pkg/registry/core/pod/storage/eviction.go).
import { readOptions } from '../body.ts';
import { withCondition } from '../conditions.ts';
import type { ResourceContext, ResourceHandler } from '../context.ts';
import { type JsonObject, listAt, numberAt, objectAt, objectsAt, textAt, toTime } from '../json.ts';
import { toLabelSelector } from '../label-selector.ts';
import { withUpdatedFields } from '../managers.ts';
import type { KubernetesObject } from '../object.ts';
import { findObject } from '../read.ts';
import { respond } from '../respond.ts';
import { badRequest, type StatusCause, StatusError } from '../status.ts';
import { type DeleteOptions, deleteOne, refuseOther, toDeleteOptions } from './delete.ts';

const BUDGETS = 'poddisruptionbudgets.policy';
const REFUSAL = "Cannot evict pod as it would violate the pod's disruption budget.";

const cause = (message: string): StatusCause => ({ reason: 'DisruptionBudget', message });

/** 429: not now. */
const notNow = (message: string, retryAfterSeconds?: number): StatusError =>
  new StatusError(429, 'TooManyRequests', REFUSAL, {
    details: { causes: [cause(message)], ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) },
  });

/** Why a budget that allows nothing does so. */
const whyNothing = (budget: KubernetesObject): string => {
  const name = `The disruption budget ${budget.metadata.name}`;
  const condition = objectsAt(budget, 'status', 'conditions').find(({ type }) => type === 'DisruptionAllowed');
  const message = condition?.['status'] === 'False' ? textAt(condition, 'message') : '';
  const [desired, healthy] = [numberAt(budget, 'status', 'desiredHealthy'), numberAt(budget, 'status', 'currentHealthy')];
  if (message !== '' && textAt(condition, 'reason') === 'SyncFailed')
    return `${name} does not allow evicting pods currently because it failed sync: ${message}`;
  if (healthy <= desired) return `${name} needs ${desired} healthy pods and has ${healthy} currently`;
  if (message !== '') return `${name} does not allow evicting pods currently (${textAt(condition, 'reason')}): ${message}`;
  return `${name} does not allow evicting pods currently`;
};

const refuseOverBudget = (budget: KubernetesObject): void => {
  const { name, generation = 0 } = budget.metadata;
  if (numberAt(budget, 'status', 'observedGeneration') < generation) {
    throw notNow(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  if (numberAt(budget, 'status', 'disruptionsAllowed') === 0) throw notNow(whyNothing(budget));
};

const NO_MORE = { type: 'DisruptionAllowed', status: 'False', reason: 'InsufficientPods', message: '' };

/** Takes one disruption from the budget; its controller learns which pod goes. */
const decrement = ({ server }: ResourceContext, budget: KubernetesObject, pod: KubernetesObject): void => {
  const status = objectAt(budget, 'status');
  const left = numberAt(status, 'disruptionsAllowed') - 1;
  const now = server.clock();
  const conditions = objectsAt(status, 'conditions');
  const observed = { ...NO_MORE, observedGeneration: numberAt(status, 'observedGeneration') };
  const next = {
    ...budget,
    status: {
      ...status,
      disruptionsAllowed: left,
      disruptedPods: { ...objectAt(status, 'disruptedPods'), [pod.metadata.name]: toTime(now) },
      ...(left > 0 ? {} : { conditions: withCondition(conditions, observed, now, false) }),
    },
  };
  const writer = { manager: 'kube-apiserver', time: toTime(now), subresource: 'status' };
  server.store.put(BUDGETS, withUpdatedFields(next, budget, writer));
};

const isReady = (pod: KubernetesObject): boolean =>
  objectsAt(pod, 'status', 'conditions').some(({ type, status }) => type === 'Ready' && status === 'True');

/** Pods that have ended, end, or have not begun protect nothing any more. */
const isBeyondBudgets = (pod: KubernetesObject): boolean =>
  ['Succeeded', 'Failed', 'Pending'].includes(textAt(pod, 'status', 'phase')) || pod.metadata.deletionTimestamp !== undefined;

/** A pod that is not ready may go where that does no harm. */
const isFreeToGo = (pod: KubernetesObject, budget: KubernetesObject): boolean => {
  if (isReady(pod)) return false;
  if (textAt(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow') return true;
  const desired = numberAt(budget, 'status', 'desiredHealthy');
  return desired > 0 && numberAt(budget, 'status', 'currentHealthy') >= desired;
};

const budgetsOf = ({ server }: ResourceContext, { metadata }: KubernetesObject): KubernetesObject[] =>
  server.store
    .all(BUDGETS, metadata.namespace ?? '')
    .filter((budget) =>
      toLabelSelector(budget['spec'] === undefined ? undefined : objectAt(budget, 'spec')['selector']).matches(metadata.labels ?? {}),
    );

const EVICTED = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' };

/** Says on the pod why it goes, then deletes it as a client would. */
const evict = (context: ResourceContext, pod: KubernetesObject, options: DeleteOptions): void => {
  const { server } = context;
  refuseOther(context, pod, options);
  if (options.isDry) return;
  const now = server.clock();
  const conditions = withCondition(objectsAt(pod, 'status', 'conditions'), EVICTED, now, false);
  const told = { ...pod, status: { ...objectAt(pod, 'status'), conditions } };
  deleteOne(context, server.store.put('pods', told), options);
};

/** The options of the eviction and of the request must not contradict each other. */
const readDryRun = ({ info }: ResourceContext, options: JsonObject): JsonObject => {
  const [own, asked] = [listAt(options, 'dryRun'), info.query.getAll('dryRun')];
  if (own.length > 0 && asked.length > 0 && String(own) !== String(asked)) {
    throw new StatusError(500, '', `Non-matching dry-run options in request and content: [${asked.join(' ')}] and [${own.join(' ')}]`);
  }
  return own.length > 0 ? options : { ...options, dryRun: asked };
};

export const evictPod: ResourceHandler = async (context) => {
  const { request, representation, info } = context;
  const eviction = (await readOptions(request)) ?? {};
  const name = textAt(eviction, 'metadata', 'name');
  if (name !== info.name) throw badRequest('name in URL does not match name in Eviction object');
  const options = toDeleteOptions(readDryRun(context, objectAt(eviction, 'deleteOptions')));
  const pod = findObject(context);
  const budgets = isBeyondBudgets(pod) ? [] : budgetsOf(context, pod);
  const [budget] = budgets;
  if (budgets.length > 1) return respond(request, SEVERAL, { status: 500, representation });
  if (budget !== undefined && !isFreeToGo(pod, budget)) {
    refuseOverBudget(budget);
    if (!options.isDry) decrement(context, budget, pod);
  }
  evict(context, pod, options);
  return respond(request, SUCCESS, { status: 201, representation });
};

const SUCCESS = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
const SEVERAL = {
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Failure',
  message: 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
  code: 500,
};
