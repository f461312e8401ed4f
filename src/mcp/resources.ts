// Resources are tool calls under another name: same steps, same rights, same answers.

import { ProtocolError, type ReadResourceResult, UriTemplate } from '@modelcontextprotocol/server';
import { toAppError } from '../kit/errors.ts';
import type { FixedResource, ResourceTemplate } from '../kit/service.ts';
import { toErrorText } from './result.ts';
import { type Exchange, INVALID_PARAMS, type McpDeps, toAuditFacts, toProtocol } from './server.ts';
import { toTrace } from './trace.ts';

interface Match {
  readonly part: FixedResource | ResourceTemplate;
  readonly variables: Readonly<Record<string, string>>;
}

const compiled = new Map<string, UriTemplate>();

const toVariables = (uriTemplate: string, uri: string): Record<string, string> | undefined => {
  const template = compiled.get(uriTemplate) ?? new UriTemplate(uriTemplate);
  compiled.set(uriTemplate, template);
  const [path = '', query = ''] = uri.split('?', 2);
  const matched = template.match(path) ?? template.match(uri) ?? new UriTemplate(uriTemplate.replace(/\{\?[^}]*\}/, '')).match(path);
  if (matched === null) return undefined;
  const named = Object.entries(matched).map(([key, value]) => [key, decodeURIComponent(Array.isArray(value) ? value.join(',') : value)]);
  return { ...Object.fromEntries(named), ...Object.fromEntries(new URLSearchParams(query)) };
};

/** Finds the part that answers a URI; loads only the service that owns it. */
const findPart = async ({ surface, deps }: Exchange, uri: string): Promise<Match | undefined> => {
  const isListed = surface.tables.resources.items.some((resource) => resource.uri === uri);
  const template = surface.tables.templates.items.find(({ uriTemplate }) => toVariables(uriTemplate, uri) !== undefined);
  if (!isListed && template === undefined) return undefined;
  for (const catalogue of deps.manager.catalogues) {
    const owns =
      catalogue.resources.some((resource) => resource.uri === uri) ||
      catalogue.templates.some(({ uriTemplate }) => uriTemplate === template?.uriTemplate);
    if (!owns) continue;
    const { parts } = await deps.manager.service(catalogue.name);
    const fixed = parts.resources.find((resource) => resource.uri === uri);
    if (fixed !== undefined) return { part: fixed, variables: {} };
    const found = parts.templates.find(({ uriTemplate }) => uriTemplate === template?.uriTemplate);
    if (found !== undefined) return { part: found, variables: toVariables(found.uriTemplate, uri) ?? {} };
  }
  return undefined;
};

const notFound = (uri: string, { mask }: McpDeps): ProtocolError =>
  new ProtocolError(INVALID_PARAMS, 'Resource not found', { uri: mask(uri).slice(0, 500) });

/** Reads one resource. Unknown URIs and failed calls are -32602 with the words of the tool. */
export const readResource = async (exchange: Exchange, uri: string): Promise<ReadResourceResult> => {
  const match = await findPart(exchange, uri);
  const { c, caller, surface, deps } = exchange;
  const origin = { action: 'resources/read', input: { uri } } as const;
  if (match === undefined) {
    deps.metrics.request('resources/read', { status: 'error', ms: 0 });
    await deps.audit?.observe(toAuditFacts(exchange, { ...origin, toolName: 'other', serviceName: '' }), () =>
      Promise.reject(notFound(uri, deps)),
    );
    throw notFound(uri, deps);
  }
  try {
    const answer = await deps.calls.call({
      tool: match.part.tool,
      args: match.part.toArguments(match.variables),
      caller,
      selection: surface.selection,
      signal: c.mcpReq.signal,
      trace: toTrace(c),
      origin,
      protocol: toProtocol(deps, c),
    });
    if (answer.raw !== undefined) return answer.raw as ReadResourceResult;
    return {
      contents: [
        {
          uri,
          mimeType: match.part.mimeType,
          text: match.part.mimeType === 'application/json' ? JSON.stringify(answer.structured) : answer.text,
        },
      ],
    };
  } catch (thrown) {
    if (thrown instanceof ProtocolError) throw thrown;
    throw new ProtocolError(INVALID_PARAMS, toErrorText(toAppError(thrown)), { uri: deps.mask(uri) });
  }
};
