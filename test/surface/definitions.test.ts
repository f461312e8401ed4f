// What clients receive, pinned: names, schemas, hints, tokens. A change here is a change of the contract and turns red on purpose.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toWireOutput } from '../../src/kit/schema.ts';
import { mentionedTools } from '../../src/mcp/mentions.ts';
import { definitionTokens } from '../../src/mcp/wire.ts';
import { openApp, type Shop } from '../support/shop.ts';

// Any program counts as a Helm binary until it is run: so the tools that need one are listed.
const MODES = {
  read: {},
  write: { 'security.allowWrites': true },
  delete: { 'security.allowWrites': true, 'security.allowDestructive': true },
} as const;

/** Most tokens of a list (tools.md section 1). */
const LIMITS: Readonly<Record<string, number>> = { all: 8000, kubernetes: 3000, core: 4000 };
const MOST_PER_TOOL = 180;
const MOST_OUTPUT_TOKENS = 60;

describe.each(Object.entries(MODES))('definitions in mode %s', (_, flags) => {
  let server: Omit<Shop, 'embedded'>;
  beforeAll(async () => {
    server = await openApp({ 'kubernetes.enabled': true, 'helm.binary': process.execPath, ...flags });
  });
  afterAll(() => server.close());

  const lists = ['core', 'all', 'platform', 'kubernetes', 'helm'];

  it.each(lists)('%s stays below its limit of tokens', (profile) => {
    const tools = server.app.surface([profile]).tables.tools.items;
    const tokens = definitionTokens(tools, countTokens);
    expect(tokens).toBeLessThanOrEqual(LIMITS[profile] ?? 3000);
  });

  it('spends at most 180 tokens on a tool and 60 on its output schema in the lean form', async () => {
    const lean = await openApp({ 'kubernetes.enabled': true, 'helm.binary': process.execPath, 'definitions.form': 'lean', ...flags });
    const { tables, selection } = lean.app.surface(['all']);
    const heavy = tables.tools.items.filter((tool) => definitionTokens([tool], countTokens) > MOST_PER_TOOL).map(({ name }) => name);
    const heavyOutput = selection.tools
      .filter((tool) => countTokens(JSON.stringify(toWireOutput(tool.output))) > MOST_OUTPUT_TOKENS)
      .map(({ name }) => name);
    await lean.close();
    expect({ heavy, heavyOutput }).toEqual({ heavy: [], heavyOutput: [] });
  });

  it('has names, titles and schemas as every client accepts them', () => {
    for (const tool of server.app.surface(['all']).tables.tools.items) {
      expect(tool.name).toMatch(/^[a-z]+(_[a-z]+)+$/);
      expect(tool.name.length).toBeLessThanOrEqual(40);
      expect(tool.title?.length).toBeGreaterThan(0);
      expect(tool.description?.length).toBeLessThanOrEqual(1024);
      expect(tool.inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
      expect(tool.outputSchema).toMatchObject({ type: 'object' });
      expect(Object.keys(tool.annotations ?? {}).sort()).toEqual(['destructiveHint', 'idempotentHint', 'openWorldHint', 'readOnlyHint']);
      expect(JSON.stringify(tool)).not.toMatch(/\$schema|propertyNames|9007199254740991|"(?:oneOf|allOf|not)"/);
    }
  });

  it('names in words only tools that the same list holds', () => {
    for (const profile of lists) {
      const { tables } = server.app.surface([profile]);
      const names = tables.tools.items.map(({ name }) => name);
      const words = [tables.instructions, ...tables.tools.items.map(({ description }) => description ?? '')].join('\n');
      expect(mentionedTools(words).filter((name) => !names.includes(name))).toEqual([]);
      expect(tables.instructions.length).toBeLessThanOrEqual(2048);
    }
  });

  it('sends the definitions of its snapshot (RULE-06)', () => {
    const { tables } = server.app.surface(['all']);
    expect(tables.tools.items).toMatchSnapshot();
  });
});
