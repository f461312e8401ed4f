// The HTTP middleware: one ordered list, first in, last out.

import type { Step } from '../kit/compose.ts';
import type { HttpExchange } from '../kit/http.ts';
import { requestId } from '../middleware/request-id/index.ts';
import { type SecurityOptions, security } from '../middleware/security/index.ts';

export interface PipelineOptions {
  readonly security: SecurityOptions;
}

export const httpPipeline = (options: PipelineOptions): Step<HttpExchange, Response>[] => [requestId(), security(options.security)];
