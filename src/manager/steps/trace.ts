// A span for the call, named after the tool inside its service, with the attributes of OpenTelemetry's conventions for MCP; and one for each step in it.

import type { Step } from '../../kit/compose.ts';
import type { FinalAnswer } from '../../kit/result.ts';
import type { Tracing } from '../../kit/trace.ts';
import type { Call } from '../call.ts';

/** How the target of a call is named in arguments; a name or an id, never a content. */
const TARGETS = ['cluster', 'namespace', 'kind', 'name'] as const;

const toTarget = (args: Readonly<Record<string, unknown>>): string | undefined => {
  const parts = TARGETS.flatMap((key) => (typeof args[key] === 'string' ? [String(args[key]).slice(0, 200)] : []));
  return parts.length === 0 ? undefined : parts.join('/');
};

export const toToolName = ({ service, tool }: Pick<Call, 'service' | 'tool'>): string =>
  tool.name.startsWith(`${service}_`) ? tool.name.slice(service.length + 1) : tool.name;

/** Outermost: everything else happens inside the span. */
export const trace =
  (tracing: Tracing): Step<Call, FinalAnswer> =>
  (call, next) =>
    tracing.span(
      toToolName(call),
      {
        kind: 'server',
        attributes: () => ({
          'mcp.method.name': 'tools/call',
          'gen_ai.operation.name': 'execute_tool',
          'gen_ai.tool.name': call.tool.name,
          service: call.service,
          tool: toToolName(call),
          target: toTarget(call.args),
          'enduser.id': call.request.caller.id,
        }),
      },
      async (span) => {
        span.set('status', 'error');
        const answer = await next(call);
        span.set('status', 'success');
        return answer;
      },
    );

const INTERNAL = { kind: 'internal' } as const;

/** The step inside a span of its own. With tracing off no step is wrapped. */
export const traced = <Result>(tracing: Tracing, name: string, step: Step<Call, Result>): Step<Call, Result> => {
  const title = `step ${name}`;
  return (call, next) => tracing.span(title, INTERNAL, () => step(call, next));
};
