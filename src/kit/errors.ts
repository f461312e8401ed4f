// The one table of error codes and the one error type. Thrown at the edge that knows; turned into words at two doors (server/, mcp/result.ts).

/** code -> HTTP status on HTTP routes, whether the same call may succeed later, and what the caller should do. */
export const ERROR_CODES = {
  INVALID_ARGUMENT: { http: 400, retryable: false, advice: 'Correct the named argument and call again.' },
  UNAUTHENTICATED: { http: 401, retryable: false, advice: 'The backend refused the login: correct the named setting.' },
  FORBIDDEN: { http: 403, retryable: false, advice: 'Ask for the missing right, or narrow the call to what is allowed.' },
  NOT_FOUND: { http: 404, retryable: false, advice: 'Check the name; the nearest ones are listed when there are any.' },
  CONFLICT: { http: 409, retryable: false, advice: 'The target changed: look at the new state and plan again.' },
  CURSOR_EXPIRED: { http: 410, retryable: false, advice: 'Start again without cursor.' },
  PAYLOAD_TOO_LARGE: { http: 413, retryable: false, advice: 'Ask for less, or send less.' },
  FAILED_PRECONDITION: { http: 422, retryable: false, advice: 'The state forbids this now: see the reason, then plan again.' },
  APPROVAL_REQUIRED: { http: 428, retryable: false, advice: 'A person must approve this call.' },
  RATE_LIMITED: { http: 429, retryable: true, advice: 'Wait as long as retry_after says.' },
  CANCELLED: { http: 499, retryable: false, advice: 'The caller cancelled this call.' },
  INTERNAL: { http: 500, retryable: false, advice: 'A fault of this server: report it with the trace id.' },
  UNSUPPORTED: { http: 501, retryable: false, advice: 'Not offered here: see what is needed and what to use instead.' },
  DATA_ERROR: { http: 502, retryable: false, advice: 'The backend answered something that cannot be read.' },
  SERVICE_UNAVAILABLE: { http: 503, retryable: true, advice: 'The backend does not answer: try again later, or use another service.' },
  DEADLINE_EXCEEDED: { http: 504, retryable: true, advice: 'Narrow the call, or allow it more time.' },
} as const satisfies Record<string, { http: number; retryable: boolean; advice: string }>;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface AppErrorOptions {
  /** Machine-readable facts: argument, nearest, service, retry_after, reason ... (tools.md section 5). Never secrets, never raw backend text except in `upstream`. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** A failure with a code from the table and words that help the caller to mend the call. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, { details = {}, cause }: AppErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AppError';
    this.code = code;
    this.details = details;
  }
}

/** Anything thrown becomes an AppError; an unknown fault keeps its text in `cause` only, so that it never reaches a caller. */
export const toAppError = (thrown: unknown): AppError => {
  if (thrown instanceof AppError) return thrown;
  if (thrown instanceof Error && (thrown.name === 'AbortError' || thrown.name === 'ResponseAborted')) {
    return thrown.cause instanceof AppError ? thrown.cause : new AppError('CANCELLED', 'The call was cancelled.', { cause: thrown });
  }
  return new AppError('INTERNAL', 'The server failed to answer this call.', { cause: thrown });
};

/** The error as it stands on the wire, over HTTP and in tool results alike. */
export const toWireError = (
  error: AppError,
): { error: { code: ErrorCode; message: string; details?: Readonly<Record<string, unknown>> } } => ({
  error: { code: error.code, message: error.message, ...(Object.keys(error.details).length > 0 ? { details: error.details } : {}) },
});
