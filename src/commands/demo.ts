// demo: an embedded cluster with an incident in it, this server in front of it, and a walk through it with a real MCP client over HTTP.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client as McpClient } from '@modelcontextprotocol/client';
import { createApp, loadSettings } from '../app.ts';
import { AppError } from '../kit/errors.ts';
import { NAME, VERSION } from '../version.ts';
import { HELP_OPTION, parseFlags } from './options.ts';
import { untilSignal } from './signals.ts';

const HELP = `Usage: demo [--once] [--port N]

Starts an embedded Kubernetes with an incident in it and this server in front of it, walks through the incident with a real
MCP client over HTTP, prints how to add the server to your own client, and stays up until Ctrl-C.

  --once    end after the walk, exit code 0
  --port N  listen on 127.0.0.1:N (default 8080, or any free port when that is taken)
`;

interface Step {
  readonly say: string;
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** Lines of the answer that are shown. */
  readonly lines: number;
  /** A change: what is added when its plan is applied. */
  readonly apply?: Readonly<Record<string, unknown>>;
}

const STEPS: readonly Step[] = [
  { say: 'What is connected, and what may I do?', tool: 'platform_status', arguments: {}, lines: 8 },
  {
    say: 'Customers cannot pay. What is broken in the shop?',
    tool: 'kubernetes_find_problems',
    arguments: { namespace: 'shop' },
    lines: 24,
  },
  {
    say: 'What did the last rollout of payment change?',
    tool: 'kubernetes_get_resource',
    arguments: { kind: 'deployment', name: 'payment', namespace: 'shop', view: 'rollout' },
    lines: 18,
  },
  {
    say: 'And what does payment say?',
    tool: 'kubernetes_get_logs',
    arguments: { name: 'deployment/payment', namespace: 'shop', view: 'patterns', limit: 4 },
    lines: 14,
  },
  {
    say: 'Is anybody else short of memory?',
    tool: 'kubernetes_get_usage',
    arguments: { namespace: 'shop', scope: 'workload', sortBy: '-memory.percent', limit: 5 },
    lines: 12,
  },
  {
    say: 'Does traffic still reach payment?',
    tool: 'kubernetes_check_network',
    arguments: { to: 'service/payment', from: 'deployment/checkout', namespace: 'shop' },
    lines: 14,
  },
  {
    say: 'Who changed what?',
    tool: 'helm_get_release',
    arguments: { name: 'payment', namespace: 'shop', view: 'diff' },
    lines: 18,
  },
  {
    say: 'The cure, first half: the pool as it was. What would that change?',
    tool: 'kubernetes_patch_resource',
    arguments: { kind: 'configmap', name: 'payment-config', namespace: 'shop', patch: { data: { DB_POOL_SIZE: '20' } } },
    lines: 20,
    apply: {},
  },
  {
    say: 'The second half: the template of the revision before.',
    tool: 'kubernetes_manage_resource',
    arguments: { action: 'undo', kind: 'deployment', name: 'payment', namespace: 'shop' },
    lines: 24,
    apply: { wait: '90s' },
  },
  {
    say: 'Is payment well?',
    tool: 'kubernetes_find_problems',
    arguments: { namespace: 'shop', kind: 'deployments,pods' },
    lines: 12,
  },
];

/** The longest step waits for a rollout. */
const CALL_MS = 120_000;

const isTerminal = process.stdout.isTTY === true;
const paint = (code: number, text: string): string => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text);
const write = (text: string): void => void process.stdout.write(text);

const showLines = (text: string, most: number): string => {
  const width = Math.max(60, (process.stdout.columns ?? 140) - 4);
  const lines = text.split('\n');
  const shown = lines.slice(0, most).map((line) => `  ${line.length > width ? `${line.slice(0, width - 1)}…` : line}`);
  return [...shown, ...(lines.length > most ? [paint(2, `  … ${lines.length - most} more lines`)] : [])].join('\n');
};

const showProgress = (message: string | undefined): void => {
  if (isTerminal && message !== undefined) write(`\r\u001b[K${paint(2, `   ${message}`.slice(0, process.stdout.columns ?? 140))}`);
};

