/** `npm run backends <command>`: real servers for tests, on this machine. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type Arguments, parseArguments } from './arguments.ts';
import type { BackendOptions } from './backend.ts';
import { BACKENDS, backendOf, chooseBackends, chooseKnown } from './backends.ts';
import { bringUp, execute, findRun, type OptionsByName, startBackends, takeDown } from './lifecycle.ts';
import { say } from './log.ts';
import { Run } from './run.ts';

const HELP = `usage: node test/backends/main.ts <command> [name...] [options]

  build [name...]        make the programs of the backends (all, if none is named); what is there stays
  up [name...]           start backends together as one run; tells where they are
  status                 what is up
  exec <command...>      run a command where the backends can be reached
  test [name...] [vitest arguments...]
                         start what is not up, run the tests against real backends, stop what was started
  down                   stop this checkout's runs, save those of a command that still works; --all: also what dead runs
                         of any checkout left behind

  --run <id>             which run, if several are up
  --new                  up, test: a run of its own, even if one is up
  --metrics              kubernetes: with metrics-server
  --keep                 up, test: leave a failed start as it is, for a look at its logs
  --json                 the answer as JSON on stdout
  --<name> <version>     for example --kubernetes 1.34

backends:
${Object.values(BACKENDS)
  .map((backend) => `  ${backend.name.padEnd(22)} ${backend.about}`)
  .join('\n')}
`;

const NAMES = Object.keys(BACKENDS);
const FLAGS = ['json', 'all', 'new', 'metrics', 'keep'];
const COMMANDS: Readonly<Record<string, (line: Arguments) => Promise<number>>> = {
  build,
  up,
  down,
  status,
  exec,
  test,
  help,
  'up-inside': upInside,
};

async function build(line: Arguments): Promise<number> {
  for (const backend of chooseBackends(line.names)) await backend.build(optionsFor(backend.name, line));
  return 0;
}

async function up(line: Arguments): Promise<number> {
  const { run, isNew } = await findOrStart(line);
  if (isNew) run.setReady();
  print(line, describeRun(run), explain(run));
  return 0;
}

/** The run that is up, if it has all that is wanted; else, or with `--new`, one that is started now and owned by this process. */
async function findOrStart(line: Arguments): Promise<{ run: Run; isNew: boolean }> {
  const wanted = chooseBackends(line.names);
  const running = line.flags.has('new') ? undefined : findRun(line.texts['run']);
  if (running === undefined) return { run: await bringUp(wanted, allOptions(line), line.flags.has('keep')), isNew: true };
  const missing = wanted.find((backend) => !running.backends.includes(backend.name));
  if (missing !== undefined && line.names.length > 0)
    throw new Error(`run ${running.id} is up without ${missing.name}; use down first, or --new`);
  return { run: running, isNew: false };
}

/** The second half of `up`, inside the room; not for people. */
async function upInside(line: Arguments): Promise<number> {
  const options = z.record(z.string(), z.object({ version: z.string().exactOptional(), metrics: z.boolean().exactOptional() }));
  const order = z.object({ run: z.string(), backends: z.array(z.string()), options }).parse(JSON.parse(line.rest[0] ?? ''));
  const abandoned = () => process.exit(1); // Who started us was killed: nobody waits for these servers any more.
  process.on('disconnect', abandoned);
  await startBackends(order);
  process.off('disconnect', abandoned);
  process.disconnect?.();
  return 0;
}

async function down(line: Arguments): Promise<number> {
  const id = line.texts['run'];
  const mayEnd = (run: Run) => (run.isOurs && !run.isOwned) || (line.flags.has('all') && run.isStale);
  const runs = Run.list().filter((run) => (id === undefined ? mayEnd(run) : run.id === id));
  for (const run of runs) await takeDown(run);
  if (runs.length === 0) say('nothing is up');
  return 0;
}

