// What a wait waits for: words to a judge that looks at one state of an object and says met, failed or not yet.

import { AppError } from '../../kit/errors.ts';
import { parsePath, selectAll } from '../../kit/paths.ts';
import { conditionOf, isTrue, type KubeObject, kindOf, numberAt, textAt, textsAt } from '../../upstream/kubernetes/objects.ts';
import { rolloutStatus } from '../../upstream/kubernetes/rollout.ts';
import { jobStatus, nodeStatus, phaseStatus, podStatus } from '../../upstream/kubernetes/status.ts';

export interface Judgement {
  readonly result: 'met' | 'failed' | 'waiting';
  /** The last observed state, in words. */
  readonly state: string;
}

export interface Condition {
  /** The object may be absent: `exists` and `deleted` look at that. */
  judge(object: KubeObject | undefined): Judgement;
}

type Judge = (object: KubeObject) => Judgement;

const met = (state: string): Judgement => ({ result: 'met', state });
const failed = (state: string): Judgement => ({ result: 'failed', state });
const waiting = (state: string): Judgement => ({ result: 'waiting', state });

const fromRollout: Judge = (object) => {
  const { state, message } = rolloutStatus(object);
  if (state === 'unsupported') return failed(message);
  return state === 'complete' ? met(message) : state === 'failed' ? failed(message) : waiting(message);
};

const podReady: Judge = (pod) => {
  const { status, ready, containers } = podStatus(pod);
  const words = `${status}, ${ready}/${containers} containers ready`;
  if (isTrue(pod, 'Ready')) return met(words);
  const phase = textAt(pod, 'status', 'phase');
  // A finished pod never becomes ready; a crashing or pulling one still may.
  return phase === 'Failed' || phase === 'Succeeded' ? failed(words) : waiting(words);
};

const jobComplete: Judge = (job) => {
  const { status, completions } = jobStatus(job, 0);
  const words = `${status}, ${completions} completed`;
  if (isTrue(job, 'Complete') || isTrue(job, 'SuccessCriteriaMet')) return met(words);
  const failure = conditionOf(job, 'Failed') ?? conditionOf(job, 'FailureTarget');
  return failure?.status === 'True' ? failed(`${failure.reason ?? 'Failed'}: ${failure.message ?? words}`) : waiting(words);
};

const READY: Readonly<Record<string, Judge>> = {
  Pod: podReady,
  Deployment: fromRollout,
  StatefulSet: fromRollout,
  DaemonSet: fromRollout,
  Job: jobComplete,
  Node: (node) => (isTrue(node, 'Ready') ? met(nodeStatus(node).status) : waiting(nodeStatus(node).status)),
  PersistentVolumeClaim: (claim) =>
    phaseStatus(claim) === 'Bound' ? met('Bound') : phaseStatus(claim) === 'Lost' ? failed('Lost') : waiting(phaseStatus(claim)),
  PersistentVolume: (volume) =>
    ['Bound', 'Available'].includes(phaseStatus(volume)) ? met(phaseStatus(volume)) : waiting(phaseStatus(volume)),
  Namespace: (space) => (phaseStatus(space) === 'Active' ? met('Active') : waiting(phaseStatus(space))),
  CustomResourceDefinition: (crd) => (isTrue(crd, 'Established') ? met('Established') : waiting('not established')),
};

const conditionWords = (object: KubeObject, type: string): string => {
  const condition = conditionOf(object, type);
  return condition === undefined
    ? `condition ${type} is absent`
    : [`${type}=${condition.status}`, condition.reason, condition.message].filter((part) => part !== undefined && part !== '').join(', ');
};

const byCondition =
  (type: string, wanted: string): Judge =>
  (object) => {
    const found = conditionOf(object, type);
    const words = conditionWords(object, type);
    // A condition of an older generation says nothing about what was asked since.
    const generation = numberAt(object, 'metadata', 'generation');
    const isStale = found?.observedGeneration !== undefined && generation !== undefined && found.observedGeneration < generation;
    if (found !== undefined && !isStale && found.status.toLowerCase() === wanted.toLowerCase()) return met(words);
    return kindOf(object) === 'Job' && isTrue(object, 'Failed') && type !== 'Failed'
      ? failed(conditionWords(object, 'Failed'))
      : waiting(words);
  };

const byPath = (text: string): Judge => {
  const at = text.lastIndexOf('=');
  const path = parsePath(at < 0 ? text : text.slice(0, at).replace(/=$/, ''), 'condition');
  const wanted = at < 0 ? undefined : text.slice(at + 1).replace(/^["']|["']$/g, '');
  return (object) => {
    const values = selectAll(object, path).map((value) => (typeof value === 'object' ? JSON.stringify(value) : String(value)));
    const words = values.length === 0 ? 'the path is absent' : values.join(', ').slice(0, 200);
    const isMet = wanted === undefined ? values.length > 0 : values.length > 0 && values.every((value) => value === wanted);
    return isMet ? met(words) : waiting(words);
  };
};

const NAMED: Readonly<Record<string, Judge>> = {
  available: (object) =>
    kindOf(object) === 'Deployment'
      ? byCondition('Available', 'True')(object)
      : (READY[kindOf(object)] ?? byCondition('Available', 'True'))(object),
  complete: jobComplete,
  rollout: fromRollout,
  ready: (object) => (READY[kindOf(object)] ?? byCondition('Ready', 'True'))(object),
};

const deletionWords = (object: KubeObject): string => {
  if (textAt(object, 'metadata', 'deletionTimestamp') === undefined) return 'exists and is not being deleted';
  const finalizers = [...textsAt(object, 'metadata', 'finalizers'), ...textsAt(object, 'spec', 'finalizers')];
  return finalizers.length === 0 ? 'is being deleted' : `is being deleted; held by the finalizers ${finalizers.join(', ')}`;
};

/** @throws INVALID_ARGUMENT for a text that is no condition */
export const parseCondition = (text: string): Condition => {
  const absent = (): Judgement => failed('The object does not exist.');
  if (text === 'exists') return { judge: (object) => (object === undefined ? waiting('The object does not exist yet.') : met('exists')) };
  if (text === 'deleted')
    return {
      judge: (object) => (object === undefined ? met('The object is gone.') : waiting(deletionWords(object))),
    };
  const [, type, wanted = 'True'] = /^condition=([A-Za-z0-9./-]+)(?:=([A-Za-z]+))?$/.exec(text) ?? [];
  const [, path] = /^jsonpath=(.+)$/s.exec(text) ?? [];
  const judge =
    type !== undefined
      ? byCondition(type, wanted)
      : path !== undefined
        ? byPath(path)
        : Object.hasOwn(NAMED, text)
          ? NAMED[text]
          : undefined;
  if (judge === undefined) {
    throw new AppError('INVALID_ARGUMENT', `There is no condition ${text.slice(0, 80)}.`, {
      details: {
        argument: 'condition',
        choices: [...Object.keys(NAMED), 'exists', 'deleted', 'condition=Type[=Status]', 'jsonpath=path=value'],
      },
    });
  }
  return { judge: (object) => (object === undefined ? absent() : judge(object)) };
};
