/** Bringing a run up, and taking it down to the last file. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Backend, BackendOptions } from './backend.ts';
import { backendOf, chooseKnown } from './backends.ts';
import { say, timed } from './log.ts';
import { createRoom, enterRoom, requireRoot } from './room.ts';
import { Run } from './run.ts';

/** The options of each backend, by its name. */
export type OptionsByName = Readonly<Record<string, BackendOptions>>;

/** What `up` hands to itself inside the room. */
export interface InsideOrder {
  readonly run: string;
  readonly backends: readonly string[];
  readonly options: OptionsByName;
}

/**
 * Builds and starts the backends together as one run. If one of them needs a room, all of them live in it: this program then starts
 * itself again inside its network, where the servers can be reached. What fails to start is taken down again, unless `keep`.
 */
export async function bringUp(backends: readonly Backend[], options: OptionsByName, keep = false): Promise<Run> {
  const demanding = backends.find((backend) => backend.needsRoom);
  if (demanding !== undefined) requireRoot(demanding.name);
  for (const backend of backends) await backend.build(options[backend.name] ?? {});
  const run = Run.create();
  try {
    await timed(`starting ${backends.map((backend) => backend.name).join(', ')}`, async () => {
      const order: InsideOrder = { run: run.id, backends: backends.map((backend) => backend.name), options };
      if (demanding !== undefined) await startInRoom(run, order);
      else await startBackends(order);
    });
  } catch (error) {
    if (keep) say(`left as it is: ${run.folder}`);
    else await takeDown(Run.open(run.id));
    throw error;
  }
  return Run.open(run.id);
}

/** Starts the backends from within the network where they will live. */
export async function startBackends({ run: id, backends, options }: InsideOrder): Promise<void> {
  const run = Run.open(id);
  for (const name of backends) run.addBackend(name);
  const start = performance.now();
  await Promise.all(
    backends.map(async (name) => {
      run.writeFacts(name, await backendOf(name).up(run, options[name] ?? {}));
      say(`${name} is up: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    }),
  );
}

/** Ends everything a run has started, removes what backends leave behind, then its folder. */
export async function takeDown(run: Run): Promise<void> {
  await timed(`stopping run ${run.id} (${run.backends.join(', ') || 'nothing started'})`, async () => {
    await run.endProcesses();
    for (const backend of chooseKnown(run.backends).toReversed()) await backend.down(run);
    run.remove();
  });
}

/** The run of this checkout that is up and belongs to no other command, if there is one; of several the one must be named. */
export function findRun(id?: string): Run | undefined {
  const runs = Run.list().filter((run) => (id === undefined ? run.isOurs && run.isReady && !run.isOwned : run.id === id));
  if (runs.length > 1) throw new Error(`several runs are up; choose one with --run: ${runs.map((run) => run.id).join(', ')}`);
  if (id !== undefined && runs.length === 0) throw new Error(`there is no run ${id}`);
  return runs[0];
}

/** Runs a command where the backends of a run can be reached, told by its environment where they are; gives its exit code. */
export async function execute(run: Run, command: readonly string[], env: Record<string, string> = {}): Promise<number> {
  const [file = '', ...args] = run.room === undefined ? command : enterRoom(run.room, 'network', command);
  const child = spawn(file, args, { stdio: 'inherit', env: { ...process.env, ...environmentOf(run), ...env } });
  return exitCode(child);
}

/** `CNMCP_TEST_<BACKEND>`: the file with the facts of each backend that is up. */
function environmentOf(run: Run): Record<string, string> {
  const variable = (name: string) => `CNMCP_TEST_${name.toUpperCase().replaceAll('-', '_')}`;
  return Object.fromEntries(run.backends.map((name) => [variable(name), run.factsFile(name)]));
}

async function startInRoom(run: Run, order: InsideOrder): Promise<void> {
  const room = await createRoom(run.folder, run.logs, (made) => run.setRoom(made));
  const main = join(import.meta.dirname, 'main.ts');
  const [file = '', ...args] = enterRoom(room, 'network', [process.execPath, main, 'up-inside', JSON.stringify(order)]);
  // Through the channel it notices if we are killed, and ends too.
  const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  if ((await exitCode(child)) !== 0) throw new Error('the backends did not start; see above (--keep leaves their logs)');
}

/** Waits for a child that does our work, and outlives the signals that are meant for it, so that what it leaves behind can be taken down. */
async function exitCode(child: ChildProcess): Promise<number> {
  const ignore = () => undefined; // The terminal sends SIGINT to the child as well.
  const forward = () => child.kill('SIGTERM');
  process.on('SIGINT', ignore).on('SIGTERM', forward);
  try {
    const [code] = await once(child, 'exit');
    return typeof code === 'number' ? code : 1;
  } finally {
    process.off('SIGINT', ignore).off('SIGTERM', forward);
  }
}
