// The daily verbs as patches: which kinds take them, what they write, and how they are told.

import type { Check } from '../../../kit/change.ts';
import { toTimestamp } from '../../../kit/duration.ts';
import { AppError } from '../../../kit/errors.ts';
import { booleanAt, type KubeObject } from '../../../upstream/kubernetes/objects.ts';
import type { Patch } from './patching.ts';

export const RESTARTED_AT = 'kubectl.kubernetes.io/restartedAt';

/** One verb on one kind: a patch, and its words. */
export interface Verb {
  readonly kinds: readonly string[];
  readonly words: string;
  readonly done: string;
  readonly verify: string;
  readonly how: string;
  /** Decided with the plan. */
  pin?(now: number): unknown;
  check?(object: KubeObject): Check | undefined;
  patch(object: KubeObject, pin: unknown): Patch;
}

const merge = (patch: object): Patch => ({ patchType: 'merge', patch });

const failWhen = (isBad: boolean, detail: string): Check | undefined => (isBad ? { name: 'state', result: 'fail', detail } : undefined);

const isSuspendable = ({ kind }: KubeObject): boolean => kind === 'CronJob' || kind === 'Job';

const pausing = (on: boolean) => (object: KubeObject) =>
  merge({ spec: isSuspendable(object) ? { suspend: on } : { paused: on ? true : null } });

const scheduling = (on: boolean) => () => merge({ spec: { unschedulable: on ? true : null } });

export const VERBS: Readonly<Record<'restart' | 'pause' | 'resume' | 'cordon' | 'uncordon', Verb>> = {
  restart: {
    kinds: ['Deployment', 'StatefulSet', 'DaemonSet'],
    words: 'Restart',
    done: 'restarted',
    verify: 'its rollout is complete',
    how: 'put the annotation back: the pods are replaced once more',
    pin: (now) => toTimestamp(now),
    check: (object) =>
      failWhen(booleanAt(object, 'spec', 'paused'), 'It is paused, so nothing would restart: resume it first (action resume).'),
    patch: (_, pin) => merge({ spec: { template: { metadata: { annotations: { [RESTARTED_AT]: pin } } } } }),
  },
  pause: {
    kinds: ['Deployment', 'CronJob', 'Job'],
    words: 'Pause',
    done: 'paused',
    verify: 'it is paused',
    how: 'resume it',
    patch: pausing(true),
  },
  resume: {
    kinds: ['Deployment', 'CronJob', 'Job'],
    words: 'Resume',
    done: 'resumed',
    verify: 'it is not paused',
    how: 'pause it again',
    patch: pausing(false),
  },
  cordon: {
    kinds: ['Node'],
    words: 'Cordon',
    done: 'cordoned: it gets no new pods, those on it stay',
    verify: 'it is unschedulable',
    how: 'uncordon it',
    patch: scheduling(true),
  },
  uncordon: {
    kinds: ['Node'],
    words: 'Uncordon',
    done: 'uncordoned: it gets new pods again',
    verify: 'it is schedulable',
    how: 'cordon it again',
    patch: scheduling(false),
  },
};

/** Which kinds an action is for; scale is for all with a `scale` subresource. */
const PAIRS: Readonly<Record<string, string>> = {
  scale: 'deployment, statefulset, replicaset, any kind with a scale subresource',
  undo: 'deployment, statefulset, daemonset',
  trigger: 'cronjob',
  ...Object.fromEntries(Object.entries(VERBS).map(([name, { kinds }]) => [name, kinds.join(', ').toLowerCase()])),
};

export const refusePair = (action: string, kind: string): AppError =>
  new AppError('INVALID_ARGUMENT', `${kind} cannot be the object of ${action}; that is for ${PAIRS[action]}.`, {
    details: {
      argument: 'action',
      choices: Object.entries(PAIRS).map(([name, kinds]) => `${name}: ${kinds}`),
    },
  });
