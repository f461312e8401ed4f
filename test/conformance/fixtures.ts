// The fixtures that the protocol's conformance suite asks for, as one plugin named `test`. They go through the same doors, registry and
// result pipeline as product tools; sampling and roots are used here alone.

import { setTimeout as delay } from 'node:timers/promises';
import { acceptedContent, inputRequired, inputResponse, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { CallContext } from '../../src/kit/context.ts';
import { AppError } from '../../src/kit/errors.ts';
import type { Answer } from '../../src/kit/result.ts';
import { defineService, type FixedResource, type Notify, type Prompt, type ResourceTemplate } from '../../src/kit/service.ts';
import { type Tool, tool } from '../../src/kit/tool.ts';

/** One red pixel. */
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
/** A header and no samples. */
const WAV = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA=';

const STEP_MS = 300;

type Args = Readonly<Record<string, unknown>>;
interface Protocol {
  readonly c: ServerContext;
  /** Seals a state so that the server accepts it back. */
  readonly mint: (value: unknown) => string;
}

type Run = (args: Args, c: ServerContext, ctx: CallContext, mint: Protocol['mint']) => Promise<object> | object;

const text = (value: string): object => ({ content: [{ type: 'text', text: value }] });

const fixture = (name: string, run: Run, input: z.ZodObject = z.object({})): Tool<Notify> => ({
  ...tool<Notify, z.core.$ZodLooseShape>({
    name,
    title: name,
    description: `Fixture ${name}.`,
    effect: 'read',
    input,
    output: z.object({}),
    run: async (args, _, ctx): Promise<Answer> => {
      const { c, mint } = ctx.protocol as Protocol;
      return { raw: { ...(await run(args, c, ctx, mint)) } };
    },
  }),
  readsRequest: true,
});

const nameRequest = (message: string) =>
  inputRequired.elicit({ message, requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } });
const samplingRequest = (question: string, maxTokens: number) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: { type: 'text', text: question } }], maxTokens });

const contents = [
  fixture('test_simple_text', () => text('This is a simple text response for testing.')),
  fixture('test_image_content', () => ({ content: [{ type: 'image', data: PNG, mimeType: 'image/png' }] })),
  fixture('test_audio_content', () => ({ content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] })),
  fixture('test_embedded_resource', () => ({
    content: [
      {
        type: 'resource',
        resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'This is an embedded resource content.' },
      },
    ],
  })),
  fixture('test_multiple_content_types', () => ({
    content: [
      { type: 'text', text: 'Multiple content types test:' },
      { type: 'image', data: PNG, mimeType: 'image/png' },
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: JSON.stringify({ test: 'data', value: 123 }),
        },
      },
    ],
  })),
  fixture('test_error_handling', () => {
    throw new AppError('FAILED_PRECONDITION', 'This tool intentionally returns an error for testing');
  }),
  fixture('test_tool_with_progress', async (_, __, ctx) => {
    for (const progress of [0, 50, 100]) {
      ctx.progress({ progress, total: 100 });
      await delay(STEP_MS);
    }
    return text('Progress was reported.');
  }),
  fixture('test_tool_with_logging', async (_, c) => {
    for (const line of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await c.mcpReq.log('info', line);
      await delay(50);
    }
    return text('Logged three lines.');
  }),
  fixture('test_logging_tool', async (_, c) => {
    await c.mcpReq.log('info', 'Only those who asked see this');
    return text('Logged one line.');
  }),
  fixture(
    'test_x_mcp_header',
    ({ region }) => text(`region ${String(region)}`),
    z.object({ region: z.string().meta({ 'x-mcp-header': 'Region' }) }),
  ),
];

const isElicited = (value: unknown): value is { action: string; content?: unknown } =>
  typeof value === 'object' && value !== null && 'action' in value;

