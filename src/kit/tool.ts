// tool(): one object per tool. It closes over its schemas, so that lists of different tools need no casts.

import { z } from 'zod';
import { parseArguments } from './arguments.ts';
import type { CallContext, Effect } from './context.ts';
import { toMilliseconds } from './duration.ts';
import { EVERY_CHANGE_TOOL, EVERY_READ_TOOL } from './params.ts';
import type { Inverse } from './plan.ts';
import type { Answer } from './result.ts';
import { type InputSchema, type JsonSchema, toJsonSchema } from './schema.ts';

/** The hints of the protocol; all four are known for every tool. */
export interface Hints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** Everything about a tool that is data: what lists, documentation and the catalogue need. */
export interface ToolInfo {
  readonly name: string;
  readonly title: string;
  /** For the model: what it does, when to use it, what to call next. */
  readonly description: string;
  readonly effect: Effect;
  readonly hints: Hints;
  /** JSON Schema with all marks; `toWireInput` makes the sent form. */
  readonly input: JsonSchema;
  readonly output: JsonSchema;
  /** How long an answer may be served again, ms; 0 = never. */
  readonly cacheForMs: number;
  /** A call may outlast a request: offered as a task to clients that know tasks. */
  readonly task: boolean;
  /** It looks at the raw request of the protocol, as the fixtures of its suites do. */
  readonly readsRequest?: boolean;
  /** Name of a capability that must be there for the tool to be listed, such as `exec`. */
  readonly needs?: string;
  /** JSON Schema `_meta` of the definition. */
  readonly meta?: JsonSchema;
}

export interface Tool<Client> extends ToolInfo {
  /** Reads the arguments once; throws INVALID_ARGUMENT. */
  parse(raw: unknown): Readonly<Record<string, unknown>>;
  /** Runs on parsed arguments. */
  run(args: Readonly<Record<string, unknown>>, client: Client, ctx: CallContext): Promise<Answer>;
  /** Changes only: plans a recorded change backwards. */
  inverse?(undo: unknown, client: Client, ctx: CallContext): Promise<Inverse>;
}

type Shape = z.core.$ZodLooseShape;
type EveryTool = { cluster?: string | undefined; maxTokens?: number | undefined };

export interface ToolDefinition<Client, Input extends Shape> {
  /** `service_verb_noun`, at most 40 characters. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly effect: Effect;
  readonly input: z.ZodObject<Input>;
  /** All keys an answer may have at its root. Checked by tests against real answers; its top level is sent. */
  readonly output: z.ZodObject;
  readonly idempotent?: boolean;
  readonly openWorld?: boolean;
  readonly destructive?: boolean;
  /** Go-style duration; read tools only. */
  readonly cacheFor?: string;
  readonly task?: boolean;
  readonly needs?: string;
  run(args: z.infer<z.ZodObject<Input>> & EveryTool, client: Client, ctx: CallContext): Promise<Answer>;
}

const toHints = ({
  effect,
  idempotent,
  openWorld,
  destructive,
}: Pick<ToolDefinition<never, Shape>, 'effect' | 'idempotent' | 'openWorld' | 'destructive'>): Hints => ({
  readOnlyHint: effect === 'read',
  destructiveHint: effect === 'delete' || (effect === 'write' && destructive !== false),
  idempotentHint: effect === 'read' || idempotent === true,
  openWorldHint: openWorld === true,
});

/** Keys that every answer may have, beside those of the tool (tools.md section 3). */
const COMMON_OUTPUT = {
  cluster: z.string().optional(),
  namespace: z.string().optional(),
  window: z.object({ from: z.string(), to: z.string() }).optional(),
  page: z
    .object({
      total: z.number().optional(),
      atLeast: z.number().optional(),
      shown: z.number(),
      next: z.string().optional(),
      reason: z.enum(['limit', 'budget', 'scan_limit', 'upstream_limit']).optional(),
      narrow: z.string().optional(),
    })
    .optional(),
  empty: z.object({ reason: z.string(), detail: z.string() }).optional(),
  warnings: z.array(z.string()).optional(),
  next: z.array(z.object({ tool: z.string(), arguments: z.record(z.string(), z.unknown()), why: z.string() })).optional(),
  links: z.array(z.object({ title: z.string(), url: z.string() })).optional(),
  untrusted: z.boolean().optional(),
  cached: z.string().optional(),
} as const;

/** The whole output schema of an answer, for tests: the tool's keys and the common ones, no others. */
export const toAnswerSchema = (output: z.ZodObject): z.ZodObject => z.strictObject({ ...COMMON_OUTPUT, ...output.partial().shape });

/** Makes a tool from its definition. */
export const tool = <Client, Input extends Shape>(
  definition: ToolDefinition<Client, Input>,
): Tool<Client> & { readonly answer: z.ZodObject } => {
  const shared = definition.effect === 'read' ? EVERY_READ_TOOL : EVERY_CHANGE_TOOL;
  const schema: InputSchema = definition.input.extend(shared);
  return {
    name: definition.name,
    title: definition.title,
    description: definition.description,
    effect: definition.effect,
    hints: toHints(definition),
    get input() {
      return toJsonSchema(schema);
    },
    get output() {
      return toJsonSchema(definition.output, 'output');
    },
    get answer() {
      return toAnswerSchema(definition.output);
    },
    cacheForMs: definition.cacheFor === undefined ? 0 : (toMilliseconds(definition.cacheFor) ?? 0),
    task: definition.task === true,
    ...(definition.needs === undefined ? {} : { needs: definition.needs }),
    parse: (raw) => parseArguments(schema, raw),
    run: (args, client, ctx) => definition.run(args as z.infer<z.ZodObject<Input>>, client, ctx),
  };
};