/** One call, printed. */
const ask = async (
  client: McpClient,
  { tool, lines }: Step,
  args: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, unknown>>> => {
  write(`${paint(36, `   ${tool} ${JSON.stringify(args)}`)}\n`);
  const started = performance.now();
  const result = await client.callTool(
    { name: tool, arguments: { ...args } },
    { onprogress: ({ message }) => showProgress(message), timeout: CALL_MS },
  );
  const [block] = result.content;
  const text = block?.type === 'text' ? block.text : '';
  if (isTerminal) write('\r\u001b[K');
  write(`${showLines(text, lines)}\n${paint(2, `   ${Math.round(performance.now() - started)} ms`)}\n`);
  if (result.isError === true) throw new AppError('INTERNAL', `The step failed: ${text}`);
  return (result.structuredContent ?? {}) as Readonly<Record<string, unknown>>;
};

const walk = async (client: McpClient): Promise<void> => {
  const { tools } = await client.listTools();
  for (const [index, step] of STEPS.entries()) {
    if (!tools.some(({ name }) => name === step.tool)) throw new AppError('INTERNAL', `The server does not offer ${step.tool}.`);
    write(`\n${paint(1, `${index + 1}. ${step.say}`)}\n`);
    const { plan } = await ask(client, step, step.arguments);
    if (step.apply !== undefined) await ask(client, step, { ...step.arguments, ...step.apply, apply: plan });
  }
};

const farewell = (url: string, kubeconfig: string): string => `
${paint(1, 'What happened')}
  42 minutes ago Helm release payment r8 cut the database pool from 20 to 2 and the memory limit from 512Mi to 256Mi:
  requests wait for a connection, memory fills up, the pods are killed. Putting both back was the cure. Each change was planned by
  a dry run, shown as a difference, applied by its token, and verified; platform_undo_change takes it back.
  (A second, unrelated fault: recommendation waits for a node with the label disk=sdd, which is a typing error for ssd.)

${paint(1, 'Try it with your own client')}
  MCP (Streamable HTTP)   ${url}/mcp
  every tool of all       ${url}/api/aggregate/streamable-http
  older clients (SSE)     ${url}/api/aggregate/sse
  plain JSON              ${url}/api/aggregate/http

  client configuration    { "mcpServers": { "demo": { "type": "http", "url": "${url}/mcp" } } }
  from a shell            npx @modelcontextprotocol/inspector --cli ${url}/mcp --transport http --method tools/list
  the cluster itself      kubectl --kubeconfig ${kubeconfig} get pods -n shop
`;

const openDoor = async (app: Awaited<ReturnType<typeof createApp>>, port: number | undefined) => {
  try {
    return await app.openHttp({ port: port ?? 8080 });
  } catch (thrown) {
    // Only the default port may give way; one that was asked for must not.
    if (port !== undefined || !(thrown instanceof AppError) || !thrown.message.includes('in use')) throw thrown;
    return app.openHttp({ port: 0 });
  }
};

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const { values } = parseFlags(argv, { ...HELP_OPTION, once: { type: 'boolean' }, port: { type: 'string' } });
  if (values['help'] === true) {
    write(HELP);
    return 0;
  }
  const port = values['port'] === undefined ? undefined : Number(values['port']);
  if (port !== undefined && !(Number.isInteger(port) && port >= 0 && port < 65_536))
    throw new AppError('INVALID_ARGUMENT', '--port must be a port number.');
  const stop = untilSignal();
  const [{ createEmbeddedKubernetes }, { Client, StreamableHTTPClientTransport }] = await Promise.all([
    import('../embedded/kubernetes/index.ts'),
    import('@modelcontextprotocol/client'),
  ]);
  const folder = await mkdtemp(join(tmpdir(), 'cloud-native-mcp-demo-'));
  const cluster = createEmbeddedKubernetes();
  // kubectl sends no login over plain HTTP.
  const api = await cluster.listen({ tls: true });
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, cluster.kubeconfig('admin'), { mode: 0o600 });
  const app = await createApp(
    await loadSettings({ env: {}, flags: { 'kubernetes.kubeconfig': kubeconfig, 'logging.level': 'error', 'security.allowWrites': true } }),
  );
  try {
    const door = await openDoor(app, port);
    write(`${paint(1, `${NAME} ${VERSION}`)}: an embedded Kubernetes at ${api.url}, this server at ${door.url}\n`);
    const client = new Client({ name: 'demo', version: VERSION });
    await client.connect(new StreamableHTTPClientTransport(new URL(`${door.url}/api/aggregate/streamable-http`)));
    await walk(client);
    await client.close();
    write(farewell(door.url, kubeconfig));
    if (values['once'] !== true) {
      write(`\n${paint(2, 'The server stays up. Ctrl-C ends it.')}\n`);
      await stop;
    }
    await door.drain();
  } finally {
    await app.close();
    await cluster.close();
    await rm(folder, { recursive: true, force: true });
  }
  return 0;
};
