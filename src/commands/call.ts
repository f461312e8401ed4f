// call: one tool from the command line, with the same steps, rights and answers as over MCP.

import { createApp } from '../app.ts';
import { AppError, toAppError, toWireError } from '../kit/errors.ts';
import { nearestNames } from '../kit/nearest.ts';
import type { ToolInfo } from '../kit/tool.ts';
import { toErrorText } from '../mcp/result.ts';
import { HELP_OPTION, type ParsedFlags, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';
import { untilSignal } from './signals.ts';
import { formatTable } from './table.ts';

const HELP = `Usage: call <tool> [--argument value ...] [--json] [settings]

  call kubernetes_list_resources --kind pods --namespace shop
  call kubernetes_get_logs --name deployment/payment --grep timeout
  call <tool> --help      the arguments of a tool

--json prints the structured answer. Exit code 1 when the tool answers with an error.
`;

/** Settings first, everything else belongs to the tool. */
const splitArguments = (argv: readonly string[]): { settings: string[]; args: Record<string, string> } => {
  const known: typeof SETTING_OPTIONS = { ...SETTING_OPTIONS, ...HELP_OPTION, json: { type: 'boolean' } };
  const settings: string[] = [];
  const args: Record<string, string> = {};
  for (let at = 0; at < argv.length; at++) {
    const [, name = '', inline] = /^--([^=]+)(?:=(.*))?$/s.exec(argv[at] ?? '') ?? [];
    if (name === '') throw new AppError('INVALID_ARGUMENT', `${argv[at]} is no argument: write --name value.`);
    const option = known[name];
    const takesValue = option === undefined || option.type === 'string';
    const next = argv[at + 1];
    const value = inline ?? (takesValue && next !== undefined && !next.startsWith('--') ? argv[++at] : undefined);
    if (option === undefined) args[name] = value ?? 'true';
    else settings.push(`--${name}`, ...(option.type === 'string' && value !== undefined ? [value] : []));
  }
  return { settings, args };
};

interface Property {
  readonly type?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly default?: unknown;
}

const describeTool = (tool: ToolInfo): string => {
  const properties = Object.entries((tool.input['properties'] ?? {}) as Readonly<Record<string, Property>>);
  const required = (tool.input['required'] ?? []) as readonly string[];
  const rows = properties.map(([name, property]) => [
    `--${name}${required.includes(name) ? ' *' : ''}`,
    property.enum === undefined ? (property.type ?? 'any') : property.enum.join('|'),
    `${property.description ?? ''}${property.default === undefined ? '' : ` (default ${String(property.default)})`}`,
  ]);
  return `${tool.name} (${tool.effect}): ${tool.description}\n\n${formatTable(['ARGUMENT', 'TYPE', 'MEANING'], rows)}\n`;
};

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const [name] = argv;
  if (name === undefined || name.startsWith('-')) {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  const { settings, args } = splitArguments(argv.slice(1));
  const flags: ParsedFlags = parseFlags(settings, { ...SETTING_OPTIONS, ...HELP_OPTION, json: { type: 'boolean' } });
  // Calls are told on stdout; the log stays quiet unless asked for.
  const app = await createApp(
    await toSettings(flags, { ...(flags.values['log-level'] === undefined ? { 'logging.level': 'warn' } : {}), profiles: ['all'] }),
  );
  try {
    const { selection } = app.surface(['all']);
    const tool = selection.tools.find((item) => item.name === name);
    if (tool === undefined && !selection.hidden.has(name)) {
      throw new AppError('INVALID_ARGUMENT', `There is no tool ${name}.`, {
        details: {
          nearest: nearestNames(
            name,
            selection.tools.map((item) => item.name),
          ),
        },
      });
    }
    if (flags.values['help'] === true && tool !== undefined) {
      process.stdout.write(describeTool(tool));
      return 0;
    }
    const stop = new AbortController();
    void untilSignal().then(() => stop.abort());
    const isTerminal = process.stderr.isTTY === true;
    const answer = await app.calls.call({
      tool: name,
      args,
      caller: app.local,
      selection,
      signal: stop.signal,
      ...(isTerminal
        ? {
            progress: ({ progress, total, message }) =>
              void process.stderr.write(`\r\u001b[K${message ?? ''} ${progress}${total === undefined ? '' : `/${total}`}`),
          }
        : {}),
    });
    if (isTerminal) process.stderr.write('\r\u001b[K');
    process.stdout.write(`${flags.values['json'] === true ? JSON.stringify(answer.structured) : answer.text}\n`);
    return 0;
  } catch (thrown) {
    const error = toAppError(thrown);
    if (flags.values['json'] === true) process.stdout.write(`${JSON.stringify(toWireError(error))}\n`);
    else process.stderr.write(`${toErrorText(error)}\n`);
    return 1;
  } finally {
    await app.close();
  }
};
