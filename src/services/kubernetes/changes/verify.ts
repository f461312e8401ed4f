// Is the world as it was planned? Workloads are asked for their rollout, other objects for the fields that were written.

import { isDeepStrictEqual } from 'node:util';
import type { Verification } from '../../../kit/change.ts';
import type { CallContext } from '../../../kit/context.ts';
import { formatDuration } from '../../../kit/duration.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import { type KubeObject, listAt, textAt } from '../../../upstream/kubernetes/objects.ts';
import type { ResourceRef } from '../../../upstream/kubernetes/resources.ts';
import { rolloutStatus } from '../../../upstream/kubernetes/rollout.ts';
import { type Condition, parseCondition } from '../wait-condition.ts';
import { watchObject } from '../watch-object.ts';
import { type Difference, toPathText, valueAtPath } from './difference.ts';
import { withZero } from './intent.ts';
import { toTitle } from './refs.ts';

export interface Look {
  readonly client: KubernetesClient;
  readonly place: {
    readonly cluster: string;
    readonly resource: ResourceRef;
    readonly namespace?: string | undefined;
    readonly name: string;
  };
  readonly subresource?: string | undefined;
  /** As the write answered it: with the status from before. */
  readonly written?: KubeObject | undefined;
}

const ROLLING = new Set(['Deployment', 'StatefulSet', 'DaemonSet']);
/** Kinds that come up after they were made: a wait is for that. */
const STARTING = new Set(['Job', 'Pod', 'PersistentVolumeClaim', 'CustomResourceDefinition', 'Namespace']);

const RESULTS = { met: 'pass', failed: 'fail', waiting: 'pending', timeout: 'pending' } as const;

const readObject = ({ client, place: { resource, name, namespace }, subresource }: Look, { signal }: CallContext) =>
  client.find(resource, { name, namespace, subresource, signal });

/** When the controller last said how a rollout goes. */
const progressAt = (object: KubeObject | undefined): string | undefined =>
  textAt(
    listAt(object, 'status', 'conditions').find((condition) => textAt(condition, 'type') === 'Progressing'),
    'lastUpdateTime',
  );

/**
 * A condition, but an update strategy without a rollout (OnDelete) has nothing to wait for, and a verdict that stood there before the change is none
 * about it.
 */
const toCondition = (text: string, written: KubeObject | undefined): Condition => {
  const condition = parseCondition(text);
  const before = progressAt(written);
  const judge: Condition['judge'] = (object) => {
    const judgement = condition.judge(object);
    const isOld = judgement.result === 'failed' && before !== undefined && progressAt(object) === before;
    return isOld ? { result: 'waiting', state: 'the controller has not judged the new state yet' } : judgement;
  };
  return {
    judge: (object) => {
      const isOpen = object !== undefined && ROLLING.has(String(object['kind'])) && rolloutStatus(object).state === 'unsupported';
      return isOpen ? { result: 'met', state: 'its pods are replaced when they are deleted (OnDelete)' } : judge(object);
    },
  };
};

const waitFor = async (look: Look, text: string, waitMs: number, ctx: CallContext): Promise<Verification> => {
  const { client, place } = look;
  const condition = toCondition(text, look.written);
  if (waitMs === 0) {
    const object = await readObject(look, ctx);
    const { result, state } = condition.judge(object === undefined ? undefined : { ...object, kind: place.resource.kind });
    return { result: RESULTS[result], detail: state };
  }
  const { result, state } = await watchObject({ ...place, namespace: place.namespace, client, condition, timeoutMs: waitMs, ctx });
  return { result: RESULTS[result], detail: result === 'timeout' ? `${state} (not yet after ${formatDuration(waitMs)})` : state };
};

/** The fields that were written, as they are now. */
const checkFields = async (look: Look, changes: readonly Difference[], ctx: CallContext): Promise<Verification> => {
  const title = toTitle(look.place);
  const object: KubeObject | undefined = await readObject(look, ctx);
  if (object === undefined) return { result: 'fail', detail: `${title} is gone` };
  const other = changes
    .filter(({ path, after }) => !isDeepStrictEqual(valueAtPath(withZero(object), path), after))
    .map(({ path }) => toPathText(path));
  return other.length === 0
    ? { result: 'pass', detail: `${title} is as planned` }
    : { result: 'fail', detail: `${title}: another has changed ${other.slice(0, 5).join(', ')} since` };
};

/** After an update: workloads by their rollout, unless only fields without consequences were written. */
export const verifyUpdate = async (look: Look, changes: readonly Difference[], waitMs: number, ctx: CallContext): Promise<Verification> => {
  const { kind } = look.place.resource;
  const rolls = ROLLING.has(kind) && changes.some(({ path }) => path[0] === 'spec' && path[1] !== 'paused');
  if (!rolls) return checkFields(look, changes, ctx);
  return waitFor({ ...look, subresource: undefined }, 'rollout', waitMs, ctx);
};

/** After a creation. */
export const verifyCreation = async (look: Look, waitMs: number, ctx: CallContext): Promise<Verification> => {
  const { kind } = look.place.resource;
  if (ROLLING.has(kind)) return waitFor(look, 'rollout', waitMs, ctx);
  if (waitMs > 0 && STARTING.has(kind)) return waitFor(look, 'ready', waitMs, ctx);
  const object = await readObject(look, ctx);
  const title = toTitle(look.place);
  return object === undefined ? { result: 'fail', detail: `${title} is gone` } : { result: 'pass', detail: `${title} exists` };
};

export const verifyDeletion = async (look: Look, waitMs: number, ctx: CallContext): Promise<Verification> => {
  const { result, detail } = await waitFor(look, 'deleted', waitMs, ctx);
  return { result, detail: `${toTitle(look.place)}: ${detail}` };
};