/** Asks through an input request; on connections of 2025 the library turns it into a real request. */
const askOnce =
  (
    key: string,
    request: () => ReturnType<typeof inputRequired.elicit>,
    answer: (response: { action: string; content?: unknown }) => object,
  ): Run =>
  (_, c) => {
    const response = c.mcpReq.inputResponses?.[key];
    return isElicited(response) ? answer(response) : inputRequired({ inputRequests: { [key]: request() } });
  };

const describeResponse = ({ action, content }: { action: string; content?: unknown }): string =>
  `action=${action}, content=${JSON.stringify(content ?? {})}`;

const legacyRequests = [
  fixture(
    'test_sampling',
    ({ prompt }, c) => {
      const view = inputResponse(c.mcpReq.inputResponses, 'answer');
      if (view.kind !== 'sampling') return inputRequired({ inputRequests: { answer: samplingRequest(String(prompt), 100) } });
      return text(`LLM response: ${JSON.stringify(view)}`);
    },
    z.object({ prompt: z.string() }),
  ),
  fixture(
    'test_elicitation',
    ({ message }, c, ctx, mint) =>
      askOnce(
        'user',
        () =>
          inputRequired.elicit({
            message: String(message),
            requestedSchema: {
              type: 'object',
              properties: {
                username: { type: 'string', description: "User's response" },
                email: { type: 'string', description: "User's email address" },
              },
              required: ['username', 'email'],
            },
          }),
        (response) => text(`User response: ${describeResponse(response)}`),
      )({}, c, ctx, mint),
    z.object({ message: z.string() }),
  ),
  fixture(
    'test_elicitation_sep1034_defaults',
    askOnce(
      'user',
      () =>
        inputRequired.elicit({
          message: 'Please check the defaults',
          requestedSchema: {
            type: 'object',
            properties: {
              name: { type: 'string', default: 'John Doe' },
              age: { type: 'integer', default: 30 },
              score: { type: 'number', default: 95.5 },
              status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
              verified: { type: 'boolean', default: true },
            },
          },
        }),
      (response) => text(`Elicitation completed: ${describeResponse(response)}`),
    ),
  ),
  fixture(
    'test_elicitation_sep1330_enums',
    askOnce(
      'user',
      () =>
        inputRequired.elicit({
          message: 'Please choose',
          requestedSchema: {
            type: 'object',
            properties: {
              untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
              titledSingle: {
                type: 'string',
                oneOf: [
                  { const: 'value1', title: 'First Option' },
                  { const: 'value2', title: 'Second Option' },
                  { const: 'value3', title: 'Third Option' },
                ],
              },
              legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['Option One', 'Option Two', 'Option Three'] },
              untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
              titledMulti: {
                type: 'array',
                items: {
                  anyOf: [
                    { const: 'value1', title: 'First Choice' },
                    { const: 'value2', title: 'Second Choice' },
                    { const: 'value3', title: 'Third Choice' },
                  ],
                },
              },
            },
          },
        }),
      (response) => text(`Elicitation completed: ${describeResponse(response)}`),
    ),
  ),
];

const declared = (c: ServerContext): Readonly<Record<string, unknown>> => {
  const envelope: Readonly<Record<string, unknown>> = c.mcpReq.envelope ?? {};
  return (envelope['io.modelcontextprotocol/clientCapabilities'] ?? {}) as Readonly<Record<string, unknown>>;
};

const okRequest = () =>
  inputRequired.elicit({
    message: 'Please confirm',
    requestedSchema: { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] },
  });

const nameSchema = z.object({ name: z.string() });

