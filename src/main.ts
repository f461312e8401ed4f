#!/usr/bin/env node
// argv -> command. Tiny, so that the server starts fast; each command is loaded on use.

import { AppError, toAppError } from './kit/errors.ts';

const COMMANDS: Readonly<Record<string, () => Promise<{ run(argv: readonly string[]): Promise<number> }>>> = {
  serve: () => import('./commands/serve.ts'),
  call: () => import('./commands/call.ts'),
  tools: () => import('./commands/tools.ts'),
  doctor: () => import('./commands/doctor.ts'),
  demo: () => import('./commands/demo.ts'),
  help: () => import('./commands/help.ts'),
};

const toCommand = (argv: readonly string[]): { name: string; rest: readonly string[] } => {
  const [first = ''] = argv;
  if (first === '--help' || first === '-h' || first === '--version' || first === '-v') return { name: 'help', rest: argv };
  return first === '' || first.startsWith('-') ? { name: 'serve', rest: argv } : { name: first, rest: argv.slice(1) };
};

const main = async (): Promise<number> => {
  const { name, rest } = toCommand(process.argv.slice(2));
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
