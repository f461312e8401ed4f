// Completions for prompt arguments and template variables, with the caller's rights.

import { type CompleteResult, ProtocolError } from '@modelcontextprotocol/server';
import { type Exchange, INVALID_PARAMS } from './server.ts';
import { toTrace } from './trace.ts';

const MAX_VALUES = 100;

export interface CompleteParams {
  readonly ref: { readonly type: 'ref/prompt'; readonly name: string } | { readonly type: 'ref/resource'; readonly uri: string };
  readonly argument: { readonly name: string; readonly value: string };
  readonly context?: { readonly arguments?: Readonly<Record<string, string>> | undefined } | undefined;
}

const ownerOf = ({ surface, deps }: Exchange, { ref }: CompleteParams): string | undefined => {
  const isListed =
    ref.type === 'ref/prompt'
      ? surface.tables.prompts.items.some(({ name }) => name === ref.name)
      : surface.tables.templates.items.some(({ uriTemplate }) => uriTemplate === ref.uri);
  if (!isListed) return undefined;
  return deps.manager.catalogues.find(({ prompts, templates }) =>
    ref.type === 'ref/prompt'
      ? prompts.some(({ name }) => name === ref.name)
      : templates.some(({ uriTemplate }) => uriTemplate === ref.uri),
  )?.name;
};

/** At most 100 values with `total` and `hasMore`; a backend that fails suggests nothing. */
export const completeArgument = async (exchange: Exchange, params: CompleteParams): Promise<CompleteResult> => {
  const owner = ownerOf(exchange, params);
  if (owner === undefined) throw new ProtocolError(INVALID_PARAMS, 'Unknown prompt or resource template');
  const { c, caller, deps, surface } = exchange;
  const { parts } = await deps.manager.service(owner);
  const request = { caller, selection: surface.selection, signal: c.mcpReq.signal, trace: toTrace(c) };
  const found = await deps.calls
    .beside(request, owner, (ctx) => parts.complete(params.argument.name, params.argument.value, params.context?.arguments ?? {}, ctx))
    .catch((thrown: unknown) => {
      deps.report(thrown, 'completion/complete');
      return [];
    });
  const values = found ?? [];
  return { completion: { values: values.slice(0, MAX_VALUES), total: values.length, hasMore: values.length > MAX_VALUES } };
};
