// How a call ended, in the words of logs and metrics.

import { type AppError, toAppError } from '../kit/errors.ts';
import type { CallStatus } from '../observability/metrics.ts';

const STATUS: Readonly<Record<string, CallStatus>> = { CANCELLED: 'cancelled', FORBIDDEN: 'denied', APPROVAL_REQUIRED: 'denied' };

export const toOutcome = (thrown: unknown): { readonly error: AppError; readonly status: CallStatus } => {
  const error = toAppError(thrown);
  return { error, status: STATUS[error.code] ?? 'error' };
};
