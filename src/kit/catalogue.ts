// The catalogue: every service's definitions as plain data. Made by `npm run generate`, so that a start evaluates no schema and loads no service.

import type { JsonSchema } from './schema.ts';
import type { FixedResource, Prompt, ResourceTemplate, ServiceDefinition, ServiceDeps } from './service.ts';
import type { ToolInfo } from './tool.ts';

export interface ServiceCatalogue {
  readonly name: string;
  readonly title: string;
  readonly dynamic: boolean;
  readonly tools: readonly ToolInfo[];
  readonly resources: readonly Omit<FixedResource, 'toArguments'>[];
  readonly templates: readonly Omit<ResourceTemplate, 'toArguments'>[];
  readonly prompts: readonly Omit<Prompt, 'text'>[];
}

const withoutFunctions = <Item extends object>(item: Item): Item =>
  Object.fromEntries(Object.entries(item).filter(([, value]) => typeof value !== 'function')) as Item;

/** Describing needs an instance but no backend: nothing is connected. */
const SILENT: ServiceDeps = {
  logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  now: () => 0,
  env: {},
  fingerprint: () => '',
  learnSecret: () => {},
  maskLines: (lines) => [...lines],
  notify: { listChanged: () => {}, resourceUpdated: () => {} },
  section: () => undefined,
  secret: (name) => ({ name, current: async () => '', onChange: () => () => {} }),
};

/** A start needs the names of the keys that answers have; what they hold is in the definitions, for tests and documentation. */
const toKeys = (output: JsonSchema): JsonSchema => ({
  properties: Object.fromEntries(Object.keys((output['properties'] ?? {}) as object).map((key) => [key, {}])),
});

const toToolInfo = (tool: ToolInfo): ToolInfo => ({
  name: tool.name,
  title: tool.title,
  description: tool.description,
  effect: tool.effect,
  hints: tool.hints,
  input: tool.input,
  output: toKeys(tool.output),
  cacheForMs: tool.cacheForMs,
  task: tool.task,
  ...(tool.readsRequest === undefined ? {} : { readsRequest: tool.readsRequest }),
  ...(tool.needs === undefined ? {} : { needs: tool.needs }),
  ...(tool.meta === undefined ? {} : { meta: tool.meta }),
});

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

/** The data of one service, sorted by name in byte order. */
export const toCatalogue = (definition: ServiceDefinition): ServiceCatalogue => {
  const service = definition.create(SILENT);
  const { parts } = service;
  return {
    name: definition.name,
    title: definition.title,
    dynamic: parts.dynamic,
    tools: service.getTools().map(toToolInfo).sort(byName),
    resources: parts.resources.map(withoutFunctions).sort(byName),
    templates: parts.templates.map(withoutFunctions).sort(byName),
    prompts: parts.prompts.map(withoutFunctions).sort(byName),
  };
};
