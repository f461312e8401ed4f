// The argument `status`: words of Helm, and the two that people ask for.

import { AppError } from '../../../kit/errors.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import { isPending, type Revision, STUCK_MS } from '../storage/revisions.ts';

const STATUSES = [
  'unknown',
  'deployed',
  'uninstalled',
  'superseded',
  'failed',
  'uninstalling',
  'pending-install',
  'pending-upgrade',
  'pending-rollback',
];
const WORDS = [...STATUSES, 'pending', 'broken'];

export const isStuck = ({ status, changedAt }: Revision, now: number): boolean =>
  (isPending(status) || status === 'uninstalling') && (changedAt === undefined || now - changedAt > STUCK_MS);

export interface StatusFilter {
  readonly words: readonly string[];
  matches(revision: Revision): boolean;
}

/** @throws INVALID_ARGUMENT with the nearest word */
export const toStatusFilter = (text: string | undefined, now: number): StatusFilter | undefined => {
  const words = (text ?? '')
    .split(',')
    .map((word) => word.trim().toLowerCase())
    .filter((word) => word !== '');
  if (words.length === 0 || words.includes('all')) return undefined;
  const unknown = words.find((word) => !WORDS.includes(word));
  if (unknown !== undefined)
    throw new AppError('INVALID_ARGUMENT', `Helm has no status "${unknown.slice(0, 60)}".`, {
      details: { argument: 'status', nearest: nearestNames(unknown, WORDS), choices: WORDS },
    });
  return {
    words,
    matches: (revision) =>
      words.some((word) => {
        if (word === 'pending') return isPending(revision.status);
        if (word === 'broken') return revision.status === 'failed' || isStuck(revision, now);
        return revision.status === word;
      }),
  };
};
