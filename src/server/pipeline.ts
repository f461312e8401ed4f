// The HTTP middleware: one ordered list, first in, last out.

import type { AuditLog } from '../audit/index.ts';
import type { Step } from '../kit/compose.ts';
import type { HttpExchange, Protection } from '../kit/http.ts';
import type { Tracing } from '../kit/trace.ts';
import { auditRefusals } from '../middleware/audit/index.ts';
import { type Authentication, auth } from '../middleware/auth/index.ts';
import { compress } from '../middleware/compress/index.ts';
import { type MetricsOptions, metrics } from '../middleware/metrics/index.ts';
import { requestId } from '../middleware/request-id/index.ts';
import { type SecurityOptions, security } from '../middleware/security/index.ts';
import { trace } from '../middleware/trace/index.ts';

export interface PipelineOptions {
  readonly security: SecurityOptions;
  /** Absent = refusals leave no record. */
  readonly audit?: AuditLog | undefined;
  readonly observed: MetricsOptions & { readonly tracing: Tracing | undefined };
  /** Absent = everyone is the local caller. */
  readonly authentication?: Authentication | undefined;
  /** Absent = no limit. */
  readonly rateLimit?: Step<HttpExchange, Response> | undefined;
  /** 1 to 9; absent = answers go as they are. */
  readonly compressionLevel?: number | undefined;
}

/** Built once per protection of the route table; unmatched paths run `open`. */
export const httpPipeline = (options: PipelineOptions, protection: Protection): Step<HttpExchange, Response>[] => {
  const { observed, audit, authentication, rateLimit, compressionLevel } = options;
  const always = [
    requestId(),
    ...(observed.tracing === undefined ? [] : [trace(observed.tracing)]),
    metrics(observed),
    ...(audit === undefined ? [] : [auditRefusals(audit)]),
    security(options.security),
  ];
  if (protection === 'open') return always;
  return [
    ...always,
    ...(authentication === undefined ? [] : [auth(authentication, protection === 'admin' ? 'admin' : undefined)]),
    ...(rateLimit === undefined ? [] : [rateLimit]),
    ...(compressionLevel === undefined ? [] : [compress(compressionLevel)]),
  ];
};
