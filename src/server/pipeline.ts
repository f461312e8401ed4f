// The HTTP middleware: one ordered list, first in, last out.

import type { Step } from '../kit/compose.ts';
import type { HttpExchange } from '../kit/http.ts';
import type { Tracing } from '../kit/trace.ts';
import { type MetricsOptions, metrics } from '../middleware/metrics/index.ts';
import { requestId } from '../middleware/request-id/index.ts';
import { type SecurityOptions, security } from '../middleware/security/index.ts';
import { trace } from '../middleware/trace/index.ts';

export interface PipelineOptions {
  readonly security: SecurityOptions;
  readonly observed: MetricsOptions & { readonly tracing: Tracing | undefined };
}

export const httpPipeline = ({ observed, ...options }: PipelineOptions): Step<HttpExchange, Response>[] => [
  requestId(),
  ...(observed.tracing === undefined ? [] : [trace(observed.tracing)]),
  metrics(observed),
  security(options.security),
];
