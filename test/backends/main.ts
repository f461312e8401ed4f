/** `npm run backends <command>`: real servers for tests, on this machine. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { BackendOptions } from './backend.ts';
import { BACKENDS, backendOf, chooseBackends } from './backends.ts';
import { bringUp, execute, findRun, type OptionsByName, startBackends, takeDown } from './lifecycle.ts';
import { say } from './log.ts';
import { Run } from './run.ts';

const HELP = `usage: node test/backends/main.ts <command> [name...] [options]

  build [name...]        make the programs of the backends (all, if none is named); what is there stays
  up [name...]           start backends together as one run; tells where they are
  status                 what is up
  exec -- <command...>   run a command where the backends can be reached
  test [name...] [-- <vitest arguments...>]
                         start what is not up, run the tests against real backends, stop what was started
  down                   stop this checkout's run; --all: also what dead runs of any checkout left behind

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

const names = Object.keys(BACKENDS);
const separator = process.argv.indexOf('--');
const ours = separator < 0 ? process.argv.slice(2) : process.argv.slice(2, separator);
const rest = separator < 0 ? [] : process.argv.slice(separator + 1);

const parsed = parseArgs({
  args: ours,
  allowPositionals: true,
  options: {
    help: { type: 'boolean', short: 'h' },
    json: { type: 'boolean' },
    all: { type: 'boolean' },
    new: { type: 'boolean' },
    metrics: { type: 'boolean' },
    keep: { type: 'boolean' },
    run: { type: 'string' },
    ...Object.fromEntries(names.map((name) => [name, { type: 'string' } as const])),
  },
});

const values = z.record(z.string(), z.union([z.string(), z.boolean()])).parse(parsed.values);
const [command = 'help', ...chosen] = parsed.positionals;
const flag = z.boolean().optional();
const text = z.string().optional();

const COMMANDS: Readonly<Record<string, () => Promise<number>>> = { build, up, down, status, exec, test, help, 'up-inside': upInside };

async function build(): Promise<number> {
  for (const backend of chooseBackends(chosen)) await backend.build(optionsFor(backend.name));
  return 0;
}

async function up(): Promise<number> {
  const running = isSet('new') ? undefined : findRun(text.parse(values['run']));
  const wanted = chooseBackends(chosen);
  if (running !== undefined) {
    const missing = wanted.filter((backend) => !running.backends.includes(backend.name));
    if (missing.length > 0) throw new Error(`run ${running.id} is up without ${missing[0]?.name}; use down first, or --new`);
  }
  const run = running ?? (await bringUp(wanted, allOptions(), isSet('keep')));
  if (running === undefined) run.setReady();
  print(describeRun(run), explain(run));
  return 0;
}

/** The second half of `up`, inside the room; not for people. */
async function upInside(): Promise<number> {
  const options = z.record(z.string(), z.object({ version: z.string().exactOptional(), metrics: z.boolean().exactOptional() }));
  const order = z.object({ run: z.string(), backends: z.array(z.string()), options }).parse(JSON.parse(chosen[0] ?? ''));
  const abandoned = () => process.exit(1); // Who started us was killed: nobody waits for these servers any more.
  process.on('disconnect', abandoned);
  await startBackends(order);
  process.off('disconnect', abandoned);
  process.disconnect?.();
  return 0;
}

async function down(): Promise<number> {
  const id = text.parse(values['run']);
  const runs = Run.list().filter((run) => (id === undefined ? run.isOurs || (isSet('all') && run.isStale) : run.id === id));
  for (const run of runs) await takeDown(run);
  if (runs.length === 0) say('nothing is up');
  return 0;
}

async function status(): Promise<number> {
  const all = await Promise.all(
    Run.list().map(async (run) => ({
      ...describeRun(run),
      ours: run.isOurs,
      state: run.isReady ? 'up' : run.isStale ? 'stale' : 'starting',
      backends: Object.fromEntries(
        await Promise.all(chooseBackends(run.backends).map(async (backend) => [backend.name, await backend.status(run)] as const)),
      ),
    })),
  );
  const lines = all.map((run) => {
    const parts = Object.entries(run.backends).map(([name, state]) => (state.running ? name : `${name} (dead: ${state.dead.join(', ')})`));
    return `${run.run}  ${run.state.padEnd(8)}  ${run.ours ? 'this checkout' : 'another checkout'}  ${parts.join(', ')}`;
  });
  print(all, lines.join('\n') || 'nothing is up');
  return 0;
}

async function exec(): Promise<number> {
  const run = findRun(text.parse(values['run']));
  if (run === undefined) throw new Error('nothing is up: npm run backends up first');
  if (rest.length === 0) throw new Error('no command: exec -- <command...>');
  return execute(run, rest);
}

async function test(): Promise<number> {
  const running = isSet('new') ? undefined : findRun(text.parse(values['run']));
  const run = running ?? (await bringUp(chooseBackends(chosen), allOptions(), isSet('keep')));
  try {
    if (running === undefined) run.setReady(process.pid);
    const vitest = join(dirname(createRequire(import.meta.url).resolve('vitest/package.json')), 'vitest.mjs');
    const config = join(import.meta.dirname, 'vitest.config.ts');
    return await execute(run, [process.execPath, vitest, 'run', '--config', config, ...rest]);
  } finally {
    if (running === undefined) await takeDown(Run.open(run.id));
  }
}

async function help(): Promise<number> {
  process.stdout.write(HELP);
  return 0;
}

function allOptions(): OptionsByName {
  return Object.fromEntries(names.map((name) => [name, optionsFor(name)]));
}

function optionsFor(name: string): BackendOptions {
  const { versionLike } = backendOf(name);
  const version = text.parse(values[name] ?? (versionLike === undefined ? undefined : values[versionLike]));
  return { ...(version !== undefined && { version }), metrics: isSet('metrics') || command === 'test' };
}

function isSet(name: string): boolean {
  return flag.parse(values[name]) ?? false;
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
    `enter: node test/backends/main.ts exec --run ${run.id} -- <command...>`,
  ].join('\n');
}

function print(json: unknown, words: string): void {
  process.stdout.write(isSet('json') ? `${JSON.stringify(json, null, 2)}\n` : `${words}\n`);
}

const chosenCommand = values['help'] === true ? help : COMMANDS[command];
if (chosenCommand === undefined) {
  process.stderr.write(HELP);
  process.exitCode = 2;
} else {
  try {
    process.exitCode = await chosenCommand();
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? `\ncaused by: ${error.cause.message}` : '';
    say(`${error instanceof Error ? error.message : String(error)}${cause}`);
    process.exitCode = 1;
  }
}