async function status(line: Arguments): Promise<number> {
  const all = await Promise.all(
    Run.list().map(async (run) => ({
      ...describeRun(run),
      ours: run.isOurs,
      state: stateOf(run),
      backends: Object.fromEntries(
        await Promise.all(chooseKnown(run.backends).map(async (backend) => [backend.name, await backend.status(run)] as const)),
      ),
    })),
  );
  const lines = all.map((run) => {
    const parts = Object.entries(run.backends).map(([name, state]) => (state.running ? name : `${name} (dead: ${state.dead.join(', ')})`));
    return `${run.run}  ${run.state.padEnd(8)}  ${run.ours ? 'this checkout' : 'another checkout'}  ${parts.join(', ')}`;
  });
  print(line, all, lines.join('\n') || 'nothing is up');
  return 0;
}

function stateOf(run: Run): string {
  if (run.isStale) return 'stale';
  if (run.isReady) return run.isOwned ? 'testing' : 'up';
  return run.isOwned ? 'starting' : 'broken';
}

async function exec(line: Arguments): Promise<number> {
  const run = findRun(line.texts['run']);
  if (run === undefined) throw new Error('nothing is up: npm run backends up first');
  if (line.rest.length === 0) throw new Error('no command: exec <command...>');
  return execute(run, line.rest);
}

async function test(line: Arguments): Promise<number> {
  const { run, isNew } = await findOrStart(line);
  try {
    if (isNew) run.setReady(process.pid);
    const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
    const config = join(import.meta.dirname, 'vitest.config.ts');
    return await execute(run, [process.execPath, vitest, 'run', '--config', config, ...line.rest], {
      CNMCP_TEST_ONLY: line.names.join(','),
    });
  } finally {
    if (isNew) await takeDown(Run.open(run.id));
  }
}

async function help(): Promise<number> {
  process.stdout.write(HELP);
  return 0;
}

function allOptions(line: Arguments): OptionsByName {
  return Object.fromEntries(NAMES.map((name) => [name, optionsFor(name, line)]));
}

function optionsFor(name: string, line: Arguments): BackendOptions {
  const { versionLike } = backendOf(name);
  const version = line.texts[name] ?? (versionLike === undefined ? undefined : line.texts[versionLike]);
  return { ...(version !== undefined && { version }), metrics: line.flags.has('metrics') || line.command === 'test' };
}

function describeRun(run: Run) {
  const known = run.backends.filter((name) => existsSync(run.factsFile(name))); // Absent while it starts, and where that failed.
  const facts = known.map((name) => [name, JSON.parse(readFileSync(run.factsFile(name), 'utf8'))] as const);
  return { run: run.id, folder: run.folder, logs: run.logs, facts: Object.fromEntries(facts) };
}

function explain(run: Run): string {
  const { facts } = describeRun(run);
  const room = run.room === undefined ? 'on this machine' : 'in a network of its own';
  return [
    `run ${run.id} is up ${room}; logs: ${run.logs}`,
    JSON.stringify(facts, null, 2),
    `enter: node test/backends/main.ts exec --run ${run.id} <command...>`,
  ].join('\n');
}

function print(line: Arguments, json: unknown, words: string): void {
  process.stdout.write(line.flags.has('json') ? `${JSON.stringify(json, null, 2)}\n` : `${words}\n`);
}

/** Reads the command line and does what it says; gives the exit code. */
async function main(): Promise<number> {
  const vocabulary = { flags: FLAGS, texts: ['run', ...NAMES], names: NAMES, passing: ['exec', 'test', 'up-inside'] };
  const line = parseArguments(process.argv.slice(2), vocabulary);
  const command = COMMANDS[line.command.replace(/^-+/, '')];
  if (command === undefined) throw new Error(`no command "${line.command}"; see help`);
  return command(line);
}

try {
  process.exitCode = await main();
} catch (error) {
  const cause = error instanceof Error && error.cause instanceof Error ? `\ncaused by: ${error.cause.message}` : '';
  say(`${error instanceof Error ? error.message : String(error)}${cause}`);
  process.exitCode = 1;
}
