// P1, P2: what the tool definitions cost a model before it has asked anything.

import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import { z } from 'zod';
import { connectMcp, type McpClient } from './support/mcp.ts';
import { startServer } from './support/program.ts';
import type { Measurement, Row, Scene } from './support/rows.ts';
import { toCount } from './support/words.ts';

const MOST_OUTPUT_TOKENS = 60;
const page = z.object({
  tools: z.array(z.looseObject({ name: z.string(), outputSchema: z.unknown().optional() })),
  nextCursor: z.string().optional(),
});

type Definition = z.infer<typeof page>['tools'][number];

const listTools = async (client: McpClient): Promise<Definition[]> => {
  const tools: Definition[] = [];
  let cursor: string | undefined;
  do {
    const { result } = await client.ask('tools/list', cursor === undefined ? {} : { cursor });
    const { tools: some, nextCursor } = page.parse(result);
    tools.push(...some);
    cursor = nextCursor;
  } while (cursor !== undefined);
  return tools;
};

const count = (value: unknown): number => countTokens(JSON.stringify(value));

interface Profile {
  readonly id: string;
  readonly profile: string;
  readonly what: string;
  readonly most: number;
}

const measureProfile = async (url: string, { id, profile, what, most }: Profile): Promise<Row> => {
  const client = connectMcp(url, `/mcp?profile=${profile}`);
  try {
    const tools = await listTools(client);
    const perTool = tools.map(({ outputSchema: _, ...definition }) => count(definition));
    const perOutput = tools.map(({ outputSchema }) => (outputSchema === undefined ? 0 : count(outputSchema)));
    const tokens = perTool.reduce((total, value) => total + value, 0);
    const outputs = perOutput.reduce((total, value) => total + value, 0);
    const worst = Math.max(...perOutput);
    return {
      id,
      what: `definitions: ${what}`,
      ours: `${toCount(tokens)} tokens, ${tools.length} tools; output schemas ${toCount(outputs)} more, the largest ${worst}`,
      bar: `<= ${toCount(most)} tokens; output <= ${MOST_OUTPUT_TOKENS} a tool`,
      holds: tokens <= most && worst <= MOST_OUTPUT_TOKENS,
      figures: { tokens, tools: tools.length, outputTokens: outputs, largestOutput: worst, largestTool: Math.max(...perTool) },
    };
  } finally {
    await client.close();
  }
};

/** One cluster, never asked: definitions must not touch the network. */
const withServer = async (scene: Scene, measure: (url: string) => Promise<Row[]>): Promise<Row[]> => {
  const kubeconfig = await scene.program.writeKubeconfig([{ name: 'only', server: 'https://127.0.0.1:9' }]);
  const server = await startServer(scene.program, { args: ['--kubeconfig', kubeconfig, '--allow-destructive'] });
  try {
    return await measure(server.url);
  } finally {
    await server.stop();
  }
};

/** All services, everything on, one cluster. */
export const allDefinitions: Measurement = {
  id: 'P1',
  measure: (scene) =>
    withServer(scene, async (url) => [
      await measureProfile(url, { id: 'P1', profile: 'all', what: 'all services, everything on', most: 8000 }),
    ]),
};

/** Kubernetes alone, and what is listed by default. */
export const profileDefinitions: Measurement = {
  id: 'P2',
  measure: (scene) =>
    withServer(scene, async (url) => [
      await measureProfile(url, { id: 'P2', profile: 'kubernetes', what: 'Kubernetes only', most: 3000 }),
      await measureProfile(url, { id: 'P2', profile: 'core', what: 'default profile', most: 4000 }),
    ]),
};
