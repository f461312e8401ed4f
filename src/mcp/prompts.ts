// Prompts: playbooks that name exact tools; offered where all of those are.

import { type GetPromptResult, ProtocolError } from '@modelcontextprotocol/server';
import type { Prompt } from '../kit/service.ts';
import { type Exchange, INVALID_PARAMS, toAuditFacts, toProtocol } from './server.ts';

const MAX_ARGUMENT_CHARS = 2000;

interface Owned {
  readonly prompt: Prompt;
  readonly service: string;
}

const findPrompt = async ({ surface, deps }: Exchange, name: string): Promise<Owned | undefined> => {
  for (const catalogue of deps.manager.catalogues) {
    const known = catalogue.prompts.find((prompt) => prompt.name === name || prompt.aliases?.includes(name) === true);
    if (known === undefined) continue;
    if (!surface.tables.prompts.items.some((prompt) => prompt.name === known.name)) return undefined;
    const prompt = (await deps.manager.service(catalogue.name)).parts.prompts.find((item) => item.name === known.name);
    return prompt === undefined ? undefined : { prompt, service: catalogue.name };
  }
  return undefined;
};

interface PromptRequest {
  readonly name: string;
  readonly arguments?: Readonly<Record<string, string>> | undefined;
}

/** The text of a prompt; old names of merged prompts answer too. */
export const getPrompt = async (exchange: Exchange, params: PromptRequest): Promise<GetPromptResult> => {
  const owned = await findPrompt(exchange, params.name);
  const { audit } = exchange.deps;
  const render = async (): Promise<GetPromptResult> => renderPrompt(exchange, params, owned?.prompt);
  if (audit === undefined) return render();
  const name = { toolName: owned?.prompt.name ?? 'other', serviceName: owned?.service ?? '' };
  return audit.observe(toAuditFacts(exchange, { action: 'prompts/get', ...name, input: params.arguments ?? {} }), render);
};

const renderPrompt = (exchange: Exchange, params: PromptRequest, prompt: Prompt | undefined): GetPromptResult => {
  if (prompt === undefined) throw new ProtocolError(INVALID_PARAMS, `Unknown prompt: ${exchange.deps.mask(params.name).slice(0, 80)}`);
  const given = Object.fromEntries(
    Object.entries(params.arguments ?? {}).map(([key, value]) => [key, String(value).slice(0, MAX_ARGUMENT_CHARS)]),
  );
  const missing = prompt.arguments.find((argument) => argument.required === true && (given[argument.name] ?? '') === '');
  if (missing !== undefined)
    throw new ProtocolError(INVALID_PARAMS, `The prompt ${prompt.name} needs ${missing.name}: ${missing.description}`);
  const made = prompt.text(given, toProtocol(exchange.deps, exchange.c));
  if (typeof made !== 'string') return made as GetPromptResult;
  return { description: prompt.description, messages: [{ role: 'user', content: { type: 'text', text: made } }] };
};
