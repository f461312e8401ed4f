/** Processes named so that a reused process number can never be mistaken for the one that was recorded (Linux). */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** A process: its number, and when it started in clock ticks since this boot. */
export interface ProcessId {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
}

/** Names a running process; undefined if there is none. */
export function identify(pid: number): ProcessId | undefined {
  const fields = statFields(pid);
  if (fields === undefined) return undefined;
  return { pid, started: fields[19] ?? '', boot: bootId() };
}

/** True while exactly this process runs; an ended one that nobody has waited for yet does not. */
export function isAlive(id: ProcessId): boolean {
  const fields = statFields(id.pid);
  return fields !== undefined && fields[0] !== 'Z' && fields[19] === id.started && id.boot === bootId();
}

/** Sends a signal to exactly this process, or to its group; does nothing if it is gone. */
export function signalProcess(id: ProcessId, signal: NodeJS.Signals, to: 'process' | 'group' = 'process'): void {
  if (!isAlive(id)) return;
  try {
    process.kill(to === 'group' ? -id.pid : id.pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Waits until the process is gone; false if it still runs after `milliseconds`. */
export async function waitGone(id: ProcessId, milliseconds: number): Promise<boolean> {
  const end = performance.now() + milliseconds;
  while (isAlive(id)) {
    if (performance.now() > end) return false;
    await delay(20); // Not our child, so the kernel sends us no event.
  }
  return true;
}

/** The direct children of a process. */
export function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
}

/** Numbers of the running processes whose program is `executable`. */
export function processesOf(executable: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && commandOf(pid) === executable);
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[0] ?? '';
  } catch {
    return ''; // It ended between the listing and this look.
  }
}

/** The fields of /proc/PID/stat after the command name, which may itself contain spaces and brackets: state first, start time 19 further. */
function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