const inputRounds = [
  fixture('test_missing_capability', () => inputRequired({ inputRequests: { needs: samplingRequest('Anything', 10) } })),
  fixture('test_streaming_elicitation', () => inputRequired({ inputRequests: { user_name: nameRequest('What is your name?') } })),
  fixture('test_input_required_result_elicitation', (_, c) => {
    const answer = acceptedContent(c.mcpReq.inputResponses, 'user_name', nameSchema);
    return answer === undefined
      ? inputRequired({ inputRequests: { user_name: nameRequest('What is your name?') } })
      : text(`Hello, ${answer.name}!`);
  }),
  fixture('test_input_required_result_sampling', (_, c) => {
    const view = inputResponse(c.mcpReq.inputResponses, 'capital_question');
    return view.kind === 'sampling'
      ? text(JSON.stringify(view))
      : inputRequired({ inputRequests: { capital_question: samplingRequest('What is the capital of France?', 100) } });
  }),
  fixture('test_input_required_result_list_roots', (_, c) => {
    const view = inputResponse(c.mcpReq.inputResponses, 'client_roots');
    return view.kind === 'roots'
      ? text(JSON.stringify(view))
      : inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  }),
  fixture('test_input_required_result_request_state', (_, c, __, mint) => {
    const isAnswered = c.mcpReq.inputResponses?.['confirm'] !== undefined && c.mcpReq.requestState<unknown>() !== undefined;
    return isAnswered ? text('state-ok') : inputRequired({ inputRequests: { confirm: okRequest() }, requestState: mint({ round: 1 }) });
  }),
  fixture('test_input_required_result_tampered_state', (_, c, __, mint) => {
    const isAnswered = c.mcpReq.inputResponses !== undefined && c.mcpReq.requestState<unknown>() !== undefined;
    return isAnswered ? text('state-ok') : inputRequired({ inputRequests: { confirm: okRequest() }, requestState: mint({ round: 1 }) });
  }),
  fixture('test_input_required_result_multiple_inputs', (_, c, __, mint) => {
    const given = c.mcpReq.inputResponses ?? {};
    if (['user_name', 'greeting', 'client_roots'].every((key) => key in given))
      return text(`All inputs are there: ${Object.keys(given).join(', ')}`);
    return inputRequired({
      inputRequests: {
        user_name: nameRequest('What is your name?'),
        greeting: samplingRequest('Generate a greeting', 50),
        client_roots: inputRequired.listRoots(),
      },
      requestState: mint({ round: 1 }),
    });
  }),
  fixture('test_input_required_result_multi_round', (_, c, __, mint) => {
    const state = c.mcpReq.requestState<{ round: number } | undefined>();
    const given = c.mcpReq.inputResponses ?? {};
    if (state?.round === 2 && 'step2' in given) return text('Both steps are done.');
    if (state?.round === 1 && 'step1' in given) {
      const color = inputRequired.elicit({
        message: 'Step 2: What is your favorite color?',
        requestedSchema: { type: 'object', properties: { color: { type: 'string' } }, required: ['color'] },
      });
      return inputRequired({ inputRequests: { step2: color }, requestState: mint({ round: 2 }) });
    }
    return inputRequired({ inputRequests: { step1: nameRequest('Step 1: What is your name?') }, requestState: mint({ round: 1 }) });
  }),
  fixture('test_input_required_result_capabilities', (_, c) => {
    const capabilities = declared(c);
    const inputRequests = {
      ...(capabilities['elicitation'] === undefined ? {} : { user_name: nameRequest('What is your name?') }),
      ...(capabilities['sampling'] === undefined ? {} : { greeting: samplingRequest('Generate a greeting', 50) }),
    };
    return Object.keys(inputRequests).length === 0 || c.mcpReq.inputResponses !== undefined
      ? text('Nothing to ask.')
      : inputRequired({ inputRequests });
  }),
];

/** Nothing really changes: the suite wants to see that listeners hear of it. */
const triggers = (notify: Notify) => ({
  test_trigger_tool_change: () => notify.listChanged('tools'),
  test_trigger_prompt_change: () => notify.listChanged('prompts'),
});

const changes = (['test_trigger_tool_change', 'test_trigger_prompt_change'] as const).map((name) =>
  tool<Notify, z.core.$ZodLooseShape>({
    name,
    title: name,
    description: `Fixture ${name}.`,
    effect: 'read',
    input: z.object({}),
    output: z.object({}),
    run: async (_, notify): Promise<Answer> => {
      triggers(notify)[name]();
      return { raw: text('Told.') as Answer['raw'] & object };
    },
  }),
);

