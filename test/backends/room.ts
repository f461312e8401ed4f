/**
 * A room: network, process and mount namespaces of its own, so that two runs on one machine never meet, and so that
 * everything ends at once. All programs of a run live in it; when its first process dies, the kernel kills the rest,
 * and the mounts and network interfaces vanish with them.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logTail } from './command.ts';
import { childrenOf, identify, isAlive, type ProcessId, signalProcess, waitGone } from './process-id.ts';

export interface Room {
  /** `unshare`, which waits for the first process. */
  readonly outer: ProcessId;
  /** The first process inside; it holds the namespaces. */
  readonly init: ProcessId;
}

/** Kernel settings that a kubelet insists on. Inside the room they read so; the machine's own stay as they are. */
const KERNEL_SETTINGS: Readonly<Record<string, string>> = {
  'vm/overcommit_memory': '1',
  'vm/panic_on_oom': '0',
  'kernel/panic': '10',
  'kernel/panic_on_oops': '1',
  'kernel/keys/root_maxkeys': '1000000',
  'kernel/keys/root_maxbytes': '25000000',
};

/** Folders that programs insist on by name and would share with other runs: empty ones in memory are put over them. */
const PRIVATE_FOLDERS = ['/run', '/var/lib/cni', '/var/lib/kubelet'];

/** Fails unless this is root on Linux, which a room needs. */
export function requireRoot(backend: string): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error(`${backend} needs root on Linux: it makes network, process and mount namespaces. Other backends can be named alone`);
}

/**
 * Makes a room. `logs` appears as /var/log inside, so that a kubelet's node log query finds the logs of this run and none of the
 * machine's. `record` is called before anything else may happen in the room, so that a crash leaves nothing unrecorded.
 */
export async function createRoom(folder: string, logs: string, record: (room: Room) => void): Promise<Room> {
  const script = join(folder, 'room.sh');
  writeFileSync(script, roomScript(join(folder, 'kernel'), logs));
  const args = ['--net', '--pid', '--mount', '--ipc', '--fork', '--mount-proc', '--propagation', 'private', 'sh', script];
  const log = openSync(join(logs, 'room.log'), 'a');
  const child = spawn('unshare', args, { detached: true, stdio: ['pipe', 'pipe', log], cwd: '/' });
  closeSync(log);
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('the room has no pipes');
  const ended = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`the room ended (${code}) while it was made. ${logTail(join(logs, 'room.log'))}`)),
  );
  await Promise.race([once(stdout, 'data'), ended]); // "waiting": the namespaces exist, nothing was done in them.
  const outer = identify(child.pid ?? -1);
  const [first] = outer === undefined ? [] : childrenOf(outer.pid);
  const init = first === undefined ? undefined : identify(first);
  if (outer === undefined || init === undefined) throw new Error('the room ended while it was made');
  const room = { outer, init };
  record(room);
  stdin.end('go\n');
  await Promise.race([once(stdout, 'data'), ended]); // "ready"
  ended.catch(() => undefined);
  stdout.destroy();
  child.unref();
  return room;
}

/** Ends everything in the room. */
export async function endRoom(room: Room): Promise<void> {
  signalProcess(room.init, 'SIGKILL');
  if (!(await waitGone(room.init, 20_000)) || !(await waitGone(room.outer, 5_000)))
    throw new Error(`the room's first process ${room.init.pid} does not end`);
}

/** True while the room exists. */
export function isRoomAlive(room: Room): boolean {
  return isAlive(room.init);
}

/** The command line that runs a program inside: `network` joins its network alone and keeps the caller's files and processes. */
export function enterRoom(room: Room, what: 'network' | 'all', command: readonly string[]): string[] {
  const namespaces = what === 'network' ? ['--net'] : ['--net', '--pid', '--mount', '--ipc'];
  return ['nsenter', `--target=${room.init.pid}`, ...namespaces, '--', ...command];
}

/**
 * The first process: waits until it was recorded (an end of input instead of "go" means that the maker died), makes the room
 * private, then sleeps. It ignores SIGCHLD, so that the kernel itself reaps the orphans that become its children.
 */
function roomScript(kernel: string, logs: string): string {
  const binds = Object.entries(KERNEL_SETTINGS).map(([name, value]) => {
    const file = join(kernel, name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, `${value}\n`);
    return `mount --bind '${file}' /proc/sys/${name}`;
  });
  return [
    'set -e',
    'echo waiting',
    'read -r word && [ "$word" = go ]',
    ...PRIVATE_FOLDERS.flatMap((folder) => [`mkdir -p ${folder}`, `mount -t tmpfs -o mode=755 tmpfs ${folder}`]),
    'mkdir -p /run/lock /run/netns',
    `mount --bind '${logs}' /var/log`,
    ...binds,
    'ip link set lo up',
    "trap '' CHLD",
    'echo ready',
    'exec >/dev/null 2>&1 </dev/null sleep infinity',
    '',
  ].join('\n');
}
