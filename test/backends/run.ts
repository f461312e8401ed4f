/** Runs: each `up` makes one, with an id, a folder and a record of everything it started, kept on disk so that any later command can end it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Json } from './backend.ts';
import { logTail } from './command.ts';
import { CHECKOUT, runsFolder } from './folders.ts';
import { identify, isAlive, signalProcess, waitGone } from './process-id.ts';
import { endRoom, enterRoom, isRoomAlive, type Room } from './room.ts';

const processId = z.object({ pid: z.number(), started: z.string(), boot: z.string() });

const runRecord = z.object({
  id: z.string(),
  checkout: z.string(),
  /** Who must live for this run to be wanted: the starting command while it starts; afterwards nobody, or a `test` command. */
  owner: processId.optional(),
  room: z.object({ outer: processId, init: processId }).optional(),
  /** Backends whose start was begun, in order. */
  backends: z.array(z.string()),
  /** Everything is up. */
  ready: z.boolean(),
  processes: z.array(z.object({ backend: z.string(), name: z.string(), id: processId })),
});

type RunRecord = z.infer<typeof runRecord>;

export interface StartedProcess {
  readonly name: string;
  /** Rejects, with the tail of its log, when the process ends; never resolves. */
  readonly ended: Promise<never>;
}

/** One run of the test bed. Its state is its record on disk: every change is written before the next step. */
export class Run {
  readonly folder: string;
  #record: RunRecord;

  private constructor(folder: string, record: RunRecord) {
    this.folder = folder;
    this.#record = record;
  }

  /** Makes a new run of this checkout, owned by this process until it says otherwise. */
  static create(): Run {
    const id = randomBytes(4).toString('hex');
    const folder = join(runsFolder(), id);
    mkdirSync(join(folder, 'logs'), { recursive: true });
    const owner = identify(process.pid);
    const run = new Run(folder, { id, checkout: CHECKOUT, backends: [], ready: false, processes: [], ...(owner && { owner }) });
    run.#save();
    return run;
  }

  /** Opens an existing run. */
  static open(id: string): Run {
    const folder = join(runsFolder(), id);
    return new Run(folder, runRecord.parse(JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'))));
  }

  /** All runs of this user, of every checkout. */
  static list(): Run[] {
    return readdirSync(runsFolder())
      .filter((id) => existsSync(join(runsFolder(), id, 'run.json')))
      .map((id) => Run.open(id));
  }

  get id(): string {
    return this.#record.id;
  }

  get backends(): readonly string[] {
    return this.#record.backends;
  }

  get room(): Room | undefined {
    return this.#record.room;
  }

  get isOurs(): boolean {
    return this.#record.checkout === CHECKOUT;
  }

  /** True while a command that lives needs this run: one that starts it, or tests with it. */
  get isOwned(): boolean {
    return this.#record.owner !== undefined && isAlive(this.#record.owner);
  }

  /** Up and wanted: started to the end, and nothing of it has died. */
  get isReady(): boolean {
    return this.#record.ready && !this.isStale && this.#record.processes.every(({ id }) => isAlive(id));
  }

  /** Left behind: whoever needed it is gone, or its checkout is, or all of itself. */
  get isStale(): boolean {
    const { owner, ready, room, checkout, processes } = this.#record;
    if (!existsSync(checkout) || (room !== undefined && !isRoomAlive(room))) return true;
    if (processes.length > 0 && !processes.some(({ id }) => isAlive(id))) return true;
    return owner === undefined ? !ready : !isAlive(owner);
  }

  /** The folder for a backend's own files. */
  backendFolder(backend: string): string {
    const folder = join(this.folder, backend);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  get logs(): string {
    return join(this.folder, 'logs');
  }

  /** The file with a backend's facts, as JSON. */
  factsFile(backend: string): string {
    return join(this.folder, `${backend}.json`);
  }

  writeFacts(backend: string, facts: { [key: string]: Json }): void {
    writeFileSync(this.factsFile(backend), `${JSON.stringify(facts, null, 2)}\n`, { mode: 0o600 });
  }

  setRoom(room: Room): void {
    this.#change({ room });
  }

  addBackend(name: string): void {
    this.#change({ backends: [...this.#record.backends, name] });
  }

  /** Says that all is up, and who must live for the run to stay wanted; without an owner it stays until `down`. */
  setReady(ownerPid?: number): void {
    const owner = ownerPid === undefined ? undefined : identify(ownerPid);
    const { owner: _, ...rest } = this.#record;
    this.#record = { ...rest, ready: true, ...(owner && { owner }) };
    this.#save();
  }

  /** Starts a long-running program of a backend, in the run's room if there is one; output goes to `logs/NAME.log`. */
  start(backend: string, name: string, command: readonly string[], env: Record<string, string> = {}): StartedProcess {
    const [file = '', ...args] = this.room === undefined ? command : enterRoom(this.room, 'all', command);
    const logFile = join(this.logs, `${name}.log`);
    const log = openSync(logFile, 'a');
    const child = spawn(file, args, { detached: true, cwd: '/', env: { ...process.env, ...env }, stdio: ['ignore', log, log] });
    closeSync(log);
    const id = child.pid === undefined ? undefined : identify(child.pid);
    if (id !== undefined) this.#change({ processes: [...this.#record.processes, { backend, name, id }] });
    child.unref();
    const ended = Promise.race([once(child, 'exit'), once(child, 'error')]).then(([reason]) =>
      Promise.reject(new Error(`${name} ended (${String(reason)}). ${logTail(logFile)}`)),
    );
    ended.catch(() => undefined); // Who waits for the process hears of it; nobody else has to.
    return { name, ended };
  }

  /** Processes of a backend that were started and no longer run. */
  deadProcesses(backend: string): string[] {
    return this.#record.processes.filter((entry) => entry.backend === backend && !isAlive(entry.id)).map((entry) => entry.name);
  }

  /** Ends every process of the run, the room first; what has no room is asked, then forced, last started first. */
  async endProcesses(): Promise<void> {
    if (this.room !== undefined) await endRoom(this.room);
    for (const { id } of this.#record.processes.toReversed()) {
      signalProcess(id, 'SIGTERM', 'group');
      if (!(await waitGone(id, 5000))) signalProcess(id, 'SIGKILL', 'group');
      if (!(await waitGone(id, 5000))) throw new Error(`process ${id.pid} does not end`);
    }
  }

  /** Deletes the run's folder; refuses while something is mounted below it, which would be deleted too. */
  remove(): void {
    const mounted = readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${this.folder}/`);
    if (mounted) throw new Error(`something is still mounted below ${this.folder}`);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #change(part: Partial<RunRecord>): void {
    this.#record = { ...this.#record, ...part };
    this.#save();
  }

  #save(): void {
    const file = join(this.folder, 'run.json');
    writeFileSync(`${file}.new`, JSON.stringify(this.#record, null, 2), { mode: 0o600 });
    renameSync(`${file}.new`, file);
  }
}
