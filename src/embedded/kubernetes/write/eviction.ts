// POST .../pods/<name>/eviction: a deletion that asks the disruption budgets first (pkg/registry/core/pod/storage/eviction.go).
import { readOptions } from '../body.ts';
import type { ResourceHandler } from '../context.ts';
import { at, isObject, listAt, numberAt, objectAt, textAt, toTime } from '../json.ts';
import { toLabelSelector } from '../label-selector.ts';
import { findObject } from '../read.ts';
import { respond } from '../respond.ts';
import { StatusError } from '../status.ts';
import { isDryRun } from './commit.ts';

const BUDGETS = 'poddisruptionbudgets.policy';

/** How many pods the budget still lets go; too many is 429 with the budget's figures. */
const refuseOverBudget = (name: string, desired: number, healthy: number): StatusError =>
  new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
    details: {
      causes: [
        { reason: 'DisruptionBudget', message: `The disruption budget ${name} needs ${desired} healthy pods and has ${healthy} currently` },
      ],
    },
  });

export const evictPod: ResourceHandler = async (context) => {
  const { server, request, representation } = context;
  const eviction = await readOptions(request);
  const options = objectAt(eviction, 'deleteOptions');
  const pod = findObject(context);
  const { name, namespace = '', labels = {} } = pod.metadata;
  const given = listAt(options, 'dryRun').filter((value) => typeof value === 'string');
  const isDry = isDryRun(given.length > 0 ? given : context.info.query.getAll('dryRun'), 'DeleteOptions');
  const isEnded =
    ['Succeeded', 'Failed', 'Pending'].includes(textAt(pod, 'status', 'phase')) || pod.metadata.deletionTimestamp !== undefined;
  const budgets = server.store.all(BUDGETS, namespace).filter((budget) => toLabelSelector(at(budget, 'spec', 'selector')).matches(labels));
  if (!isEnded && budgets.length > 1)
    throw new StatusError(
      500,
      'InternalError',
      'Internal error occurred: This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      { details: {} },
    );
  const [budget] = budgets;
  if (!isEnded && budget !== undefined) {
    const allowed = numberAt(budget, 'status', 'disruptionsAllowed');
    const [desired, healthy] = [numberAt(budget, 'status', 'desiredHealthy'), numberAt(budget, 'status', 'currentHealthy')];
    // A pod that is not ready may go as long as the others are enough.
    const isReady = listAt(pod, 'status', 'conditions').some(
      (condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True',
    );
    const mayGo = allowed > 0 || (!isReady && healthy >= desired && desired > 0);
    if (!mayGo) throw refuseOverBudget(budget.metadata.name, desired, healthy);
    if (!isDry && isReady) {
      const status = { ...objectAt(budget, 'status'), disruptionsAllowed: allowed - 1, disruptedPods: { [name]: toTime(server.clock()) } };
      server.store.put(BUDGETS, { ...budget, status });
    }
  }
  if (!isDry) {
    const own = isObject(pod['spec']) ? pod['spec']['terminationGracePeriodSeconds'] : undefined;
    const wanted = options['gracePeriodSeconds'];
    const period = typeof wanted === 'number' ? wanted : typeof own === 'number' ? own : 30;
    const metadata = {
      ...pod.metadata,
      generation: (pod.metadata.generation ?? 1) + 1,
      deletionTimestamp: toTime(server.clock() + period * 1000),
      deletionGracePeriodSeconds: period,
    };
    server.store.put('pods', { ...pod, metadata });
  }
  return respond(
    request,
    { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 },
    { status: 201, representation },
  );
};