const reads = [
  fixture('test_read_static_text', () => ({
    contents: [{ uri: 'test://static-text', mimeType: 'text/plain', text: 'This is the content of the static text resource.' }],
  })),
  fixture('test_read_static_binary', () => ({ contents: [{ uri: 'test://static-binary', mimeType: 'image/png', blob: PNG }] })),
  fixture('test_read_watched', () => ({ contents: [{ uri: 'test://watched-resource', mimeType: 'text/plain', text: 'Watched.' }] })),
  fixture(
    'test_read_template',
    ({ id }) => ({
      contents: [
        {
          uri: `test://template/${String(id)}/data`,
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
    z.object({ id: z.string() }),
  ),
];

const resource = (uri: string, mimeType: string, toolName: string): FixedResource => ({
  uri,
  name: uri.slice('test://'.length),
  title: uri,
  description: `Fixture ${uri}.`,
  mimeType,
  tool: toolName,
  toArguments: () => ({}),
});

const template: ResourceTemplate = {
  uriTemplate: 'test://template/{id}/data',
  name: 'template',
  title: 'Template',
  description: 'Fixture template.',
  mimeType: 'application/json',
  tool: 'test_read_template',
  toArguments: ({ id }) => ({ id }),
};

const prompt = (name: string, text: Prompt['text'], args: Prompt['arguments'] = []): Prompt => ({
  name,
  title: name,
  description: `Fixture ${name}.`,
  arguments: args,
  tools: [],
  text,
});
const user = (content: object): object => ({ role: 'user', content });

const prompts: readonly Prompt[] = [
  prompt('test_simple_prompt', () => 'This is a simple prompt for testing.'),
  prompt('test_prompt_with_arguments', ({ arg1, arg2 }) => `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`, [
    { name: 'arg1', description: 'First test argument', required: true },
    { name: 'arg2', description: 'Second test argument', required: true },
  ]),
  prompt(
    'test_prompt_with_embedded_resource',
    ({ resourceUri }) => ({
      messages: [
        user({ type: 'resource', resource: { uri: resourceUri, mimeType: 'text/plain', text: 'Embedded resource content for testing.' } }),
        user({ type: 'text', text: 'Please process the embedded resource above.' }),
      ],
    }),
    [{ name: 'resourceUri', description: 'URI of the resource to embed', required: true }],
  ),
  prompt('test_prompt_with_image', () => ({
    messages: [user({ type: 'image', data: PNG, mimeType: 'image/png' }), user({ type: 'text', text: 'Please analyze the image above.' })],
  })),
  prompt('test_input_required_result_prompt', (_, protocol) => {
    const { c } = protocol as Protocol;
    const answer = acceptedContent(c.mcpReq.inputResponses, 'user_context', z.object({ context: z.string() }));
    if (answer !== undefined) return `Use the context: ${answer.context}`;
    const ask = inputRequired.elicit({
      message: 'What context should the prompt use?',
      requestedSchema: { type: 'object', properties: { context: { type: 'string' } }, required: ['context'] },
    });
    return inputRequired({ inputRequests: { user_context: ask } });
  }),
];

export default defineService<unknown, Notify>({
  name: 'test',
  title: 'Conformance fixtures',
  config: z.unknown(),
  tools: [...contents, ...legacyRequests, ...inputRounds, ...changes, ...reads],
  dynamic: true,
  connect: (_, { notify }) => notify,
  ping: async () => ({ state: 'up' }),
  resources: [
    resource('test://static-text', 'text/plain', 'test_read_static_text'),
    resource('test://static-binary', 'image/png', 'test_read_static_binary'),
    resource('test://watched-resource', 'text/plain', 'test_read_watched'),
  ],
  templates: [template],
  prompts,
  completions: { arg1: async (prefix) => ['paris', 'park', 'party'].filter((value) => value.startsWith(prefix)) },
});
