// Wire tables: what the lists answer, built once per view. A request costs a lookup, not a conversion.

import { createHash } from 'node:crypto';
import type { Resource, ResourceTemplateType, Prompt as WirePrompt, Tool as WireTool } from '@modelcontextprotocol/server';
import type { ServiceCatalogue } from '../kit/catalogue.ts';
import { toWireInput, toWireOutput } from '../kit/schema.ts';
import { estimateTokens } from '../kit/tokens.ts';
import type { Hints, ToolInfo } from '../kit/tool.ts';
import type { Selection } from '../manager/profiles.ts';
import { toInstructions } from './instructions.ts';
import { withoutAbsentTools } from './mentions.ts';

const PAGE_SIZE = 100;
/** Above this the automatic form turns lean. */
const LEAN_ABOVE_TOKENS = 8000;
/** What the protocol assumes when a hint is not sent. */
const HINT_DEFAULTS: Hints = { readOnlyHint: false, destructiveHint: true, idempotentHint: false, openWorldHint: true };

export type DefinitionsForm = 'auto' | 'complete' | 'lean';

export interface WireOptions {
  readonly form: DefinitionsForm;
  /** `cluster` is sent only when there is a choice. */
  readonly manyClusters: boolean;
}

type Named = { readonly name: string };

/** A sorted list in pages with opaque cursors; a cursor of another list version is refused. */
export interface Paged<Item> {
  readonly items: readonly Item[];
  page(cursor: string | undefined): { items: readonly Item[]; nextCursor?: string } | undefined;
}

export interface WireTables {
  readonly tools: Paged<WireTool>;
  readonly prompts: Paged<WirePrompt>;
  readonly resources: Paged<Resource>;
  readonly templates: Paged<ResourceTemplateType>;
  readonly instructions: string;
  readonly form: 'complete' | 'lean';
  /** Some list can change while the server runs. */
  readonly dynamic: boolean;
}

const toPaged = <Item extends Named>(list: readonly Item[], keyOf: (item: Item) => string = (item) => item.name): Paged<Item> => {
  const items = [...list].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const version = createHash('sha256').update(JSON.stringify(items)).digest('base64url').slice(0, 12);
  const toCursor = (after: string): string => Buffer.from(JSON.stringify([version, after])).toString('base64url');
  return {
    items,
    page(cursor) {
      let start = 0;
      if (cursor !== undefined) {
        const last = items.findIndex((item) => toCursor(keyOf(item)) === cursor);
        if (last < 0) return undefined;
        start = last + 1;
      }
      const shown = items.slice(start, start + PAGE_SIZE);
      const last = shown.at(-1);
      return { items: shown, ...(last !== undefined && start + PAGE_SIZE < items.length ? { nextCursor: toCursor(keyOf(last)) } : {}) };
    },
  };
};

const toLeanHints = (hints: Hints, effect: ToolInfo['effect']): Partial<Hints> => {
  if (effect === 'read') return { readOnlyHint: true, ...(hints.openWorldHint ? { openWorldHint: true } : {}) };
  return { destructiveHint: hints.destructiveHint };
};

const toDefinition = (tool: ToolInfo, complete: boolean, options: WireOptions, names: ReadonlySet<string>): WireTool => {
  const hide = new Set([
    ...(options.manyClusters ? [] : ['cluster']),
    ...(complete && tool.effect === 'read' ? [] : ['maxTokens']),
    ...(tool.effect === 'read' ? [] : ['cursor']),
  ]);
  return {
    name: tool.name,
    ...(complete ? { title: tool.title } : {}),
    description: withoutAbsentTools(tool.description, names),
    inputSchema: { ...toWireInput(tool.input, { complete, hide }), type: 'object' },
    outputSchema: { ...toWireOutput(tool.output), type: 'object' },
    annotations: complete ? tool.hints : toLeanHints(tool.hints, tool.effect),
    ...(tool.meta === undefined ? {} : { _meta: tool.meta }),
  };
};

/** Tokens of definitions as a host counts them: name, description, input schema, hints; output schemas stay with the host. */
export const definitionTokens = (tools: readonly WireTool[], count: (text: string) => number = estimateTokens): number =>
  tools.reduce((sum, { outputSchema: _, ...rest }) => sum + count(JSON.stringify(rest)), 0);

const toTools = (
  selection: Selection,
  options: WireOptions,
  names: ReadonlySet<string>,
): { tools: WireTool[]; form: 'complete' | 'lean' } => {
  const make = (complete: boolean): WireTool[] => selection.tools.map((tool) => toDefinition(tool, complete, options, names));
  if (options.form === 'lean') return { tools: make(false), form: 'lean' };
  const complete = make(true);
  const fits = options.form === 'complete' || definitionTokens(complete) <= LEAN_ABOVE_TOKENS;
  return fits ? { tools: complete, form: 'complete' } : { tools: make(false), form: 'lean' };
};

/** Builds all tables of one view. Prompts and resources are offered where their tools are. */
export const createWireTables = (catalogues: readonly ServiceCatalogue[], selection: Selection, options: WireOptions): WireTables => {
  const names = new Set(selection.tools.map(({ name }) => name));
  const { tools, form } = toTools(selection, options, names);
  const parts = <Part>(pick: (catalogue: ServiceCatalogue) => readonly Part[], isOffered: (part: Part) => boolean): Part[] =>
    catalogues.flatMap(pick).filter(isOffered);
  const prompts = parts(
    ({ prompts: all }) => all,
    (prompt) => prompt.tools.every((name) => names.has(name)),
  );
  const resources = parts(
    ({ resources: all }) => all,
    (resource) => names.has(resource.tool),
  );
  const templates = parts(
    ({ templates: all }) => all,
    (template) => names.has(template.tool),
  );
  return {
    tools: toPaged(tools),
    prompts: toPaged(prompts.map(({ name, title, description, arguments: args }) => ({ name, title, description, arguments: [...args] }))),
    resources: toPaged(
      resources.map(({ uri, name, title, description, mimeType }) => ({ uri, name, title, description, mimeType })),
      (resource) => resource.uri,
    ),
    templates: toPaged(
      templates.map(({ uriTemplate, name, title, description, mimeType }) => ({ uriTemplate, name, title, description, mimeType })),
      (template) => template.uriTemplate,
    ),
    instructions: toInstructions(names),
    form,
    dynamic: catalogues.some(({ dynamic }) => dynamic),
  };
};

export { HINT_DEFAULTS };
