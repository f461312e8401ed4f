#!/usr/bin/env node
// argv -> command. Tiny, so that the server starts fast; each command is loaded on use.

import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { boundHeap } from './commands/heap.ts';
import { AppError, toAppError } from './kit/errors.ts';

// Compiled code is kept for the next start, in a folder that only this user writes; without one, Node compiles as ever.
enableCompileCache(join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'cloud-native-mcp-server', 'compiled'));

const COMMANDS: Readonly<Record<string, () => Promise<{ run(argv: readonly string[]): Promise<number> }>>> = {
  serve: () => import('./commands/serve.ts'),
  call: () => import('./commands/call.ts'),
  tools: () => import('./commands/tools.ts'),
  doctor: () => import('./commands/doctor.ts'),
  demo: () => import('./commands/demo.ts'),
  config: () => import('./commands/config.ts'),
  secrets: () => import('./commands/secrets.ts'),
  audit: () => import('./commands/audit.ts'),
  help: () => import('./commands/help.ts'),
};

const toCommand = (argv: readonly string[]): { name: string; rest: readonly string[] } => {
  const [first = ''] = argv;
  if (first === '--help' || first === '-h' || first === '--version' || first === '-v') return { name: 'help', rest: argv };
  return first === '' || first.startsWith('-') ? { name: 'serve', rest: argv } : { name: first, rest: argv.slice(1) };
};

/** Whether the words say so; a configuration file may too, and is then served a little slower. */
const asksForHttp = (name: string, rest: readonly string[]): boolean =>
  name === 'demo' || Boolean(process.env['MCP_ADDR'] || process.env['MCP_MODE']) || rest.some((word) => /^--(addr|mode)\b/.test(word));

/** Compiling schemas to code pays where many calls come; on stdio it costs more of the start than it ever gives back. */
const interpretSchemas = async (): Promise<void> => {
  const { config } = await import('zod/v4/core');
  config({ jitless: true });
};

const main = async (): Promise<number> => {
  const { name, rest } = toCommand(process.argv.slice(2));
  if (!asksForHttp(name, rest)) await interpretSchemas();
  else if (name === 'serve') boundHeap();
  // Whoever reads the output may have seen enough (`| head`). A server must not end for that.
  if (name !== 'serve') process.stdout.on('error', () => process.exit(0));
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined)
    throw new AppError('INVALID_ARGUMENT', `There is no command ${name}. Commands: ${Object.keys(COMMANDS).join(', ')}.`);
  return (await load()).run(rest);
};

main().then(
  (code) => {
    process.exitCode = code;
  },
  (thrown: unknown) => {
    const error = toAppError(thrown);
    const nearest = error.details['nearest'];
    const hint = Array.isArray(nearest) && nearest.length > 0 ? `\nNearest: ${nearest.join(', ')}` : '';
    // A fault of ours keeps its stack for the one who can mend it; everything else is told in words.
    const fault = error.code === 'INTERNAL' && thrown instanceof Error ? `\n${thrown.stack ?? ''}` : '';
    process.stderr.write(`${error.message}${hint}${fault}\n`);
    process.exitCode = error.code === 'INTERNAL' ? 70 : 2;
  },
);
