// The release as a plan finds it.

import type { CallContext } from '../../../kit/context.ts';
import { AppError, toAppError } from '../../../kit/errors.ts';
import type { KubernetesClient } from '../../../upstream/kubernetes/client.ts';
import type { Helm } from '../helm.ts';
import { readHistory } from '../release/open.ts';
import { lastGood } from '../release/problems.ts';
import { isPending, type Revision } from '../storage/revisions.ts';
import type { Address } from './state.ts';

/** All revisions, newest first; none when there is no such release. */
export const findHistory = async (helm: Helm, client: KubernetesClient, address: Address, ctx: CallContext): Promise<Revision[]> =>
  readHistory(helm, client, address, ctx).catch((thrown: unknown) => {
    if (toAppError(thrown).code === 'NOT_FOUND') return [];
    throw thrown;
  });

/** @throws FAILED_PRECONDITION with the call that frees it */
export const refusePending = (history: readonly Revision[], { name, namespace }: Address): void => {
  const [current] = history;
  if (current === undefined || !(isPending(current.status) || current.status === 'uninstalling')) return;
  const good = lastGood(history, current);
  const instead =
    good === undefined || current.status === 'uninstalling'
      ? { tool: 'helm_uninstall_release', arguments: { name, namespace } }
      : { tool: 'helm_rollback_release', arguments: { name, namespace, revision: good.revision } };
  throw new AppError(
    'FAILED_PRECONDITION',
    `Revision ${current.revision} of ${name} is ${current.status}: an operation is at work, or was interrupted. When nobody works on it, ${instead.tool} frees it.`,
    { details: { reason: 'PENDING', status: current.status, revision: current.revision, instead } },
  );
};

/** What the next deployment starts from: the deployed revision, else the newest. */
export const baseOf = (history: readonly Revision[]): Revision | undefined => {
  const [current] = history;
  if (current === undefined || current.status === 'uninstalled') return undefined;
  return history.find(({ status }) => status === 'deployed') ?? current;
};
