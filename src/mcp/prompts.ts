// Prompts: playbooks that name exact tools; offered where all of those are.

import { type GetPromptResult, ProtocolError } from '@modelcontextprotocol/server';
import type { Prompt } from '../kit/service.ts';
import { type Exchange, INVALID_PARAMS, toProtocol } from './server.ts';

const MAX_ARGUMENT_CHARS = 2000;

const findPrompt = async ({ surface, deps }: Exchange, name: string): Promise<Prompt | undefined> => {
  for (const catalogue of deps.manager.catalogues) {
    const known = catalogue.prompts.find((prompt) => prompt.name === name || prompt.aliases?.includes(name) === true);
    if (known === undefined) continue;
    if (!surface.tables.prompts.items.some((prompt) => prompt.name === known.name)) return undefined;
    return (await deps.manager.service(catalogue.name)).parts.prompts.find((prompt) => prompt.name === known.name);
  }
  return undefined;
};

/** The text of a prompt; old names of merged prompts answer too. */
export const getPrompt = async (
  exchange: Exchange,
  params: { name: string; arguments?: Readonly<Record<string, string>> | undefined },
): Promise<GetPromptResult> => {
  const prompt = await findPrompt(exchange, params.name);
  if (prompt === undefined) throw new ProtocolError(INVALID_PARAMS, `Unknown prompt: ${params.name.slice(0, 80)}`);
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
