// Undoing a rollout: the pod template of an earlier revision, as `kubectl rollout undo` puts it back.

import { AppError } from '../../../kit/errors.ts';
import { booleanAt, type Fields, fieldsAt, type KubeObject, kindOf } from '../../../upstream/kubernetes/objects.ts';
import { type Revision, readRevisions } from '../revisions.ts';
import type { Patch } from './patching.ts';
import type { Work } from './update.ts';

export interface Rollback {
  readonly revision: number;
  readonly current: number;
  readonly patch: Patch;
}

const HASH = 'pod-template-hash';

/** The controller adds the hash to every revision by itself. */
const withoutHash = (template: Fields): Fields => {
  const metadata = fieldsAt(template, 'metadata');
  const { [HASH]: _, ...labels } = fieldsAt(metadata, 'labels');
  return { ...template, metadata: { ...metadata, labels } };
};

const refuse = (message: string, details: Fields = {}): AppError => new AppError('FAILED_PRECONDITION', message, { details });

const choose = (revisions: readonly Revision[], wanted: number | undefined): Revision => {
  const found = wanted === undefined ? revisions[1] : revisions.find(({ revision }) => revision === wanted);
  if (found !== undefined) return found;
  const known = revisions.map(({ revision }) => revision);
  if (wanted === undefined) throw refuse('There is no earlier revision to go back to.', { reason: 'NO_REVISION', revisions: known });
  throw new AppError('NOT_FOUND', `There is no revision ${wanted}.`, { details: { argument: 'revision', choices: known } });
};

export const planRollback = async ({ client, ctx }: Work, object: KubeObject, wanted: number | undefined): Promise<Rollback> => {
  if (booleanAt(object, 'spec', 'paused'))
    throw refuse('A paused Deployment cannot be rolled back: resume it first (action resume).', { reason: 'PAUSED' });
  const revisions = await readRevisions(client, object, ctx);
  const target = choose(revisions, wanted);
  const current = revisions[0]?.revision ?? 0;
  // A Deployment takes the whole template; the others keep their revisions as strategic merge patches.
  const patch =
    kindOf(object) === 'Deployment'
      ? ({ patchType: 'json', patch: [{ op: 'replace', path: '/spec/template', value: withoutHash(target.template) }] } as const)
      : ({ patchType: 'strategic', patch: { spec: { template: { $patch: 'replace', ...target.template } } } } as const);
  return { revision: target.revision, current, patch };
};
