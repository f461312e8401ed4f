// The HTTP middleware: one ordered list, first in, last out.

import type { Step } from '../kit/compose.ts';
import type { HttpExchange, Protection } from '../kit/http.ts';
import { type Authentication, auth } from '../middleware/auth/index.ts';
import { requestId } from '../middleware/request-id/index.ts';
import { type SecurityOptions, security } from '../middleware/security/index.ts';

export interface PipelineOptions {
  readonly security: SecurityOptions;
  /** Absent = everyone is the local caller. */
  readonly authentication?: Authentication | undefined;
}

/** Built once per protection of the route table; unmatched paths run `open`. */
export const httpPipeline = ({ authentication, ...options }: PipelineOptions, protection: Protection): Step<HttpExchange, Response>[] => [
  requestId(),
  security(options.security),
  ...(protection === 'open' || authentication === undefined ? [] : [auth(authentication, protection === 'admin' ? 'admin' : undefined)]),
];
