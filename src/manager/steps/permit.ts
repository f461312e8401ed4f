// May this caller use this tool, in this mode? The list a caller sees and what it may call are the same selection.

import type { Step } from '../../kit/compose.ts';
import { AppError } from '../../kit/errors.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Call } from '../call.ts';

const SCOPE = { read: 'read', write: 'write', delete: 'destructive' } as const;

const isGranted = (scopes: readonly string[], wanted: string, service: string): boolean =>
  scopes.some((scope) => scope === 'all' || scope === wanted || scope === `${wanted}:${service}`);

/** Checks the caller's scopes; the mode was checked when the selection was made. */
export const permit = (): Step<Call, FinalAnswer> => async (call, next) => {
  const wanted = SCOPE[call.tool.effect];
  if (!isGranted(call.request.caller.scopes, wanted, call.service)) {
    throw new AppError('FORBIDDEN', `This caller lacks the scope ${wanted} for ${call.service}.`, {
      details: { by: 'policy', missing: wanted },
    });
  }
  return next(call);
};
