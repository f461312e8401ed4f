// How a call ended, in the words of logs and metrics.

import { type AppError, toAppError } from '../kit/errors.ts';
import type { CallStatus } from '../observability/metrics.ts';

const STATUS: Readonly<Record<string, CallStatus>> = { CANCELLED: 'cancelled', FORBIDDEN: 'denied', APPROVAL_REQUIRED: 'denied' };

/** `error` is absent where a question to the user was thrown through the steps: that is an answer, and no failure. */
export const toOutcome = (thrown: unknown): { readonly error?: AppError; readonly status: CallStatus } => {
  if (thrown instanceof Error && thrown.name === 'InputNeeded') return { status: 'success' };
  const error = toAppError(thrown);
  return { error, status: STATUS[error.code] ?? 'error' };
};
